package s3

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests. The nil *Metrics counts nothing.
type Metrics struct {
	requests, retries *prometheus.CounterVec
	seconds           *prometheus.HistogramVec
	bytes             *prometheus.CounterVec
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_s3_requests_total",
			Help: "Requests sent to S3, attempts included, by operation and result.",
		}, []string{"op", "result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_s3_retries_total",
			Help: "Attempts beyond the first, by operation.",
		}, []string{"op"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "moqpack_s3_request_seconds",
			Help:    "Time to the end of an attempt, by operation.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}, []string{"op"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_s3_bytes_total",
			Help: "Bytes of content, by direction: sent (attempts included) or received.",
		}, []string{"direction"}),
	}
	r.MustRegister(m.requests, m.retries, m.seconds, m.bytes)
	return m
}

func (m *Metrics) request(c call, result class, again bool) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(c.op, result.String()).Inc()
	m.bytes.WithLabelValues("sent").Add(float64(c.sent))
	if again {
		m.retries.WithLabelValues(c.op).Inc()
	}
}

func (m *Metrics) took(c call, d time.Duration) {
	if m != nil {
		m.seconds.WithLabelValues(c.op).Observe(d.Seconds())
	}
}

func (m *Metrics) received(n int64) {
	if m != nil {
		m.bytes.WithLabelValues("received").Add(float64(n))
	}
}

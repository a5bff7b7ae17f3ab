package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/moqpack/moqpack/manifest"
)

// Metrics counts what the server does. The nil *Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	renders  *prometheus.CounterVec
	seconds  prometheus.Counter
	waits    prometheus.Gauge
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_http_requests_total", Help: "Answered requests by kind and status; status 0 is an aborted body, or a client that hung up while it waited.",
		}, []string{"kind", "status"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_http_body_bytes_total", Help: "Body bytes written by kind.",
		}, []string{"kind"}),
		renders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_http_renderings_total", Help: "Documents rendered by kind: one per version that somebody asked for.",
		}, []string{"kind"}),
		seconds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "moqpack_http_rendering_seconds_total", Help: "Time spent in rendering documents.",
		}),
		waits: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "moqpack_http_waiting", Help: "Requests that wait for media.",
		}),
	}
	r.MustRegister(m.requests, m.bytes, m.renders, m.seconds, m.waits)
	return m
}

func (m *Metrics) request(kind string, status int, bytes int64) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(kind, strconv.Itoa(status)).Inc()
	m.bytes.WithLabelValues(kind).Add(float64(bytes))
}

func (m *Metrics) rendered(kind manifest.Kind, took time.Duration) {
	if m == nil {
		return
	}
	m.renders.WithLabelValues(kindOf(manifest.Name{Kind: kind}.Key())).Inc()
	m.seconds.Add(took.Seconds())
}

func (m *Metrics) wait(delta float64) {
	if m != nil {
		m.waits.Add(delta)
	}
}

package channel

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the fold refuses. The nil *Metrics counts nothing.
type Metrics struct{ refusals *prometheus.CounterVec }

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "moqpack_segmenter_refused_total",
		Help: "Objects and catalogs that could not be packaged, by channel and track (empty: the catalog).",
	}, []string{"channel", "track"})}
	r.MustRegister(m.refusals)
	return m
}

func (m *Metrics) refused(channel, track string) {
	if m != nil {
		m.refusals.WithLabelValues(channel, track).Inc()
	}
}

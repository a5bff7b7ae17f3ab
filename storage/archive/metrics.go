package archive

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what archives store and lose. The nil *Metrics counts nothing.
type Metrics struct {
	segments, bytes, lost, conflicts, retries *prometheus.CounterVec
	lag, queued                               *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	labels := []string{"channel", "store"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "moqpack_archive_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "moqpack_archive_" + name, Help: help}, labels)
	}
	m := &Metrics{
		segments:  counter("segments_total", "Segments that were stored by this instance, or found there already."),
		bytes:     counter("bytes_total", "Bytes of the segments that were stored."),
		lost:      counter("lost_total", "Segments that were gone before they could be stored, and are gaps in the archive."),
		conflicts: counter("conflicts_total", "Names under which the store has other content than this instance made."),
		retries:   counter("retries_total", "Attempts that failed and were made again."),
		lag:       gauge("lag_seconds", "Media that is published and not yet in the archive."),
		queued:    gauge("queued_bytes", "Bytes of the segments that are published and not yet in the archive, as far as they are remembered."),
	}
	r.MustRegister(m.segments, m.bytes, m.lost, m.conflicts, m.retries, m.lag, m.queued)
	return m
}

func (m *Metrics) stored(c Config, bytes int64) {
	if m != nil {
		m.segments.WithLabelValues(c.Channel, c.Name).Inc()
		m.bytes.WithLabelValues(c.Channel, c.Name).Add(float64(bytes))
	}
}

func (m *Metrics) lose(c Config) {
	if m != nil {
		m.lost.WithLabelValues(c.Channel, c.Name).Inc()
	}
}

func (m *Metrics) conflict(c Config) {
	if m != nil {
		m.conflicts.WithLabelValues(c.Channel, c.Name).Inc()
	}
}

func (m *Metrics) retried(c Config) {
	if m != nil {
		m.retries.WithLabelValues(c.Channel, c.Name).Inc()
	}
}

func (m *Metrics) behind(c Config, lag time.Duration, queued int64) {
	if m != nil {
		m.lag.WithLabelValues(c.Channel, c.Name).Set(lag.Seconds())
		m.queued.WithLabelValues(c.Channel, c.Name).Set(float64(queued))
	}
}

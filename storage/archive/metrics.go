package archive

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what archives store and lose. The nil *Metrics counts nothing.
type Metrics struct {
	segments, bytes, lost, conflicts, retries *prometheus.CounterVec
	lag, queued                               *prometheus.GaugeVec
	overflows, deleted                        *prometheus.CounterVec // by the Keeper
	full                                      *prometheus.GaugeVec
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
		lost:      counter("lost_total", "Segments that were gone before they could be stored, or that the store has lost: gaps in the archive."),
		conflicts: counter("conflicts_total", "Names under which the store has other content than this instance made."),
		retries:   counter("retries_total", "Attempts that failed and were made again."),
		lag:       gauge("lag_seconds", "Media that is published and not yet in the archive."),
		queued:    gauge("queued_bytes", "Bytes of the segments that are published and not yet in the archive, as far as they are remembered."),

		overflows: counter("spool_overflow_total", "Times that media was given up before the next archive had it, because this one outgrew its bounds."),
		deleted:   counter("deleted_chunks_total", "Chunks of the record that retention deleted, with their media."),
		full:      gauge("full", "1 while the store is full although nothing in it may be deleted."),
	}
	r.MustRegister(m.segments, m.bytes, m.lost, m.conflicts, m.retries, m.lag, m.queued, m.overflows, m.deleted, m.full)
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

func (m *Metrics) overflow(store, channel string) {
	if m != nil {
		m.overflows.WithLabelValues(channel, store).Inc()
	}
}

func (m *Metrics) deleteChunk(store, channel string) {
	if m != nil {
		m.deleted.WithLabelValues(channel, store).Inc()
	}
}

func (m *Metrics) cramped(store, channel string, is bool) {
	if m == nil {
		return
	}
	v := 0.0
	if is {
		v = 1
	}
	m.full.WithLabelValues(channel, store).Set(v)
}

// Forget drops what was counted of a channel that is no more. What a Keeper does with what is left of it is counted anew.
func (m *Metrics) Forget(channel string) {
	if m == nil {
		return
	}
	of := prometheus.Labels{"channel": channel}
	for _, v := range []*prometheus.CounterVec{m.segments, m.bytes, m.lost, m.conflicts, m.retries, m.overflows, m.deleted} {
		v.DeletePartialMatch(of)
	}
	for _, v := range []*prometheus.GaugeVec{m.lag, m.queued, m.full} {
		v.DeletePartialMatch(of)
	}
}

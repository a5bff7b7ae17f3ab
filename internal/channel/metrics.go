package channel

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Metrics counts what the fold refuses, and what went otherwise than planned. The nil *Metrics counts nothing.
type Metrics struct {
	refusals, events, disagreements *prometheus.CounterVec
	skipped                         *prometheus.GaugeVec
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_segmenter_refused_total",
			Help: "Objects and tracks that could not be packaged, by channel and track.",
		}, []string{"channel", "track"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_segmenter_events_total",
			Help: "What went otherwise than planned, by channel and event: loss (of media), gap (a segment), forced_cut, epoch, late_text.",
		}, []string{"channel", "event"}),
		disagreements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moqpack_channel_ledger_failures_total",
			Help: "Times that a channel could not settle with other instances what they must agree on, and went on alone.",
		}, []string{"channel"}),
		skipped: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "moqpack_channel_track_skipped",
			Help: "1 for each track of the newest catalog that is not packaged, by channel and track, and why.",
		}, []string{"channel", "track", "reason"}),
	}
	r.MustRegister(m.refusals, m.events, m.disagreements, m.skipped)
	return m
}

// happened adds what has been counted since.
func (m *Metrics) happened(channel string, before, now segmenter.Events) {
	if m == nil || before == now {
		return
	}
	add := func(event string, n uint64) { m.events.WithLabelValues(channel, event).Add(float64(n)) }
	add("loss", now.Losses-before.Losses)
	add("gap", now.Gaps-before.Gaps)
	add("forced_cut", now.ForcedCuts-before.ForcedCuts)
	add("epoch", now.Epochs-before.Epochs)
	add("late_text", now.LateText-before.LateText)
}

func (m *Metrics) disagreed(channel string) {
	if m != nil {
		m.disagreements.WithLabelValues(channel).Inc()
	}
}

func (m *Metrics) refused(channel, track string) {
	if m != nil {
		m.refusals.WithLabelValues(channel, track).Inc()
	}
}

// skip tells of the tracks that are skipped now, in the place of those that were before. What a publisher wrote may be no UTF-8, which
// labels must be.
func (m *Metrics) skip(channel string, all []catalog.Skipped) {
	if m == nil {
		return
	}
	m.skipped.DeletePartialMatch(prometheus.Labels{"channel": channel})
	for _, s := range all {
		m.skipped.WithLabelValues(channel, strings.ToValidUTF8(s.Name, "?"), strings.ToValidUTF8(s.Reason, "?")).Set(1)
	}
}

// Forget drops what was counted of a channel that is no more.
func (m *Metrics) Forget(channel string) {
	if m == nil {
		return
	}
	for _, v := range []*prometheus.CounterVec{m.refusals, m.events, m.disagreements} {
		v.DeletePartialMatch(prometheus.Labels{"channel": channel})
	}
	m.skip(channel, nil)
}

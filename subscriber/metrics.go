package subscriber

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/moqpack/moqpack/subscriber/moqt"
)

// Metrics counts what Sources do, by channel and by the tracks that the Receiver wants. The nil *Metrics counts nothing.
type Metrics struct {
	sessions *moqt.Metrics

	objects, bytes, dropped, holes, refused *prometheus.CounterVec // by channel and track
	connects, badCatalogs                   *prometheus.CounterVec // by channel
	phase                                   *prometheus.GaugeVec   // by channel

	publishers prometheus.Gauge
	announced  prometheus.Counter
	unwelcome  *prometheus.CounterVec // by reason, one of the constants of Reception
}

// NewMetrics registers the counters. A nil Registerer gives a nil *Metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	if r == nil {
		return nil
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "moqpack", Subsystem: "subscriber", Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	m := &Metrics{
		sessions:    moqt.NewMetrics(r),
		objects:     counter("objects_total", "Objects handed over, in order.", "channel", "track"),
		bytes:       counter("object_bytes_total", "Payload bytes of the objects handed over.", "channel", "track"),
		dropped:     counter("dropped_objects_total", "Objects that came twice, too late, or before the first group start.", "channel", "track"),
		holes:       counter("holes_total", "Holes that were given up: objects were lost.", "channel", "track"),
		refused:     counter("refused_objects_total", "Objects that the receiver could not use.", "channel", "track"),
		connects:    counter("connections_total", "Sessions dialled, successful or not.", "channel"),
		badCatalogs: counter("bad_catalogs_total", "Catalog objects that could not be applied.", "channel"),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "moqpack", Subsystem: "subscriber", Name: "phase",
			Help: "1 connecting, 2 waiting for the broadcast, 3 live, 4 ended."}, []string{"channel"}),
	}
	m.publishers = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "moqpack", Subsystem: "publishers", Name: "connected",
		Help: "Sessions of publishers, and of strangers, that have connected to us."})
	m.announced = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "moqpack", Subsystem: "publishers", Name: "accepted_total",
		Help: "Namespaces that publishers who connected to us were let publish."})
	m.unwelcome = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "moqpack", Subsystem: "publishers", Name: "refused_total",
		Help: "Sessions, namespaces and tracks of publishers that were refused, by reason."}, []string{"reason"})
	r.MustRegister(m.phase, m.publishers, m.announced, m.unwelcome)
	return m
}

// publisherCame counts the session of somebody who has connected to us, until the function that it returns is called.
func (m *Metrics) publisherCame() (left func()) {
	if m == nil {
		return func() {}
	}
	m.publishers.Inc()
	return m.publishers.Dec
}

func (m *Metrics) acceptPublisher() {
	if m != nil {
		m.announced.Inc()
	}
}

func (m *Metrics) refusePublisher(reason string) {
	if m != nil {
		m.unwelcome.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) session() *moqt.Metrics {
	if m == nil {
		return nil
	}
	return m.sessions
}

func (m *Metrics) object(channel, track string, bytes int) {
	if m != nil {
		m.objects.WithLabelValues(channel, track).Inc()
		m.bytes.WithLabelValues(channel, track).Add(float64(bytes))
	}
}

func (m *Metrics) reordered(channel, track string, dropped, holes int) {
	if m != nil && (dropped > 0 || holes > 0) {
		m.dropped.WithLabelValues(channel, track).Add(float64(dropped))
		m.holes.WithLabelValues(channel, track).Add(float64(holes))
	}
}

func (m *Metrics) refuse(channel, track string) {
	if m != nil {
		m.refused.WithLabelValues(channel, track).Inc()
	}
}

func (m *Metrics) connect(channel string) {
	if m != nil {
		m.connects.WithLabelValues(channel).Inc()
	}
}

func (m *Metrics) badCatalog(channel string) {
	if m != nil {
		m.badCatalogs.WithLabelValues(channel).Inc()
	}
}

func (m *Metrics) enter(channel string, p Phase) {
	if m != nil {
		m.phase.WithLabelValues(channel).Set(float64(p))
	}
}

// Forget drops what was counted of a channel that is no more: channels that come with their broadcasts may be ever new ones.
func (m *Metrics) Forget(channel string) {
	if m == nil {
		return
	}
	of := prometheus.Labels{"channel": channel}
	for _, v := range []*prometheus.CounterVec{m.objects, m.bytes, m.dropped, m.holes, m.refused, m.connects, m.badCatalogs} {
		v.DeletePartialMatch(of)
	}
	m.phase.DeletePartialMatch(of)
}

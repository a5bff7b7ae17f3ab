package moqt

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what sessions do, those of other protocols too. The nil *Metrics counts nothing.
type Metrics struct {
	objects, bytes, resets, parked, expired, dropped prometheus.Counter
	malformedBy                                      *prometheus.CounterVec // reason: one of the constants at its callers
}

// NewMetrics registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "moqpack", Subsystem: "moqt", Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	m := &Metrics{
		objects: counter("objects_total", "Objects received, statuses included."),
		bytes:   counter("object_bytes_total", "Bytes of payload received."),
		resets:  counter("stream_resets_total", "Data streams that the peer reset."),
		parked:  counter("parked_total", "Streams and datagrams that came before their track alias was known."),
		expired: counter("parked_expired_total", "Parked streams and datagrams whose track alias never came."),
		dropped: counter("datagrams_dropped_total", "Datagrams dropped because their track was read too slowly."),
		malformedBy: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "moqpack", Subsystem: "moqt",
			Name: "malformed_total", Help: "What could not be understood, by reason."}, []string{"reason"}),
	}
	r.MustRegister(m.malformedBy)
	return m
}

// Object counts an object with a payload of so many bytes.
func (m *Metrics) Object(payload int) {
	if m != nil {
		m.objects.Inc()
		m.bytes.Add(float64(payload))
	}
}

// Reset counts a data stream that the peer reset.
func (m *Metrics) Reset() {
	if m != nil {
		m.resets.Inc()
	}
}

func (m *Metrics) park() {
	if m != nil {
		m.parked.Inc()
	}
}

func (m *Metrics) expire() {
	if m != nil {
		m.expired.Inc()
	}
}

// Drop counts a datagram that nobody took in time.
func (m *Metrics) Drop() {
	if m != nil {
		m.dropped.Inc()
	}
}

// Malformed counts what could not be understood; reason is a constant.
func (m *Metrics) Malformed(reason string) {
	if m != nil {
		m.malformedBy.WithLabelValues(reason).Inc()
	}
}

package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/s3"
	"github.com/moqpack/moqpack/subscriber"
)

// metrics are all counters of the process.
type metrics struct {
	source  *subscriber.Metrics
	channel *channel.Metrics
	archive *archive.Metrics
	s3      *s3.Metrics
	server  *server.Metrics
	handler http.Handler // of /metrics
}

func newMetrics() metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics{
		source: subscriber.NewMetrics(r), channel: channel.NewMetrics(r), archive: archive.NewMetrics(r), s3: s3.NewMetrics(r), server: server.NewMetrics(r),
		handler: promhttp.HandlerFor(r, promhttp.HandlerOpts{}),
	}
}

// forget drops what was counted of a channel that is no more.
func (m *metrics) forget(channel string) {
	m.source.Forget(channel)
	m.channel.Forget(channel)
	m.archive.Forget(channel)
}

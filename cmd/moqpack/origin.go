package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/subscriber"
)

// originFlags say where and how to serve.
type originFlags struct {
	addr      string
	cert, key string
	memory    int64 // MiB for each channel
}

func (f *originFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.addr, "http", "localhost:8080", "address to serve on, HOST:PORT")
	fs.StringVar(&f.cert, "http-cert", "", "PEM certificate `file`: serve HTTPS with HTTP/2")
	fs.StringVar(&f.key, "http-key", "", "PEM key `file` of --http-cert")
	fs.Int64Var(&f.memory, "memory", 1024, "most memory for the media of one channel, in MiB")
}

// origin is channels and the HTTP server in front of them.
type origin struct {
	flags     originFlags
	segmenter segmenter.Config
	metrics   metrics
	channels  []*channel.Channel
	names     []string
}

const maxMemory = 1 << 24 // MiB

func newOrigin(f originFlags, s segmenter.Config) (*origin, error) {
	if (f.cert == "") != (f.key == "") {
		return nil, fmt.Errorf("--http-cert and --http-key go together: give both or none")
	}
	if f.cert != "" {
		if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return nil, fmt.Errorf("--http-cert and --http-key: %w", err)
		}
	}
	if f.memory < 1 || f.memory > maxMemory {
		return nil, fmt.Errorf("--memory must be between 1 and %d MiB", maxMemory)
	}
	return &origin{flags: f, segmenter: s, metrics: newMetrics()}, nil
}

// add makes a channel of a broadcast.
func (o *origin) add(name, relay string, namespace []string, relayTLS subscriber.TLS) error {
	c := subscriber.DefaultConfig()
	c.Relay, c.Namespace, c.TLS = relay, namespace, relayTLS
	c.Channel, c.Logger, c.Metrics = name, slog.Default(), o.metrics.source
	src, err := subscriber.New(c)
	if err != nil {
		return err
	}
	ch, err := channel.New(channel.Config{
		Name: name, Namespace: strings.Join(namespace, "/"), Source: src, Segmenter: o.segmenter,
		Store: storage.NewMemory(o.flags.memory << 20), Logger: slog.Default(), Metrics: o.metrics.channel,
	})
	if err != nil {
		return err
	}
	o.channels, o.names = append(o.channels, ch), append(o.names, name)
	return nil
}

// run serves until ctx ends. beside, if not nil, runs along: the demo's publisher.
func (o *origin) run(ctx context.Context, out io.Writer, beside func(context.Context) error) error {
	ln, err := net.Listen("tcp", o.flags.addr)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --http", err)
	}
	var serving []server.Channel
	for _, c := range o.channels {
		serving = append(serving, c)
	}
	srv, err := server.New(server.Config{
		CertFile: o.flags.cert, KeyFile: o.flags.key, Log: slog.Default(),
		Metrics: o.metrics.server, MetricsHandler: o.metrics.handler,
	}, serving)
	if err != nil {
		return err
	}
	announce(out, o.base(ln.Addr()), o.names)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Serve(ctx, ln) })
	for _, c := range o.channels {
		g.Go(func() error { return c.Run(ctx) })
	}
	if beside != nil {
		g.Go(func() error { return beside(ctx) })
	}
	g.Go(func() error { return watch(ctx, out, serving) })
	return g.Wait()
}

// base is the URL that a person on this machine would open.
func (o *origin) base(addr net.Addr) string {
	scheme := "http"
	if o.flags.cert != "" {
		scheme = "https"
	}
	host, _, _ := net.SplitHostPort(o.flags.addr)
	_, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

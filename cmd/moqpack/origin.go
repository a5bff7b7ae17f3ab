package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/channel"
	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/subscriber"
)

// origin is channels and the HTTP server in front of them.
type origin struct {
	cfg      *config.Config
	stores   stores
	metrics  metrics
	channels []*channel.Channel
	names    []string
	patterns []*config.Channel              // that stand for every broadcast under a prefix, or for one whose publishers connect to us
	door     *door                          // where they do; nil: nowhere
	packet   func() (net.PacketConn, error) // see subscriber.Config
}

// newOrigin makes one of a valid configuration; its channels are yet to be added.
func newOrigin(ctx context.Context, cfg *config.Config) (*origin, error) {
	if s := cfg.Server; s.Cert != "" {
		if _, err := tls.LoadX509KeyPair(s.Cert, s.Key); err != nil {
			return nil, fmt.Errorf("--http-cert and --http-key (server.cert, server.key): %w", err)
		}
	}
	o := &origin{cfg: cfg, metrics: newMetrics()}
	var err error
	if o.door, err = newDoor(cfg, o.metrics.source); err != nil {
		return nil, err
	}
	if o.stores, err = openStores(ctx, cfg, slog.Default(), o.metrics.s3); err != nil {
		return nil, err
	}
	return o, nil
}

// add takes in a channel, or a pattern of channels that come with their broadcasts.
func (o *origin) add(ch *config.Channel) error {
	if _, ok := ch.Prefix(); ok || ch.Published() {
		o.patterns = append(o.patterns, ch)
		return nil
	}
	live, err := o.open(ch, nil)
	if err != nil {
		return err
	}
	o.channels, o.names = append(o.channels, live), append(o.names, ch.Name)
	return nil
}

// open makes a channel of a broadcast. over, if not nil, is closed when the broadcast is to be taken for ended.
func (o *origin) open(ch *config.Channel, over <-chan struct{}) (*channel.Channel, error) {
	c, err := o.source(ch)
	if err != nil {
		return nil, err
	}
	src, err := subscriber.New(c)
	if err != nil {
		return nil, err
	}
	cfg := channel.Config{
		Name: ch.Name, Namespace: strings.Join(c.Namespace, "/"), Source: src, Segmenter: ch.Cut(),
		Memory: storage.NewMemory(int64(o.cfg.Memory)),
		Retain: archive.Retain{Age: time.Duration(ch.Archive.Retain), Bytes: int64(ch.Archive.RetainBytes)},
		Stale:  time.Duration(o.cfg.Server.Stale), Incomplete: o.cfg.Server.Incomplete, FairPlay: ch.FairPlay,
		Logger: slog.Default(), Metrics: o.metrics.channel, Archive: o.metrics.archive,
	}
	if over != nil {
		cfg.Source = &withdrawable{src, over}
	}
	o.stores.assign(&cfg, o.cfg, ch)
	return channel.New(cfg)
}

func (o *origin) source(ch *config.Channel) (subscriber.Config, error) {
	c, err := ch.Source()
	c.Logger, c.Metrics, c.Packet = slog.Default(), o.metrics.source, o.packet
	if ch.Published() {
		c.Reception = o.door.reception
	}
	return c, err
}

// run serves until ctx ends, and then lets go of the stores. beside, if not nil, runs along: the demo's publisher.
func (o *origin) run(ctx context.Context, out io.Writer, beside func(context.Context) error) (err error) {
	defer func() { err = errors.Join(err, o.stores.close()) }()
	ln, err := net.Listen("tcp", o.cfg.Server.HTTP)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --http (server.http)", err)
	}
	var pc net.PacketConn
	if o.door != nil {
		if pc, err = o.door.bind(ctx); err != nil {
			return errors.Join(err, ln.Close())
		}
	}
	var serving []server.Channel
	for _, c := range o.channels {
		serving = append(serving, c)
	}
	log := slog.Default()
	srv, err := server.New(server.Config{
		CertFile: o.cfg.Server.Cert, KeyFile: o.cfg.Server.Key, Log: log,
		Metrics: o.metrics.server, MetricsHandler: o.metrics.handler,
	}, serving)
	if err != nil {
		return err
	}
	o.announce(out, ln.Addr(), pc)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Serve(ctx, ln) })
	if pc != nil {
		g.Go(func() error { return o.door.serve(ctx, pc, log) })
	}
	for i, c := range o.channels {
		g.Go(func() error {
			err := c.Run(ctx)
			if err == nil || ctx.Err() != nil || o.alone() {
				return err
			}
			log.Error("channel given up: the others go on", "channel", o.names[i], "err", err)
			return nil
		})
	}
	if len(o.patterns) > 0 {
		g.Go(func() error { return newLineup(o, srv, log).run(ctx) })
	}
	if beside != nil {
		g.Go(func() error { return beside(ctx) })
	}
	g.Go(func() error { return watch(ctx, out, srv.Channels, bill{map[string]bool{}}) })
	g.Go(func() error {
		o.stores.probe(ctx, log)
		return nil
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) { // which is how it ends
		return err
	}
	return nil
}

// alone reports whether there is nothing that could go on when a channel, or a pattern, is given up.
func (o *origin) alone() bool { return len(o.channels)+len(o.patterns) == 1 }

// base is the URL that a person on this machine would open.
func (o *origin) base(addr net.Addr) string {
	scheme := "http"
	if o.cfg.Server.Cert != "" {
		scheme = "https"
	}
	host, _, _ := net.SplitHostPort(o.cfg.Server.HTTP)
	_, port, _ := net.SplitHostPort(addr.String())
	return scheme + "://" + net.JoinHostPort(local(host), port)
}

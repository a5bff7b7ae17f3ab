package subscriber

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Source follows one broadcast through all that can happen to its publisher and relay.
type Source struct {
	cfg   Config
	relay relay
	tls   *tls.Config
}

// New checks the configuration and reads the files that it names.
func New(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r, err := parseRelay(c.Relay)
	if err != nil && c.Replay == "" {
		return nil, err
	}
	conf, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Source{cfg: c, relay: r, tls: conf}, nil
}

const (
	dialTimeout = 10 * time.Second
	healthy     = 30 * time.Second // a session that lasted so long was no failed attempt
)

// errEnded says that the broadcast is complete.
var errEnded = errors.New("broadcast ended")

// Run connects and hands the broadcast to recv until the broadcast ends, which returns nil, or until ctx does. It reconnects
// for ever.
func (s *Source) Run(ctx context.Context, recv Receiver) error {
	f := &follower{Source: s, recv: recv, tracks: map[string]*track{}}
	f.log = s.cfg.Logger.With("channel", s.cfg.Channel)
	f.report = &reporter{channel: s.cfg.Channel, recv: recv, log: f.log, metrics: s.cfg.Metrics}
	again := backoff{first: 100 * time.Millisecond, max: 5 * time.Second}
	if s.cfg.Replay != "" {
		p, err := openReplay(s.cfg.Replay)
		if err != nil {
			return err
		}
		defer func() { _ = p.tape.Close() }()
		f.replay = p
	}
	var err error
	for at := s.relay; ; at = at.after(err, s.relay) {
		f.report.connecting(ctx, at.addr, err)
		began := time.Now()
		if err = f.session(ctx, at); errors.Is(err, errEnded) {
			f.report.ended(ctx)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.replay != nil && f.replay.err != nil {
			return f.replay.err
		}
		if time.Since(began) >= healthy {
			again.reset()
		}
		if err := sleep(ctx, again.next()); err != nil {
			return err
		}
	}
}

// follower is what a run of a Source remembers from one session to the next.
type follower struct {
	*Source
	recv   Receiver
	log    *slog.Logger
	report *reporter
	pulse  pulse
	mute   atomic.Bool // the peer does not answer a FETCH
	replay *replay     // what is played instead of a relay; nil: nothing

	// owned by the goroutine that applies catalogs; there is one at a time
	tracks  map[string]*track
	catalog *catalog.Catalog // that the receiver knows; nil: none
	want    []string         // what it wants of that
	found   string           // where the last one was: the first track of its place
}

// session connects once, to at, and follows the broadcast until something breaks.
func (f *follower) session(ctx context.Context, at relay) error {
	f.cfg.Metrics.connect(f.cfg.Channel)
	dctx, cancel := context.WithTimeout(ctx, dialTimeout)
	s, err := f.dial(dctx, at)
	cancel()
	if err != nil {
		return fmt.Errorf("connect to %s: %w", at.addr, err)
	}
	f.report.connected(ctx, s.Draft())
	s = f.record(s)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return f.pulse.watch(ctx, f.cfg.Stall, func() { f.report.silent(ctx) }) })
	g.Go(func() error { return f.follow(ctx, s) })
	return g.Wait()
}

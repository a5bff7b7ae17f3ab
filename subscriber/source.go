package subscriber

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Source follows one broadcast through all that can happen to its publisher and relay.
type Source struct {
	cfg    Config
	relays []relay
	tls    *tls.Config
}

// New checks the configuration and reads the files that it names.
func New(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Source{cfg: c}
	for _, u := range c.Relays {
		r, err := parseRelay(u)
		if err != nil {
			return nil, err
		}
		r.home = len(s.relays)
		s.relays = append(s.relays, r)
	}
	conf, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	if s.tls = conf; c.Logger == nil {
		s.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return s, nil
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
	f := &follower{Source: s, recv: recv, tracks: map[string]*track{}, mumblers: map[string]int{}}
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
	var at relay // none for a replay
	if len(s.relays) > 0 {
		at = s.relays[0]
	}
	failed := 0      // attempts in a row
	hopeful := false // one of the round, of which each relay has one, may do better the next time
	var err error
	for {
		f.report.connecting(ctx, at.addr, err)
		began := time.Now()
		var last relay
		if last, err = f.attempt(ctx, at); errors.Is(err, errEnded) {
			f.report.ended(ctx)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.replay != nil && f.replay.err != nil {
			return f.replay.err
		}
		if failed++; time.Since(began) >= healthy {
			again.reset()
			failed = 1
		}
		at = f.leave(last, err)
		hopeful = hopeful || !misconfigured(err) || s.cfg.Reception != nil
		if len(s.relays) > 0 && failed%len(s.relays) != 0 {
			continue // there is another one to try at once
		}
		why := err
		if hopeful {
			why = nil
		}
		wait := again.after(why)
		if wait >= slow { // nobody should have to wait for the reason
			f.report.failed(ctx, err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		hopeful = false
	}
}

// after is the relay to connect to when the last session, with a relay, has ended with err. GOAWAY and redirections lead elsewhere;
// a session that only was to go on without FETCH does not; otherwise it is the next one's turn, and from where one was led to the
// first one's, unless one is led on and on: then it is the turn of the one behind that with which this began.
func (s *Source) after(last relay, err error) relay {
	if to, ok := last.moved(err); ok {
		return to
	}
	if errors.Is(err, errMute) || len(s.relays) == 0 {
		return last
	}
	if _, on := destination(err); on {
		return s.relays[(last.home+1)%len(s.relays)]
	}
	return s.relays[(s.rank(last)+1)%len(s.relays)]
}

// leave is after, where what was learned of a peer is not held against the next one.
func (f *follower) leave(last relay, err error) relay {
	at := f.after(last, err)
	if at.addr != last.addr {
		f.mute.Store(false)
	}
	if f.cfg.Reception != nil && errors.Is(err, errMute) {
		f.choked = hostOf(last.addr)
	}
	return at
}

// rank is the place of a relay in the order of preference; -1 if somebody else has named it.
func (s *Source) rank(r relay) int {
	return slices.IndexFunc(s.relays, func(o relay) bool { return r.hops == 0 && o.addr == r.addr && o.path == r.path && o.scheme == r.scheme })
}

// follower is what a run of a Source remembers from one session to the next.
type follower struct {
	*Source
	recv   Receiver
	log    *slog.Logger
	report *reporter
	pulse  pulse
	mute   atomic.Bool            // the peer does not answer a FETCH
	said   atomic.Pointer[string] // what was wrong with the catalog when that was logged last
	replay *replay                // what is played instead of a relay; nil: nothing

	// owned by whoever connects; there is one at a time
	choked   string         // the host of a publisher that has connected to us, and did not answer a FETCH
	mumblers map[string]int // servers of WebTransport that do not say what they speak, and which protocol to offer next

	// owned by the goroutine that applies catalogs; there is one at a time
	tracks  map[string]*track
	catalog *catalog.Catalog // that the receiver knows; nil: none
	want    []string         // what it wants of that
	found   string           // where the last one was: the first track of its place
}

// news reports whether what is wrong with the catalog is something else than before: it is said again with every update and attempt.
func (f *follower) news(err error) bool {
	said := err.Error()
	before := f.said.Swap(&said)
	return before == nil || *before != said
}

package subscriber

import (
	"cmp"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// ReceptionConfig says who may publish to us, and what.
type ReceptionConfig struct {
	Permits []Permit
	TLS     *tls.Config // with the certificate to show
	Logger  *slog.Logger
	Metrics *Metrics // nil: not counted
}

// Permit is what may be published to us.
type Permit struct {
	Namespace []string // tuple, which may be empty if Below
	Below     bool     // not the namespace itself, but every one that begins with it
	Token     string   // that publishers have to show; empty: none
}

// covers reports whether the permit is for the namespace.
func (p Permit) covers(namespace []string) bool {
	n := len(p.Namespace)
	if p.Below {
		return len(namespace) > n && slices.Equal(namespace[:n], p.Namespace)
	}
	return slices.Equal(namespace, p.Namespace)
}

// The bounds of what publishers can make us hold. Strangers have nothing accepted yet.
const (
	maxSessions   = 256
	maxHost       = 64 // of these from one address: a building full of encoders, but never all, so that nobody keeps others out alone
	maxStrangers  = 32
	maxPerHost    = 8                // strangers from one address
	maxGuesses    = 3                // wrong tokens in one session, which then ends: who mistypes does so every time
	maxAnnounced  = 64               // namespaces of one publisher, and as many tracks that it pushes
	maxKept       = 4 << 20          // bytes of pushed tracks that nobody reads, of one publisher
	probation     = 10 * time.Second // to have something accepted
	drain         = time.Second      // for publishers to leave when we stop
	complainEvery = time.Second      // of the same thing
)

// Reception takes in publishers that connect to us. A Source whose Config names it follows what they publish, in place of what a
// relay has.
//
// Of several publishers of one namespace the one that came first is followed. The others stand by, in the order in which they
// came, for when it leaves or has nothing to say any more.
type Reception struct {
	cfg ReceptionConfig
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	rooms   map[string]*room
	came    uint64        // announcements so far
	changed chan struct{} // closed and replaced when rooms change
	said    map[string]time.Time
}

// room is a namespace that somebody publishes.
type room struct {
	namespace []string
	permit    Permit
	renewed   uint64  // the last announcement
	stays     []*stay // never empty
}

// stay is a publisher in a room, and why it is there.
type stay struct {
	*guest
	namespace []string
	over      chan struct{} // closed by leave

	announced int // announcements: the end of one may be told after the beginning of the next. Guarded by guest.mu, as is offers
	offers    int // tracks that it pushes
}

// NewReception makes one that is yet to be run.
func NewReception(c ReceptionConfig) *Reception {
	r := &Reception{cfg: c, log: c.Logger, rooms: map[string]*room{}, changed: make(chan struct{}), said: map[string]time.Time{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Run takes in whoever connects to pc, over QUIC and over WebTransport, until ctx ends. Then it asks all to leave. It ends with an error
// of the socket, too, by which all publishers are lost. pc stays the caller's.
func (r *Reception) Run(ctx context.Context, pc net.PacketConn) error {
	limits := transport.Limits{All: maxSessions, Host: maxHost, Strangers: maxStrangers, PerHost: maxPerHost, Refused: r.crowded}
	ln, err := transport.ListenFor(pc, limits, acceptable(), r.cfg.TLS)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var g sync.WaitGroup
	for {
		conn, err := ln.Accept(ctx)
		if err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("publishers cannot connect any longer: %w", err)
				cancel(err)
			}
			g.Wait() // all have been asked to leave
			ln.Close()
			return err
		}
		g.Go(func() { r.receive(ctx, conn) })
	}
}

// Watch tells f what is published by the Permit for the namespace, or for all below it, as it comes and goes, until ctx ends. What it is
// told of twice has begun anew, or has another publisher. Of several it tells in the order in which they came. f is called by one goroutine.
func (r *Reception) Watch(ctx context.Context, namespace []string, below bool, f func(namespace []string, active bool)) error {
	known := map[string]room{}
	for {
		now, changed := r.by(namespace, below)
		for _, key := range slices.Sorted(maps.Keys(known)) {
			if _, still := now[key]; !still {
				f(known[key].namespace, false)
			}
		}
		for _, is := range slices.SortedFunc(maps.Values(now), func(a, b room) int { return cmp.Compare(a.renewed, b.renewed) }) {
			if known[spell(is.namespace)].renewed != is.renewed {
				f(is.namespace, true)
			}
		}
		known = now
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// by is what Watch tells of, and a channel that is closed when that may have changed.
func (r *Reception) by(namespace []string, below bool) (now map[string]room, changed <-chan struct{}) {
	now = map[string]room{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, o := range r.rooms {
		if o.permit.Below == below && slices.Equal(o.permit.Namespace, namespace) {
			now[key] = *o
		}
	}
	return now, r.changed
}

// publisher waits for somebody who publishes the namespace and does not want to be left. absent is called if there is nobody yet.
func (r *Reception) publisher(ctx context.Context, namespace []string, absent func()) (*stay, error) {
	for {
		s, changed := r.first(namespace)
		if s != nil {
			return s, nil
		}
		absent()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *Reception) first(namespace []string) (*stay, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.rooms[spell(namespace)]; o != nil {
		for _, s := range o.stays {
			if !s.moving() {
				return s, nil
			}
		}
	}
	return nil, r.changed
}

// spell is one string for each namespace.
func spell(namespace []string) string { return fmt.Sprintf("%q", namespace) }

// enter begins a stay. The permit has been checked.
func (r *Reception) enter(s *stay, p Permit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.rooms[spell(s.namespace)]
	if o == nil {
		o = &room{namespace: s.namespace, permit: p}
		r.rooms[spell(s.namespace)] = o
	}
	r.came++
	o.renewed, o.stays = r.came, append(o.stays, s)
	r.change()
}

// leave ends a stay.
func (r *Reception) leave(s *stay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.rooms[spell(s.namespace)]
	o.stays = slices.DeleteFunc(o.stays, func(t *stay) bool { return t == s })
	if len(o.stays) == 0 {
		delete(r.rooms, spell(s.namespace))
	}
	close(s.over)
	r.change()
}

// yield has others, if there are any, followed before s.
func (r *Reception) yield(s *stay) (others bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.rooms[spell(s.namespace)]; o != nil && slices.Contains(o.stays, s) {
		o.stays = append(slices.DeleteFunc(o.stays, func(t *stay) bool { return t == s }), s)
		r.change()
		return len(o.stays) > 1
	}
	return false
}

// change tells who waits; mu is held.
func (r *Reception) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// permit is what allows the namespace to be published with the tokens: of several the most particular one decides.
func (r *Reception) permit(namespace []string, tokens []string) (best Permit, err error) {
	found := false
	for _, p := range r.cfg.Permits {
		if p.covers(namespace) && (!found || !p.Below || best.Below && len(p.Namespace) > len(best.Namespace)) {
			best, found = p, true
		}
	}
	switch {
	case !found:
		return best, errNotAllowed
	case best.Token != "" && !slices.ContainsFunc(tokens, func(t string) bool { return same(t, best.Token) }):
		if len(tokens) == 0 {
			return best, errNoToken
		}
		return best, errBadToken
	}
	return best, nil
}

// welcome reports whether a session with these tokens can have anything accepted, as far as they go.
func (r *Reception) welcome(tokens []string) bool {
	return len(tokens) == 0 || slices.ContainsFunc(r.cfg.Permits, func(p Permit) bool {
		return p.Token == "" || slices.ContainsFunc(tokens, func(t string) bool { return same(t, p.Token) })
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Why something is not taken, in words for the publisher.
var (
	errNotAllowed = fmt.Errorf("%w: this namespace may not be published here", moqt.ErrUnauthorized)
	errNoToken    = fmt.Errorf("%w: show a token", moqt.ErrUnauthorized)
	errBadToken   = fmt.Errorf("%w: this is not the token", moqt.ErrUnauthorized)
	errTooMuch    = fmt.Errorf("%w: too many namespaces or tracks in one session", moqt.ErrBusy)
)

// complain logs a refusal of what, but not as often as somebody can be refused, and counts it.
func (r *Reception) complain(g *guest, what []string, err error) {
	result, hint := "bad_request", "see what the publisher does"
	switch {
	case errors.Is(err, errTooMuch):
		result, hint = "too_much", "begin another session"
	case errors.Is(err, errNotAllowed):
		result, hint = "not_allowed", fmt.Sprintf("to take it, say --allow '%s' (a channel with this namespace and no relay)", FormatNamespace(what))
	case errors.Is(err, errNoToken), errors.Is(err, errBadToken):
		result, hint = "bad_token", "it has to show the --listen-token (listen.token), in SETUP, in the announcement or as ?token= in its URL"
	case errors.Is(err, errNothing):
		result, hint = "nothing", "a publisher announces a namespace (PUBLISH_NAMESPACE), or offers its tracks (PUBLISH)"
	}
	if r.tell(result) {
		r.log.Warn("publisher refused", "peer", g.addr, "namespace", strings.Join(what, "/"), "err", err, "hint", hint)
	}
}

// crowded logs and counts a connection that found no room.
func (r *Reception) crowded(addr net.Addr, err error) {
	result, hint := "crowded", fmt.Sprintf("%d publishers may be connected, and %d at a time that have shown nothing yet", maxSessions, maxStrangers)
	if errors.Is(err, transport.ErrHost) {
		result, hint = "host", fmt.Sprintf("%d connections of one address may publish, and %d be new: let several broadcasts share one", maxHost, maxPerHost)
	}
	if r.tell(result) {
		r.log.Warn("publisher refused", "peer", addr.String(), "err", err, "hint", hint)
	}
}

// tell counts a refusal, and reports whether it is worth a line of the log.
func (r *Reception) tell(result string) bool {
	r.cfg.Metrics.refusePublisher(result)
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.said[result]) < complainEvery {
		return false
	}
	r.said[result] = time.Now()
	return true
}

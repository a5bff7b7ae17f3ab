package sim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/sim/live"
	lite "github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// Config says what to publish.
type Config struct {
	Broadcasts []live.Broadcast
	// Absent are the names of tracks that the catalogs do not list until they are added by Update.
	Absent []string
	// Documents are tracks of all broadcasts with one object, to which Write adds: catalogs in other places and formats. One
	// without an object is silent at first; nil hides a track of that name.
	Documents map[string][]byte
	// Drafts are the ALPN strings to accept, preferred ones first. Nil: all that moqpack speaks.
	Drafts []string
	// Certificate to show, such as the KeyPair of the publisher that this one replaces. Nil: a new one that signs itself.
	Certificate *tls.Certificate
	// Announce sends a PUBLISH_NAMESPACE for every broadcast to whoever connects, unasked, as moq-dev does.
	Announce bool
	Faults   Faults
	Logger   *slog.Logger // nil: discarded
}

// Publisher serves its broadcasts to any number of subscribers. Its methods may be called from any goroutine.
type Publisher struct {
	cert     tls.Certificate
	drafts   []string
	channels []*channel
	announce bool
	log      *slog.Logger
	faults   atomic.Pointer[Faults]

	mu   sync.Mutex    // guards what follows
	kill chan struct{} // closed and replaced by Kill
	away chan struct{} // closed and replaced by Goaway, behind uri
	uri  string
}

// ErrKilled is what Serve returns after Kill.
var ErrKilled = errors.New("killed")

// New puts the broadcasts on the air: time begins to count for those that have an epoch.
func New(c Config) (*Publisher, error) {
	p := &Publisher{drafts: c.Drafts, announce: c.Announce, log: c.Logger, kill: make(chan struct{}), away: make(chan struct{})}
	p.faults.Store(&c.Faults)
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.drafts == nil {
		for _, d := range dialect.All() {
			p.drafts = append(p.drafts, d.ALPN)
		}
		for _, d := range lite.All() {
			p.drafts = append(p.drafts, d.ALPN)
		}
	}
	for _, b := range c.Broadcasts {
		if _, ok := p.channel(b.Namespace); ok {
			return nil, fmt.Errorf("publisher: two broadcasts named %q", b.Namespace)
		}
		ch, err := open(b, c, time.Now())
		if err != nil {
			return nil, fmt.Errorf("publisher: %w", err)
		}
		p.channels = append(p.channels, ch)
	}
	if c.Certificate != nil {
		p.cert = *c.Certificate
		return p, nil
	}
	var err error
	p.cert, err = transport.Certify(time.Now())
	return p, err
}

// Serve accepts subscribers on conn until ctx ends, and then says goodbye to them; conn stays the caller's. It returns nil when
// ctx ended and ErrKilled after Kill.
func (p *Publisher) Serve(ctx context.Context, conn net.PacketConn) error {
	p.mu.Lock()
	kill := p.kill
	p.mu.Unlock()
	listener, err := transport.Listen(conn, p.drafts, &tls.Config{Certificates: []tls.Certificate{p.cert}})
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g, gctx := errgroup.WithContext(sctx)
	g.Go(func() error {
		select {
		case <-gctx.Done():
		case <-kill:
			cancel(ErrKilled) // before anyone sees a closed connection, so that nobody says goodbye
			listener.Close()  // without a word: the peers find out by themselves
		}
		return nil
	})
	g.Go(func() error { return p.accept(gctx, g, listener) })
	err = g.Wait()
	listener.Close() // all sessions have said goodbye
	switch {
	case errors.Is(context.Cause(sctx), ErrKilled):
		return ErrKilled
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// accept starts a session for every subscriber.
func (p *Publisher) accept(ctx context.Context, g *errgroup.Group, listener *transport.Listener) error {
	for {
		conn, err := listener.Accept(ctx)
		if err != nil {
			return fmt.Errorf("publisher: accept: %w", err)
		}
		g.Go(func() error {
			log := p.log.With("peer", conn.RemoteAddr().String(), "draft", conn.Protocol())
			log.Info("subscriber came")
			log.Info("subscriber left", "err", p.session(ctx, conn, nil, log))
			return nil
		})
	}
}

// session serves a subscriber in the protocol that was agreed upon. client is how we have connected to it; nil: it did to us.
func (p *Publisher) session(ctx context.Context, conn transport.Conn, client *Dial, log *slog.Logger) error {
	if d := lite.ByALPN(conn.Protocol()); d != nil {
		return (&liteSession{p, conn, d, client, log}).run(ctx)
	}
	if dialect.ByALPN(conn.Protocol()) == nil { // over WebTransport one may offer nothing
		conn.Close(dialect.NoError, "no common draft")
		return nil
	}
	return newSession(p, conn, client, log).run(ctx)
}

// Kill makes Serve return at once without telling the subscribers anything, like a power cut. The publisher may be served
// again.
func (p *Publisher) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.kill)
	p.kill = make(chan struct{})
}

// Goaway asks all subscribers to move to uri, and goes on serving them.
func (p *Publisher) Goaway(uri string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uri = uri
	close(p.away)
	p.away = make(chan struct{})
}

// awaitGoaway sends a GOAWAY when there is one to be sent.
func (p *Publisher) awaitGoaway(ctx context.Context, send func(uri string) error) error {
	p.mu.Lock()
	away := p.away
	p.mu.Unlock()
	select {
	case <-away:
		p.mu.Lock()
		defer p.mu.Unlock()
		return send(p.uri)
	case <-ctx.Done():
		return nil
	}
}

// SetFaults changes what goes wrong from now on.
func (p *Publisher) SetFaults(f Faults) { p.faults.Store(&f) }

// Update adds and removes tracks of a broadcast's catalog: by a delta update, or if whole by a new catalog in a new group.
// The tracks themselves can be subscribed to all the time.
func (p *Publisher) Update(namespace []string, add, remove []string, whole bool) error {
	c, ok := p.channel(namespace)
	if !ok {
		return fmt.Errorf("publisher: no broadcast %q", namespace)
	}
	return c.update(add, remove, whole)
}

// Write adds an object to a track of Documents, or to the catalog; it makes the track if there is none.
func (p *Publisher) Write(namespace []string, track string, object []byte, newGroup bool) error {
	c, ok := p.channel(namespace)
	if !ok {
		return fmt.Errorf("publisher: no broadcast %q", namespace)
	}
	c.write(track, object, newGroup)
	return nil
}

// End ends a broadcast for good: the catalog says that it is complete, and every track ends with its last object.
func (p *Publisher) End(namespace []string) error {
	c, ok := p.channel(namespace)
	if !ok {
		return fmt.Errorf("publisher: no broadcast %q", namespace)
	}
	return c.complete()
}

func (p *Publisher) channel(namespace []string) (*channel, bool) {
	for _, c := range p.channels {
		if slices.Equal(c.Namespace, namespace) {
			return c, true
		}
	}
	return nil, false
}

// feed finds a track.
func (p *Publisher) feed(name dialect.TrackName) (feed, bool) {
	c, ok := p.channel(name.Namespace)
	if !ok {
		return nil, false
	}
	return c.feed(name.Name)
}

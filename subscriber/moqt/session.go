package moqt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Config says how to begin a session.
type Config struct {
	// Authority (host:port) and Path (with query) are those of the moqt URI. Over WebTransport they have been said already
	// and are not sent; otherwise even an empty path is, as the drafts ask.
	Authority, Path string

	// Announced, if not nil, is asked about the namespaces that the peer announces unasked, with the tokens of the announcement; its
	// error is the reason to refuse. Withdrawn, if not nil, is told when one that was not refused ends before the session does. A
	// namespace may be announced several times, and each time counts.
	// Published, if not nil, is asked about tracks that the peer offers: the Subscription says what is offered, and lives on if the
	// Sink is not nil. Without one the error is the reason. Of the reasons ErrUnauthorized and ErrBusy are told apart. All are called
	// by readers of the session, once the peer's SETUP has come, and must not wait.
	Announced func(namespace []string, tokens []Token) error
	Withdrawn func(namespace []string)
	Published func(sub *Subscription) (Sink, error)

	Tokens  []Token      // for the whole session
	Logger  *slog.Logger // nil: discarded
	Metrics *Metrics     // nil: not counted
	Limits  Limits
}

// Limits bound what a peer can make us hold. A zero field means its default.
type Limits struct {
	Object int // bytes of one payload; 32 MiB
	Parked int // streams, and as many datagrams, that wait for their track alias; 64
}

const (
	setupTimeout   = 10 * time.Second
	controlTimeout = 10 * time.Second // for the peer to read what we say
	parkTimeout    = 3 * time.Second
)

// Session is a connection to one peer. Its methods may be called from any goroutine.
type Session struct {
	c          Config
	d          *dialect.Dialect
	conn       transport.Conn
	server     bool // the peer dialled
	link       link
	tracks     tracks
	namespaces namespaces
	asking     asking

	moved  atomic.Pointer[SessionError] // a GOAWAY
	moving chan struct{}                // closed behind moved

	leaving chan struct{} // closed by leave: we send a GOAWAY
	leave   func()        // once

	theirs *dialect.Setup                  // the peer's; set by begun
	peer   atomic.Pointer[dialect.Dialect] // d, adapted to the peer when its SETUP has come
	ready  chan struct{}                   // closed by begun

	unfilled atomic.Bool // the peer does not fill subscriptions
	warned   atomic.Bool // of a lost stream: whatever loses one loses many

	tasks chan task     // handed to Run, which waits for them
	done  chan struct{} // closed by Run when err is set
	err   *SessionError
}

// task is a piece of a session's work. An error ends the session.
type task func(ctx context.Context) error

// New makes a session of a connection that has agreed on one of Protocols. The caller must call Run, whatever happens next;
// Run closes the connection.
func New(conn transport.Conn, c Config) (*Session, error) { return begin(conn, c, false) }

// Accept is New for a connection that the peer has made: its request ids are the even ones, and it says where it wants to go. Of
// the Config, Authority and Path are of no use.
func Accept(conn transport.Conn, c Config) (*Session, error) { return begin(conn, c, true) }

func begin(conn transport.Conn, c Config, server bool) (*Session, error) {
	d := dialect.ByALPN(conn.Protocol())
	if d == nil {
		return nil, fmt.Errorf("draft %q: %w; known are %s", conn.Protocol(), ErrNotSupported, strings.Join(Protocols(), ", "))
	}
	c = c.withDefaults()
	leaving := make(chan struct{})
	s := &Session{
		c: c, d: d, conn: conn, server: server,
		tracks: newTracks(c.Limits.Parked, c.Metrics), namespaces: newNamespaces(),
		moving: make(chan struct{}), leaving: leaving, leave: sync.OnceFunc(func() { close(leaving) }),
		ready: make(chan struct{}), tasks: make(chan task), done: make(chan struct{}),
	}
	s.peer.Store(d)
	s.link = newLink(s)
	s.asking = newAsking(d, 1-s.firstID())
	if d.Experimental {
		c.Logger.Warn("this draft is experimental: expect the unexpected", "draft", d.ALPN)
	}
	return s, nil
}

// begun takes the peer's SETUP.
func (s *Session) begun(setup *dialect.Setup) {
	s.theirs = setup
	s.peer.Store(s.d.For(setup.Implementation))
	close(s.ready)
}

// Peer is what a peer says of itself.
type Peer struct {
	Authority, Path string // where it wants to go, if it dialled over native QUIC
	Implementation  string
	Tokens          []Token
}

// Peer waits for the peer's SETUP.
func (s *Session) Peer(ctx context.Context) (Peer, error) {
	select {
	case <-s.ready:
		m := s.theirs
		return Peer{Authority: m.Authority, Path: m.Path, Implementation: m.Implementation, Tokens: m.Tokens}, nil
	case <-s.done:
		return Peer{}, s.err
	case <-ctx.Done():
		return Peer{}, context.Cause(ctx)
	}
}

// Goaway asks the peer to leave for another session at the same address (moq-transport, "GOAWAY"). This one goes on.
func (s *Session) Goaway() { s.leave() }

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Limits.Object == 0 {
		c.Limits.Object = 32 << 20
	}
	if c.Limits.Parked == 0 {
		c.Limits.Parked = 64
	}
	return c
}

// Protocols are the ALPN strings of the drafts to offer, the most trusted one first.
func Protocols() []string {
	return alpns(false)
}

// Experimental are the ALPN strings of the drafts that a session speaks too, but that nobody should meet unawares.
func Experimental() []string { return alpns(true) }

func alpns(experimental bool) (all []string) {
	for _, d := range dialect.All() {
		if d.Experimental == experimental {
			all = append(all, d.ALPN)
		}
	}
	return all
}

// Draft is the negotiated draft's ALPN string, such as "moqt-18".
func (s *Session) Draft() string { return s.d.ALPN }

// Run sets the session up and serves it until ctx ends or the session does; then all goroutines have ended, the connection
// is closed, and all subscriptions are done. It returns a *SessionError, or ctx's error when ctx ended. It is called once.
func (s *Session) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	serve := func(t task) { g.Go(func() error { return t(gctx) }) }
	serve(s.link.run)
	serve(s.awaitSetup)
	serve(s.acceptDatagrams)
	serve(s.awaitDrain)
	serve(func(ctx context.Context) error { return s.acceptUni(ctx, serve) })
	serve(func(ctx context.Context) error { return s.acceptBidi(ctx, serve) })
	serve(func(ctx context.Context) error { return s.serveTasks(ctx, serve) })
	serve(func(ctx context.Context) error { // ends all reads and writes
		<-ctx.Done()
		e := s.sessionError(context.Cause(ctx))
		s.conn.Close(e.Code, e.Reason)
		return nil
	})
	err := g.Wait()
	s.err = s.sessionError(err)
	if e := s.Moved(); e != nil && (s.err.Remote || s.err.Err == ErrTimeout) { // that it was lost in the end is no news
		s.err = e
	}
	close(s.done)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.err
}

func (s *Session) awaitSetup(ctx context.Context) error {
	t := time.NewTimer(setupTimeout)
	defer t.Stop()
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return nil
	case <-t.C:
		return &SessionError{Code: dialect.ControlMessageTimeout, Reason: "no SETUP", Err: ErrTimeout}
	}
}

// awaitDrain takes a transport that wants to be left for a GOAWAY, if there was none.
func (s *Session) awaitDrain(ctx context.Context) error {
	select {
	case <-s.conn.Draining():
		if s.Moved() == nil {
			return s.goaway(&dialect.Goaway{})
		}
	case <-ctx.Done():
	}
	return nil
}

func (s *Session) serveTasks(ctx context.Context, serve func(task)) error {
	for {
		select {
		case t := <-s.tasks:
			serve(t)
		case <-ctx.Done():
			return nil
		}
	}
}

// start has Run serve t.
func (s *Session) start(ctx context.Context, t task) error {
	select {
	case s.tasks <- t:
		return nil
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sessionError says why the session ended, and with which code we close it if it was not the peer who did.
func (s *Session) sessionError(err error) *SessionError {
	if e, ok := errors.AsType[*SessionError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*transport.CloseError](err); ok {
		why := ErrClosed
		if e.Remote {
			why = closed(e.Code)
		}
		return &SessionError{Code: e.Code, Reason: e.Reason, Remote: e.Remote, Err: why}
	}
	if violation(err) || onlyReset(err) != nil { // of a control stream, which must not end
		code := uint64(dialect.ProtocolViolation)
		if e, ok := errors.AsType[*wire.Error](err); ok && e.Pair {
			code = dialect.KeyValueFormatting
		}
		return &SessionError{Code: code, Reason: err.Error(), Err: err}
	}
	switch {
	case errors.Is(err, transport.ErrTimeout):
		return &SessionError{Code: dialect.NoError, Reason: "idle", Err: ErrTimeout}
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &SessionError{Code: dialect.NoError, Reason: "done", Err: ErrClosed}
	}
	return &SessionError{Code: dialect.InternalError, Reason: err.Error(), Err: err}
}

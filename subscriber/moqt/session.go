package moqt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// Config says whom to dial and how.
type Config struct {
	Addr string // host:port
	Path string // of the moqt URI, with query; sent even if it is empty, as the drafts ask

	// Drafts are the ALPN strings to offer, most trusted first. Nil: moqt-18, moqt-19, moqt-16.
	Drafts []string
	// TLS is the client's configuration; ALPN is set by Dial, ServerName from Addr when it is empty.
	TLS *tls.Config
	// Packet is the socket to dial from, which stays the caller's, for one session at a time. Nil: Dial opens one, and Run
	// closes it.
	Packet net.PacketConn

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
	c      Config
	d      *dialect.Dialect
	conn   transport.Conn
	link   link
	tracks tracks

	ready chan struct{} // closed by the link when the peer's SETUP has come
	tasks chan task     // handed to Run, which waits for them
	done  chan struct{} // closed by Run when err is set
	err   error
}

// task is a piece of a session's work. An error ends the session.
type task func(ctx context.Context) error

// Dial connects and negotiates the draft; ctx bounds that only. The caller must call Run, whatever happens next.
func Dial(ctx context.Context, c Config) (*Session, error) {
	c = c.withDefaults()
	for _, draft := range c.Drafts {
		if dialect.ByALPN(draft) == nil {
			return nil, fmt.Errorf("draft %q: %w; known are %s", draft, ErrNotSupported, strings.Join(drafts(), ", "))
		}
	}
	conn, err := transport.Dial(ctx, c.Addr, c.Drafts, c.TLS, c.Packet)
	if err != nil {
		return nil, err
	}
	if dialect.ByALPN(conn.Protocol()) == nil {
		conn.Close(dialect.NoError, "no common draft")
		return nil, fmt.Errorf("dial %s: %w", c.Addr, transport.ErrNoProtocol)
	}
	s := &Session{
		c: c, d: dialect.ByALPN(conn.Protocol()), conn: conn,
		tracks: newTracks(c.Limits.Parked, c.Metrics),
		ready:  make(chan struct{}), tasks: make(chan task), done: make(chan struct{}),
	}
	s.link = newLink(s)
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Drafts == nil {
		c.Drafts = drafts()
	}
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

func drafts() (all []string) {
	for _, d := range dialect.All() {
		all = append(all, d.ALPN)
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
		return &SessionError{Code: e.Code, Reason: e.Reason, Remote: e.Remote, Err: ErrClosed}
	}
	if violation(err) {
		return &SessionError{Code: dialect.ProtocolViolation, Reason: err.Error(), Err: err}
	}
	switch {
	case errors.Is(err, transport.ErrTimeout):
		return &SessionError{Code: dialect.NoError, Reason: "idle", Err: ErrTimeout}
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &SessionError{Code: dialect.NoError, Reason: "done", Err: ErrClosed}
	}
	return &SessionError{Code: dialect.InternalError, Reason: err.Error(), Err: err}
}

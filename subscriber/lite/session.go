package lite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// Config says how to begin a session.
type Config struct {
	// Path is that of the URI, with query. Over WebTransport it has been said already and is not sent; before 05 it cannot be
	// said otherwise.
	Path string

	Logger  *slog.Logger  // nil: discarded
	Metrics *moqt.Metrics // nil: not counted
	Limits  Limits
}

// Limits bound what a peer can make us hold. A zero field means its default.
type Limits struct {
	Object int // bytes of one payload; 32 MiB
}

// Session is a connection to one peer. Its methods may be called from any goroutine.
type Session struct {
	c    Config
	d    *dialect.Dialect
	conn transport.Conn

	next   atomic.Uint64 // subscribe id
	setUp  atomic.Bool   // the peer's SETUP has come
	warned atomic.Bool   // of a lost group: whatever loses one loses many
	ready  chan struct{} // closed when path is set; from the beginning, if there is no SETUP
	path   string        // where the peer says that it wants to go

	mu   sync.Mutex
	subs map[uint64]*Subscription // guarded by mu; by subscribe id

	moved  atomic.Pointer[moqt.SessionError] // a GOAWAY
	moving chan struct{}                     // closed behind moved

	tasks chan task     // handed to Run, which waits for them
	done  chan struct{} // closed by Run when err is set
	err   error
}

// task is a piece of a session's work. An error ends the session.
type task func(ctx context.Context) error

// Protocols are the ALPN strings of all drafts, the most trusted one first.
func Protocols() (all []string) {
	for _, d := range dialect.All() {
		all = append(all, d.ALPN)
	}
	return all
}

// New makes a session of a connection that has agreed on one of Protocols. The caller must call Run, whatever happens next;
// Run closes the connection.
func New(conn transport.Conn, c Config) (*Session, error) {
	d := dialect.ByALPN(conn.Protocol())
	if d == nil {
		return nil, fmt.Errorf("draft %q: %w; known are %s", conn.Protocol(), moqt.ErrNotSupported, strings.Join(Protocols(), ", "))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Limits.Object == 0 {
		c.Limits.Object = 32 << 20
	}
	s := &Session{
		c: c, d: d, conn: conn, subs: map[uint64]*Subscription{}, ready: make(chan struct{}), moving: make(chan struct{}),
		tasks: make(chan task), done: make(chan struct{}),
	}
	if !d.Setup {
		close(s.ready)
	}
	return s, nil
}

// Path waits for the peer's SETUP, in which a client says where it wants to go. Before 05 it cannot.
func (s *Session) Path(ctx context.Context) (string, error) {
	select {
	case <-s.ready:
		return s.path, nil
	case <-s.done:
		return "", s.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Draft is the negotiated draft's ALPN string, such as "moq-lite-05".
func (s *Session) Draft() string { return s.d.ALPN }

// Run serves the session until ctx ends or the session does; then all goroutines have ended, the connection is closed, and all
// subscriptions are done. It returns a *moqt.SessionError, or ctx's error when ctx ended. It is called once.
func (s *Session) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	serve := func(t task) { g.Go(func() error { return t(gctx) }) }
	serve(s.sayWhere)
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
	close(s.done)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.err
}

// sayWhere sends our SETUP. Nobody waits for the peer's.
func (s *Session) sayWhere(ctx context.Context) error {
	said := s.conn.WebTransport() || strings.Trim(s.c.Path, "/") == ""
	if !s.d.Setup {
		if !said {
			s.c.Logger.Warn("the path is not sent: use moq-lite-05 or WebTransport for it", "draft", s.d.ALPN) // it may hold a token
		}
		return nil
	}
	setup := &dialect.Setup{Role: dialect.SubscriberRole}
	if !said {
		setup.Path = &s.c.Path
	}
	st, err := s.conn.OpenUniStream(ctx)
	if err != nil {
		return err
	}
	if _, err := st.Write(s.d.AppendStream(nil, setup)); err != nil {
		return onlyConnection(err)
	}
	return onlyConnection(st.Close())
}

// awaitDrain takes a transport that wants to be left for a GOAWAY.
func (s *Session) awaitDrain(ctx context.Context) error {
	select {
	case <-s.conn.Draining():
		s.goaway("")
		return nil
	case <-ctx.Done():
		return nil
	}
}

// goaway notes that the peer wants to be left. It goes on serving until we do, or it closes.
func (s *Session) goaway(uri string) {
	e := &moqt.SessionError{Reason: "going away", Remote: true, URI: uri, Err: moqt.ErrGoingAway}
	if s.moved.CompareAndSwap(nil, e) {
		close(s.moving)
	}
}

// Moving is closed when the peer wants us to leave for another session; then Moved says for which.
func (s *Session) Moving() <-chan struct{} { return s.moving }

// Moved is why the session should be left, or nil: an ErrGoingAway with the address to go to.
func (s *Session) Moved() *moqt.SessionError { return s.moved.Load() }

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
func (s *Session) sessionError(err error) *moqt.SessionError {
	if e, ok := errors.AsType[*moqt.SessionError](err); ok {
		return e
	}
	e, closed := errors.AsType[*transport.CloseError](err)
	if moved := s.Moved(); moved != nil && (closed && e.Remote || errors.Is(err, transport.ErrTimeout)) {
		return moved // that it was lost in the end is no news
	}
	if closed {
		return &moqt.SessionError{Code: e.Code, Reason: e.Reason, Remote: e.Remote, Err: moqt.ErrClosed}
	}
	if violation(err) {
		return &moqt.SessionError{Code: dialect.ProtocolViolation, Reason: err.Error(), Err: err}
	}
	switch {
	case errors.Is(err, transport.ErrTimeout):
		return &moqt.SessionError{Code: dialect.NoError, Reason: "idle", Err: moqt.ErrTimeout}
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &moqt.SessionError{Code: dialect.NoError, Reason: "done", Err: moqt.ErrClosed}
	}
	return &moqt.SessionError{Code: dialect.InternalError, Reason: err.Error(), Err: err}
}

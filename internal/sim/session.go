package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// session is one subscriber's connection.
type session struct {
	p       *Publisher
	conn    transport.Conn
	d       *dialect.Dialect
	client  *Dial // nil: the peer has dialled
	log     *slog.Logger
	aliases atomic.Uint64 // the last track alias
	deaf    atomic.Bool   // nothing is answered any more

	mu      sync.Mutex                      // guards what follows
	joins   map[uint64]*subscription        // by request id
	changed chan struct{}                   // closed and replaced when joins grows
	answers map[uint64]chan dialect.Message // to PUBLISH on the control stream, by request id
}

func newSession(p *Publisher, conn transport.Conn, client *Dial, log *slog.Logger) *session {
	return &session{
		p: p, conn: conn, client: client, log: log, d: dialect.ByALPN(conn.Protocol()), answers: map[uint64]chan dialect.Message{},
		joins: map[uint64]*subscription{}, changed: make(chan struct{}),
	}
}

// violation closes the session.
type violation struct{ reason string }

func (v violation) Error() string { return "protocol violation: " + v.reason }

// run serves the session until it or ctx ends.
func (s *session) run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	if s.d.Control == dialect.OneStream {
		g.Go(func() error { return s.serveControl(gctx, g) })
	} else {
		g.Go(func() error { return s.openControl(gctx) })
		g.Go(func() error { return s.acceptUni(gctx, g) })
		g.Go(func() error { return s.acceptRequests(gctx, g) })
		for _, m := range s.announcements() {
			g.Go(func() error { return s.announce(gctx, m) })
		}
		for _, m := range s.pushes() {
			g.Go(func() error { return s.pushOnStream(gctx, m) })
		}
	}
	<-gctx.Done()
	if !errors.Is(context.Cause(ctx), ErrKilled) {
		goodbye(s.conn, context.Cause(gctx)) // this wakes whoever waits for the connection
	}
	return g.Wait()
}

// openControl opens our control stream and keeps it open.
func (s *session) openControl(ctx context.Context) error {
	st, err := s.conn.OpenUniStream(ctx)
	if err != nil {
		return fmt.Errorf("control stream: %w", err)
	}
	send := sendOn(s.d, st)
	if err := send(s.setup()); err != nil {
		return fmt.Errorf("control stream: %w", err)
	}
	return s.p.awaitGoaway(ctx, func(uri string) error { return send(&dialect.Goaway{URI: uri}) })
}

const implementation = "moqpack-sim"

// acceptUni accepts the peer's control stream, and anything else that comes.
func (s *session) acceptUni(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := s.conn.AcceptUniStream(ctx)
		if err != nil {
			return fmt.Errorf("accept stream: %w", err)
		}
		g.Go(func() error { return s.readControl(st) })
	}
}

// readControl reads the peer's control stream to its end. A subscriber has nothing to say on it but SETUP and GOAWAY.
func (s *session) readControl(st transport.ReceiveStream) error {
	r := wire.NewReader(st, s.d.Varint, "control stream")
	m, err := s.d.Read(r)
	if _, ok := m.(*dialect.Setup); err == nil && !ok {
		return violation{fmt.Sprintf("a control stream begins with %T", m)}
	}
	for m != nil && err == nil {
		if m, err = s.d.Read(r); s.goaway(m) != nil {
			return ErrGoaway
		}
	}
	return fatal(err)
}

// acceptRequests serves every bidirectional stream as one request.
func (s *session) acceptRequests(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := s.conn.AcceptStream(ctx)
		if err != nil {
			return fmt.Errorf("accept request: %w", err)
		}
		g.Go(func() error { return s.serveRequest(ctx, st) })
	}
}

// fatal is err if the session cannot go on after it: resets and the like end their stream only.
func fatal(err error) error {
	var malformed *wire.Error
	var v violation
	if errors.As(err, &malformed) || errors.As(err, &v) {
		return err
	}
	return nil
}

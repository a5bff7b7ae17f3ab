package moqt

import (
	"context"
	"sync"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// oneStream is the link of drafts up to 16: everything goes over the bidirectional stream that the client opens first.
// Answers name their request, and the peer limits request ids.
type oneStream struct {
	s        *Session
	out      chan dialect.Message // what is not a request; taken by write
	requests chan pending         // taken by write while the peer's limit allows
	limit    chan uint64          // the peer's limit; taken by write

	mu     sync.Mutex
	active map[uint64]*request // guarded by mu
}

// pending is a request that has no id yet.
type pending struct {
	build func(id uint64) dialect.Message
	sent  chan *request // takes one
}

// peerRequests is how many requests of the peer's may be open: twice as high as ids grow, since they grow by two.
const peerRequests = 2 * 64

func newOneStream(s *Session) *oneStream {
	return &oneStream{
		s: s, active: map[uint64]*request{},
		out: make(chan dialect.Message), requests: make(chan pending), limit: make(chan uint64),
	}
}

func (l *oneStream) run(ctx context.Context) error {
	st, err := l.s.conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	if err := l.s.start(ctx, func(ctx context.Context) error {
		return l.read(ctx, wire.NewReader(st, l.s.d.Varint, "control stream"))
	}); err != nil {
		return err
	}
	unread := &SessionError{Code: dialect.ControlMessageTimeout, Reason: "control stream is not read", Err: ErrTimeout}
	send := func(m dialect.Message) error {
		wctx, cancel := context.WithTimeoutCause(ctx, controlTimeout, unread)
		defer cancel()
		return write(wctx, st, l.s.d.Append(nil, m))
	}
	if err := send(l.s.setup()); err != nil {
		return err
	}
	return l.write(ctx, send)
}

// write is the only writer of the control stream: ids leave in the order in which they are given.
func (l *oneStream) write(ctx context.Context, send func(dialect.Message) error) error {
	next, limit := uint64(0), uint64(0)
	for {
		requests := l.requests
		if next >= limit {
			requests = nil // wait for the peer to raise it
		}
		var m dialect.Message
		select {
		case <-ctx.Done():
			return nil
		case limit = <-l.limit:
			continue
		case m = <-l.out:
		case p := <-requests:
			m = p.build(next)
			p.sent <- l.open(next, m)
			next += 2
		}
		if err := send(m); err != nil {
			return err
		}
	}
}

// open registers a request, before it is sent.
func (l *oneStream) open(id uint64, m dialect.Message) *request {
	q := newRequest(id)
	q.serve = func(context.Context) error { return nil } // read serves all
	q.end = func(ctx context.Context, cancelled bool) {
		l.mu.Lock()
		delete(l.active, id)
		l.mu.Unlock()
		if cancelled {
			_ = l.send(ctx, cancellation(id, m)) // fails only if the session has ended
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active[id] = q
	return q
}

// cancellation withdraws the request m.
func cancellation(id uint64, m dialect.Message) dialect.Message {
	if _, ok := m.(*dialect.Fetch); ok {
		return &dialect.FetchCancel{ReplyTo: dialect.ReplyTo{RequestID: id}}
	}
	return &dialect.Unsubscribe{ReplyTo: dialect.ReplyTo{RequestID: id}}
}

func (l *oneStream) send(ctx context.Context, m dialect.Message) error {
	select {
	case l.out <- m:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.s.done:
		return l.s.err
	}
}

func (l *oneStream) request(ctx context.Context, build func(uint64) dialect.Message) (*request, error) {
	p := pending{build, make(chan *request, 1)}
	select {
	case l.requests <- p:
		return <-p.sent, nil
	case <-l.s.done:
		return nil, l.s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *oneStream) control(context.Context, *wire.Reader) error {
	return &wire.Error{In: "stream", Field: "type", Err: wire.ErrUnknown}
}

// read takes the peer's messages. It never waits for a request's owner.
func (l *oneStream) read(ctx context.Context, r *wire.Reader) error {
	m, err := l.s.next(r)
	if err != nil {
		return err
	}
	setup, ok := m.(*dialect.Setup)
	if !ok || !setup.Server {
		return unexpected(m, "control stream")
	}
	l.s.begun(setup)
	if err := l.raise(ctx, 0, setup.MaxRequestID); err != nil {
		return err
	}
	ids := ids{ours: setup.MaxRequestID, granted: peerRequests}
	for {
		m, err := l.s.next(r)
		if m == nil && err == nil {
			err = &wire.Error{In: "control stream", Field: "FIN", Err: wire.ErrValue}
		}
		if err != nil {
			return err
		}
		if err := l.handle(ctx, m, &ids); err != nil {
			return err
		}
	}
}

// ids are the limits of request ids, owned by read.
type ids struct {
	ours    uint64 // what the peer allows us
	granted uint64 // what we allow the peer
	seen    uint64 // how far the peer has come
}

func (l *oneStream) handle(ctx context.Context, m dialect.Message, ids *ids) error {
	switch m := m.(type) {
	case *dialect.PublishNamespaceDone:
		return nil
	case dialect.Reply:
		l.mu.Lock()
		q := l.active[m.Request()]
		l.mu.Unlock()
		if q == nil {
			return nil // about a request that has ended, or about one of the peer's
		}
		return q.deliver(event{m: m})
	case *dialect.MaxRequestID:
		err := l.raise(ctx, ids.ours, m.Max)
		ids.ours = m.Max
		return err
	case *dialect.RequestsBlocked:
		return nil
	case *dialect.Goaway:
		return goaway(m)
	}
	reply, ok := l.s.answer(m)
	if !ok {
		return unexpected(m, "control stream")
	}
	if reply != nil {
		if err := l.send(ctx, reply); err != nil {
			return err
		}
	}
	if ids.seen += 2; ids.granted-ids.seen > peerRequests/2 {
		return nil
	}
	ids.granted += peerRequests
	return l.send(ctx, &dialect.MaxRequestID{Max: ids.granted})
}

// raise tells write how far our ids may go now.
func (l *oneStream) raise(ctx context.Context, from, to uint64) error {
	if to <= from && from > 0 {
		return &wire.Error{In: "MAX_REQUEST_ID", Field: "max request id", Err: wire.ErrValue}
	}
	select {
	case l.limit <- to:
	case <-ctx.Done():
	}
	return nil
}

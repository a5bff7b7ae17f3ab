package moqt

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

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
	next     atomic.Uint64        // request id; set by write

	mu     sync.Mutex
	active map[uint64]*request // guarded by mu
}

// pending is a request that has no id yet.
type pending struct {
	build func(id uint64) dialect.Message
	sent  chan *request // takes one
	// elsewhere takes the message, before sent does, if it has to go on a stream of its own.
	elsewhere chan dialect.Message
}

func newOneStream(s *Session) *oneStream {
	l := &oneStream{
		s: s, active: map[uint64]*request{},
		out: make(chan dialect.Message), requests: make(chan pending), limit: make(chan uint64),
	}
	l.next.Store(s.firstID())
	return l
}

func (l *oneStream) run(ctx context.Context) error {
	open := l.s.conn.OpenStream
	if l.s.server {
		open = l.s.conn.AcceptStream
	}
	st, err := open(ctx)
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
	if l.s.server { // which answers
		select {
		case <-l.s.ready:
		case <-ctx.Done():
			return nil
		}
	}
	if err := send(l.s.setup()); err != nil {
		return err
	}
	return l.write(ctx, send)
}

// write is the only writer of the control stream: ids leave in the order in which they are given.
func (l *oneStream) write(ctx context.Context, send func(dialect.Message) error) error {
	limit := uint64(0)
	for leaving := l.s.leaving; ; {
		requests := l.requests
		if l.next.Load() >= limit {
			requests = nil // wait for the peer to raise it
		}
		var m dialect.Message
		select {
		case <-ctx.Done():
			return nil
		case limit = <-l.limit:
			continue
		case <-leaving:
			leaving, m = nil, l.s.farewell()
		case m = <-l.out:
		case p := <-requests:
			id := l.next.Add(2) - 2
			m = p.build(id)
			q := l.open(id, m)
			if _, own := m.(*dialect.SubscribeNamespace); own && l.s.d.Discovery == dialect.OwnStream {
				p.elsewhere <- m
				p.sent <- q
				continue
			}
			p.sent <- q
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

// find returns the open request with the id, or nil.
func (l *oneStream) find(id uint64) *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active[id]
}

// cancellation withdraws the request m.
func cancellation(id uint64, m dialect.Message) dialect.Message {
	switch m := m.(type) {
	case *dialect.Fetch:
		return &dialect.FetchCancel{ReplyTo: dialect.ReplyTo{RequestID: id}}
	case *dialect.SubscribeNamespace:
		return &dialect.UnsubscribeNamespace{ReplyTo: dialect.ReplyTo{RequestID: id}, Prefix: m.Prefix}
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
	p := pending{build, make(chan *request, 1), make(chan dialect.Message, 1)}
	select {
	case l.requests <- p:
		q := <-p.sent
		select {
		case m := <-p.elsewhere:
			return q, l.sendAlone(ctx, q, m)
		default:
			return q, nil
		}
	case <-l.s.done:
		return nil, l.s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sendAlone opens a stream for a request and sends it there.
func (l *oneStream) sendAlone(ctx context.Context, q *request, m dialect.Message) error {
	q.end(ctx, false) // nothing on the control stream is about it
	st, err := l.s.conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	q.stream, q.end = st, endStream(st)
	if err = write(ctx, st, l.s.d.Append(nil, m)); err != nil {
		q.end(ctx, true)
	}
	return err
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
	if !ok || setup.Server == l.s.server {
		return unexpected(m, "control stream")
	}
	l.s.begun(setup)
	if err := l.raise(ctx, 0, setup.MaxRequestID); err != nil {
		return err
	}
	ids := ids{ours: setup.MaxRequestID, namespaces: map[uint64][]string{}}
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

// ids are what read knows of request ids, and owns.
type ids struct {
	ours       uint64              // the peer's limit of ours
	namespaces map[uint64][]string // that the peer announces, by request
}

func (l *oneStream) handle(ctx context.Context, m dialect.Message, ids *ids) error {
	switch m := m.(type) {
	case *dialect.PublishNamespaceDone:
		l.ended(m, ids)
		return nil
	case *dialect.PublishNamespaceCancel: // of one that we announced: there is none
		return nil
	case dialect.Reply:
		q := l.find(m.Request())
		if q == nil { // about a request that has ended, or about one of the peer's
			if id := m.Request(); id%2 == l.s.firstID() && id >= l.next.Load() {
				return misnumbered(id, "has not been used, and is answered")
			}
			return nil
		}
		return q.deliver(event{m: m})
	case *dialect.MaxRequestID:
		err := l.raise(ctx, ids.ours, m.Max)
		ids.ours = m.Max
		return err
	case *dialect.RequestsBlocked:
		return nil
	case *dialect.Goaway:
		return l.s.goaway(m)
	}
	if err := l.s.asking.take(m, true); err != nil {
		return err
	}
	if err := l.asked(ctx, m, ids); err != nil {
		return err
	}
	return l.grant(ctx)
}

// grant lets the peer ask for more when it has asked for much.
func (l *oneStream) grant(ctx context.Context) error {
	if limit, due := l.s.asking.raise(); due {
		return l.send(ctx, &dialect.MaxRequestID{Max: limit})
	}
	return nil
}

// asked answers a request of the peer's.
func (l *oneStream) asked(ctx context.Context, m dialect.Message, ids *ids) error {
	if m, ok := m.(*dialect.Publish); ok {
		answer := func(ctx context.Context, all ...dialect.Message) error {
			for _, m := range all {
				if err := l.send(ctx, m); err != nil {
					return err
				}
			}
			return nil
		}
		return l.s.published(ctx, m, offer{request: l.open(m.RequestID, m), answer: answer})
	}
	if m, ok := m.(*dialect.PublishNamespace); ok {
		reply, ok := l.s.announced(m)
		if ok {
			ids.namespaces[m.RequestID] = m.Namespace
		}
		return l.send(ctx, reply)
	}
	reply, ok := l.s.answer(m)
	if !ok {
		return unexpected(m, "control stream")
	}
	if reply == nil {
		return nil
	}
	return l.send(ctx, reply)
}

// ended notes that an announcement has ended.
func (l *oneStream) ended(m *dialect.PublishNamespaceDone, ids *ids) {
	for id, namespace := range ids.namespaces {
		if m.Namespace == nil && id == m.RequestID || m.Namespace != nil && slices.Equal(namespace, m.Namespace) {
			delete(ids.namespaces, id)
			l.s.withdrawn(namespace)
		}
	}
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

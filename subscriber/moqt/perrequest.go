package moqt

import (
	"context"
	"sync/atomic"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// perRequest is the link of draft 17 and later: each side has a unidirectional control stream that begins with SETUP, and each
// request a bidirectional stream, on which its answers come.
type perRequest struct {
	s       *Session
	next    atomic.Uint64 // request id; ours are even
	started atomic.Bool   // the peer's control stream has come
}

func (l *perRequest) run(ctx context.Context) error {
	st, err := l.s.conn.OpenUniStream(ctx)
	if err != nil {
		return err
	}
	if _, err = st.Write(l.s.d.Append(nil, l.s.setup())); err != nil { // its type is the stream's type too
		return err
	}
	select { // the stream stays open as long as the session
	case <-l.s.leaving:
		return write(ctx, st, l.s.d.Append(nil, l.s.farewell()))
	case <-ctx.Done():
		return nil
	}
}

// control reads SETUP and GOAWAY. A FIN behind SETUP is against the drafts, but a common peer does it, and nothing is lost.
func (l *perRequest) control(_ context.Context, r *wire.Reader) error {
	m, err := l.s.d.ReadBody(r, l.s.d.SetupStream)
	if err != nil {
		return err
	}
	setup, ok := m.(*dialect.Setup)
	if !ok || !l.started.CompareAndSwap(false, true) {
		return unexpected(m, "second control stream")
	}
	l.s.begun(setup)
	for {
		if m, err = l.s.next(r); m == nil {
			return err
		}
		g, ok := m.(*dialect.Goaway)
		if !ok {
			return unexpected(m, "control stream")
		}
		if err := l.s.goaway(g); err != nil {
			return err
		}
	}
}

func (l *perRequest) request(ctx context.Context, build func(uint64) dialect.Message) (*request, error) {
	st, err := l.s.conn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	q := newRequest(l.id())
	q.serve = func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
		return l.s.serveAnswers(wire.NewReader(st, l.s.d.Varint, "request stream"), q)
	}
	q.stream, q.end = st, endStream(st)
	q.update = l.update(st)
	if err := write(ctx, st, l.s.d.Append(nil, build(q.id))); err != nil {
		q.end(ctx, true)
		return nil, err
	}
	return q, nil
}

// update sends messages with new request ids on st.
func (l *perRequest) update(st transport.Stream) func(context.Context, func(uint64) dialect.Message) error {
	return func(ctx context.Context, build func(uint64) dialect.Message) error {
		return write(ctx, st, l.s.d.Append(nil, build(l.id())))
	}
}

func (l *perRequest) id() uint64 { return l.next.Add(2) - 2 }

// write writes b unless ctx ends first: a peer may give the stream no room.
func write(ctx context.Context, st transport.SendStream, b []byte) error {
	unblock := context.AfterFunc(ctx, func() { st.Reset(dialect.ResetCancelled) })
	_, err := st.Write(b)
	if !unblock() {
		return context.Cause(ctx)
	}
	return err
}

// endStream ends a request that has a stream of its own. STOP_SENDING cancels it (moq-transport-18, "Request Cancellation and
// Rejection"). It is not reset: over QUIC itself moq-rs reads the code of a reset as one of WebTransport, which it is not, and ends
// the session (moq-transport 0.17.0).
func endStream(st transport.Stream) func(ctx context.Context, cancelled bool) {
	return func(context.Context, bool) {
		_ = st.Close()
		st.Cancel(dialect.ResetCancelled)
	}
}

// onStream is an offer that came on a stream of its own, behind which r is.
func (s *Session) onStream(st transport.Stream, r *wire.Reader) offer {
	q := newRequest(0)
	q.stream, q.end = st, endStream(st)
	q.serve = func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { st.Cancel(dialect.ResetCancelled) })()
		return s.serveAnswers(r, q)
	}
	answer := func(ctx context.Context, all ...dialect.Message) error {
		var b []byte
		for _, m := range all {
			b = s.d.Append(b, m)
		}
		return write(ctx, st, b)
	}
	o := offer{request: q, answer: answer}
	if l, ok := s.link.(*perRequest); ok {
		o.id, q.update = l.id, l.update(st)
	}
	return o
}

// serveAnswers delivers what comes on a request's stream. Our half stays open meanwhile: to some peers a FIN is a cancellation.
func (s *Session) serveAnswers(r *wire.Reader, q *request) error {
	for {
		m, err := s.next(r)
		if violation(err) {
			return err
		}
		if err := q.deliver(event{m, err}); m == nil || err != nil {
			return err
		}
	}
}

package moqt

import (
	"context"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// link is how SETUP, requests and their answers travel: the difference between the two families of drafts.
type link interface {
	// run sends our SETUP and serves our control stream until ctx ends.
	run(ctx context.Context) error
	// control serves the peer's control stream, where it has one of its own. r is behind the stream's type.
	control(ctx context.Context, r *wire.Reader) error
	// request sends what build makes of a new request id, as soon as the peer allows.
	request(ctx context.Context, build func(id uint64) dialect.Message) (*request, error)
}

func newLink(s *Session) link {
	if s.d.Control == dialect.PerRequest {
		l := &perRequest{s: s}
		l.next.Store(s.firstID())
		return l
	}
	return newOneStream(s)
}

// firstID is our first request id: a client's are even, a server's are odd.
func (s *Session) firstID() uint64 {
	if s.server {
		return 1
	}
	return 0
}

// request is one that was sent.
type request struct {
	id     uint64
	events chan event
	// stream is the request's own, where it has one.
	stream transport.Stream
	// update sends what build makes of a new request id on the request's stream, where it has one.
	update func(ctx context.Context, build func(id uint64) dialect.Message) error
	// serve delivers events until there are no more, or ctx ends.
	serve task
	// end forgets the request. If it is cancelled, the peer is told; otherwise the peer ended it.
	end func(ctx context.Context, cancelled bool)
}

// event is an answer to a request, or, without a message, the end of the stream that carried them (err nil: a FIN).
type event struct {
	m   dialect.Message
	err error
}

func newRequest(id uint64) *request { return &request{id: id, events: make(chan event, 8)} }

// deliver hands e over without waiting: no peer has reason to answer a request so often.
func (r *request) deliver(e event) error {
	select {
	case r.events <- e:
		return nil
	default:
		return &wire.Error{In: "request", Field: "number of answers", Err: wire.ErrTooLong}
	}
}

// setup is our SETUP.
func (s *Session) setup() *dialect.Setup {
	m := &dialect.Setup{
		Server: s.server, WebTransport: s.conn.WebTransport(), Tokens: s.c.Tokens, MaxRequestID: peerRequests,
	}
	if !s.d.Nameless {
		m.Implementation = "moqpack"
	}
	if !m.Server && !m.WebTransport {
		m.Authority, m.Path = s.c.Authority, s.c.Path
	}
	return m
}

// farewell is our GOAWAY. It leaves nothing undone that the peer ever asks, which 18 has said by an id beyond all of the peer's.
func (s *Session) farewell() *dialect.Goaway {
	beyond := uint64(1<<62-1) - s.firstID()
	return &dialect.Goaway{RequestID: &beyond}
}

// goaway takes a GOAWAY, after which the session goes on until the peer has had enough of it: moving over to another one is
// the caller's.
func (s *Session) goaway(m *dialect.Goaway) error {
	if m.RequestID != nil && *m.RequestID%2 != s.firstID() {
		return misnumbered(*m.RequestID, "is in a GOAWAY, and is one of yours")
	}
	e := &SessionError{Code: dialect.NoError, Reason: "going away", Remote: true, URI: m.URI, Err: ErrGoingAway}
	if !s.moved.CompareAndSwap(nil, e) {
		return unexpected(m, "second GOAWAY")
	}
	close(s.moving)
	return nil
}

// Moving is closed when the peer wants us to leave for another session; then Moved says for which.
func (s *Session) Moving() <-chan struct{} { return s.moving }

// Moved is why the session should be left, or nil: an ErrGoingAway with the address to go to.
func (s *Session) Moved() *SessionError { return s.moved.Load() }

// next reads the next message that concerns us; it returns nil, nil at the end of the stream.
func (s *Session) next(r *wire.Reader) (dialect.Message, error) {
	for {
		m, err := s.d.Read(r)
		switch m := m.(type) {
		case *dialect.PublishStateNotify:
		case *dialect.Unrecognized:
			s.c.Metrics.Malformed("unknown_message")
			s.c.Logger.Debug("message skipped", "type", m.Type)
		default:
			return m, err
		}
	}
}

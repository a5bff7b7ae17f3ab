package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// request is one of the peer's requests and the way to answer it.
type request struct {
	id   uint64
	m    dialect.Message
	send func(m dialect.Message) error
}

func newRequest(m dialect.Message, send func(m dialect.Message) error) request {
	id, _, _ := dialect.Asked(m)
	return request{id, m, send}
}

func (r request) reply() dialect.ReplyTo { return dialect.ReplyTo{RequestID: r.id} }

// serveRequest serves a request that has a stream of its own (17 and later). It ends when the peer resets or stops the stream.
func (s *session) serveRequest(ctx context.Context, st transport.Stream) error {
	reader := wire.NewReader(st, s.d.Varint, "request stream")
	m, err := s.d.Read(reader)
	if m == nil || err != nil {
		st.Cancel(dialect.ResetCancelled)
		st.Reset(dialect.ResetCancelled)
		return fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := newRequest(m, sendOn(s.d, st))
	var g errgroup.Group
	g.Go(func() error {
		select {
		case <-st.Stopped(): // nobody reads the answers any more
			cancel()
		case <-ctx.Done():
		}
		return nil
	})
	g.Go(func() error {
		err := s.updates(ctx, &g, reader, r)
		if err != nil { // reset, or malformed: either way this request is over
			cancel()
		}
		return fatal(err)
	})
	g.Go(func() error {
		defer st.Cancel(dialect.ResetCancelled) // nobody waits for updates any longer
		defer cancel()
		defer st.Close()
		return s.handle(ctx, r, m)
	})
	return g.Wait()
}

// updates answers REQUEST_UPDATEs until the peer ends its side of the stream, which does not end the request.
func (s *session) updates(ctx context.Context, g *errgroup.Group, reader *wire.Reader, r request) error {
	for {
		m, err := s.d.Read(reader)
		if m == nil || err != nil {
			return err
		}
		update, ok := m.(*dialect.RequestUpdate)
		if !ok {
			return violation{fmt.Sprintf("%T in a request", m)}
		}
		if err := s.update(ctx, g, r, update); err != nil {
			return err
		}
	}
}

// serveControl serves the one stream on which all requests come (up to 16).
func (s *session) serveControl(ctx context.Context, g *errgroup.Group) error {
	open := s.conn.AcceptStream
	if s.client != nil {
		open = s.conn.OpenStream
	}
	st, err := open(ctx)
	if err != nil {
		return fmt.Errorf("control stream: %w", err)
	}
	reader, send := wire.NewReader(st, s.d.Varint, "control stream"), sendOn(s.d, st)
	setup, err := s.greet(reader, send)
	if err != nil {
		return fmt.Errorf("control stream: %w", err)
	}
	if err := s.announceOnControl(setup.MaxRequestID, send); err != nil {
		return fmt.Errorf("control stream: %w", err)
	}
	s.pushOnControl(ctx, g, send)
	g.Go(func() error {
		return s.p.awaitGoaway(ctx, func(uri string) error { return send(&dialect.Goaway{URI: uri}) })
	})
	g.Go(func() error { return s.acceptRequests(ctx, g) }) // SUBSCRIBE_NAMESPACE has a stream of its own even here
	return s.dispatch(ctx, g, reader, send)
}

// greet exchanges SETUP. The client's comes first.
func (s *session) greet(reader *wire.Reader, send func(dialect.Message) error) (*dialect.Setup, error) {
	if s.client != nil {
		if err := send(s.setup()); err != nil {
			return nil, err
		}
	}
	m, err := s.d.Read(reader)
	if err != nil {
		return nil, err
	}
	theirs, ok := m.(*dialect.Setup)
	if !ok {
		return nil, violation{fmt.Sprintf("the control stream begins with %T", m)}
	}
	if s.client == nil {
		err = send(s.setup())
	}
	return theirs, err
}

// dispatch starts each request on the control stream and cancels those that are taken back.
func (s *session) dispatch(ctx context.Context, g *errgroup.Group, reader *wire.Reader, send func(dialect.Message) error) error {
	cancels := map[uint64]context.CancelFunc{} // request ids are never used again, so this only grows with the requests
	for {
		m, err := s.d.Read(reader)
		if m == nil && err == nil {
			err = violation{"the control stream ended"}
		}
		if err != nil {
			return fmt.Errorf("control stream: %w", err)
		}
		r := newRequest(m, send)
		switch m := m.(type) {
		case *dialect.UnsubscribeNamespace: // by its prefix in 14, which goes on to be told: no harm is done
		case *dialect.Unsubscribe, *dialect.FetchCancel:
			if cancel := cancels[m.(dialect.Reply).Request()]; cancel != nil {
				cancel()
			}
			_ = s.answered(m.(dialect.Reply)) // no error: it refuses nothing
		case *dialect.RequestUpdate:
			if ok := s.d.Accept(m); ok != nil {
				if err := send(ok); err != nil {
					return err
				}
			}
		case *dialect.Goaway:
			if err := s.goaway(m); err != nil {
				return err
			}
		case dialect.Reply:
			if err := s.answered(m); err != nil {
				return err
			}
		case *dialect.MaxRequestID, *dialect.RequestsBlocked:
		default:
			rctx, cancel := context.WithCancel(ctx)
			cancels[r.id] = cancel
			g.Go(func() error { defer cancel(); return s.handle(rctx, r, m) })
		}
	}
}

// handle answers a request, and serves it as long as it lasts. Its error ends the session.
func (s *session) handle(ctx context.Context, r request, m dialect.Message) error {
	if s.deaf.Load() {
		<-ctx.Done()
		return nil
	}
	if s.client != nil && s.client.Push {
		return s.refuse(r, dialect.NotSupported, "nothing but what is pushed")
	}
	switch m := m.(type) {
	case *dialect.Subscribe:
		return s.subscribe(ctx, r, m)
	case *dialect.Fetch:
		return s.fetch(ctx, r, m)
	case *dialect.TrackStatus:
		return s.trackStatus(r, m)
	case *dialect.SubscribeNamespace:
		return s.namespaces(ctx, r, m)
	default:
		return s.refuse(r, dialect.NotSupported, fmt.Sprintf("%T is not served here", m))
	}
}

// refuse answers with a REQUEST_ERROR.
func (s *session) refuse(r request, why dialect.Refusal, reason string) error {
	s.log.Debug("refused", "request", r.id, "reason", reason)
	m := s.d.Refuse(r.m, why, reason)
	if why == dialect.DoesNotExist {
		m.Retry = uint64(retryAfter.Milliseconds()) + 1
	}
	_ = r.send(m) // a peer that is gone needs no answer
	return nil
}

// retryAfter is when a subscriber may ask again for a track that does not exist yet.
const retryAfter = 500 * time.Millisecond

func (s *session) trackStatus(r request, m *dialect.TrackStatus) error {
	f, ok := s.p.feed(m.Track)
	if !ok {
		return s.refuse(r, dialect.DoesNotExist, "no such track")
	}
	answer := s.d.Accept(m)
	if l, ok := f.largest(); ok {
		answer.Params.Largest = &l
	}
	_ = r.send(answer) // a peer that is gone needs no answer
	return nil
}

// sendOn returns a function that writes whole messages to w, one at a time.
func sendOn(d *dialect.Dialect, w interface{ Write([]byte) (int, error) }) func(dialect.Message) error {
	var mu sync.Mutex
	return func(m dialect.Message) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := w.Write(d.Append(nil, m))
		return err
	}
}

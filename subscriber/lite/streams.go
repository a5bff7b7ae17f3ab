package lite

import (
	"context"

	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// groupStream is a group's stream whose beginning has been read. Its owner reads it to the end or cancels it.
type groupStream struct {
	transport.ReceiveStream
	r     *wire.Reader
	group uint64
}

func (s *Session) acceptUni(ctx context.Context, serve func(task)) error {
	for {
		st, err := s.conn.AcceptUniStream(ctx)
		if err != nil {
			return err
		}
		serve(func(context.Context) error { return s.serveUni(st) })
	}
}

// serveUni reads a stream's beginning and finds its owner. A subscription is known before it is asked for, so a stream that
// nobody owns is too late.
func (s *Session) serveUni(st transport.ReceiveStream) error {
	r := s.d.NewReader(st)
	m, err := s.d.ReadStream(r)
	switch m := m.(type) {
	case *dialect.Group:
		if s.hand(m.Subscribe, groupStream{st, r, m.Sequence}) {
			return nil
		}
	case *dialect.Setup:
		if s.setUp.Swap(true) {
			err = unexpected(m, "second setup stream")
			break
		}
		if m.Path != nil {
			s.path = *m.Path
		}
		close(s.ready)
	}
	st.Cancel(dialect.ResetCancelled)
	if violation(err) {
		return err
	}
	return nil
}

// hand gives st to its subscription; false if there is none.
func (s *Session) hand(id uint64, st groupStream) bool {
	sub := s.subscription(id)
	if sub == nil {
		return false
	}
	select {
	case sub.streams <- st:
		return true
	case <-sub.done:
		return false
	}
}

func (s *Session) subscription(id uint64) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs[id]
}

func (s *Session) acceptDatagrams(ctx context.Context) error {
	for {
		b, err := s.conn.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		if !s.d.Datagrams {
			continue
		}
		g, err := s.d.ParseDatagram(b)
		if err != nil {
			s.c.Metrics.Malformed("datagram")
			continue // the draft has it dropped
		}
		if sub := s.subscription(g.Subscribe); sub != nil {
			sub.offer(g)
		}
	}
}

func (s *Session) acceptBidi(ctx context.Context, serve func(task)) error {
	for {
		st, err := s.conn.AcceptStream(ctx)
		if err != nil {
			return err
		}
		serve(func(context.Context) error { return s.servePeer(st) })
	}
}

// servePeer answers what the peer asks of us, who publish nothing.
func (s *Session) servePeer(st transport.Stream) error {
	r := s.d.NewReader(st)
	m, err := s.d.ReadRequest(r)
	defer st.Cancel(dialect.ResetCancelled)
	switch m := m.(type) {
	case *dialect.Goaway:
		s.goaway(m.URI)
		return nil
	case *dialect.AnnounceRequest: // relays ask whoever comes, and some take a refusal for the end of the session
		defer st.Close() // fails only if the stream is gone already
		if s.d.AnnounceOK {
			if _, err := st.Write(s.d.AppendMessage(nil, &dialect.AnnounceOK{})); err != nil {
				return nil
			}
		}
		_ = r.Discard() // until they lose interest
		return nil
	}
	st.Reset(dialect.ResetNotFound)
	if violation(err) {
		return err
	}
	return nil
}

// ask sends m on a stream of its own and has read read what comes back, all of it or as much as is wanted. The stream is given
// up when read returns or ctx ends. Its error is read's, or one of the stream's.
func (s *Session) ask(ctx context.Context, m dialect.Request, read func(r *wire.Reader) error) error {
	st, err := s.conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		st.Reset(dialect.ResetCancelled)
		st.Cancel(dialect.ResetCancelled)
	})
	defer func() {
		if stop() {
			_ = st.Close() // to some peers nothing else ends it
			st.Cancel(dialect.ResetCancelled)
		}
	}()
	if _, err := st.Write(s.d.AppendRequest(nil, m)); err != nil {
		return err
	}
	return read(s.d.NewReader(st))
}

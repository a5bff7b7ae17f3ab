package moqt

import (
	"context"
	"fmt"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// dataStream is a unidirectional stream whose header has been read. Its owner reads it to the end or cancels it.
type dataStream struct {
	transport.ReceiveStream
	r *wire.Reader
	h dialect.SubgroupHeader // not of a fetch
}

func (s *Session) acceptUni(ctx context.Context, serve func(task)) error {
	for {
		st, err := s.conn.AcceptUniStream(ctx)
		if err != nil {
			return err
		}
		serve(func(ctx context.Context) error { return s.serveUni(ctx, st) })
	}
}

func (s *Session) acceptBidi(ctx context.Context, serve func(task)) error {
	if s.server && s.d.Control == dialect.OneStream { // the first one is the control stream, which the link accepts
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil
		}
	}
	for {
		st, err := s.conn.AcceptStream(ctx)
		if err != nil {
			return err
		}
		serve(func(ctx context.Context) error { return s.servePeer(ctx, st) })
	}
}

// serveUni reads a stream's header and finds its owner. A stream that ends within it is nobody's.
func (s *Session) serveUni(ctx context.Context, st transport.ReceiveStream) error {
	r := wire.NewReader(st, s.d.Varint, "stream")
	typ := r.Varint("type")
	owned := false
	switch kind := s.d.Kind(typ); {
	case r.Err() != nil:
	case kind == dialect.SubgroupStream:
		owned = s.subgroup(ctx, dataStream{st, r, s.d.ReadSubgroupHeader(r, typ)})
	case kind == dialect.FetchStream:
		id := s.d.ReadFetchHeader(r)
		owned = r.Err() == nil && s.tracks.fetched(id, dataStream{ReceiveStream: st, r: r})
	case kind == dialect.ControlStream:
		return s.link.control(ctx, r)
	case kind == dialect.PaddingStream:
		_ = r.Discard()
	default:
		r.Fail(fmt.Sprintf("type %#x", typ), wire.ErrUnknown)
	}
	if owned {
		return nil
	}
	st.Cancel(dialect.ResetCancelled)
	if violation(r.Err()) {
		return r.Err()
	}
	return nil
}

// subgroup hands st to its subscription; false if there is none.
func (s *Session) subgroup(ctx context.Context, st dataStream) bool {
	if st.r.Err() != nil {
		return false
	}
	sub := s.tracks.find(ctx, st.h.Alias)
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

func (s *Session) acceptDatagrams(ctx context.Context) error {
	for {
		b, err := s.conn.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		g, ok, err := s.d.ParseDatagram(b)
		if err != nil {
			s.c.Metrics.Malformed("datagram")
			return err
		}
		if ok {
			s.tracks.datagram(g)
		}
	}
}

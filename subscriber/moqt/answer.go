package moqt

import (
	"context"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// answer is our reply to a peer's request that asks for nothing but that; nil: none is due. ok is false if m is no such
// request. We publish nothing.
func (s *Session) answer(m dialect.Message) (reply dialect.Message, ok bool) {
	switch m := m.(type) {
	case *dialect.RequestUpdate: // of a namespace, since we accept nothing else: there is nothing to change
		if ok := s.d.Accept(m); ok != nil {
			return ok, true
		}
		return nil, true
	case *dialect.Subscribe, *dialect.TrackStatus, *dialect.Fetch:
		return s.d.Refuse(m, dialect.DoesNotExist, "nothing is published here"), true
	case *dialect.SubscribeNamespace, *dialect.SubscribeTracks:
		return s.d.Refuse(m, dialect.NotSupported, "subscriber only"), true
	}
	return nil, false
}

// servePeer answers requests that come on a stream of their own. What an accepted PUBLISH brings is read by its subscription.
func (s *Session) servePeer(ctx context.Context, st transport.Stream) error {
	r := wire.NewReader(st, s.d.Varint, "request stream")
	m, err := s.nextAsked(r)
	select {
	case <-s.ready: // who asks is said on another stream
	case <-ctx.Done():
	}
	if l, ok := s.link.(*oneStream); ok {
		if err := l.grant(ctx); err != nil {
			return err
		}
	}
	if offered, ok := m.(*dialect.Publish); ok {
		return s.published(ctx, offered, s.onStream(st, r))
	}
	defer st.Cancel(dialect.ResetCancelled)
	defer st.Close() // fails only if the stream is gone already
	if m, ok := m.(*dialect.PublishNamespace); ok {
		return s.serveNamespace(ctx, m, st, r)
	}
	return s.serveUpdates(m, err, st, r)
}

// nextAsked is next of a stream on which the peer asks.
func (s *Session) nextAsked(r *wire.Reader) (dialect.Message, error) {
	m, err := s.next(r)
	if err != nil || m == nil {
		return nil, err
	}
	if err := s.asking.take(m, false); err != nil {
		return nil, err
	}
	return m, nil
}

// serveNamespace accepts an announcement, which lasts as long as its stream.
func (s *Session) serveNamespace(ctx context.Context, m *dialect.PublishNamespace, st transport.Stream, r *wire.Reader) error {
	reply, ok := s.announced(m)
	if !ok {
		_, _ = st.Write(s.d.Append(nil, reply)) // a peer that is gone needs no answer
		return nil
	}
	defer s.withdrawn(m.Namespace)
	if _, err := st.Write(s.d.Append(nil, reply)); err != nil {
		return nil
	}
	update, ended := s.nextAsked(r)
	if err := s.serveUpdates(update, ended, st, r); err != nil || ended != nil || !s.d.HalfClose {
		return err
	}
	select { // a FIN says only that there will be no update
	case <-st.Stopped():
	case <-ctx.Done():
	}
	return nil
}

// serveUpdates answers m, and what follows it.
func (s *Session) serveUpdates(m dialect.Message, err error, st transport.Stream, r *wire.Reader) error {
	for ; m != nil; m, err = s.nextAsked(r) {
		if _, ok := m.(*dialect.Goaway); ok {
			return nil // they move away what we did not want
		}
		reply, ok := s.answer(m)
		if !ok {
			return unexpected(m, "request stream")
		}
		if reply == nil {
			continue
		}
		if _, err := st.Write(s.d.Append(nil, reply)); err != nil {
			return nil
		}
		if _, refusal := reply.(*dialect.RequestError); refusal {
			return nil
		}
	}
	if violation(err) {
		return err
	}
	return nil
}

// offer is a PUBLISH of the peer's, and the way to answer it.
type offer struct {
	*dialect.Publish
	request *request
	answer  func(ctx context.Context, all ...dialect.Message) error
	id      func() uint64 // of a request of ours, where BareOK
}

// published accepts or refuses a track that the peer offers.
func (s *Session) published(ctx context.Context, m *dialect.Publish, o offer) error {
	o.Publish = m
	sub := newSubscription(s, m.Track, SubscribeOptions{}, nil)
	sub.offered, sub.id, sub.largest, sub.properties = &o, m.RequestID, m.Params.Largest, m.Properties
	why, reason := dialect.Uninterested, "not subscribed"
	if typ, unknown := s.d.Mandatory(m.Properties); unknown {
		why, reason = dialect.NotSupported, mandatory("publish", typ).Reason
	} else if s.c.Published != nil {
		var err error
		if sub.sink, err = s.c.Published(sub); err != nil {
			why, reason = refusal(err), err.Error()
		}
	}
	if sub.sink != nil {
		err := s.start(ctx, sub.run)
		if err != nil { // the session has ended, and nobody runs it
			sub.err = s.sessionError(err)
			close(sub.done)
		}
		return err
	}
	s.tracks.ignore(m.Alias)
	err := o.answer(ctx, s.d.Refuse(m, why, reason))
	o.request.end(ctx, false)
	return err
}

// held says that the publisher holds objects back until it is told to forward them.
func (o *offer) held() bool { return o.Params.Forward != nil && !*o.Params.Forward }

// acceptance is our answer to an offer. Objects that the publisher holds back until it is told are asked for.
func (o *offer) acceptance(d *dialect.Dialect) []dialect.Message {
	ok := &dialect.PublishOK{ReplyTo: dialect.ReplyTo{RequestID: o.RequestID}}
	if !o.held() {
		return []dialect.Message{ok}
	}
	on := dialect.Params{Forward: new(true)}
	if d.BareOK {
		return []dialect.Message{ok, &dialect.RequestUpdate{RequestID: o.id(), Params: on}}
	}
	ok.Params = on
	return []dialect.Message{ok}
}

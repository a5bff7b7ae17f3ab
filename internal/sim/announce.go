package sim

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// announcements are the PUBLISH_NAMESPACEs of all broadcasts.
func (s *session) announcements() []dialect.Message {
	var all []dialect.Message
	if s.client == nil && !s.p.announce || s.client != nil && s.client.Push {
		return nil
	}
	for i, c := range s.p.channels {
		m := &dialect.PublishNamespace{RequestID: s.requestID(i), Namespace: c.Namespace}
		if s.client != nil {
			m.Params.Tokens = tokens(s.client.RequestToken)
		}
		all = append(all, m)
	}
	return all
}

// namespaces reports the broadcasts under a prefix, and their ends: by announcements if the draft has nothing else, unless they
// were announced already.
func (s *session) namespaces(ctx context.Context, r request, m *dialect.SubscribeNamespace) error {
	if r.send(s.d.Accept(m)) != nil {
		return nil // the peer is gone
	}
	var g errgroup.Group
	for i, c := range s.p.channels {
		n := len(m.Prefix)
		if len(c.Namespace) < n || !slices.Equal(c.Namespace[:n], m.Prefix) {
			continue
		}
		id := s.requestID(i)
		var begin, end dialect.Message = &dialect.Namespace{Suffix: c.Namespace[n:]}, &dialect.NamespaceDone{Suffix: c.Namespace[n:]}
		if s.d.Discovery == dialect.Announced {
			begin = &dialect.PublishNamespace{RequestID: id, Namespace: c.Namespace}
			end = &dialect.PublishNamespaceDone{ReplyTo: dialect.ReplyTo{RequestID: id}, Namespace: c.Namespace}
			if s.p.announce {
				begin = nil
			}
		}
		if begin != nil && r.send(begin) != nil {
			return nil
		}
		g.Go(func() error {
			select {
			case <-c.end.done:
				_ = r.send(end) // a peer that is gone need not know
			case <-ctx.Done():
			}
			return nil
		})
	}
	<-ctx.Done()
	return g.Wait()
}

// announce sends one announcement on a stream of its own (17 and later) and keeps the stream as long as the session. Whether the
// peer is interested makes no difference to a server.
func (s *session) announce(ctx context.Context, m dialect.Message) error {
	st, err := s.conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	if _, err := st.Write(s.d.Append(nil, m)); err != nil {
		return nil // refused without a word
	}
	r := wire.NewReader(st, s.d.Varint, "announcement")
	answer, err := s.d.Read(r)
	for answer != nil && err == nil {
		if e, ok := answer.(*dialect.RequestError); ok && s.client != nil {
			return &Refusal{e.Code, e.Reason}
		}
		answer, err = s.d.Read(r)
	}
	return fatal(err)
}

// announceOnControl sends as many announcements as the peer allows (up to 16). It ignores the answers.
func (s *session) announceOnControl(limit uint64, send func(dialect.Message) error) error {
	for _, m := range s.announcements() {
		if id, _, _ := dialect.Asked(m); id >= limit {
			return nil
		}
		if err := send(m); err != nil {
			return err
		}
	}
	return nil
}

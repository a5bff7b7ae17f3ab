package sim

import (
	"context"
	"errors"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// span is what a FETCH asks for: both ends are in it.
type span struct {
	track    string
	feed     feed
	from, to media.Location
}

// fetch serves a FETCH out of what can still be had.
func (s *session) fetch(ctx context.Context, r request, m *dialect.Fetch) error {
	if s.p.faults.Load().Deaf {
		s.deaf.Store(true)
		<-ctx.Done()
		return nil
	}
	if f := s.p.faults.Load(); f.NoFetch || f.NoJoin && m.Type != dialect.Standalone {
		return s.refuse(r, dialect.NotSupported, "there is no FETCH here")
	}
	sp, refusal, err := s.span(ctx, m)
	if err != nil {
		return err
	}
	if refusal != 0 {
		return s.refuse(r, refusal, "nothing to fetch")
	}
	if s.p.faults.Load().OneGroup && sp.from.Group != sp.to.Group {
		return s.refuse(r, dialect.NotSupported, "one group at a time")
	}
	largest, ok := sp.feed.largest()
	if !ok || sp.to.Before(sp.from) || largest.Before(sp.from) {
		return s.refuse(r, dialect.InvalidRange, "nothing was published in this range")
	}
	if largest.Before(sp.to) {
		sp.to = largest
	}
	end := media.Location{Group: sp.to.Group, Object: sp.to.Object + 1}
	if sp.to.Object == wholeGroup {
		end.Object = 0
	}
	if r.send(&dialect.FetchOK{ReplyTo: r.reply(), End: end}) == nil {
		s.sendSpan(ctx, r.id, sp)
	}
	return nil
}

const wholeGroup = math.MaxUint64

// span resolves the range of a FETCH.
func (s *session) span(ctx context.Context, m *dialect.Fetch) (sp span, refusal dialect.Refusal, err error) {
	if m.Type == dialect.Standalone {
		f, ok := s.p.feedOf(m.Track)
		if !ok {
			return sp, dialect.DoesNotExist, nil
		}
		to := media.Location{Group: m.End.Group, Object: m.End.Object - 1} // 0 becomes wholeGroup
		return span{m.Track.Name, f, m.Start, to}, 0, nil
	}
	sub, ok := s.joined(ctx, m.Joining)
	if ok && s.d.LiveFilter != nil && !sub.live { // moq-transport-16, "Joining Fetches"
		return sp, 0, violation{"a joining FETCH needs a subscription with the filter Largest Object"}
	}
	if !ok || !sub.any {
		return sp, dialect.InvalidRange, nil
	}
	from := media.Location{Group: m.JoiningStart}
	if m.Type == dialect.RelativeJoining {
		from.Group = sub.largest.Group - min(sub.largest.Group, m.JoiningStart)
	}
	return span{sub.track, sub.feed, from, sub.largest}, 0, nil
}

// update answers a REQUEST_UPDATE. With FILL_PARAMETERS it brings a fetch stream (20 and later); one that is refused ends the
// subscription.
func (s *session) update(ctx context.Context, g *errgroup.Group, r request, m *dialect.RequestUpdate) error {
	fill := m.Params.Fill
	if fill == nil {
		return r.send(s.d.Accept(m))
	}
	sub, ok := s.joined(ctx, r.id)
	if f := s.p.faults.Load(); !ok || f.NoFetch || f.NoJoin || fill.Filter == nil || fill.Filter.Type != dialect.ObjectRange {
		if err := r.send(s.d.Refuse(m, dialect.NotSupported, "nothing is filled here")); err != nil {
			return err
		}
		return r.send(&dialect.PublishDone{Code: updateFailed, Reason: "the update failed"})
	}
	to := media.Location{Group: fill.Filter.EndGroup, Object: fill.Filter.EndObject}
	g.Go(func() error {
		s.sendSpan(ctx, m.RequestID, span{sub.track, sub.feed, fill.Filter.Start, to})
		return nil
	})
	return r.send(s.d.Accept(m))
}

const updateFailed = 8 // PUBLISH_DONE (15 and later)

// sendSpan sends the objects on one stream. What is too old to be known is said to be unknown.
func (s *session) sendSpan(ctx context.Context, id uint64, sp span) {
	st, err := s.conn.OpenUniStream(ctx)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { st.Reset(dialect.ResetCancelled) })()
	buf, w := s.d.AppendFetchHeader(nil, id), s.d.NewFetchWriter()
	l := sp.from
	if oldest := sp.feed.oldest(); l.Group < oldest {
		l = media.Location{Group: oldest}
		gap := dialect.FetchObject{Gap: dialect.Unknown}
		gap.Location = media.Location{Group: oldest - 1, Object: 1 << 32} // more than any group has
		buf = w.Append(buf, gap)
	}
	for !sp.to.Before(l) {
		if err := sp.feed.wait(ctx, l); errors.Is(err, errGroupOver) {
			l = media.Location{Group: l.Group + 1}
			continue
		}
		if s.p.faults.Load().lose(sp.track, l) {
			l.Object++
			continue
		}
		made, err := sp.feed.object(l)
		if err != nil || ctx.Err() != nil {
			st.Reset(dialect.ResetInternal)
			return
		}
		o := dialect.FetchObject{Object: made, Priority: 128}
		if _, err := st.Write(w.Append(buf, o)); err != nil {
			return // the peer stopped it
		}
		buf = buf[:0]
		l.Object++
	}
	if _, err := st.Write(buf); err == nil {
		_ = st.Close() // fails only if the peer stopped it
	}
}

package subscriber

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// span is what is missing between two objects that came, both ends inclusive.
type span struct{ from, to media.Location }

// mend has what is missing before an obstacle fetched, if the peer has a past and it has not been asked for that yet. It returns how
// long the obstacle may hold back what is behind it: as long as what is missing may come by itself, or by the fetch.
//
// A stream that is only slow is given a quarter of the patience before the relay is asked for the same once more.
func (r *reorder) mend(now time.Time, o obstacle) time.Duration {
	at := media.Location{Group: r.groups[0].id, Object: r.next}
	switch {
	case !o.loss && !o.leap || !r.repairs || r.offline || r.lossy:
		return o.wait
	case r.mending:
		return max(o.wait, r.limits.patience)
	case r.filling || r.asked == at:
		return o.wait
	case !r.groups[0].reset && !r.giveUp(now, r.limits.patience/4):
		return r.limits.patience / 4
	}
	r.asked, r.mending, r.wanted = at, true, &span{at, o.to}
	if o.to.Object > 0 {
		r.wanted.to.Object--
	} else {
		r.wanted.to = media.Location{Group: o.to.Group - 1, Object: moqt.WholeGroup}
	}
	r.filling, r.from, r.settled = true, at, nil
	return max(o.wait, r.limits.patience)
}

// mended tells that the fetch of what is missing is over. If it was complete, what it did not bring does not exist.
func (r *reorder) mended(s span, complete bool) {
	r.filled(s.to, complete)
	r.mending = false
	if !complete {
		return
	}
	for _, g := range r.groups {
		whole := g.id < s.to.Group || g.id == s.to.Group && s.to.Object >= moqt.WholeGroup
		if g.id < s.from.Group || !whole || len(g.open) > 0 { // of a stream that still runs more may come
			continue
		}
		end := uint64(0)
		if g == r.groups[0] {
			end = r.next
		}
		if n := len(g.objects); n > 0 {
			end = max(end, g.objects[n-1].Object+1)
		}
		g.finish(end)
	}
}

// mend fetches what is missing. Nobody waits for it longer than patience. A fetch that brings nothing proves nothing: so some relays
// answer that have no past.
func (f *feed) mend(ctx context.Context, s asker, sub *held, name moqt.TrackName, hole span) {
	fctx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	var unknown atomic.Bool
	answer := time.NewTimer(f.patience)
	defer answer.Stop()
	sink := mending{past: past{f, sub.inheritance, &unknown, answer}}
	err := fetchGroups(fctx, s, moqt.FetchRequest{Track: name, Start: hole.from, End: hole.to}, &sink)
	_ = f.do(ctx, func(r *reorder) { // if ctx has ended, so has the subscription
		r.mended(hole, err == nil && !unknown.Load() && sink.objects.Load() > 0)
		r.repairs = r.repairs && !errors.Is(err, moqt.ErrNotSupported)
	})
}

// maxApart bounds how many groups are asked for one by one.
const maxApart = 32

// fetchGroups is a Fetch that asks for one group after the other where a peer refuses several at a time, as moq-relay-ietf does. What of
// them cannot be had is the error.
func fetchGroups(ctx context.Context, s asker, q moqt.FetchRequest, sink moqt.Sink) error {
	err := s.Fetch(ctx, q, nil, sink)
	several := q.End.Group > q.Start.Group && q.End.Group-q.Start.Group < maxApart
	if !several || !errors.Is(err, moqt.ErrNotSupported) && !errors.Is(err, moqt.ErrRange) && !errors.Is(err, moqt.ErrRefused) {
		return err
	}
	err = nil
	for at := q.Start; at.Group <= q.End.Group && ctx.Err() == nil; at = (media.Location{Group: at.Group + 1}) {
		part := q
		if part.Start = at; at.Group < q.End.Group {
			part.End = media.Location{Group: at.Group, Object: moqt.WholeGroup}
		}
		refused := s.Fetch(ctx, part, nil, sink)
		if err = cmp.Or(err, refused); errors.Is(refused, moqt.ErrNotSupported) {
			break // neither does it serve one
		}
	}
	return cmp.Or(err, context.Cause(ctx))
}

// mending is the sink of a fetch of what is missing.
type mending struct {
	past
	objects atomic.Int64
}

func (m *mending) Object(ctx context.Context, o media.Object) error {
	m.objects.Add(1)
	return m.past.Object(ctx, o)
}

var _ moqt.Sink = (*mending)(nil)

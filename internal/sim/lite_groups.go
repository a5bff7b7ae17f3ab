package sim

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	lite "github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// liteSubscription is one accepted SUBSCRIBE of moq-lite.
type liteSubscription struct {
	s    *liteSession
	m    *lite.Subscribe
	feed feed
}

// subscribe serves a SUBSCRIBE until it is cancelled or the track ends.
func (s *liteSession) subscribe(ctx context.Context, st transport.Stream, m *lite.Subscribe) uint64 {
	f, ok := s.feed(m.Track)
	if !ok {
		return lite.ResetNotFound
	}
	sub := &liteSubscription{s, m, f}
	answer := func(m lite.Message) { _, _ = st.Write(s.d.AppendAnswer(nil, m)) } // a peer that is gone needs no answer
	first, known := sub.first()
	if !s.d.Timed {
		ok := &lite.SubscribeOK{Delivery: lite.Delivery{Priority: 128, Ordered: true}}
		if known {
			ok.Start = &first
		}
		answer(ok)
	}
	if f.wait(ctx, media.Location{Group: first}) == nil && s.d.Timed {
		answer(&lite.SubscribeOK{Group: first})
	}
	end, ended := sub.deliver(ctx, first)
	if ended && s.d.Timed {
		answer(&lite.SubscribeEnd{Group: end}) // the first group that is not, as moq-dev means it
	}
	return 0
}

// first is the group to begin with, which may have to be waited for.
func (sub *liteSubscription) first() (group uint64, known bool) {
	largest, some := sub.feed.largest()
	switch start := sub.m.Start; {
	case start == nil:
		return largest.Group, some
	case some:
		return max(*start, sub.feed.oldest()), true
	default:
		return *start, true
	}
}

// deliver sends one group after the other, each by a goroutine of its own, until the track ends or ctx does; end is the first
// group that is not. What gets too old is given up.
func (sub *liteSubscription) deliver(ctx context.Context, first uint64) (end uint64, ended bool) {
	last := uint64(math.MaxUint64)
	if sub.m.End != nil {
		last = *sub.m.End
	}
	var g sync.WaitGroup
	defer g.Wait()
	expire := func() {}
	for group := first; group <= last; group++ {
		switch err := sub.feed.wait(ctx, media.Location{Group: group}); {
		case errors.Is(err, errGroupOver):
			continue
		case errors.Is(err, errTrackOver):
			return group, ctx.Err() == nil
		case err != nil:
			return 0, false
		}
		expire() // the group before begins to be old
		gctx, cancel := context.WithCancelCause(ctx)
		g.Go(func() { defer cancel(nil); sub.send(gctx, group) })
		expire = func() { time.AfterFunc(sub.m.MaxLatency, func() { cancel(errTooSlow) }) }
	}
	return last + 1, true
}

// send sends a group as it comes into being. A frame that is missing cannot be told, so the rest goes with it.
func (sub *liteSubscription) send(ctx context.Context, group uint64) {
	st, err := sub.s.conn.OpenUniStream(ctx)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errTooSlow) {
			st.Reset(lite.ResetExpired)
		}
		st.Reset(lite.ResetCancelled)
	})()
	buf := sub.s.d.AppendStream(nil, &lite.Group{Subscribe: sub.m.ID, Sequence: group})
	if _, err := st.Write(buf); err != nil {
		return // the peer stopped it
	}
	w := sub.s.d.NewFrameWriter()
	for l := (media.Location{Group: group}); ; l.Object++ {
		o, err := sub.s.p.object(ctx, sub.m.Track.Name, sub.feed, l)
		switch {
		case errors.Is(err, errGroupOver), errors.Is(err, errTrackOver):
			_ = st.Close() // fails only if the peer stopped it
			return
		case err != nil:
			if ctx.Err() == nil { // otherwise it is done above
				st.Reset(lite.ResetInternal)
			}
			return
		}
		if _, err := st.Write(w.Append(nil, frame(sub.feed, o))); err != nil {
			return // the peer stopped it, or it was too slow
		}
	}
}

// frame is an object with the time at which it is shown. There is no place for its properties.
func frame(f feed, o media.Object) lite.Frame {
	frame := lite.Frame{Payload: o.Payload}
	if m, ok := f.(mediaFeed); ok {
		frame.Timestamp = m.source.Shown(o.Location)
	}
	return frame
}

// fetch serves a FETCH out of what can still be had.
func (s *liteSession) fetch(ctx context.Context, st transport.Stream, m *lite.Fetch) uint64 {
	faults := s.p.faults.Load()
	if faults.Deaf {
		<-ctx.Done()
		return 0
	}
	f, ok := s.feed(m.Track)
	if !ok || faults.NoFetch {
		return lite.ResetNotFound
	}
	largest, some := f.largest()
	if !some || m.Group < f.oldest() || m.Group > largest.Group {
		return lite.ResetNotFound
	}
	w := s.d.NewFrameWriter()
	for l := (media.Location{Group: m.Group}); ; l.Object++ {
		switch err := f.wait(ctx, l); {
		case errors.Is(err, errGroupOver), errors.Is(err, errTrackOver):
			return 0
		case err != nil || faults.lose(m.Track.Name, l):
			return lite.ResetCancelled
		}
		o, err := f.object(l)
		if err != nil {
			return lite.ResetCancelled
		}
		if _, err := st.Write(w.Append(nil, frame(f, o))); err != nil {
			return lite.ResetCancelled
		}
	}
}

package sim

import (
	"context"
	"errors"
	"math"
	"reflect"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// subscription is one accepted SUBSCRIBE.
type subscription struct {
	s     *session
	track string
	feed  feed
	alias uint64

	largest  media.Location // when it was accepted
	any      bool           // there was a largest object
	live     bool           // the filter is Largest Object
	start    media.Location
	endGroup uint64

	streams atomic.Uint64 // that were opened
}

// subscribe serves a SUBSCRIBE until it is cancelled or the track ends.
func (s *session) subscribe(ctx context.Context, r request, m *dialect.Subscribe) error {
	if s.p.faults.Load().NoParams && !reflect.ValueOf(m.Params).IsZero() {
		return violation{"a parameter that I do not know"}
	}
	f, ok := s.p.feedOf(m.Track)
	if !ok {
		return s.refuse(r, dialect.DoesNotExist, "no such track")
	}
	sub := &subscription{s: s, track: m.Track.Name, feed: f, alias: s.aliases.Add(1), endGroup: math.MaxUint64}
	sub.begin(m.Params.Filter)
	if sub.endGroup < sub.start.Group {
		return s.refuse(r, dialect.InvalidRange, "the range lies in the past")
	}
	s.join(r.id, sub)
	defer s.leave(r.id)
	ok2 := &dialect.SubscribeOK{ReplyTo: r.reply(), Alias: sub.alias}
	if sub.any && !s.p.faults.Load().GroupHead {
		ok2.Params.Largest = &sub.largest
	}
	if r.send(ok2) != nil {
		return nil // the peer is gone
	}
	if status, done := sub.deliver(ctx); done {
		_ = r.send(&dialect.PublishDone{ReplyTo: r.reply(), Code: s.d.StatusCode(status), Streams: sub.streams.Load()})
	}
	return nil
}

// begin finds where the subscription begins: never before what is yet to come.
func (sub *subscription) begin(filter *dialect.Filter) {
	sub.largest, sub.any = sub.feed.largest()
	if sub.any {
		sub.start = media.Location{Group: sub.largest.Group, Object: sub.largest.Object + 1}
		if sub.s.p.faults.Load().GroupHead {
			sub.start.Object = 0
		}
	}
	if filter == nil {
		return
	}
	sub.live = filter.Type == dialect.LargestObject
	switch filter.Type {
	case dialect.NextGroupStart:
		if sub.any {
			sub.start = media.Location{Group: sub.largest.Group + 1}
		}
	case dialect.AbsoluteRange, dialect.ObjectRange:
		sub.endGroup = filter.EndGroup
		fallthrough
	case dialect.AbsoluteStart:
		if sub.start.Before(filter.Start) {
			sub.start = filter.Start
		}
	}
}

// openGroups is how many groups of one subscription may be on their way at once.
const openGroups = 4

var errTooSlow = errors.New("too many groups are open")

// deliver sends one group after the other, each by a goroutine of its own, until the track ends or ctx does. When the subscriber
// is so slow that more than openGroups are open, the oldest is given up.
func (sub *subscription) deliver(ctx context.Context) (status dialect.Status, done bool) {
	var g errgroup.Group
	var open []context.CancelCauseFunc
	defer func() { _ = g.Wait() }() // no group has an error
	for l := sub.start; ; l = (media.Location{Group: l.Group + 1}) {
		if l.Group > sub.endGroup {
			_ = g.Wait()
			if !sub.s.d.RangesEnd {
				<-ctx.Done()
			}
			return dialect.Ended, ctx.Err() == nil
		}
		switch err := sub.feed.wait(ctx, l); {
		case errors.Is(err, errGroupOver):
			continue
		case errors.Is(err, errTrackOver):
			_ = g.Wait() // PUBLISH_DONE comes after the last stream
			return dialect.TrackEnded, ctx.Err() == nil
		case err != nil:
			return 0, false
		}
		gctx, cancel := context.WithCancelCause(ctx)
		if open = append(open, cancel); len(open) > openGroups {
			open[0](errTooSlow) // of no effect on a group that is through
			open = open[1:]
		}
		g.Go(func() error { defer cancel(nil); sub.send(gctx, l); return nil })
	}
}

// feedOf finds a track, as far as the faults let it.
func (p *Publisher) feedOf(name dialect.TrackName) (feed, bool) {
	f, ok := p.feed(name)
	if _, catalog := f.(*journal); catalog && p.faults.Load().NoCatalog {
		return silence{f}, true
	}
	return f, ok
}

// silence is a track without objects.
type silence struct{ feed }

func (silence) largest() (l media.Location, ok bool) { return l, false }

func (silence) wait(ctx context.Context, _ media.Location) error {
	<-ctx.Done()
	return ctx.Err()
}

// join makes a subscription known to FETCHes that join it.
func (s *session) join(id uint64, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joins[id] = sub
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *session) leave(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.joins, id)
}

// joined waits a moment for the subscription with that request id: the FETCH may have overtaken it.
func (s *session) joined(ctx context.Context, id uint64) (*subscription, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		s.mu.Lock()
		sub, changed := s.joins[id], s.changed
		s.mu.Unlock()
		if sub != nil {
			return sub, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

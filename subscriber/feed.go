package subscriber

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// errTrackEnded says that a track has ended and all of it was handed over.
var errTrackEnded = errors.New("track ended")

// feed carries one track from the streams of a session through a reorder to the receiver. The streams' goroutines wait until
// pump takes what they bring, so a receiver that blocks stops the reading.
type feed struct {
	order    reorder // owned by pump; by whoever runs it while it does not
	patience time.Duration
	target   media.Location // owned by pump, as is reached
	reached  chan struct{}  // closed when the next object is at target or behind it; nil: nobody wants to know

	renew  atomic.Bool // the publisher may have begun anew
	events chan event  // never closed: senders give up with their context
	holes  chan span   // what is to be fetched; never closed. There is one at a time
}

func newFeed(l limits) *feed {
	return &feed{order: reorder{limits: l}, patience: l.patience, events: make(chan event), holes: make(chan span, 1)}
}

// event is one call of a sink, or a change to the reorder on somebody's behalf.
type event struct {
	object  media.Object
	fetched bool
	stream  *moqt.StreamEvent
	do      func(*reorder)
}

func (e *event) apply(r *reorder) {
	switch {
	case e.do != nil:
		e.do(r)
	case e.stream != nil:
		r.ended(*e.stream)
	default:
		r.push(e.object, e.fetched)
	}
}

// pump hands objects over in order until ctx or the track ends, or until hand fails; then the object is the next again.
func (f *feed) pump(ctx context.Context, hand func(context.Context, media.Object) error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if at, ok := f.order.deadline(); ok {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case e := <-f.events:
			if f.renew.Swap(false) {
				f.order.fresh = true
			}
			e.apply(&f.order)
		case <-due:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for o, ok := f.order.pop(time.Now()); ok; o, ok = f.order.pop(time.Now()) {
			if err := hand(ctx, o); err != nil {
				f.order.unpop(o)
				return err
			}
		}
		if h := f.order.wanted; h != nil {
			f.order.wanted = nil
			f.holes <- *h // has room: see follow
		}
		if at, ok := f.order.position(); f.reached != nil && ok && !at.Before(f.target) {
			close(f.reached)
			f.reached = nil
		}
		if f.order.finished() {
			return errTrackEnded
		}
	}
}

func (f *feed) send(ctx context.Context, e event) error {
	select {
	case f.events <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// do has pump apply fn, after everything that was sent before.
func (f *feed) do(ctx context.Context, fn func(*reorder)) error {
	done := make(chan struct{})
	if err := f.send(ctx, event{do: func(r *reorder) { fn(r); close(done) }}); err != nil {
		return err
	}
	<-done
	return nil
}

// live is the sink of a subscription.
type live struct {
	*feed
	*inheritance
}

func (l live) Object(ctx context.Context, o media.Object) error {
	if err := l.bestow(ctx, &o); err != nil {
		return err
	}
	return l.send(ctx, event{object: o})
}

func (l live) Stream(ctx context.Context, e moqt.StreamEvent) {
	_ = l.send(ctx, event{stream: &e}) // fails only when the subscription is over
}

// past is the sink of a fetch.
type past struct {
	*feed
	*inheritance
	unknown *atomic.Bool // the publisher did not know about all of the range
	answer  *time.Timer  // of what is done when the peer does not answer
}

func (p past) Object(ctx context.Context, o media.Object) error {
	p.answer.Stop()
	if err := p.bestow(ctx, &o); err != nil {
		return err
	}
	return p.send(ctx, event{object: o, fetched: true})
}

func (p past) Stream(_ context.Context, e moqt.StreamEvent) {
	p.answer.Stop()
	if e.Unknown {
		p.unknown.Store(true)
	}
}

var (
	_ moqt.Sink = live{}
	_ moqt.Sink = past{}
)

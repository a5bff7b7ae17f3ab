package subscriber

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

const (
	requestTimeout = 10 * time.Second // for the answer to a SUBSCRIBE
	fetchTimeout   = 30 * time.Second // for all that a FETCH brings
	fetchAnswer    = 3 * time.Second  // for the first of it
)

// errMute says that the peer did not answer a FETCH, which it may have choked on: Eyevinn/moqtransport v0.9.0 reads draft 16's
// as draft 14's, and nothing that is asked after it in the session is answered.
var errMute = errors.New("the peer does not answer a FETCH: going on without in a new session")

// request is a subscription to one track.
type request struct {
	name moqt.TrackName
	// back is the group from which to fetch, given the newest location.
	back func(r *reorder, largest media.Location) uint64
	// mute says that the peer does not answer a FETCH; it is shared by all requests to the peer.
	mute *atomic.Bool
	// alive is called when the publisher has accepted, and what it returns when the subscription is over.
	alive func() (over func())
}

// held is a subscription whose objects wait until let is called.
type held struct {
	subscription
	*inheritance
	let func() // once

	begun chan media.Location // takes the location of the first object
	whole bool                // all that comes before its live edge is here already
}

// hold is the sink of a held subscription.
type hold struct {
	live
	open  chan struct{} // closed by let
	begun chan media.Location
}

func (h hold) Object(ctx context.Context, o media.Object) error {
	select {
	case h.begun <- o.Location:
	default:
	}
	select {
	case <-h.open:
		return h.live.Object(ctx, o)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h hold) Stream(ctx context.Context, e moqt.StreamEvent) {
	select {
	case <-h.open:
		h.live.Stream(ctx, e)
	case <-ctx.Done():
	}
}

// subscribe has the feed follow the track until the subscription ends, and returns why. What lies before the live edge is
// fetched meanwhile; if it cannot be, the live objects have to do. When the session is relieved, a subscription over the next one
// takes the place of this one without an interruption.
func (f *feed) subscribe(ctx context.Context, s asker, q request) error {
	sub, err := f.open(ctx, s, q)
	for err == nil {
		sub, err = f.follow(ctx, s, sub, q)
	}
	return err
}

// open subscribes. The peer may say that the track is to be had under another name.
func (f *feed) open(ctx context.Context, s asker, q request) (*held, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sink := hold{live{f, newInheritance()}, make(chan struct{}), make(chan media.Location, 1)}
	for hops := 0; ; hops++ {
		sub, err := s.Subscribe(ctx, q.name, moqt.SubscribeOptions{}, sink)
		if err == nil {
			sink.leave(sub.Properties())
			return &held{subscription: sub, inheritance: sink.inheritance, let: func() { close(sink.open) }, begun: sink.begun}, nil
		}
		refused, ok := errors.AsType[*moqt.RequestError](err)
		if !ok || refused.Redirect == nil || refused.Redirect.URI != "" || hops == maxHops {
			return nil, fmt.Errorf("subscribe to %q: %w", q.name.Name, err)
		}
		q.name = refused.Redirect.Track
	}
}

// follow hands the subscription's objects over until it ends, or until there is another one to go on with.
func (f *feed) follow(ctx context.Context, s asker, sub *held, q request) (next *held, err error) {
	defer func() {
		sub.Close()
		_ = f.do(ctx, (*reorder).leave) // if ctx has ended, so has pump, and its caller does it
	}()
	if err := f.do(ctx, (*reorder).join); err != nil {
		return nil, err
	}
	select {
	case <-f.holes: // of the subscription before
	default:
	}
	var mending sync.WaitGroup
	mctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); mending.Wait() }()
	sub.let()
	defer q.alive()()
	if err := f.fill(ctx, s, sub, q); err != nil {
		return nil, err
	}
	relief := relieved(sub.subscription)
	for {
		select {
		case <-sub.Done():
			if _, session := errors.AsType[*moqt.SessionError](sub.Err()); session && over(relieved(sub.subscription)) {
				return f.open(ctx, s, q) // a session that others have left already
			}
			return nil, fmt.Errorf("track %q: %w", q.name.Name, sub.Err())
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case hole := <-f.holes:
			mending.Go(func() { f.mend(mctx, s, sub, q.name, hole) })
		case <-relief:
			if next, err = f.relieve(ctx, s, sub, q); err == nil {
				return next, nil
			}
			relief = nil // then this one has to do as long as it lasts
		}
	}
}

// relieve subscribes over the session that has taken the place of sub's, and waits until sub has brought all that does not come
// there.
func (f *feed) relieve(ctx context.Context, s asker, sub *held, q request) (*held, error) {
	next, err := f.open(ctx, s, q)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(f.patience)
	defer timer.Stop()
	at, known := next.Largest()
	if at.Object++; !known {
		select {
		case at = <-next.begun:
		case <-next.Done():
		case <-sub.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	reached := make(chan struct{})
	if err := f.do(ctx, func(*reorder) { f.target, f.reached = at, reached }); err != nil {
		next.Close()
		return nil, err
	}
	select {
	case <-reached:
		next.whole = known
	case <-sub.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	return next, nil
}

// fill fetches what lies before the live edge: by a joining FETCH or, if that is refused, by a standalone one. A peer that
// does not say where the edge is has nothing to fetch, or would not know how.
func (f *feed) fill(ctx context.Context, s asker, sub *held, q request) error {
	largest, ok := sub.Largest()
	if !ok || q.mute.Load() {
		return f.do(ctx, func(r *reorder) { r.filled(largest, false) })
	}
	if sub.whole {
		return f.do(ctx, func(r *reorder) {
			r.repairs = true
			if r.edge(largest); !r.started {
				r.filled(largest, false)
				return
			}
			r.fill(media.Location{Group: r.groups[0].id, Object: r.next})
			r.filled(largest, true)
		})
	}
	var from media.Location
	if err := f.do(ctx, func(r *reorder) {
		r.edge(largest)
		from.Group = q.back(r, largest)
		r.fill(from)
	}); err != nil {
		return err
	}
	tctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fctx, giveUp := context.WithCancelCause(tctx)
	defer giveUp(nil)
	var unknown atomic.Bool
	answer := time.AfterFunc(fetchAnswer, func() { giveUp(errMute) })
	defer answer.Stop()
	sink := past{f, sub.inheritance, &unknown, answer}
	before := moqt.FetchRequest{Track: q.name, Start: from, End: largest}
	err := s.Fetch(fctx, before, sub.subscription, sink)
	if err != nil && fctx.Err() == nil { // in 18 and 19 moq-dev serves this one, but not the other
		unknown.Store(false)
		answer.Reset(fetchAnswer)
		err = fetchGroups(fctx, s, before, sink)
	}
	if errors.Is(context.Cause(fctx), errMute) {
		q.mute.Store(true)
		return errMute
	}
	return f.do(ctx, func(r *reorder) {
		r.repairs = err == nil && !unknown.Load()
		r.filled(largest, r.repairs)
	})
}

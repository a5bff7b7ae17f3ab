package subscriber

import (
	"context"
	"errors"
	"fmt"
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

// subscribe has the feed follow the track until the subscription ends, and returns why. What lies before the live edge is
// fetched meanwhile; if it cannot be, the live objects have to do.
func (f *feed) subscribe(ctx context.Context, s asker, q request) error {
	if err := f.do(ctx, (*reorder).join); err != nil {
		return err
	}
	defer func() { _ = f.do(ctx, (*reorder).leave) }() // if ctx has ended, so has pump, and its caller does it
	actx, cancel := context.WithTimeout(ctx, requestTimeout)
	sink := live{f, newInheritance()}
	sub, err := s.Subscribe(actx, q.name, moqt.SubscribeOptions{}, sink)
	cancel()
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", q.name.Name, err)
	}
	defer sub.Close()
	sink.leave(sub.Properties())
	defer q.alive()()
	if err := f.fill(ctx, s, sub, sink.inheritance, q); err != nil {
		return err
	}
	select {
	case <-sub.Done():
		return fmt.Errorf("track %q: %w", q.name.Name, sub.Err())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fill fetches what lies before the live edge: by a joining FETCH or, if that is refused, by a standalone one. A peer that
// does not say where the edge is has nothing to fetch, or would not know how.
func (f *feed) fill(ctx context.Context, s asker, sub subscription, i *inheritance, q request) error {
	largest, ok := sub.Largest()
	if !ok || q.mute.Load() {
		return f.do(ctx, func(r *reorder) { r.filled(largest, false) })
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
	sink := past{f, i, &unknown, answer}
	before := moqt.FetchRequest{Track: q.name, Start: from, End: largest}
	err := s.Fetch(fctx, before, sub, sink)
	if err != nil && fctx.Err() == nil { // in 18 and 19 moq-dev serves this one, but not the other
		unknown.Store(false)
		answer.Reset(fetchAnswer)
		err = s.Fetch(fctx, before, nil, sink)
	}
	if errors.Is(context.Cause(fctx), errMute) {
		q.mute.Store(true)
		return errMute
	}
	return f.do(ctx, func(r *reorder) { r.filled(largest, err == nil && !unknown.Load()) })
}

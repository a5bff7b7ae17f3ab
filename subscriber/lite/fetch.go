package lite

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

const (
	maxFetch = 4096 // groups of one Fetch: ids may jump
	ahead    = 8    // groups that are asked for at once
)

// Fetch asks for past groups, one by one, and returns when the last one has been read to its end. With join it leaves out what
// that subscription brings. With or without it, a subscription to the track says what timestamps count in. Groups that cannot be had
// are reported to sink as unknown, and are no error.
//
// The error is a *moqt.SessionError if the session ended, or what Sink.Object returned. Ending ctx cancels the fetch; some peers
// never answer, so it should have a deadline.
func (s *Session) Fetch(ctx context.Context, r moqt.FetchRequest, join *Subscription, sink moqt.Sink) error {
	f := &fetch{s: s, r: r, sink: sink}
	if join != nil {
		if err := f.follow(ctx, join); err != nil {
			return err
		}
	}
	if like := s.following(r.Track); join == nil && like != nil {
		if err := f.time(ctx, like); err != nil {
			return err
		}
	}
	if f.r.End.Before(f.r.Start) {
		return nil
	}
	if f.r.End.Group-f.r.Start.Group >= maxFetch {
		f.missing(ctx, moqt.StreamEvent{Group: f.r.Start.Group})
		f.r.Start = media.Location{Group: f.r.End.Group - maxFetch + 1}
	}
	return s.ended(ctx, f.groups(ctx))
}

// fetch is one Fetch.
type fetch struct {
	s         *Session
	r         moqt.FetchRequest
	timescale uint64
	sink      moqt.Sink
}

// follow has the fetch end where join begins, and tell the time as it does.
func (f *fetch) follow(ctx context.Context, join *Subscription) error {
	if err := f.time(ctx, join); err != nil {
		return err
	}
	switch l, ok := join.Largest(); {
	case ok && l.Group == 0:
		f.r.End, f.r.Start = media.Location{}, media.Location{Object: 1}
	case ok && !f.r.End.Before(l):
		f.r.End = media.Location{Group: l.Group - 1, Object: moqt.WholeGroup}
	}
	return nil
}

// time has the fetch tell the time as the subscription does.
func (f *fetch) time(ctx context.Context, like *Subscription) error {
	select {
	case <-like.timed:
		f.timescale = like.timescale
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// following is a subscription to the track, or nil.
func (s *Session) following(name moqt.TrackName) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if track(sub.name) == track(name) {
			return sub
		}
	}
	return nil
}

// groups asks for some groups at once, but reads one after the other.
func (f *fetch) groups(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(ahead)
	turn := make(chan struct{})
	close(turn)
	for id := f.r.Start.Group; id <= f.r.End.Group && gctx.Err() == nil; id++ {
		mine, next := turn, make(chan struct{})
		turn = next
		g.Go(func() error {
			defer close(next)
			return f.group(gctx, id, mine)
		})
	}
	return g.Wait()
}

// group reads one group when it is its turn.
func (f *fetch) group(ctx context.Context, id uint64, turn chan struct{}) error {
	e := moqt.StreamEvent{Fetch: true, Group: id}
	m := &dialect.Fetch{Track: track(f.r.Track), Priority: priority(f.r.Priority), Group: id}
	err := f.s.ask(ctx, m, func(r *wire.Reader) error {
		select {
		case <-turn:
			return f.read(ctx, r, &e)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	select {
	case <-turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch code, lost := f.s.lost(ctx, err); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case lost:
		e.Code = code
		f.missing(ctx, e)
		return nil
	case err == nil:
		f.sink.Stream(ctx, e)
	}
	return err
}

// missing reports that there is more of e than was had.
func (f *fetch) missing(ctx context.Context, e moqt.StreamEvent) {
	e.Fetch, e.Reset, e.Unknown = true, true, true
	f.sink.Stream(ctx, e)
}

// read hands over the objects of a group that were asked for.
func (f *fetch) read(ctx context.Context, r *wire.Reader, e *moqt.StreamEvent) error {
	frames := f.s.d.Frames(r, f.s.c.Limits.Object)
	for id := uint64(0); ; id++ {
		l := media.Location{Group: e.Group, Object: id}
		if f.r.End.Before(l) {
			return nil
		}
		o, ok := frames.Next()
		if !ok {
			return r.Err()
		}
		if l.Before(f.r.Start) {
			continue
		}
		f.s.c.Metrics.Object(len(o.Payload))
		if err := f.sink.Object(ctx, media.Object{Location: l, Properties: properties(o.Timestamp, f.timescale), Payload: o.Payload}); err != nil {
			return err
		}
		e.Objects, e.Last = e.Objects+1, id
	}
}

// ended is what came of something that needs the session: with the connection the session ends, and says why.
func (s *Session) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, closed := errors.AsType[*transport.CloseError](err)
	if !closed && !errors.Is(err, transport.ErrTimeout) {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

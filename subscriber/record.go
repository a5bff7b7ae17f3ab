package subscriber

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/tape"
)

// recorded is a session whose answers are written down as they come, before anyone makes anything of them.
type recorded struct {
	session
	tape      *tape.Writer
	namespace []string // of the broadcast
}

var _ session = recorded{}

// record has the session written down, if that is asked for.
func (f *follower) record(s session) session {
	if f.cfg.Record == nil {
		return s
	}
	r := recorded{s, f.cfg.Record, f.cfg.Namespace}
	r.write(tape.Entry{What: tape.Session, Draft: s.Draft()})
	return r
}

func (r recorded) write(e tape.Entry) { r.tape.Write(time.Now(), e) }

// entry is one about the track.
func (r recorded) entry(what tape.What, name moqt.TrackName, err error) tape.Entry {
	e := tape.Entry{What: what, Track: name.Name}
	if !slices.Equal(name.Namespace, r.namespace) {
		e.Space = name.Namespace
	}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}

func (r recorded) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	accepted := make(chan struct{}) // closed when that is on the tape, before what it brings
	sub, err := r.session.Subscribe(ctx, name, o, recordedSink{r, name, false, accepted, sink})
	if err != nil {
		r.write(r.entry(tape.Ended, name, err))
		close(accepted)
		return nil, err
	}
	e := r.entry(tape.Accepted, name, nil)
	if l, ok := sub.Largest(); ok {
		e.Largest = &l
	}
	e.Properties = sub.Properties()
	r.write(e)
	close(accepted)
	return recordedSubscription{sub, r, name}, nil
}

func (r recorded) Fetch(ctx context.Context, q moqt.FetchRequest, join subscription, sink moqt.Sink) error {
	name := q.Track
	if s, ok := join.(recordedSubscription); ok {
		name, join = s.name, s.subscription
	}
	now := make(chan struct{})
	close(now)
	err := r.session.Fetch(ctx, q, join, recordedSink{r, name, true, now, sink})
	r.write(r.entry(tape.Fetched, name, err))
	return err
}

// recordedSubscription writes down how it ends.
type recordedSubscription struct {
	subscription
	r    recorded
	name moqt.TrackName
}

func (s recordedSubscription) Close() {
	select {
	case <-s.Done():
		s.r.write(s.r.entry(tape.Ended, s.name, s.Err()))
	default: // it is we who end it
	}
	s.subscription.Close()
}

type recordedSink struct {
	r        recorded
	name     moqt.TrackName
	fetch    bool
	accepted <-chan struct{}
	moqt.Sink
}

func (s recordedSink) Object(ctx context.Context, o media.Object) error {
	select {
	case <-s.accepted:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e := s.r.entry(tape.Object, s.name, nil)
	e.Fetch, e.Group, e.Subgroup, e.Object = s.fetch, o.Group, o.Subgroup, o.Location.Object
	e.Status, e.Last, e.Properties, e.Payload = o.Status, o.Last, o.Properties, o.Payload
	s.r.write(e)
	return s.Sink.Object(ctx, o)
}

func (s recordedSink) Stream(ctx context.Context, ev moqt.StreamEvent) {
	select {
	case <-s.accepted:
		e := s.r.entry(tape.Stream, s.name, nil)
		e.Fetch = s.fetch
		e.Stream, _ = json.Marshal(ev) // a struct of numbers
		s.r.write(e)
	case <-ctx.Done():
	}
	s.Sink.Stream(ctx, ev)
}

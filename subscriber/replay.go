package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/tape"
)

// grace is how long a replay waits for a subscription or a fetch that it has something for. Who asks later has missed it, as in life.
const grace = time.Second

// unrecorded is after how long the recording has no answer to a fetch: before it passes for one that is not answered.
const unrecorded = fetchAnswer - time.Second/2

// replay plays a recording as if it were a peer: a session for every one that was recorded, which answers what is asked with what
// was answered then, at the same times.
type replay struct {
	tape  *tape.Reader
	next  *tape.Entry // that is not played yet
	began time.Time   // when the recording's time 0 was
	err   error       // why it cannot be played any further
}

// openReplay opens the recording.
func openReplay(path string) (*replay, error) {
	r, err := tape.Open(path)
	if err != nil {
		return nil, err
	}
	return &replay{tape: r}, nil
}

// session is the next one that was recorded. What is left of the one before, which the player left early, is passed over. Behind the
// last one is a session in which everything ends.
func (p *replay) session() (*replayed, error) {
	first := p.began.IsZero()
	if first {
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	switch {
	case first && p.next == nil:
		p.err = errors.New("replay: the recording holds nothing")
		return nil, p.err
	case first && p.next.What != tape.Session:
		p.err = fmt.Errorf("replay: a recording begins with a session, this one with %q", p.next.What)
		return nil, p.err
	case first:
		p.began = time.Now().Add(-time.Duration(p.next.At) * time.Microsecond)
	}
	for p.next != nil && p.next.What != tape.Session {
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	s := &replayed{p: p, tracks: map[string]*replayedTrack{}, late: make(chan *replayedSubscription), done: make(chan struct{})}
	if p.next == nil {
		return s, nil
	}
	s.draft = p.next.Draft
	return s, p.read()
}

// read takes the next entry from the tape. At its end next is nil.
func (p *replay) read() error {
	e, err := p.tape.Next()
	if p.next = nil; err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		p.err = fmt.Errorf("replay: %w", err)
		return p.err
	}
	if len(e.Space) == 0 {
		e.Space = p.tape.Namespace
	}
	p.next = &e
	return nil
}

// replayed is one session of a recording.
type replayed struct {
	p     *replay
	draft string

	mu     sync.Mutex // guards what follows
	tracks map[string]*replayedTrack

	late chan *replayedSubscription // who comes when the recording has been played, comes for the end; taken by Run
	done chan struct{}              // closed by Run
}

var _ session = (*replayed)(nil)

// replayedTrack is what has been asked of one track.
type replayedTrack struct {
	asked  chan *replayedSubscription // a subscription waits for its answer
	fetch  chan *replayedFetch        // a fetch waits for its objects
	sub    *replayedSubscription      // the one that is being served; owned by Run
	filler *replayedFetch             // the fetch that is; owned by Run
	late   bool                       // nobody came in time; owned by Run
	last   uint64                     // the largest group so far; owned by Run
}

type replayedSubscription struct {
	hand     func(*tape.Entry) error // to the sink, until the subscription ends
	accepted chan error              // buffered
	largest  *media.Location
	props    []media.Property
	done     chan struct{}
	finish   func(error)
	err      error
}

type replayedFetch struct {
	sink moqt.Sink
	done chan error // buffered
}

func (s *replayed) Draft() string { return s.draft }

func (s *replayed) track(name moqt.TrackName) *replayedTrack {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join(append(slices.Clone(name.Namespace), name.Name), "\x00")
	t := s.tracks[key]
	if t == nil {
		t = &replayedTrack{asked: make(chan *replayedSubscription, 1), fetch: make(chan *replayedFetch, 1)}
		s.tracks[key] = t
	}
	return t
}

// Run plays until the next session of the recording begins. At its end all tracks have ended.
func (s *replayed) Run(ctx context.Context) error {
	err := s.play(ctx)
	if err == nil && s.p.next == nil {
		s.each(func(t *replayedTrack) { _ = t.sub.hand(t.end()) })
		s.conclude(ctx) // the broadcast ends when its tracks have been drained
		err = context.Cause(ctx)
	}
	over := error(&moqt.SessionError{Reason: "the recorded session ended", Err: moqt.ErrClosed})
	s.each(func(t *replayedTrack) { t.sub.finish(over) })
	close(s.done)
	if err == nil {
		err = over
	}
	return err
}

// conclude accepts whoever still comes, and says that the track has ended, until ctx does.
func (s *replayed) conclude(ctx context.Context) {
	for {
		select {
		case sub := <-s.late:
			sub.accepted <- nil
			_ = sub.hand((&replayedTrack{last: math.MaxInt64}).end()) // behind all that there was
		case <-ctx.Done():
			return
		}
	}
}

// end says that nothing comes after the last group of the recording.
func (t *replayedTrack) end() *tape.Entry {
	return &tape.Entry{What: tape.Object, Group: t.last + 1, Status: media.EndOfTrack}
}

// each calls f for the tracks that are being served.
func (s *replayed) each(f func(*replayedTrack)) {
	s.mu.Lock()
	served := slices.DeleteFunc(slices.Collect(maps.Values(s.tracks)), func(t *replayedTrack) bool { return t.sub == nil })
	s.mu.Unlock()
	for _, t := range served {
		f(t)
	}
}

func (s *replayed) play(ctx context.Context) error {
	for e := s.p.next; e != nil && e.What != tape.Session; e = s.p.next {
		due := s.p.began.Add(time.Duration(e.At) * time.Microsecond)
		if err := sleep(ctx, time.Until(due)); err != nil {
			return err
		}
		if err := s.give(ctx, s.track(moqt.TrackName{Namespace: e.Space, Name: e.Track}), e); err != nil {
			return err
		}
		if err := s.p.read(); err != nil {
			return err
		}
	}
	return nil
}

// give hands an entry to whoever asked for it.
func (s *replayed) give(ctx context.Context, t *replayedTrack, e *tape.Entry) error {
	switch {
	case e.What == tape.Accepted:
		t.late = false
		t.sub = await(ctx, t.asked, &t.late)
		if t.sub != nil {
			t.sub.largest, t.sub.props = e.Largest, e.Properties
			t.sub.accepted <- nil
		}
	case e.What == tape.Ended && t.sub == nil:
		if sub := await(ctx, t.asked, &t.late); sub != nil {
			sub.accepted <- &moqt.RequestError{Op: "subscribe", Reason: e.Error, Kind: moqt.ErrNotFound}
		}
	case e.What == tape.Ended:
		t.sub.finish(&moqt.DoneError{Status: moqt.Failed, Reason: e.Error})
		t.sub = nil
	case e.What == tape.Fetched || e.Fetch:
		return t.refill(ctx, e)
	case t.sub != nil:
		t.last = max(t.last, e.Group)
		return t.sub.hand(e)
	}
	return ctx.Err()
}

// refill hands an entry of a fetch to the one that asks for it, and ends it with the last.
func (t *replayedTrack) refill(ctx context.Context, e *tape.Entry) error {
	if t.filler == nil && t.sub != nil {
		t.filler = await(ctx, t.fetch, &t.late)
	}
	switch {
	case t.filler == nil:
		return ctx.Err()
	case e.What != tape.Fetched:
		return deliver(ctx, t.filler.sink, e)
	}
	var err error
	if e.Error != "" {
		err = &moqt.RequestError{Op: "fetch", Reason: e.Error, Kind: moqt.ErrNotSupported}
	}
	t.filler.done <- err
	t.filler = nil
	return nil
}

// await waits for what should come soon, once: nobody waits for somebody who was late before.
func await[T any](ctx context.Context, c <-chan *T, late *bool) *T {
	patience := grace
	if *late {
		patience = 0
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
	case <-timer.C:
		*late = true
	}
	return nil
}

// deliver hands an object or the end of a stream over. What the receiver does with it is its affair.
func deliver(ctx context.Context, sink moqt.Sink, e *tape.Entry) error {
	if e.What == tape.Stream {
		var ev moqt.StreamEvent
		if err := json.Unmarshal(e.Stream, &ev); err != nil {
			return fmt.Errorf("replay: the end of a stream: %w", err)
		}
		sink.Stream(ctx, ev)
		return nil
	}
	_ = sink.Object(ctx, media.Object{
		Location: media.Location{Group: e.Group, Object: e.Object}, Subgroup: e.Subgroup, Status: e.Status, Last: e.Last,
		Properties: e.Properties, Payload: e.Payload,
	})
	return nil
}

// Subscribe implements asker. What was not recorded is not found.
func (s *replayed) Subscribe(ctx context.Context, name moqt.TrackName, _ moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	sub := &replayedSubscription{accepted: make(chan error, 1), done: make(chan struct{})}
	sub.hand = func(e *tape.Entry) error { return deliver(sctx, sink, e) }
	var once sync.Once
	sub.finish = func(err error) { once.Do(func() { sub.err = err; cancel(); close(sub.done) }) }
	notFound := &moqt.RequestError{Op: "subscribe", Kind: moqt.ErrNotFound, Reason: "not in the recording, or not any more"}
	t := s.track(name)
	select {
	case t.asked <- sub:
	default:
		return nil, notFound
	}
	for late := s.late; ; {
		select {
		case err := <-sub.accepted:
			if err != nil {
				return nil, err
			}
			return sub, nil
		case late <- sub:
			late = nil
		case <-s.done:
			return nil, &moqt.SessionError{Reason: "the recording ends", Err: moqt.ErrClosed}
		case <-ctx.Done():
			select { // nobody will answer any more
			case <-t.asked:
			default:
			}
			sub.finish(moqt.ErrClosed)
			return nil, context.Cause(ctx)
		}
	}
}

// Fetch implements asker.
func (s *replayed) Fetch(ctx context.Context, q moqt.FetchRequest, _ subscription, sink moqt.Sink) error {
	f, t := &replayedFetch{sink: sink, done: make(chan error, 1)}, s.track(q.Track)
	unknown := &moqt.RequestError{Op: "fetch", Kind: moqt.ErrNotSupported, Reason: "not in the recording"}
	select {
	case t.fetch <- f:
	default:
		return unknown
	}
	timer := time.NewTimer(unrecorded)
	defer timer.Stop()
	for {
		select {
		case err := <-f.done:
			return err
		case <-timer.C:
			select {
			case <-t.fetch:
				return unknown
			default: // it is being answered
			}
		case <-s.done:
			return &moqt.SessionError{Reason: "the recording ends", Err: moqt.ErrClosed}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *replayedSubscription) Largest() (l media.Location, ok bool) {
	if s.largest == nil {
		return l, false
	}
	return *s.largest, true
}

func (s *replayedSubscription) Properties() []media.Property { return s.props }
func (s *replayedSubscription) Done() <-chan struct{}        { return s.done }

func (s *replayedSubscription) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

func (s *replayedSubscription) Close() { s.finish(moqt.ErrClosed) }

package segmenter

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Segmenter is the fold of one channel. One goroutine drives it; only Output may be called from elsewhere.
type Segmenter struct {
	cfg    Config
	sink   Sink
	ledger Ledger    // nil: nobody else packages the channel
	tracks []*track  // in catalog order
	units  []unit    // for reuse
	now    time.Time // of the newest call that had it
	events Events
	ended  bool

	former []Rendition // as Output's; replaced, never changed
	turns  []Change    // as Output's; replaced, never changed

	plan *plan
	// Until the tracks are measured, units wait.
	settled   bool
	held      []held
	heldBytes int
	since     time.Time // of the first one

	clock     *clock           // nil: no track tells what time it is
	listeners []*listener      // in catalog order
	waiting   []told           // messages whose time means nothing yet
	happened  []timeline.Event // by time; replaced, never changed: Output refers to it

	epochs  []epoch // oldest first; those that some rendition may still have to begin
	joined  bool    // the newest of them is the one that media comes in
	doubt   *doubt  // whether the past is that of this publisher; nil: none
	renewed bool    // the publisher has begun anew while media was held, and nobody has claimed that yet
	reach   int64   // the newest slot that others have recorded, as far as it was asked for
	room    int64   // slots before it are not published in this run

	output atomic.Pointer[Output]
	first  chan struct{} // closed when there is an Output
}

// Events counts what went otherwise than planned.
type Events struct {
	BadInput   uint64 // objects dropped
	Losses     uint64 // holes in a track that the transport reported or that its media time shows
	Gaps       uint64 // slots published as gaps
	ForcedCuts uint64 // segments that begin without a stream access point because a group outlived its slot
	Epochs     uint64 // discontinuities
	LateText   uint64 // cues that came when the slot they are for had been published
}

// New returns a Segmenter that puts what it makes into sink. cfg must be valid. ledger is nil for a channel that nobody else
// packages; past is nil for one that begins. With a past there is an Output at once, and the tracks go on in its timelines when
// the catalog lists them. A past that does not fit together, or not to cfg, is an ErrPast.
func New(cfg Config, sink Sink, ledger Ledger, past *Past) (*Segmenter, error) {
	s := &Segmenter{cfg: cfg, sink: sink, ledger: ledger, reach: -1, first: make(chan struct{})}
	if past != nil {
		if w, ok := ledger.(Witness); ok {
			s.doubt = &doubt{witness: w}
		}
		if err := s.restore(past); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Catalog says what the broadcast consists of, at first and after every change. Tracks that cannot be packaged (encrypted,
// malformed header, other kinds or packagings) are left out and reported, each by a *BadInput joined into the error; the others go
// on.
func (s *Segmenter) Catalog(ctx context.Context, now time.Time, tracks []media.Track) error {
	if s.ended {
		return nil
	}
	var err error
	var kept []*track
	s.listeners, s.clock = s.listenersOf(tracks), s.clockOf(tracks)
	for i := range tracks {
		info := tracks[i]
		if info.Kind == media.Events && info.Packaging == media.EventTimeline || isClock(info) {
			continue
		}
		if info.Kind != media.Video && info.Kind != media.Audio && info.Kind != media.Text {
			err = join(err, &BadInput{Track: info.Name, Err: fmt.Errorf("%s in packaging %q is not supported yet", info.Kind, info.Packaging)})
			continue
		}
		t := s.track(info.Name)
		if t == nil {
			t = newTrack(info.Kind)
		}
		if e := t.describe(&info); e != nil {
			err = join(err, &BadInput{Track: info.Name, Err: e})
			continue
		}
		kept = append(kept, t)
	}
	gone := slices.DeleteFunc(slices.Clone(s.tracks), func(t *track) bool { return slices.Contains(kept, t) })
	err = join(err, s.leave(ctx, gone))
	s.tracks = kept
	s.held = slices.DeleteFunc(s.held, func(h held) bool {
		gone := !slices.Contains(kept, h.track)
		if gone {
			s.heldBytes -= h.cost()
		}
		return gone
	})
	if s.settled {
		s.startTexts()
	}
	if s.output.Load() != nil {
		err = join(err, s.offer(ctx))
	}
	for _, t := range gone {
		err = join(err, s.finish(ctx, t, false))
	}
	return err
}

// Object takes the next object of a track, in location order. An error that is a *BadInput means that an object was dropped; the
// channel goes on after any error. now serves the plan's patience and, where the stream says nothing about wall clock, its
// origin.
func (s *Segmenter) Object(ctx context.Context, now time.Time, track string, o media.Object) error {
	t := s.track(track)
	if l := s.listener(track); l != nil && !s.ended {
		return s.listen(l, &o)
	}
	if s.clock != nil && s.clock.info.Name == track && !s.ended {
		return join(s.tell(&o), s.settle(ctx, now, false))
	}
	switch {
	case s.ended || t == nil || t.done && !t.again:
		return nil
	case t.done:
		t = s.revive(t)
	}
	s.now = now
	s.units = t.unwrap(s.units[:0], &o)
	return s.take(ctx, now, t)
}

// take takes the units that an object has completed.
func (s *Segmenter) take(ctx context.Context, now time.Time, t *track) (err error) {
	if t.text != nil && s.settled && !t.started && !t.done && t.header.init != nil {
		s.startText(t)
		err = s.offer(ctx)
	}
	for i := range s.units {
		switch u := &s.units[i]; {
		case t.done && !t.again:
		case u.err != nil:
			err = join(err, s.bad(t, u.loc, u.err))
		case u.init == nil && !t.started || len(u.samples) == 0 && !u.last && !u.lost:
		case !s.settled:
			err = join(err, s.hold(ctx, now, t, u))
		default:
			err = join(err, s.admit(ctx, now, t, u))
		}
	}
	clear(s.units) // the payloads may go
	if t.text == nil && s.settled {
		err = join(err, s.subtitles(ctx))
		err = join(err, s.place())
	}
	return err
}

// Tick lets time pass while no object comes, so that the plan, the tracks of a past, or a new time base do not wait for ever. Once a
// second is often enough; when media is being published it does nothing.
func (s *Segmenter) Tick(ctx context.Context, now time.Time) error {
	err := s.settle(ctx, now, false)
	for _, t := range s.tracks {
		err = join(err, s.land(ctx, now, t, false))
	}
	return err
}

// End says that the broadcast is complete: open segments are closed and the timelines end.
func (s *Segmenter) End(ctx context.Context) error {
	if s.ended {
		return nil
	}
	var err error
	for _, t := range s.tracks {
		s.units = t.drain(s.units[:0])
		err = join(err, s.take(ctx, s.now, t))
	}
	if s.doubt != nil {
		s.doubt.hurry(s.since)
	}
	err = join(err, s.settle(ctx, s.since, true))
	s.ended = true
	for _, t := range s.tracks {
		if t.text != nil {
			err = join(err, s.endText(ctx, t))
		}
		err = join(err, s.finish(ctx, t, true))
	}
	return err
}

// Lose makes a gap of a segment that the timeline of a track lists and that no store has any more, and reports whether there was one.
// It may be called after End, too.
func (s *Segmenter) Lose(track string, n uint64) bool {
	t := s.track(track)
	return t != nil && t.line != nil && t.line.Lose(n)
}

// Output is what the channel publishes: nil until the plan is fixed, unless there is a past, and a new value whenever the set
// of renditions or what happens changes.
// It may be called by anyone.
func (s *Segmenter) Output() *Output { return s.output.Load() }

// Await returns the newest Output once it is another than old, nil standing for none. It may be called by anyone.
func (s *Segmenter) Await(ctx context.Context, old *Output) (*Output, error) {
	for {
		out := s.output.Load()
		if out != old {
			return out, nil
		}
		next := s.first
		if old != nil {
			next = old.next
		}
		select {
		case <-next:
		case <-ctx.Done():
			return out, ctx.Err()
		}
	}
}

// Events may be called by the driving goroutine only.
func (s *Segmenter) Events() Events { return s.events }

func (s *Segmenter) track(name string) *track {
	for _, t := range s.tracks {
		if t.info.Name == name {
			return t
		}
	}
	return nil
}

func (s *Segmenter) announce() {
	old := s.output.Load()
	var lines []Rendition
	for _, t := range s.tracks {
		if t.line != nil && t.announced {
			lines = append(lines, Rendition{t.info, t.line, Life{From: t.from}})
		}
	}
	s.forget()
	out := &Output{Plan: s.plan.Plan, Renditions: lines, Former: s.former, Changes: s.turns, Events: s.happened, next: make(chan struct{})}
	s.output.Store(out)
	if old == nil {
		close(s.first)
		return
	}
	close(old.next)
}

// bad drops an object.
func (s *Segmenter) bad(t *track, at media.Location, err error) error {
	t.doubt = true
	return s.refuse(t.info.Name, at, err)
}

// refuse drops something that no media depends on.
func (s *Segmenter) refuse(track string, at media.Location, err error) error {
	s.events.BadInput++
	return &BadInput{Track: track, Location: at, Err: err}
}

package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// ErrOrder is returned when the writer breaks an invariant of the timeline: the track must stop.
var ErrOrder = errors.New("timeline: out of order")

// Timeline is the append-only record of one track. Append, Close, Gap, Begin, Lose and End are for its single writer; everything
// else may be called by anyone.
type Timeline struct {
	window int // segments kept
	snap   atomic.Pointer[Snapshot]
}

// New returns an empty timeline that keeps window full segments. frame is the nominal sample duration in ticks.
func New(window int, frame int64) *Timeline {
	t := &Timeline{window: max(window, 1)}
	t.snap.Store(&Snapshot{Frame: frame, next: make(chan struct{})})
	return t
}

// Load is the newest snapshot.
func (t *Timeline) Load() *Snapshot { return t.snap.Load() }

// Wait returns the first snapshot, the newest one included, for which ok is true, or ctx's error. It gives the newest
// snapshot together with the error.
func (t *Timeline) Wait(ctx context.Context, ok func(*Snapshot) bool) (*Snapshot, error) {
	for {
		s := t.snap.Load()
		if ok(s) {
			return s, nil
		}
		select {
		case <-s.next:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// Begin opens an epoch: segments from e.First on belong to it. No segment may be open.
func (t *Timeline) Begin(e Epoch) error {
	s := t.snap.Load()
	if s.Ended || s.Open != nil {
		return fmt.Errorf("%w: epoch %d begins inside a segment", ErrOrder, e.Index)
	}
	if c := s.Current(); c != nil && e.Index <= c.Index {
		return fmt.Errorf("%w: epoch %d after %d", ErrOrder, e.Index, c.Index)
	}
	n := *s
	n.Epochs = append(slices.Clip(s.Epochs), e)
	if e.Frame > 0 {
		n.Frame = e.Frame
	}
	t.publish(s, &n)
	return nil
}

// Append publishes part p, counted from 0, of segment n. Part 0 opens the segment.
func (t *Timeline) Append(n uint64, p int, part Part) error {
	s := t.snap.Load()
	if err := s.admits(n); err != nil {
		return err
	}
	next := *s
	switch {
	case s.Open == nil && p == 0:
		next.Open = &Segment{N: n, Epoch: s.Current().Index, Start: part.Start, Dur: part.Dur, Size: part.Size, Parts: []Part{part}}
	case s.Open != nil && s.Open.N == n && p == len(s.Open.Parts):
		o := *s.Open
		// Older snapshots see only their own length of the shared array.
		o.Parts = append(o.Parts, part)
		o.Dur = part.Start + part.Dur - o.Start
		o.Size += part.Size
		next.Open = &o
	default:
		return fmt.Errorf("%w: part %d.%d at position %+v", ErrOrder, n, p, s.Position())
	}
	t.publish(s, &next)
	return nil
}

// Close completes the open segment n: Full, or Gap when some of its media is missing for ever.
func (t *Timeline) Close(n uint64, state State) error {
	return t.complete(n, state, 0)
}

// Break completes the open segment n as a Gap that lasts until end, in ticks: the parts that were published stay, no more will
// come.
func (t *Timeline) Break(n uint64, end int64) error {
	return t.complete(n, Gap, end)
}

func (t *Timeline) complete(n uint64, state State, end int64) error {
	s := t.snap.Load()
	if s.Open == nil || s.Open.N != n || state == Open {
		return fmt.Errorf("%w: close of %d at position %+v", ErrOrder, n, s.Position())
	}
	o := *s.Open
	o.State = state
	if state == Gap {
		o.Size = 0
	}
	if end > o.End() {
		o.Dur = end - o.Start
	}
	next := *s
	next.Open = nil
	next.Segments = t.slide(s.Segments, o)
	next.Epochs = retain(s.Epochs, next.Segments)
	t.publish(s, &next)
	return nil
}

// Gap records slot n as a segment without media, with its nominal start and duration in ticks.
func (t *Timeline) Gap(n uint64, start, dur int64) error {
	s := t.snap.Load()
	if err := s.admits(n); err != nil || s.Open != nil {
		return errors.Join(fmt.Errorf("%w: gap %d at position %+v", ErrOrder, n, s.Position()), err)
	}
	next := *s
	next.Segments = t.slide(s.Segments, Segment{N: n, Epoch: s.Current().Index, State: Gap, Start: start, Dur: dur})
	next.Epochs = retain(s.Epochs, next.Segments)
	t.publish(s, &next)
	return nil
}

// Skip records every slot from the position to n-1 as a gap. nominal gives a slot's start and duration in ticks. However far it
// is to n, the cost is bounded by the window.
func (t *Timeline) Skip(n uint64, nominal func(n uint64) (start, dur int64)) error {
	s := t.snap.Load()
	from := s.Position().N
	if s.Ended || s.Empty() || s.Open != nil || n < from {
		return fmt.Errorf("%w: skip to %d at position %+v", ErrOrder, n, s.Position())
	}
	if n == from {
		return nil
	}
	if n-from > uint64(t.window) {
		from = n - uint64(t.window)
	}
	next := *s
	for ; from < n; from++ {
		start, dur := nominal(from)
		next.Segments = t.slide(next.Segments, Segment{N: from, Epoch: s.Current().Index, State: Gap, Start: start, Dur: dur})
	}
	next.Epochs = retain(s.Epochs, next.Segments)
	t.publish(s, &next)
	return nil
}

// End says that nothing will be added. The open segment, if any, must have been closed.
func (t *Timeline) End() error {
	s := t.snap.Load()
	if s.Open != nil {
		return fmt.Errorf("%w: end inside segment %d", ErrOrder, s.Open.N)
	}
	if s.Ended {
		return nil
	}
	next := *s
	next.Ended = true
	t.publish(s, &next)
	return nil
}

// Lose makes a gap of segment n, whose media turned out to be gone for ever, and reports whether it was a full one. That is the only
// change of what has been published, and may come after the end.
func (t *Timeline) Lose(n uint64) bool {
	s := t.snap.Load()
	if seg := s.Segment(n); seg == nil || seg.State != Full {
		return false
	}
	next := *s
	next.Segments = slices.Clone(s.Segments) // older snapshots keep their view
	lost := &next.Segments[n-s.Segments[0].N]
	lost.State, lost.Size, lost.Parts = Gap, 0, nil
	next.Lost++
	t.publish(s, &next)
	return true
}

// admits reports whether a part or gap of slot n may follow the snapshot.
func (s *Snapshot) admits(n uint64) error {
	switch pos := s.Position(); {
	case s.Ended:
		return fmt.Errorf("%w: %d after the end", ErrOrder, n)
	case s.Current() == nil:
		return fmt.Errorf("%w: %d before the first epoch", ErrOrder, n)
	case !s.Empty() && n != pos.N:
		return fmt.Errorf("%w: %d at position %+v", ErrOrder, n, pos)
	}
	return nil
}

// slide appends seg to the window and drops what falls out of it. Older snapshots keep their view: the shared array is
// only ever written beyond their length, and moved when it is full.
func (t *Timeline) slide(segs []Segment, seg Segment) []Segment {
	if len(segs) >= t.window {
		segs = segs[len(segs)-t.window+1:]
	}
	if len(segs) == cap(segs) {
		grown := make([]Segment, len(segs), 2*len(segs)+8)
		copy(grown, segs)
		segs = grown
	}
	return append(segs, seg)
}

// retain drops the epochs that no segment in the window belongs to, but never the current one.
func retain(epochs []Epoch, segs []Segment) []Epoch {
	for len(epochs) > 1 && len(segs) > 0 && epochs[0].Index < segs[0].Epoch {
		epochs = epochs[1:]
	}
	return epochs
}

func (t *Timeline) publish(old, next *Snapshot) {
	next.next = make(chan struct{})
	t.snap.Store(next)
	close(old.next)
}

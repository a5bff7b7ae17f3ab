package timeline

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrMalformed is returned for segments and epochs from elsewhere that cannot be a timeline, or not the rest of this one.
var ErrMalformed = errors.New("timeline: malformed")

// Restore returns a timeline that goes on where the segments end: as if it had published them itself. It keeps the newest window
// of them. epochs are those that segments refer to, and the newest. frame is the nominal sample duration in ticks; if it is 0,
// that of the newest epoch that has one. Both lists come from a file: what does not fit together is an ErrMalformed.
func Restore(window int, frame int64, epochs []Epoch, segments []Segment) (*Timeline, error) {
	if err := checkEpochs(epochs); err != nil {
		return nil, err
	}
	if err := checkSegments(epochs, segments); err != nil {
		return nil, err
	}
	for i := len(epochs); i > 0 && frame <= 0; i-- {
		frame = epochs[i-1].Frame
	}
	t := New(window, frame)
	s := *t.snap.Load()
	s.Segments = slices.Clone(segments[max(0, len(segments)-t.window):])
	s.Epochs = retain(slices.Clone(epochs), s.Segments)
	t.snap.Store(&s)
	return t, nil
}

// Adopt appends segments that another instance published, oldest first: each Full or Gap, the first at the position. Their epochs
// must have begun. The timeline's memory is not theirs: the slice stays the caller's.
func (t *Timeline) Adopt(segments []Segment) error {
	s := t.snap.Load()
	if len(segments) == 0 {
		return nil
	}
	if err := s.admits(segments[0].N); err != nil || s.Open != nil {
		return errors.Join(fmt.Errorf("%w: adopt %d at position %+v", ErrOrder, segments[0].N, s.Position()), err)
	}
	if err := checkSegments(s.Epochs, segments); err != nil {
		return err
	}
	if n := len(s.Segments); n > 0 && segments[0].Epoch < s.Segments[n-1].Epoch {
		return fmt.Errorf("%w: segment %d of epoch %d after one of epoch %d",
			ErrMalformed, segments[0].N, segments[0].Epoch, s.Segments[n-1].Epoch)
	}
	next := *s
	for _, g := range segments[max(0, len(segments)-t.window):] {
		next.Segments = t.slide(next.Segments, g)
	}
	next.Epochs = retain(s.Epochs, next.Segments)
	t.publish(s, &next)
	return nil
}

func checkEpochs(epochs []Epoch) error {
	for i := range epochs {
		e := &epochs[i]
		switch {
		case e.Index < 0 || i > 0 && e.Index <= epochs[i-1].Index:
			return fmt.Errorf("%w: epoch %d is out of order", ErrMalformed, e.Index)
		case e.Init == nil || e.Init.Timescale == 0 || e.Init.Digest == "":
			return fmt.Errorf("%w: epoch %d has no init", ErrMalformed, e.Index)
		case e.Frame < 0 || e.Origin == math.MinInt64:
			return fmt.Errorf("%w: epoch %d has times out of range", ErrMalformed, e.Index)
		}
	}
	return nil
}

func checkSegments(epochs []Epoch, segments []Segment) error {
	for i := range segments {
		g := &segments[i]
		known := i > 0 && g.Epoch == segments[i-1].Epoch || slices.ContainsFunc(epochs, func(e Epoch) bool { return e.Index == g.Epoch })
		switch {
		case g.State != Full && g.State != Gap:
			return fmt.Errorf("%w: segment %d is neither full nor a gap", ErrMalformed, g.N)
		case g.N == math.MaxUint64 || i > 0 && g.N != segments[i-1].N+1:
			return fmt.Errorf("%w: segment %d does not follow the one before", ErrMalformed, g.N)
		case !known || i > 0 && g.Epoch < segments[i-1].Epoch:
			return fmt.Errorf("%w: segment %d is of epoch %d, which is not there or was over", ErrMalformed, g.N, g.Epoch)
		case g.Dur < 0 || g.Start > math.MaxInt64/2 || g.Start < math.MinInt64/2 || g.Dur > math.MaxInt64/2 || g.Size < 0:
			return fmt.Errorf("%w: segment %d has times or a size out of range", ErrMalformed, g.N)
		}
	}
	return nil
}

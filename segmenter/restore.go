package segmenter

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Bounds of what a record may say: no clock and no channel gets there.
const (
	maxSlot    = 1 << 53
	maxEpochs  = 1 << 31
	epochsKept = 16 // for renditions that lag; who lags more skips the oldest
)

// restore takes up a channel where it was left: its plan, its epochs and its timelines. There is an Output at once.
func (s *Segmenter) restore(past *Past) error {
	p, err := planOf(past.Plan, s.cfg)
	if err != nil {
		return fmt.Errorf("%w: %w: move the channel's record away to begin anew", ErrPast, err)
	}
	if err := sameCuts(&past.Plan, s.cfg); err != nil {
		return fmt.Errorf("%w: %w: configure what was, or begin anew under another channel name", ErrPast, err)
	}
	s.plan = &p
	for i := range past.Renditions {
		t, err := s.recall(&past.Renditions[i])
		if err != nil {
			return fmt.Errorf("%w: track %q: %w: move the channel's record away to begin anew", ErrPast, past.Renditions[i].Track.Name, err)
		}
		s.tracks = append(s.tracks, t)
	}
	if err := s.recallEpochs(past.Epochs); err != nil {
		return fmt.Errorf("%w: %w: move the channel's record away to begin anew", ErrPast, err)
	}
	if err := s.recallChanges(past.Changes); err != nil {
		return fmt.Errorf("%w: %w: move the channel's record away to begin anew", ErrPast, err)
	}
	s.happened = past.Events[max(0, len(past.Events)-maxEvents):]
	if len(s.tracks) > 0 {
		s.announce()
	}
	return nil
}

// planOf is the plan in force, with the window of this instance's configuration. It may come from a file.
func planOf(p Plan, cfg Config) (plan, error) {
	if err := p.Grid.Valid(); err != nil {
		return plan{}, err
	}
	q := plan{Plan: p, group: new(big.Rat)}
	duration := rational(p.Grid)
	if p.Group.Num > 0 && p.Group.Den > 0 {
		q.group = rational(p.Group)
	}
	switch {
	case duration.Cmp(big.NewRat(1, 100)) < 0 || duration.Cmp(big.NewRat(120, 1)) > 0 || q.group.Cmp(duration) > 0:
		return plan{}, fmt.Errorf("segments of %v s of groups of %v s cannot be", duration.RatString(), q.group.RatString())
	case p.TargetDuration < 1 || p.TargetDuration > 200 || p.PartTarget < time.Millisecond || p.PartTarget > 200*time.Second:
		return plan{}, fmt.Errorf("a target of %d s and parts of %v cannot be", p.TargetDuration, p.PartTarget)
	case p.Parts < 0 || p.Parts > 10_000:
		return plan{}, fmt.Errorf("%d parts in a segment cannot be", p.Parts)
	}
	q.Window = windowOf(cfg, duration)
	return q, nil
}

// sameCuts reports how the operator's choices differ from those that a plan was made with.
func sameCuts(p *Plan, cfg Config) error {
	if p.Target == cfg.Target && p.Part == cfg.Part {
		return nil
	}
	return fmt.Errorf("it was cut with target %v and part %v, the configuration says target %v and part %v, and its segments cannot move",
		p.Target, p.Part, cfg.Target, cfg.Part)
}

func rational(g timeline.Grid) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(g.Num), new(big.Int).SetUint64(g.Den))
}

// recall is a track as it was left.
func (s *Segmenter) recall(r *PastRendition) (*track, error) {
	info := r.Track
	if info.Name == "" || s.track(info.Name) != nil || info.Kind != media.Video && info.Kind != media.Audio && info.Kind != media.Text {
		return nil, fmt.Errorf("there is no such track, or there are two")
	}
	line, err := timeline.Restore(s.plan.Window, 0, r.Epochs, r.Segments)
	if err != nil {
		return nil, err
	}
	if n := len(r.Segments); n > 0 && r.Segments[n-1].N >= maxSlot {
		return nil, fmt.Errorf("segment %d is beyond any clock", r.Segments[n-1].N)
	}
	t := newTrack(info.Kind)
	t.info, t.line, t.rejoins = &info, line, true
	if e := line.Load().Current(); e != nil {
		if e.Index >= maxEpochs || e.First >= maxSlot {
			return nil, fmt.Errorf("epoch %d from slot %d on cannot be", e.Index, e.First)
		}
		t.epoch, t.base = e.Index, baseFrom(s.plan.Grid, e)
	}
	if r.Ended {
		t.done = true
		return t, line.End()
	}
	return t, nil
}

// recallEpochs takes the epochs that were claimed, and those that timelines know of but nobody claimed because there was no ledger
// to be reached.
func (s *Segmenter) recallEpochs(claims []Epoch) error {
	if err := s.learn(claims); err != nil {
		return err
	}
	for _, t := range s.tracks {
		for _, e := range t.line.Load().Epochs {
			at, found := slices.BinarySearchFunc(s.epochs, e.Index, func(e epoch, index int) int { return e.index - index })
			if !found && e.Index < maxEpochs && e.First < maxSlot {
				first := int64(e.First)
				s.epochs = slices.Insert(s.epochs, at, epoch{index: e.Index, first: first, from: first, base: baseFrom(s.plan.Grid, &e)})
			}
		}
	}
	s.epochs = s.epochs[max(0, len(s.epochs)-epochsKept):]
	for _, t := range s.tracks { // claims are exact, origins are rounded to ticks
		for i := range s.epochs {
			if e := &s.epochs[i]; e.index == t.epoch && e.base.origin(s.plan.Grid, t.scale()) == t.line.Load().Current().Origin {
				t.base = e.base
			}
		}
	}
	return nil
}

// learn takes claims that are newer than the epochs that are known.
func (s *Segmenter) learn(claims []Epoch) error {
	for i := range claims {
		e := &claims[i]
		if n := len(s.epochs); n > 0 && e.Index <= s.epochs[n-1].index || !e.plausible() {
			return fmt.Errorf("epoch %d from slot %d on is out of order or range", e.Index, e.First)
		}
		s.epochs = append(s.epochs, epochOf(e))
	}
	return nil
}

// scale is the timescale of the epoch that t's timeline is in.
func (t *track) scale() uint32 { return t.line.Load().Current().Init.Timescale }

// baseFrom is the base that gave an epoch its origin.
func baseFrom(g timeline.Grid, e *timeline.Epoch) base {
	shift := int64(g.Slot(absolute(e.Origin), e.Init.Timescale))
	if e.Origin < 0 {
		shift = -shift
	}
	return base{shift: max(-maxSlot, min(shift, maxSlot)), arrival: e.Arrival}
}

// revive lets a track that had ended, and that a newer catalog lists again, go on with all that it had.
func (s *Segmenter) revive(old *track) *track {
	t := newTrack(old.info.Kind)
	t.info, t.wrapping, t.next, t.stored = old.info, old.wrapping, old.next, old.stored
	if old.line != nil {
		p := old.line.Load()
		if line, err := timeline.Restore(s.plan.Window, p.Frame, p.Epochs, p.Segments); err == nil {
			t.line, t.epoch, t.base, t.gauge, t.rejoins = line, old.epoch, old.base, old.gauge, true
			t.from, t.announced = old.from, old.announced
		}
	}
	s.tracks = slices.Clone(s.tracks)
	s.tracks[slices.Index(s.tracks, old)] = t
	return t
}

// resume makes t's cut go on behind what its timeline has.
func (t *track) resume() {
	if p := t.line.Load(); !p.Empty() {
		t.cut.slot, t.cut.known = int64(p.Position().N)-1, true
	}
}

// phase is where the newest segment of t's timeline that was not a gap lies in its slot; 0 if there is none on this time base.
func (t *track) phase() int64 {
	p := t.line.Load()
	if p.Current() == nil || p.Current().Init.Timescale != t.cut.timescale {
		return 0
	}
	for i := len(p.Segments) - 1; i >= 0 && p.Segments[i].Epoch == t.epoch; i-- {
		if g := &p.Segments[i]; g.State == timeline.Full {
			start, dur := t.cut.nominal(t.base, 0)(g.N)
			if phase := g.Start - start; absolute(phase) < dur {
				return phase
			}
			return 0
		}
	}
	return 0
}

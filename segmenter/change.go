package segmenter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Change is a slot with which renditions come and go while others are watched, as the instances of a channel agree on it.
type Change struct {
	Index int      `json:"index"`
	First uint64   `json:"first"`
	Came  []string `json:"came,omitempty"` // tracks, ascending
	// Went are tracks, and their places among those that they left behind.
	Went map[string]int `json:"went,omitempty"`
}

const (
	// How many slots after the newest one the others are joined by a rendition that is new, and left by one that is gone. Who
	// watches learns of it between two slots, and should do so before it happens; but of what is gone there is no more.
	joinsAfter  = 3
	leavesAfter = 1
	// established is how many segments a rendition has when there are viewers, who may not see all those that come later.
	established = 3
	// MaxChanges is how many are remembered: the newest ones.
	MaxChanges = 256
)

func (c *Change) brings(track string) bool { return c != nil && slices.Contains(c.Came, track) }

func (c *Change) takes(track string) bool {
	if c == nil {
		return false
	}
	_, gone := c.Went[track]
	return gone
}

// Life is a stretch of slots in which a track is in the broadcast.
type Life struct {
	From, Until uint64 // the changes with which it came and went; 0: it was there from the beginning, it is there
	Place       int    // of one that went, as Change.Went has it
}

// Lives are those of a track, in their order; only the last one may be without an end.
func Lives(changes []Change, track string) (all []Life) {
	now, there := Life{}, true
	for i := range changes {
		switch c := &changes[i]; {
		case c.takes(track) && there:
			now.Until, now.Place = c.First, c.Went[track]
			all, there = append(all, now), false
		case c.brings(track) && (!there || len(all) == 0 && now.From == 0):
			now, there = Life{From: c.First}, true
		}
	}
	if there {
		all = append(all, now)
	}
	return all
}

// come settles with which change those come that have just begun; with none if they are the beginning.
func (s *Segmenter) come(ctx context.Context) (err error) {
	for range maxClaims {
		var names []string
		for _, t := range s.tracks {
			switch n := s.last(t.info.Name); {
			case t.line == nil || t.announced:
			case !s.watched():
				t.announced = true
			case n.brings(t.info.Name):
				t.from, t.announced = n.First, true
			default:
				names = append(names, t.info.Name)
			}
		}
		if len(names) == 0 {
			break
		}
		slices.Sort(names)
		err = join(err, s.turn(ctx, Change{First: uint64(s.newest() + joinsAfter), Came: names}))
	}
	return err
}

// offer announces what has begun.
func (s *Segmenter) offer(ctx context.Context) error {
	err := s.come(ctx)
	s.announce()
	return err
}

// watched reports whether there may be viewers.
func (s *Segmenter) watched() bool {
	out := s.output.Load()
	return out != nil && slices.ContainsFunc(out.Renditions, func(r Rendition) bool { return len(r.Timeline.Load().Segments) >= established })
}

// leave settles with which change the others are about to go on without what the broadcast has no longer. Its timelines end later: who
// waits for more of them must find that they are gone.
func (s *Segmenter) leave(ctx context.Context, gone []*track) (err error) {
	there := func(t *track) bool { return t.announced && !t.line.Load().Empty() }
	if !slices.ContainsFunc(s.tracks, func(t *track) bool { return there(t) && !slices.Contains(gone, t) }) {
		return nil // nothing is left to go on with
	}
	for range maxClaims {
		went, place := map[string]int{}, 0
		for _, t := range s.tracks {
			switch n := s.last(t.info.Name); {
			case !there(t):
			case !slices.Contains(gone, t):
				place++
			case n.takes(t.info.Name):
				s.former = append(slices.Clip(s.former), Rendition{t.info, t.line, Life{t.from, n.First, n.Went[t.info.Name]}})
				t.announced = false
			default:
				went[t.info.Name] = place
			}
		}
		if len(went) == 0 {
			break
		}
		err = join(err, s.turn(ctx, Change{First: uint64(s.newest() + leavesAfter), Went: went}))
	}
	return err
}

// last is the newest change that is about a track, or nil.
func (s *Segmenter) last(track string) *Change {
	for i := len(s.turns) - 1; i >= 0; i-- {
		c := &s.turns[i]
		if c.brings(track) || c.takes(track) {
			return c
		}
	}
	return nil
}

// turn settles with the other instances what the next change is: c, or what another one has seen before. If the ledger does not answer
// or makes no sense, it is what this instance takes it to be, and the error says so.
func (s *Segmenter) turn(ctx context.Context, c Change) (err error) {
	if n := len(s.turns); n > 0 {
		c.Index = s.turns[n-1].Index + 1
	}
	won := c
	if s.ledger != nil {
		won, err = s.ledger.Turn(ctx, c)
		switch {
		case err != nil:
			won, err = c, fmt.Errorf("%w: claim change %d: %w", ErrLedger, c.Index, err)
		case won.Index != c.Index || int64(min(won.First, maxSlot)) > s.newest()+s.slots(farTolerance):
			won, err = c, fmt.Errorf("%w: change %d is claimed as %d from slot %d on, which cannot be", ErrLedger, c.Index, won.Index, won.First)
		}
	}
	s.turns = append(s.turns[max(0, len(s.turns)-MaxChanges+1):len(s.turns):len(s.turns)], won)
	return err
}

// recallChanges takes the changes that were claimed: what came and went is there, or has gone, as they say.
func (s *Segmenter) recallChanges(changes []Change) error {
	for i := range changes {
		if c := &changes[i]; c.Index < 0 || i > 0 && c.Index <= changes[i-1].Index || c.First >= maxSlot {
			return fmt.Errorf("change %d from slot %d on is out of order or range", c.Index, c.First)
		}
	}
	s.turns = slices.Clone(changes[max(0, len(changes)-MaxChanges):])
	for _, t := range s.tracks {
		t.announced = false
		for _, life := range Lives(s.turns, t.info.Name) {
			if life.Until == 0 {
				t.from, t.announced = life.From, true
			} else {
				s.former = append(s.former, Rendition{t.info, t.line, life})
			}
		}
	}
	slices.SortStableFunc(s.former, func(a, b Rendition) int { return cmp.Compare(a.Until, b.Until) })
	return nil
}

// forget drops former renditions that have left the window.
func (s *Segmenter) forget() {
	oldest := uint64(max(s.newest()-int64(s.plan.Window)-joinsAfter, 0))
	s.former = slices.DeleteFunc(slices.Clone(s.former), func(r Rendition) bool { return r.Until < oldest || r.From > r.Until })
}

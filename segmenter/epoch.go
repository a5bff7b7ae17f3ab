package segmenter

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// base is how media time becomes slots: n = slot(media time) + shift. It is whole slots, so that it means the same in every
// timescale.
type base struct {
	shift int64
	// arrival: derived from this machine's clock, from when objects are said to have been made or sent, or from what was published
	// before. Instances may differ in it.
	arrival bool
}

// origin is what the base adds to media time, in ticks.
func (b base) origin(g timeline.Grid, timescale uint32) int64 {
	if b.shift < 0 {
		return -g.Start(uint64(-b.shift), timescale)
	}
	return g.Start(uint64(b.shift), timescale)
}

// epoch is a stretch of the whole presentation: every rendition begins it at the same slot.
type epoch struct {
	index int
	first int64 // as the instances agreed
	from  int64 // where it begins here: first, unless more than that has been published before
	base  base
	inits map[string]string // as Epoch.Inits
}

// How far media time may be from the clock to be taken for Unix time, and for the presentation's time.
const (
	unixTolerance = 24 * time.Hour
	sameTolerance = time.Minute
	farTolerance  = time.Minute // how far ahead of its media an epoch may begin
	// Slots that are rather left empty than numbered off Unix time when a clock steps back.
	maxStepBack = 5
)

// baseOf finds the base of a track whose media time is at, in ticks, now. lag is the clock minus media time at the live edge, in
// seconds.
func (s *Segmenter) baseOf(now time.Time, at int64, timescale uint32, lag *big.Rat) base {
	g := s.plan.Grid
	clock := int64(g.Slot(now.UnixNano(), uint32(time.Second)))
	slot := int64(g.Slot(at, timescale))
	within := func(n int64, d time.Duration) bool {
		return absolute(n-clock) <= int64(g.Slot(int64(d), uint32(time.Second)))+1
	}
	if within(slot, unixTolerance) {
		return base{}
	}
	if len(s.epochs) > 0 {
		if b := s.epochs[len(s.epochs)-1].base; within(slot+b.shift, sameTolerance) {
			return b
		}
	}
	if wall, exact := s.wall(at, timescale); wall != nil {
		if b := (base{shift: s.nearest(wall), arrival: !exact}); within(slot+b.shift, unixTolerance) {
			return b
		}
	}
	// Nothing in the stream says when it is: what arrives now happens now. To the nearest slot, so that instances agree unless
	// they are very unlucky.
	return base{shift: s.nearest(lag), arrival: true}
}

// nearest is how many slots are nearest to so many seconds.
func (s *Segmenter) nearest(seconds *big.Rat) int64 {
	n := new(big.Rat).Quo(seconds, rational(s.plan.Grid))
	return floor(n.Add(n, big.NewRat(1, 2)))
}

func absolute(v int64) int64 { return max(v, -v) }

// newest is the highest slot that any rendition has begun, or -1. A slot of which media came, but too late to publish it, has been
// begun by other instances.
func (s *Segmenter) newest() int64 {
	n := s.reach
	for _, t := range s.tracks {
		if t.line == nil {
			continue
		}
		switch p := t.line.Load(); {
		case p.Open != nil:
			n = max(n, int64(p.Open.N))
		case !p.Empty():
			n = max(n, int64(p.Position().N)-1)
		}
		switch c := &t.cut; {
		case c.live:
			n = max(n, c.slot)
		case c.based && c.timed:
			n = max(n, c.slotOf(c.place(c.last)))
		}
	}
	return n
}

// pending is the newest epoch if t has not begun it, or nil.
func (s *Segmenter) pending(t *track) *epoch {
	if e := &s.epochs[len(s.epochs)-1]; e.index > t.epoch {
		return e
	}
	return nil
}

// found gives t the base of the media that comes first in this run. It is that of the newest epoch, if the media can be of it.
func (s *Segmenter) found(ctx context.Context, now time.Time, t *track, u *unit) error {
	c := &t.cut
	if t.lag == nil {
		t.date(now, u)
	}
	raw := c.rawSlot(u.samples[0].DTS)
	b := s.baseOf(now, u.samples[0].DTS, c.timescale, t.lag)
	var err error
	opened := false
	if !s.joined {
		s.joined = true
		opened, err = s.join(ctx, now, raw, b)
	}
	e := &s.epochs[len(s.epochs)-1]
	switch goesOn := t.epoch == e.index; {
	case opened:
		b = e.base
	case goesOn && s.suits(now, e, t.base, raw) && t.line.Load().Current().Init.Digest == c.init.Digest:
		b = t.base
	case goesOn || s.suits(now, e, e.base, raw) && !s.sameInits(e, t): // what comes now is of other media
		switch {
		case !goesOn:
			b = e.base
		case s.suits(now, e, t.base, raw):
			b = t.base
		default:
			b = s.clear(b, raw, joining)
		}
		var fault error
		e, fault = s.begin(ctx, now, t, raw, b)
		b, err = e.base, join(err, fault)
	case s.suits(now, e, e.base, raw):
		b = e.base
	}
	c.base, c.based, c.epoch, c.phase = b, true, e.index, t.phase()
	if e.index > 0 {
		c.floor = max(c.floor, e.from)
	}
	return err
}

// hops reports whether t's media time jumps to at over a hole on the same time base, and which other base it jumps to if it does not.
func (s *Segmenter) hops(now time.Time, t *track, at int64, lag *big.Rat) (base, bool) {
	b := s.baseOf(now, at, t.cut.timescale, lag)
	return b, b.shift == t.cut.base.shift && at >= t.cut.next
}

// rebase follows a jump of t's media time: over a hole on the same time base, or to a new base in a new epoch. If no media is
// missing before it, every instance begins there.
func (s *Segmenter) rebase(ctx context.Context, now time.Time, t *track, l *landing) error {
	c := &t.cut
	err := s.lose(t)
	b, hops := s.hops(now, t, l.live(), l.lag)
	if hops {
		return err
	}
	first, live := c.rawSlot(l.units[0].unit.samples[0].DTS), c.rawSlot(l.live())
	e := s.pending(t)
	if e == nil || e.index <= c.epoch || absolute(live+e.base.shift-e.first) > int64(s.cfg.Window) {
		var fault error
		e, fault = s.begin(ctx, now, t, first, s.clear(b, live, !joining))
		err = join(err, fault)
	} // else another rendition jumped first
	s.enter(t, e, e.base)
	c.continuous = l.whole && first+e.base.shift <= e.from // or the epoch may have begun before this media
	return err
}

// change follows a new header: the media goes on in a new epoch, or in the one that another rendition has begun meanwhile.
func (s *Segmenter) change(ctx context.Context, now time.Time, t *track, u *unit) error {
	old := t.cut
	err := s.closeIf(ctx, t, old.live)
	f := frame{samples: int64(len(u.samples))}
	for i := range u.samples {
		f.ticks += int64(u.samples[i].Dur)
	}
	if u.init.Timescale == old.timescale && absolute(f.nominal()-old.frame.nominal()) <= old.frame.nominal()/8 {
		f = old.frame // the better measure
	}
	t.cut = newCut(s.plan, u.init, f, t.info.Packaging)
	c := &t.cut
	c.base, c.based, c.epoch, c.floor = old.base, old.based, old.epoch, old.floor
	t.resume()
	if !c.based {
		return err
	}
	newest := s.epochs[len(s.epochs)-1]
	in := t.epoch
	if in < 0 {
		if in = newest.index; s.sameInits(&newest, t) {
			return err // it begins with this header
		}
	}
	// A track may have a base of its own.
	own := !slices.ContainsFunc(s.epochs, func(e epoch) bool { return e.index == in && e.base.shift == c.base.shift })
	e := s.pending(t)
	if e == nil || !s.sameInits(e, t) { // one that began with another header is not of this change
		at := u.samples[0].DTS
		if c.video {
			at = u.samples[0].PTS()
		}
		var fault error
		e, fault = s.begin(ctx, now, t, c.rawSlot(at), newest.base)
		err = join(err, fault)
	}
	if own {
		s.enter(t, e, c.base)
	} else {
		s.enter(t, e, e.base)
	}
	c.continuous = old.continuous
	return err
}

// enter makes t drop what comes before the epoch and begin with it.
func (s *Segmenter) enter(t *track, e *epoch, b base) {
	c := &t.cut
	c.base, c.epoch = b, e.index
	c.slot, c.known = e.from-1, true
	c.seen, c.continuous, c.sure = e.from-1, true, true
	c.timed, c.inGroup, c.phase = false, false, 0
}

package segmenter

import (
	"context"
	"math/big"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// base is how media time becomes slots: n = slot(media time) + shift. It is whole slots, so that it means the same in every
// timescale.
type base struct {
	shift   int64
	arrival bool // derived from this machine's clock or from what was published before, not from the stream
}

// origin is what the base adds to media time, in ticks.
func (b base) origin(g timeline.Grid, timescale uint32) int64 {
	if b.shift < 0 {
		return -g.Start(uint64(-b.shift), timescale)
	}
	return g.Start(uint64(b.shift), timescale)
}

// epoch is a stretch of the whole presentation: every rendition begins it at slot first.
type epoch struct {
	index int
	first int64
	base  base
}

// How far media time may be from the clock to be taken for Unix time, and for the presentation's time.
const (
	unixTolerance = 24 * time.Hour
	sameTolerance = time.Minute
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
	// Nothing in the stream says when it is: what arrives now happens now. To the nearest slot, so that instances agree unless
	// they are very unlucky.
	duration := new(big.Rat).SetFrac(new(big.Int).SetUint64(g.Num), new(big.Int).SetUint64(g.Den))
	ahead := new(big.Rat).Quo(lag, duration)
	return base{shift: floor(ahead.Add(ahead, big.NewRat(1, 2))), arrival: true}
}

func absolute(v int64) int64 { return max(v, -v) }

// newest is the highest slot that any rendition has begun, or -1.
func (s *Segmenter) newest() int64 {
	n := int64(-1)
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
		if t.cut.live {
			n = max(n, t.cut.slot)
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

// begin opens a new epoch of the whole presentation.
func (s *Segmenter) begin(first int64, b base) *epoch {
	const kept = 16 // for renditions that lag; who lags more skips the oldest
	e := epoch{index: s.epochs[len(s.epochs)-1].index + 1, first: first, base: b}
	if len(s.epochs) == kept {
		s.epochs = s.epochs[1:]
	}
	s.epochs = append(s.epochs[:len(s.epochs):len(s.epochs)], e)
	s.events.Epochs++
	return &s.epochs[len(s.epochs)-1]
}

// rebase follows a jump of t's media time to at: over a hole on the same time base, or to a new base in a new epoch.
func (s *Segmenter) rebase(now time.Time, t *track, at int64) error {
	c := &t.cut
	err := s.lose(t)
	b := s.baseOf(now, at, c.timescale, behind(now, at, c.timescale))
	slot := c.rawSlot(at)
	if b.shift == c.base.shift && at >= c.next {
		return err
	}
	if t.epoch < 0 {
		c.base, c.timed = b, false
		return err
	}
	if e := s.pending(t); e != nil && absolute(slot+e.base.shift-e.first) <= int64(s.cfg.Window) {
		// Another rendition jumped first.
		s.enter(t, e, e.base)
		return err
	}
	least := s.newest() + 1
	if late := least - (slot + b.shift); late > maxStepBack || late > 0 && b.arrival {
		b = base{shift: least - slot, arrival: true}
	}
	s.enter(t, s.begin(max(slot+b.shift, least), b), b)
	return err
}

// change follows a new header: the media goes on in a new epoch, or in the one that another rendition has begun meanwhile.
func (s *Segmenter) change(ctx context.Context, t *track, u *unit) error {
	old := t.cut
	err := s.closeIf(ctx, t, old.live)
	f := frame{samples: int64(len(u.samples))}
	for i := range u.samples {
		f.ticks += int64(u.samples[i].Dur)
	}
	if u.init.Timescale == old.timescale && absolute(f.nominal()-old.frame.nominal()) <= old.frame.nominal()/8 {
		f = old.frame // the better measure
	}
	t.cut = newCut(s.plan, u.init, f)
	c := &t.cut
	c.base, c.based, c.floor = old.base, old.based, old.floor
	if t.epoch < 0 {
		return err
	}
	e := s.pending(t)
	if e == nil {
		slot := c.slotOf(u.samples[0].DTS)
		if c.video {
			slot = c.slotOf(u.samples[0].PTS())
		}
		e = s.begin(max(slot, s.newest()+1), s.epochs[len(s.epochs)-1].base)
	}
	s.enter(t, e, c.base)
	return err
}

// enter makes t drop what comes before the epoch and begin with it.
func (s *Segmenter) enter(t *track, e *epoch, b base) {
	c := &t.cut
	c.base = b
	c.slot, c.known = e.first-1, true
	c.seen, c.continuous, c.sure = e.first-1, true, true
	c.timed, c.inGroup, c.phase = false, false, 0
}

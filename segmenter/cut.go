package segmenter

import (
	"math"
	"math/big"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// cut decides where the parts and segments of a track begin. What it decides follows from the samples and the plan alone.
//
// A sample's place on the grid is its decode time plus the composition offset of the first sample of its group. That is where
// the group's presentation begins, so that video with B-frames, whose decode times run ahead, falls into the same slots as its
// audio, to the frame; and, unlike presentation times, it never runs backwards.
type cut struct {
	// The plan in the track's own ticks.
	grid      timeline.Grid
	init      *media.Init
	timescale uint32
	video     bool
	frame     frame
	half      int64         // half a frame
	off       int64         // how far times may be from the true ones
	slack     int64         // how early a sample may be and still belong to a slot
	parts     timeline.Grid // of even parts, from the segment's start; zero: parts have perPart frames
	perPart   int64         // frames in a part
	partLimit int64         // no part is longer, unless a single sample is
	groupDur  int64         // groups are not longer, as a rule; 0 if nothing is known
	limit     int64         // no segment may be longer

	base  base
	based bool  // base is known
	epoch int   // index of the epoch that media is of; the timeline may still have to begin it
	floor int64 // slots before this one are dropped, for the sake of a common start

	// The group that samples come from.
	group   uint64
	inGroup bool
	whole   bool  // seen from its start
	groupAt int64 // place of its first sample
	reorder int64 // composition offset of its first sample

	// Continuity.
	timed      bool
	next, last int64 // decode times: end and start of the newest sample
	continuous bool  // nothing has been lost since slot seen was entered
	seen       int64
	// Where every instance has cut, whatever it saw before (see settled).
	sure     bool
	earliest int64 // until sure: no instance's current segment began at an earlier place
	tried    int64 // slot of the newest group start

	// The segment being written, or the last one that was, or that cannot be.
	slot  int64
	known bool // slot is valid
	live  bool // slot is being written
	start int64
	shown int64 // added to decode times for the timeline
	phase int64 // of segment starts in their slots, for the nominal times of gaps
	cell  int64 // of the part being collected

	part   []media.Sample
	bytes  int
	pieces [][]byte
}

const (
	maxPartBytes   = 64 << 20
	maxPartSamples = 1 << 16
)

func newCut(p *plan, init *media.Init, f frame, packaging media.Packaging) cut {
	scale := big.NewRat(int64(init.Timescale), 1)
	ticks := func(r *big.Rat) int64 { return floor(new(big.Rat).Mul(r, scale)) }
	// A picture that is a little early for its slot, because it was captured or rounded so, is still the slot's. Audio that is early
	// may as well go with the slot before; its publishers begin groups with the first frame after the boundary, and a join there
	// shall find that frame to be the slot's first.
	slack := int64(1)
	if init.Kind == media.Video {
		slack = f.nominal() / 2
	}
	off := int64(0)
	switch packaging {
	case media.LOC, media.Legacy, media.MoqMI: // publishers' clocks, some in whole milliseconds (moq-cli has FLV's)
		off = int64(init.Timescale)/1000 + 1
	}
	perPart := framesIn(seconds(p.PartTarget), f, init.Timescale)
	parts, even := p.partGrid(f, init.Timescale)
	if !even {
		parts = timeline.Grid{}
	}
	return cut{
		off: off, slack: slack, grid: p.Grid, init: init, timescale: init.Timescale, video: init.Kind == media.Video, frame: f,
		half:      f.nominal() / 2,
		parts:     parts,
		perPart:   perPart,
		partLimit: ticks(seconds(p.PartTarget)),
		groupDur:  ticks(p.group),
		// EXTINF is rounded to the nearest second and may then not exceed the target duration (rfc8216bis 4.4.3.1).
		limit: ticks(big.NewRat(2*int64(p.TargetDuration)+1, 2)) - 1,
		part:  make([]media.Sample, 0, 64),
	}
}

// place is where a decode time of the current group lies on the grid.
func (c *cut) place(dts int64) int64 { return dts + c.reorder }

// rawSlot is the slot of a place were media time Unix time. Rounding at a boundary does not flip it.
func (c *cut) rawSlot(place int64) int64 { return int64(c.grid.Slot(place+c.slack, c.timescale)) }

// slotOf is the slot of a place.
func (c *cut) slotOf(place int64) int64 { return c.rawSlot(place) + c.base.shift }

// gap is the delay between the end of the newest sample and dts.
func (c *cut) gap(dts int64) int64 {
	if !c.timed {
		return 0
	}
	return dts - c.next
}

// enterGroup notes the group of a sample and reports whether it is the first of its group.
func (c *cut) enterGroup(loc media.Location, s *media.Sample) (first bool) {
	if c.inGroup && c.group == loc.Group {
		return false
	}
	c.group, c.inGroup, c.whole = loc.Group, true, loc.Object == 0
	if c.video && c.whole {
		c.reorder = int64(s.CTO)
	}
	c.groupAt = c.place(s.DTS)
	return c.whole
}

// opens reports whether a sample begins a new segment, and whether that segment begins without a stream access point because
// its group has outlived the slot.
func (c *cut) opens(s *media.Sample, groupStart bool) (slot int64, opens, forced bool) {
	at := c.place(s.DTS)
	slot = c.slotOf(at)
	if !c.continuous {
		c.continuous, c.seen = true, slot
		c.sure, c.earliest, c.tried = false, at-c.limit, slot-1
	}
	if slot < c.floor || c.known && slot <= c.slot {
		return slot, false, false
	}
	switch {
	case !c.video:
	case groupStart && s.Sync:
	case c.groupDur == 0 || c.whole && at-c.groupAt+c.half >= c.groupDur:
		forced = true // the group is longer than groups are
	case c.live && s.DTS+int64(s.Dur)-c.start > c.limit:
		forced = true // waiting for the next group would make the segment too long
	default:
		return slot, false, false
	}
	// After a join or a loss, the slot must be provably whole: nothing of it can have come before.
	switch {
	case c.video && !forced && c.groupDur > 0:
		opens = c.settled(slot, at)
	case c.video && c.groupDur > 0:
		opens = c.sure
	default:
		opens = slot > c.seen || c.slotOf(at-c.frame.nominal()+c.off) < slot
	}
	return slot, opens, opens && forced && !s.Sync
}

// settled reports whether every instance begins the slot with the group that starts at this place, the first one since the slot
// was entered. After a join or a loss that is not plain: an instance that saw more may have begun the slot earlier, with a group
// of it that was not seen here, or in the middle of a group, so that the segment before did not become too long. What is known of
// that segment is how early it can have begun, and from slot to slot that becomes certain.
func (c *cut) settled(slot, at int64) bool {
	begin := c.nominalStart(slot)
	switch {
	case c.sure || at-c.slack <= begin: // nothing of the slot can have come before
		c.sure = true
	case slot == c.tried:
	case slot == c.seen: // entered before the join
		c.earliest = begin
	case at <= c.earliest+c.limit-c.frame.nominal():
		c.sure = true
	default:
		c.earliest = min(at, max(begin, c.earliest+c.limit-c.frame.nominal()))
		c.sure = c.earliest == at
	}
	c.tried = slot
	return c.sure
}

// begins is the slot that video begins with, if its groups go on as they have been; where groups begin is known once one has been seen
// to begin.
func (c cut) begins() int64 {
	if c.live {
		return c.slot
	}
	const far = 1000 // groups: by then it is certain where others have cut, or never
	for at, i := c.groupAt+c.groupDur, 0; c.whole && c.groupDur > 0 && i < far; at, i = at+c.groupDur, i+1 {
		if slot := c.slotOf(at); slot > c.seen && slot >= c.floor && c.settled(slot, at) {
			return slot
		}
	}
	return c.seen + 1
}

// complete reports whether the segment being written can have no more samples.
func (c *cut) complete(groupEnded bool) bool {
	return c.live && (!c.video || c.groupDur == 0 || groupEnded) && c.slotOf(c.place(c.next)) > c.slot
}

// cellOf is the number of the part that a decode time belongs to, were it not for parts that had to be cut early.
func (c *cut) cellOf(dts int64) int64 {
	if c.parts.Num > 0 {
		return int64(c.parts.Slot(dts-c.start+c.half, c.timescale))
	}
	return (2*(dts-c.start)*c.frame.samples + c.frame.ticks) / (2 * c.perPart * c.frame.ticks)
}

// splits reports whether the part must end before s.
func (c *cut) splits(s *media.Sample) bool {
	if len(c.part) == 0 {
		return false
	}
	return c.cellOf(s.DTS) > c.cell || s.DTS+int64(s.Dur)-c.part[0].DTS > c.partLimit ||
		c.bytes+len(s.Data) > maxPartBytes || len(c.part) == maxPartSamples
}

// take adds s to the part.
func (c *cut) take(s *media.Sample) {
	if len(c.part) == 0 {
		// A part that had to begin just before a boundary reaches over it.
		c.cell = c.cellOf(s.DTS + (c.perPart-1)*c.frame.nominal()/2)
	}
	c.part = append(c.part, *s)
	c.bytes += len(s.Data)
}

// join makes the sample before s last until s, where a publisher's durations and times do not agree to the tick: inside a
// fragment, decode times are sums of durations.
func (c *cut) join(s *media.Sample) {
	if len(c.part) == 0 || c.next == s.DTS {
		return
	}
	before := &c.part[len(c.part)-1]
	if dur := s.DTS - before.DTS; s.DTS-c.part[0].DTS <= c.partLimit && dur <= math.MaxUint32 {
		before.Dur = uint32(dur)
	}
}

// follows reports whether s can stand in the same fragment as the samples before it.
func (c *cut) follows(s *media.Sample) bool {
	n := len(c.part)
	return n == 0 || c.part[n-1].DTS+int64(c.part[n-1].Dur) == s.DTS
}

// began notes where the segment that has just been opened lies in its slot.
func (c *cut) began() {
	start, dur := c.nominal(c.base, 0)(uint64(c.slot))
	if phase := c.start + c.shown - start; absolute(phase) < dur {
		c.phase = phase
	}
}

// nominalStart is the first place of a slot.
func (c *cut) nominalStart(slot int64) int64 {
	return c.grid.Start(uint64(max(0, slot-c.base.shift)), c.timescale)
}

// nominal is where slots lie in media time, for gaps.
func (c *cut) nominal(b base, phase int64) func(n uint64) (start, dur int64) {
	return func(n uint64) (start, dur int64) {
		v := uint64(max(0, int64(n)-b.shift))
		start = c.grid.Start(v, c.timescale)
		dur = max(1, c.grid.Start(v+1, c.timescale)-start)
		if start < math.MaxInt64/2 {
			start += phase
		}
		return start, dur
	}
}

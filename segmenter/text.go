package segmenter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// text is what a track of subtitles has beside a cut.
//
// Nobody speaks all the time, so the track says nothing for as long as it likes; and what is shown may be shown for longer than a
// slot. Its slots are therefore cut by the time of the others: each gets what is shown in it, and blanks in between, in one part. It
// is published when the pictures of the slot are there, as soon as a later sample proves that no more will come, or half a slot
// later. What comes later than that is dropped: no clock decides, only the objects of the broadcast.
type text struct {
	ordered bool  // samples come in the order of their times, so that a later one proves the silence before it
	next    int64 // slot to be published next
	placed  bool  // next is known
	proven  int64 // nothing new will come for slots before this one
	cues    []cue // by start, and as they came
	size    int   // bytes of cues
	broken  []gap // media of these slots is lost
	heard   bool  // something came,
	until   int64 // that ends in this slot
	over    bool  // the track has ended
}

// cue is a sample that is to be shown.
type cue struct {
	from, to int64 // ticks
	shift    int64 // of the base that the ticks are on
	data     []byte
}

// gap is a stretch of slots.
type gap struct{ from, to int64 }

// Bounds of what a track of text may hold and show at a time.
const (
	maxCues     = 1024
	maxCueBytes = 1 << 20
	maxShown    = 16
	maxText     = 4 << 20 // bytes in a slot
)

var (
	errTextTime = errors.New("the time of the text is not that of the broadcast")
	errTextSize = errors.New("more text than can be shown")
)

// textCut is a cut for a track whose samples have no rhythm.
func textCut(p *plan, init *media.Init) cut {
	return cut{grid: p.Grid, init: init, timescale: init.Timescale, frame: frame{ticks: 1, samples: 1}}
}

// startText lets a track of text publish.
func (s *Segmenter) startText(t *track) {
	if t.line == nil {
		t.line = timeline.New(s.plan.Window, 1)
	}
	t.cut, t.started = textCut(s.plan, t.header.init), true
	t.cut.floor = s.room
	t.text.ordered = t.info.Packaging != media.EventTimeline
	t.resume()
}

// startTexts starts the tracks of text whose header is known: they are shown before anything is said.
func (s *Segmenter) startTexts() {
	for _, t := range s.tracks {
		if t.text != nil && !t.started && !t.done && t.header.init != nil {
			s.startText(t)
		}
	}
}

// lead is how far the pictures are, or the sound where there are none: slots before reached are over, those before late half a slot
// ago. ok is false before they have begun.
func (s *Segmenter) lead() (reached, late int64, ok bool) {
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		for _, t := range s.tracks {
			if c := &t.cut; t.info.Kind == kind && t.started && c.based && c.timed {
				at := c.place(c.next)
				half := c.grid.Start(1, c.timescale) / 2
				reached, late, ok = max(reached, c.slotOf(at)), max(late, c.slotOf(at-half)), true
			}
		}
		if ok {
			return reached, late, ok
		}
	}
	return 0, 0, false
}

// subtitle takes the samples of an object of text.
func (s *Segmenter) subtitle(ctx context.Context, t *track, u *unit) error {
	reached, _, ok := s.lead()
	if !ok || !t.started {
		return nil
	}
	x := t.text
	x.over = x.over || u.ended
	var err error
	again := !x.ordered && u.loc.Object == 0 // all that was said, and nothing is lost
	lost := u.lost && !again
	if lost {
		s.events.Losses++
	}
	if lost && !x.ordered && x.placed { // what was lost may be for any slot to come
		x.broken = append(x.broken, gap{x.next, reached})
		lost = false
	}
	timely := 0
	for i := range u.samples {
		m := &u.samples[i]
		shift, known := s.textShift(u.init.Timescale, m.DTS, reached)
		if !known {
			continue
		}
		timely++
		if u.init.Digest != t.cut.init.Digest {
			err = join(err, s.restyle(ctx, t, u))
		}
		c := cue{m.DTS, m.DTS + int64(m.Dur), shift, m.Data}
		x.place(&t.cut, reached, &c)
		if lost {
			x.lose(&t.cut, &c)
			lost = false
		}
		if e := s.show(t, &c, again); e != nil {
			err = join(err, s.bad(t, u.loc, e))
		}
	}
	if len(u.samples) > 0 && timely == 0 {
		err = join(err, s.bad(t, u.loc, errTextTime))
	}
	return join(err, s.publishText(ctx, t))
}

// textShift finds the epoch that a media time is of, by where the others are.
func (s *Segmenter) textShift(timescale uint32, at, reached int64) (shift int64, ok bool) {
	same := s.slots(sameTolerance)
	for i := len(s.epochs) - 1; i >= 0; i-- {
		e := &s.epochs[i]
		if n := int64(s.plan.Grid.Slot(at, timescale)) + e.base.shift; absolute(n-reached) <= same && (n+1 >= e.from || i == 0) {
			return e.base.shift, true
		}
	}
	return 0, false
}

// place decides which slot the track begins with: that of the pictures, if it joined with them, else the first one after the join;
// or that of the first sample, unless something may have been shown in it before.
func (x *text) place(c *cut, reached int64, first *cue) {
	if x.placed {
		return
	}
	x.placed, x.next = true, reached+1
	joined := c.floor > 0 && !c.known
	if joined {
		x.next = c.floor
	}
	if first != nil {
		k := c.slotAt(first.from-1, first.shift) + 1
		if joined {
			x.next = max(x.next, k)
		} else {
			x.next = min(x.next, k)
		}
	}
	if x.next = max(x.next, c.floor); c.known {
		x.next = max(x.next, c.slot+1)
	}
}

// lose notes that samples before the cue are missing.
func (x *text) lose(c *cut, next *cue) {
	from, to := x.next, c.slotAt(next.from-1, next.shift)
	if x.heard {
		from = max(from, x.until)
	}
	if from <= to {
		x.broken = append(x.broken, gap{from, to})
	}
}

// slotAt is the slot of a tick on a base.
func (c *cut) slotAt(at, shift int64) int64 { return int64(c.grid.Slot(at, c.timescale)) + shift }

// show takes a cue in, unless its time is over. again: then it may have been shown.
func (s *Segmenter) show(t *track, c *cue, again bool) error {
	x, k := t.text, &t.cut
	end := k.slotAt(c.to, c.shift)
	x.heard, x.until = true, max(x.until, end)
	if x.ordered {
		x.proven = max(x.proven, end)
	}
	if len(c.data) == 0 {
		return nil
	}
	if k.slotAt(c.to-1, c.shift) < x.next {
		if !again {
			s.events.LateText++
		}
		return nil
	}
	if len(x.cues) == maxCues || x.size+len(c.data) > maxCueBytes {
		return errTextSize
	}
	c.data = bytes.Clone(c.data) // it may wait for long, and the object's payload shall not
	at, _ := slices.BinarySearchFunc(x.cues, c, func(a cue, b *cue) int {
		return cmp.Or(cmp.Compare(k.slotAt(a.from, a.shift), k.slotAt(b.from, b.shift)), cmp.Compare(a.from, b.from), -1)
	})
	x.cues, x.size = slices.Insert(x.cues, at, *c), x.size+len(c.data)
	return nil
}

// subtitles publishes what the others have made due of all tracks of text.
func (s *Segmenter) subtitles(ctx context.Context) (err error) {
	for _, t := range s.tracks {
		if t.text == nil {
			continue
		}
		if t.done && t.again {
			t = s.revive(t)
			if t.header.init == nil {
				continue
			}
			s.startText(t)
			err = join(err, s.offer(ctx))
		}
		err = join(err, s.publishText(ctx, t))
	}
	return err
}

// publishText publishes the slots of t that are due.
func (s *Segmenter) publishText(ctx context.Context, t *track) error {
	reached, late, ok := s.lead()
	if !ok || !t.started || t.done {
		return nil
	}
	x := t.text
	x.place(&t.cut, reached, nil)
	x.next = max(x.next, reached-int64(s.plan.Window)) // the others went on after a long pause: it is one here, too
	var err error
	for ; x.next < reached && (x.next < late || x.next < x.proven) && !t.done; x.next++ {
		err = join(err, s.textSlot(ctx, t, x.next))
	}
	if x.over && len(x.cues) == 0 && !t.done && x.next >= x.until {
		err = join(err, s.finish(ctx, t, true))
	}
	return err
}

// endText publishes all slots that the others have media of.
func (s *Segmenter) endText(ctx context.Context, t *track) (err error) {
	reached, _, ok := s.lead()
	if !ok || !t.started || t.done {
		return nil
	}
	for _, o := range s.tracks { // the last slot, unless the media ends with the one before
		if c := &o.cut; o.text == nil && o.started && c.based && c.timed {
			reached = max(reached, c.slotOf(c.place(c.next)-1)+1)
		}
	}
	t.text.place(&t.cut, reached, nil)
	t.text.proven = math.MaxInt64
	for x := t.text; x.next < reached && !t.done; x.next++ {
		err = join(err, s.textSlot(ctx, t, x.next))
	}
	return err
}

// restyle follows a new header into the epoch that begins with it: one that the others have begun, or a new one from the next slot
// on. What is known of the slots before is published with the old header.
func (s *Segmenter) restyle(ctx context.Context, t *track, u *unit) (err error) {
	x, old := t.text, t.cut
	t.cut = textCut(s.plan, u.init)
	c := &t.cut
	c.base, c.based, c.slot, c.known, c.floor = old.base, old.based, old.slot, old.known, old.floor
	if t.epoch < 0 {
		return nil
	}
	e := s.pending(t)
	if e == nil || !s.sameInits(e, t) {
		next := c.grid.Slot(u.samples[0].DTS-1, c.timescale) + 1
		if e, err = s.begin(ctx, s.now, t, int64(next), s.epochs[len(s.epochs)-1].base); e == nil {
			return err
		}
	}
	from, restyled := e.from, t.cut
	for t.cut = old; x.next < from && !t.done; x.next++ {
		err = join(err, s.textSlot(ctx, t, x.next))
	}
	restyled.slot, restyled.known = t.cut.slot, t.cut.known
	if t.cut = restyled; old.timescale != restyled.timescale {
		x.cues, x.size = nil, 0
	}
	return err
}

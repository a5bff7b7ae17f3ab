package segmenter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// undated is a broadcast whose time is not the clock's, from a second of the clock on. The publisher's clock is set back by so many
// seconds.
func undated(t *testing.T, from, seconds, back int64) []object {
	t.Helper()
	return behind(t, unix-1000, from, seconds, back)
}

// behind is one whose time is so many seconds behind the clock.
func behind(t *testing.T, lag, from, seconds, back int64) []object {
	t.Helper()
	v, a := plain()
	v.start, a.start = (unix-lag+from-back)*12800, (unix-lag+from-back)*48000
	all := interleave(v.seconds(t, seconds), a.seconds(t, seconds))
	for i := range all {
		all[i].at += (lag + back) * 1e6
		all[i].Group += uint64(from)
	}
	return all
}

// pair is a shared store and those who use it.
type pair struct {
	t      *testing.T
	record *shared
	alive  []*channel
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t}
	p.record = newShared(&ledger{}, newStore(t), func() []*channel { return p.alive })
	return p
}

// join starts an instance from the record.
func (p *pair) join() *channel { return p.with(cfg()) }

func (p *pair) with(cfg segmenter.Config) *channel {
	p.t.Helper()
	c := &channel{t: p.t, store: p.record.store, ledger: p.record}
	var err error
	if c.Segmenter, err = segmenter.New(cfg, c.store, p.record, p.record.past()); err != nil {
		p.t.Fatal(err)
	}
	v, a := plain()
	if err := c.Catalog(p.t.Context(), time.Unix(unix, 0), []media.Track{v.track(p.t), a.track(p.t)}); err != nil {
		p.t.Fatal(err)
	}
	p.alive = append(p.alive, c)
	return c
}

// send is what all who are alive receive.
func (p *pair) send(objects ...object) {
	p.t.Helper()
	for _, o := range objects {
		for _, c := range p.alive {
			c.send(o)
		}
	}
}

// at is the slot that a channel publishes next, counted from zero.
func at(c *channel) int64 { return int64(c.line("v").Timeline.Load().Position().N) - zero }

// begun are the epochs that were claimed and the one that the channel is in.
func (p *pair) begun(c *channel, claims int, index int) {
	p.t.Helper()
	for _, name := range []string{"v", "a"} {
		if e := c.line(name).Timeline.Load().Current(); len(p.record.claims) != claims || e.Index != index {
			p.t.Errorf("%s: claims %+v, epoch %+v, want %d and epoch %d", name, p.record.claims, e, claims, index)
		}
	}
	if len(c.faults) > 0 {
		p.t.Errorf("faults %v", c.faults)
	}
}

func TestWhoJoinsHoldsMediaUntilAClaimWouldHaveBeenHeard(t *testing.T) {
	p := newPair(t)
	first := p.join()
	p.send(undated(t, 0, 9, 0)...)
	late := p.join()
	for _, o := range undated(t, 9, 14, 0) {
		p.send(o)
		if o.at < (unix+15)*1e6 && at(late) != 4 {
			t.Fatalf("after %d ms slot %d is next", o.at/1000-(unix+9)*1000, at(late))
		}
	}
	if at(first) != at(late) {
		t.Errorf("they are at %d and %d", at(first), at(late))
	}
	p.begun(late, 1, 0)
}

// The publisher begins anew just before an instance joins that had looked into the record just before that.
func TestWhoJoinsTakesTheEpochThatAnotherBeginsMeanwhile(t *testing.T) {
	p := newPair(t)
	first := p.join()
	p.send(undated(t, 0, 9, 0)...)
	late := p.join()
	again := undated(t, 10, 16, 7)
	first.send(again[:2]...)
	p.send(again[2:]...)
	if at(first) != at(late) {
		t.Errorf("they are at %d and %d", at(first), at(late))
	}
	p.begun(first, 2, 1)
	p.begun(late, 2, 1)
}

// Nobody is there who saw the publisher begin anew. Its clock is set back, so that what had been published comes again, with other
// content.
func TestWhoIsAloneGoesOnBehindAllThatMayHaveBeenPublished(t *testing.T) {
	for _, back := range []int64{0, 3, 14} {
		p := newPair(t)
		first := p.join()
		p.send(undated(t, 0, 9, 0)...)
		late := p.join()
		first.send(undated(t, 9, 2, 0)...) // after the other one has looked into the record
		p.alive = []*channel{late}
		p.record.take(&first.past().Renditions[0])
		p.send(undated(t, 12, 24, back)...)
		p.begun(late, 1, 0)
		for _, g := range late.line("v").Timeline.Load().Segments {
			if n := int64(g.N) - zero; g.State == timeline.Full && n > 3 && n < 7 { // the other one had begun slot 5
				t.Errorf("%d s back: slot %d is published", back, n)
			}
		}
		if want := (36 - back) / 2; at(late) < want-1 {
			t.Errorf("%d s back: slot %d is next, want %d", back, at(late), want)
		}
	}
}

func TestMediaOfBeforeAJumpIsDroppedWhileItIsHeld(t *testing.T) {
	p := newPair(t)
	first := p.join()
	p.send(undated(t, 0, 9, 0)...)
	late := p.join()
	p.send(undated(t, 9, 4, 0)...)
	p.send(undated(t, 13, 20, 5)...)
	if at(first) != at(late) {
		t.Errorf("they are at %d and %d", at(first), at(late))
	}
	p.begun(first, 2, 1)
	p.begun(late, 2, 1)
}

func TestStoreThatIsDownLeavesWhoJoinsNotInDoubtForEver(t *testing.T) {
	p := newPair(t)
	p.join()
	p.send(undated(t, 0, 9, 0)...)
	late := p.join()
	p.record.down = errors.New("no route to host")
	p.send(undated(t, 9, 14, 0)...)
	if at(late) < 10 || len(late.faults) != 1 || !errors.Is(late.faults[0], p.record.down) {
		t.Errorf("slot %d is next, faults %v", at(late), late.faults)
	}
}

func TestPublisherThatJumpsAboutLeavesNobodyInDoubtForEver(t *testing.T) {
	p := newPair(t)
	p.join()
	p.send(undated(t, 0, 9, 0)...)
	late := p.join()
	p.alive = []*channel{late}
	for i := range int64(18) {
		p.send(undated(t, 9+4*i, 4, 2*i)...)
	}
	if at(late) < 10 {
		t.Errorf("slot %d is next", at(late))
	}
}

func TestWhatIsHeldInDoubtIsBounded(t *testing.T) {
	p := newPair(t)
	p.join()
	p.send(undated(t, 0, 9, 0)...)
	small := cfg()
	small.HoldBytes = 4000
	late := p.with(small)
	p.alive = []*channel{late}
	p.send(undated(t, 9, 14, 0)...)
	line := late.line("v").Timeline.Load()
	if g := line.Segment(zero + 6); at(late) < 10 || g == nil || g.State != timeline.Gap { // it was held, and dropped
		t.Errorf("slot %d is next: %s", at(late), show(line, zero))
	}
	p.begun(late, 1, 0)
}

// The pictures tell the time of day: there is no doubt.
func TestWhoJoinsPublishesDatedMediaAtOnce(t *testing.T) {
	p := newPair(t)
	p.join()
	v, a := plain()
	all := interleave(v.seconds(t, 14), a.seconds(t, 14))
	p.send(between(all, 0, 9)...)
	late := p.join()
	p.send(between(all, 9, 13)...)
	if at(late) != 6 {
		t.Errorf("slot %d is next", at(late))
	}
}

// A relay begins with the group that is under way, and its beginning may be older than what makes doubt.
func TestWhoJoinsInTheMidstOfALongGroupPublishesDatedMediaAtOnce(t *testing.T) {
	p := newPair(t)
	p.join()
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	p.send(between(all, 0, 9)...)
	late, joined := p.join(), int64(unix+18)*1e6
	for i, o := range between(all, 10, 20) {
		o.at = max(o.at, joined+int64(i)*500) // in a burst
		p.send(o)
	}
	if at(late) != 9 {
		t.Errorf("slot %d is next", at(late))
	}
}

// Nobody else is there to see the publisher begin anew.
func TestWhoSeesTimeJumpBackBeginsTheEpochItself(t *testing.T) {
	for _, tt := range []struct{ lag, back, next int64 }{
		{unix - 1000, 5, 10},
		{unix - 1000, 40, 11},
		{3600, 40, 11 - 1800}, // a clock that is wrong
	} {
		p := newPair(t)
		p.join()
		p.send(behind(t, tt.lag, 0, 9, 0)...)
		late := p.join()
		p.alive = []*channel{late}
		p.send(behind(t, tt.lag, 9, 4, 0)...)
		p.send(behind(t, tt.lag, 13, 10, tt.back)...)
		p.begun(late, 2, 1)
		if at(late) != tt.next {
			t.Errorf("%+v: slot %d is next", tt, at(late))
		}
	}
}

// One object with a wild time is bad input, as it is when nothing is in doubt.
func TestWildTimeIsNoNewPublisherWhileItIsHeld(t *testing.T) {
	for _, wild := range []int64{-40, 40} {
		p := newPair(t)
		first := p.join()
		p.send(undated(t, 0, 9, 0)...)
		late := p.join()
		all := undated(t, 9, 16, 0)
		o := &all[200]
		o.Payload = undated(t, 9, 16, -wild)[200].Payload
		o.Group = all[199].Group
		p.send(all...)
		if at(first) != at(late) || late.Events().Epochs > 0 {
			t.Errorf("%d s: they are at %d and %d, events %+v, faults %v", wild, at(first), at(late), late.Events(), late.faults)
		}
		if e := late.line("v").Timeline.Load().Current(); len(p.record.claims) != 1 || e.Index != 0 {
			t.Errorf("claims %+v, epoch %+v", p.record.claims, e)
		}
	}
}

// lends is what another instance has published.
func (c *channel) lends(track string, from, to uint64) (lent []timeline.Segment) {
	for _, g := range c.line(track).Timeline.Load().Segments {
		if g.N >= from && g.N < to {
			lent = append(lent, g)
		}
	}
	return lent
}

// The broadcast ends while media is held. What another instance has published is the end of all timelines; of who is alone, it is what
// it holds.
func TestEndLeavesNobodyInDoubt(t *testing.T) {
	for _, alone := range []bool{false, true} {
		p := newPair(t)
		first := p.join()
		p.send(undated(t, 0, 9, 0)...)
		late := p.join()
		p.record.published = first.lends
		if alone {
			p.alive = []*channel{late}
		}
		p.send(undated(t, 20, 5, 0)...)
		for _, c := range p.alive {
			if err := c.End(t.Context()); err != nil {
				t.Error(err)
			}
		}
		want := "0 1 2 3 (4) (5) (6) (7) (8) (9) 10 11 12 end"
		if got := show(late.line("v").Timeline.Load(), zero); got != want {
			t.Errorf("alone %v: %q, want %q", alone, got, want)
		}
		if !alone && at(first) != at(late) {
			t.Errorf("they end at %d and %d", at(first), at(late))
		}
		p.begun(late, 1, 0)
	}
}

func TestWhoComesForTheEndHasWhatAnotherPublished(t *testing.T) {
	p, small := newPair(t), cfg()
	small.Window = 8
	first := p.with(small)
	p.send(undated(t, 0, 9, 0)...)
	late := p.with(small)
	first.send(undated(t, 9, 40, 0)...)
	p.record.published = func(track string, from, to uint64) []timeline.Segment { return first.lends(track, from, to-3) }
	for _, c := range p.alive {
		if err := c.End(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"v", "a"} {
		x, y := first.line(name).Timeline.Load(), late.line(name).Timeline.Load()
		if !y.Ended || y.Position().N+3 != x.Position().N {
			t.Errorf("%s: %s, want all but three of %s", name, show(y, zero), show(x, zero))
		}
		for i := range y.Segments[1:] {
			if g, next := &y.Segments[i], &y.Segments[i+1]; g.End() != next.Start {
				t.Errorf("%s: segment %d ends at %d, the next begins at %d", name, g.N, g.End(), next.Start)
			}
		}
	}
}

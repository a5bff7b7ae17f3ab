package segmenter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// ledger is a store's claims in memory.
type ledger struct {
	plan    *segmenter.Plan
	claims  []segmenter.Epoch  // ascending Index
	changes []segmenter.Change // ascending Index
	// fail is asked before a claim, and after it was recorded.
	fail      func(recorded bool) error
	answer    func(segmenter.Epoch) segmenter.Epoch // instead of what is recorded
	turn      func(segmenter.Change) segmenter.Change
	published func(track string, from, to uint64) []timeline.Segment
}

func (l *ledger) fails(recorded bool) error {
	if l.fail == nil {
		return nil
	}
	return l.fail(recorded)
}

func (l *ledger) Plan(_ context.Context, p segmenter.Plan) (segmenter.Plan, error) {
	if err := l.fails(false); err != nil {
		return segmenter.Plan{}, err
	}
	if l.plan == nil {
		l.plan = &p
	}
	return *l.plan, l.fails(true)
}

func (l *ledger) Begin(_ context.Context, e segmenter.Epoch) (segmenter.Epoch, error) {
	if err := l.fails(false); err != nil {
		return segmenter.Epoch{}, err
	}
	if l.answer != nil {
		return l.answer(e), nil
	}
	for _, c := range l.claims {
		if c.Index == e.Index {
			return c, nil
		}
	}
	l.claims = append(l.claims, e)
	return e, l.fails(true)
}

func (l *ledger) Turn(_ context.Context, c segmenter.Change) (segmenter.Change, error) {
	if err := l.fails(false); err != nil {
		return segmenter.Change{}, err
	}
	if l.turn != nil {
		return l.turn(c), nil
	}
	for _, won := range l.changes {
		if won.Index == c.Index {
			return won, nil
		}
	}
	l.changes = append(l.changes, c)
	return c, l.fails(true)
}

func (l *ledger) Published(_ context.Context, track string, from, to uint64) []timeline.Segment {
	if l.published == nil {
		return nil
	}
	return l.published(track, from, to)
}

// wide is the header of a source with another picture.
func wide(t testing.TB, s source) []byte {
	t.Helper()
	b := bytes.Clone(s.init(t))
	binary.BigEndian.PutUint16(b[bytes.Index(b, []byte("avc1"))+4+24:], 256)
	return b
}

// share is a channel that settles with others.
func share(t testing.TB, l *ledger, sources ...source) *channel {
	t.Helper()
	c := &channel{t: t, store: newStore(t), ledger: l}
	var err error
	if c.Segmenter, err = segmenter.New(cfg(), c.store, l, nil); err != nil {
		t.Fatal(err)
	}
	var tracks []media.Track
	for _, s := range sources {
		tracks = append(tracks, s.track(t))
	}
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
		t.Fatal(err)
	}
	return c
}

// later is objects as they come to an instance that is so many milliseconds further away, or whose clock is.
func later(all []object, ms int64) []object {
	all = slices.Clone(all)
	for i := range all {
		all[i].at += ms * 1000
	}
	return all
}

// sameEpochs fails unless both channels are in the same epochs, and put the same media under the same names.
func sameEpochs(t *testing.T, a, b *channel, names int) {
	t.Helper()
	for _, r := range a.Output().Renditions {
		x, y := r.Timeline.Load(), b.line(r.Track.Name).Timeline.Load()
		if x.Position() != y.Position() {
			t.Errorf("%s is at %+v and at %+v", r.Track.Name, x.Position(), y.Position())
		}
		e, o := *x.Current(), *y.Current()
		e.Init, o.Init = nil, nil
		if diff := cmp.Diff(e, o); diff != "" {
			t.Errorf("%s: %s", r.Track.Name, diff)
		}
	}
	if n := agree(t, a.store, b.store); n < names {
		t.Errorf("only %d names in common", n)
	}
}

// A publisher whose time is no Unix time: what one instance took it for, those who come later take it for.
func TestInstancesShareTheBaseWheneverTheyJoined(t *testing.T) {
	v, a := plain()
	v.start, a.start = 1000*12800, 1000*48000
	all := later(interleave(v.seconds(t, 20), a.seconds(t, 20)), (unix-1000)*1000)
	for _, away := range []int64{0, 900, 1100, 5000, -3000} {
		l := &ledger{}
		first, second := share(t, l, v, a), share(t, l, v, a)
		first.send(all...)
		second.send(later(all[400:], away)...)
		sameEpochs(t, first, second, 50)
		if len(l.claims) != 1 || len(first.faults)+len(second.faults) > 0 {
			t.Errorf("%d ms away: claims %+v, faults %v %v", away, l.claims, first.faults, second.faults)
		}
	}
}

// restarted is a broadcast whose publisher comes back with another time base, after so many objects.
func restarted(t *testing.T) (v, a source, all []object, after int) {
	t.Helper()
	v, a = plain()
	v.start, a.start = 1000*12800, 1000*48000
	all = later(interleave(v.seconds(t, 9), a.seconds(t, 9)), (unix-1000)*1000)
	after = len(all)
	again, sound := v, a
	again.start, sound.start = 500*12800, 500*48000
	return v, a, append(all, later(interleave(again.seconds(t, 15), sound.seconds(t, 15)), (unix+20-500)*1000)...), after
}

func TestInstancesBreakAtTheSameSlot(t *testing.T) {
	v, a, all, after := restarted(t)
	for _, away := range []int64{0, 900, 1500, 3000, -3000} {
		l := &ledger{}
		first, second, late := share(t, l, v, a), share(t, l, v, a), share(t, l, v, a)
		first.send(all...)
		second.send(later(all[300:after], away/3)...)
		second.send(later(all[after:], away)...)
		late.send(later(all[after+300:], away)...)
		sameEpochs(t, first, second, 80)
		sameEpochs(t, first, late, 40)
		if e := late.line("v").Timeline.Load().Current(); len(l.claims) != 2 || e.Index != 1 {
			t.Errorf("%d ms away: claims %+v, epoch %+v", away, l.claims, e)
		}
		if len(first.faults)+len(second.faults)+len(late.faults) > 0 {
			t.Errorf("faults %v %v %v", first.faults, second.faults, late.faults)
		}
	}
}

func TestRestartedInstanceFindsTheEpochThatTheOtherBegan(t *testing.T) {
	v, a, all, after := restarted(t)
	l := &ledger{}
	first, second := share(t, l, v, a), share(t, l, v, a)
	first.send(all...)
	second.send(all[:after-100]...)
	second = second.again(v.track(t), a.track(t))
	second.send(later(all[after+100:], 1200)...)
	sameEpochs(t, first, second, 80)
	x, y := first.line("v").Timeline.Load(), second.line("v").Timeline.Load()
	for i := range y.Segments {
		if g := &y.Segments[i]; g.Epoch != x.Segment(g.N).Epoch {
			t.Errorf("segment %d is of epoch %d, elsewhere of %d", g.N, g.Epoch, x.Segment(g.N).Epoch)
		}
	}
}

// The claim was recorded and nobody heard of it: what the instance then does on its own is what the others find.
func TestLostAcknowledgementIsReportedAndChangesNothing(t *testing.T) {
	v, a, all, _ := restarted(t)
	lost := errors.New("connection reset")
	l := &ledger{fail: func(recorded bool) error {
		if recorded {
			return lost
		}
		return nil
	}}
	first, second := share(t, l, v, a), share(t, l, v, a)
	first.send(all...)
	l.fail = nil
	second.send(later(all[300:], 1000)...)
	sameEpochs(t, first, second, 80)
	if len(first.faults) != 2 || !errors.Is(first.faults[0], lost) || len(second.faults) > 0 {
		t.Errorf("faults %v, %v", first.faults, second.faults)
	}
}

func TestLedgerThatIsDownDoesNotStopTheLine(t *testing.T) {
	v, a, all, _ := restarted(t)
	down := errors.New("no route to host")
	c := share(t, &ledger{fail: func(bool) error { return down }}, v, a)
	c.send(all...)
	alone := newChannel(t, cfg(), v, a)
	alone.send(all...)
	sameEpochs(t, alone, c, 80)
	if len(c.faults) != 2 || !errors.Is(c.faults[1], down) {
		t.Errorf("faults %v", c.faults)
	}
}

// Whatever a ledger answers, the line goes on, and what makes no sense is reported.
func TestHostileLedgerDoesNotStopTheLine(t *testing.T) {
	v, a, all, _ := restarted(t)
	for name, tt := range map[string]struct {
		answer func(e segmenter.Epoch) segmenter.Epoch
		faults bool
	}{
		"far":         {func(e segmenter.Epoch) segmenter.Epoch { e.First += 1 << 30; return e }, true},
		"beyond":      {func(e segmenter.Epoch) segmenter.Epoch { e.First = math.MaxUint64; return e }, true},
		"shifted":     {func(e segmenter.Epoch) segmenter.Epoch { e.Shift = math.MinInt64; return e }, true},
		"back":        {func(e segmenter.Epoch) segmenter.Epoch { e.Index--; return e }, true},
		"other media": {func(e segmenter.Epoch) segmenter.Epoch { e.Shift += 1000; return e }, true},
		"other headers": {func(e segmenter.Epoch) segmenter.Epoch {
			e.Inits = map[string]string{"v": "0badf00d", "a": "0badf00d"}
			return e
		}, true},
		"one of them": {func(e segmenter.Epoch) segmenter.Epoch {
			if e.Index == 1 {
				e.Inits = map[string]string{"v": "0badf00d", "a": "0badf00d"}
			}
			return e
		}, false},
	} {
		l := &ledger{answer: tt.answer}
		c := share(t, l, v, a)
		c.send(all...)
		s := c.line("v").Timeline.Load()
		if at := s.Position().N; at < zero+16 || s.Segments[len(s.Segments)-1].State != timeline.Full {
			t.Errorf("%s: the line is at %d: %s", name, int64(at-zero), show(s, zero))
		}
		if (len(c.faults) > 0) != tt.faults {
			t.Errorf("%s: faults %v", name, c.faults)
		}
		if name == "one of them" && s.Current().Index != 2 {
			t.Errorf("epoch %+v, want the one after that of other media", s.Current())
		}
	}
}

func TestHeaderThatChangedIsFoundByWhoJoinsLater(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 30), a.seconds(t, 30))
	changed := v
	changed.header = wide(t, v)
	for i := range all {
		if o := &all[i]; o.track == "v" && o.Group == 6 && o.Object.Object == 0 {
			o.Payload = append(bytes.Clone(changed.header), o.Payload...)
		}
	}
	l := &ledger{}
	first, late := share(t, l, v, a), share(t, l, changed, a)
	first.send(all...)
	late.send(all[900:]...)
	sameEpochs(t, first, late, 40)
	if e := late.line("a").Timeline.Load().Current(); e.Index != 1 || e.First != zero+4 || len(l.claims) != 2 {
		t.Errorf("epoch %+v, claims %+v", e, l.claims)
	}
}

func TestPlanOfTheFirstInstanceIsThatOfAll(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 10), a.seconds(t, 10))
	l := &ledger{}
	slow := v
	slow.group = 60 // measured elsewhere, before the publisher changed its mind
	first := share(t, l, slow, a)
	first.send(interleave(slow.seconds(t, 6), a.seconds(t, 6))...)
	second := share(t, l, v, a)
	second.send(all...)
	if x, y := first.Output().Plan, second.Output().Plan; x != y || x.Grid == (timeline.Grid{Num: 2, Den: 1}) {
		t.Errorf("plans %+v and %+v", x, y)
	}
	l.plan.Part = time.Second
	third := share(t, l, v, a)
	third.send(all...)
	if len(third.faults) != 1 || !strings.Contains(third.faults[0].Error(), "part 1s") || third.Output().Plan.Grid != l.plan.Grid {
		t.Errorf("faults %v", third.faults)
	}
	l.plan.Grid.Den = 0
	fourth := share(t, l, v, a)
	fourth.send(all...)
	if len(fourth.faults) != 1 || fourth.Output().Plan.Grid != (timeline.Grid{Num: 2, Den: 1}) {
		t.Errorf("faults %v, plan %+v", fourth.faults, fourth.Output().Plan)
	}
}

// What another instance has published while this one was away is no gap.
func TestWhatAnotherInstancePublishedIsAdopted(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 30), a.seconds(t, 30))
	l := &ledger{}
	other := share(t, l, v, a)
	other.send(all...)
	for name, tt := range map[string]struct {
		change func(all []timeline.Segment) []timeline.Segment
		want   string
		faults bool
	}{
		"all":       {func(all []timeline.Segment) []timeline.Segment { return all }, "0 1 2 3 4 5 6 7 8 9 10.6", false},
		"some":      {func(all []timeline.Segment) []timeline.Segment { return all[:2] }, "0 1 2 3 4 (5) (6) (7) 8 9 10.6", false},
		"none":      {func([]timeline.Segment) []timeline.Segment { return nil }, "0 1 2 (3) (4) (5) (6) (7) 8 9 10.6", false},
		"too many":  {func(all []timeline.Segment) []timeline.Segment { return append(all, seg(all, 1), seg(all, 2)) }, "0 1 2 3 4 5 6 7 8 9 10.6", false},
		"malformed": {func(all []timeline.Segment) []timeline.Segment { all[1].N += 9; return all[:2] }, "0 1 2 3 (4) (5) (6) (7) 8 9 10.6", false},
		"unknown":   {func(all []timeline.Segment) []timeline.Segment { all[1].Epoch = 7; return all }, "0 1 2 3 (4) (5) (6) (7) 8 9 10.6", false},
		"not over":  {func(all []timeline.Segment) []timeline.Segment { all[1].State = timeline.Open; return all }, "0 1 2 (3) (4) (5) (6) (7) 8 9 10.6", true},
	} {
		c := share(t, l, v, a)
		c.send(between(all, 0, 6.5)...)
		c = c.again(v.track(t), a.track(t))
		l.published = func(track string, from, to uint64) []timeline.Segment {
			if from != zero+3 || to != zero+8 {
				t.Errorf("asked for %d to %d", int64(from-zero), int64(to-zero))
			}
			var lent []timeline.Segment
			for n := from; n < to; n++ {
				lent = append(lent, *other.line(track).Timeline.Load().Segment(n))
			}
			if track != "v" {
				return lent
			}
			return tt.change(lent)
		}
		c.send(between(all, 15, 22)...)
		if got := show(c.line("v").Timeline.Load(), zero); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		c.want("a", "0 1 2 3 4 5 6 7 8 9 10")
		if (len(c.faults) > 0) != tt.faults {
			t.Errorf("%s: faults %v", name, c.faults)
		}
	}
}

// seg is a segment i slots after all of them.
func seg(all []timeline.Segment, i uint64) timeline.Segment {
	g := all[len(all)-1]
	g.N = all[0].N + 4 + i
	return g
}

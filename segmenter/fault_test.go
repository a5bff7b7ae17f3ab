package segmenter_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// between are the objects sent from second a to second b of the broadcast.
func between(all []object, a, b float64) (some []object) {
	for _, o := range all {
		if at := float64(o.at)/1e6 - unix; at > a+1e-9 && at <= b+1e-9 {
			some = append(some, o)
		}
	}
	return some
}

// seconds of the source.
func (s source) seconds(t testing.TB, n int64) []object {
	return s.objects(t, 0, n*int64(s.timescale)/s.dur)
}

func TestLossMakesAGapAndPlayingGoesOn(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 10), a.seconds(t, 10))
	c := newChannel(t, cfg(), v, a)
	for i, o := range all {
		if o.track == "v" && o.Group == 4 && o.Object.Object == 10 {
			continue
		}
		o.Lost = o.track == "v" && o.Group == 4 && o.Object.Object == 11
		c.send(o)
		if i == 340 { // just after the loss
			c.want("v", "0 1 (2)")
		}
	}
	c.want("v", "0 1 (2) 3 4.6")
	c.want("a", "0 1 2 3 4")
	s := c.line("v").Timeline.Load()
	if g := s.Segments[2]; len(g.Parts) != 1 || g.Dur != 2*12800 || g.End() != s.Segments[3].Start {
		t.Errorf("gap %+v", g)
	}
	checkStored(t, c)
}

// Where the transport cannot tell, a hole in media time is a loss, also while objects are held; no hole is none.
func TestDoubtIsDecidedByMediaTime(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 8), a.seconds(t, 8))
	for missing, want := range map[uint64]string{99: "0 1 2 3.6", 0: "(0) 1 2 3.6", 4: "0 1 (2) 3.6"} {
		c := newChannel(t, cfg(), v, a)
		for _, o := range all {
			if o.Doubt = true; o.track == "v" && o.Group == missing && o.Object.Object == 10 {
				continue
			}
			c.send(o)
		}
		c.want("v", want)
	}
}

func TestMissingSlotsBecomeGapsWithNominalTimes(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 5)...)
	c.send(between(all, 12, 16)...)
	c.want("v", "0 1 (2) (3) (4) (5) 6 7.6")
	c.want("a", "0 1 (2) (3) (4) (5) 6 7")
	s := c.line("v").Timeline.Load()
	for i := range s.Segments[:len(s.Segments)-1] {
		if s.Segments[i].End() != s.Segments[i+1].Start {
			t.Errorf("segment %d ends at %d, the next begins at %d", i, s.Segments[i].End(), s.Segments[i+1].Start)
		}
	}
	if c.Events().Epochs != 0 {
		t.Error("a hole in Unix time opened an epoch")
	}
}

func TestPublisherRestartedOnUnixTimeContinues(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(between(interleave(v.seconds(t, 20), a.seconds(t, 20)), 0, 4.5)...)
	v.start, a.start = v.start+3600*12800, a.start+3600*48000
	c.send(interleave(v.seconds(t, 5), a.seconds(t, 5))...)
	s := c.line("v").Timeline.Load()
	if e := c.Events(); e.Epochs != 0 || len(c.bad) != 0 || s.Position().N != zero+1802 || len(s.Segments) != cfg().Window {
		t.Errorf("events %+v, bad %v, position %+v, %d segments", e, c.bad, s.Position(), len(s.Segments))
	}
}

func TestTimeBaseThatRestartsOpensAnEpochEverywhere(t *testing.T) {
	v, a := plain()
	v.start, a.start = 1000*12800, 1000*48000 // the publisher's clock is no Unix time
	shift := func(all []object, base int64) []object {
		for i := range all {
			all[i].at += base * 1e6
		}
		return all
	}
	c := newChannel(t, cfg(), v, a)
	c.send(shift(interleave(v.seconds(t, 9), a.seconds(t, 9)), unix-1000)...)
	c.want("v", "0 1 2 3 4.3")
	c.want("a", "0 1 2 3 4.3")
	if e := c.line("a").Timeline.Load().Current(); !e.Arrival || e.Origin != (unix-1000)*48000 {
		t.Errorf("epoch %+v", e)
	}

	v.start, a.start = 0, 0
	c.send(shift(interleave(v.seconds(t, 5), a.seconds(t, 5)), unix+20)...)
	c.want("v", "0 1 2 3 (4) (5) (6) (7) (8) (9) | 10 11 12.3")
	c.want("a", "0 1 2 3 (4) (5) (6) (7) (8) (9) | 10 11 12.3")
	for _, name := range []string{"v", "a"} {
		e := c.line(name).Timeline.Load().Current()
		if e.Index != 1 || e.First != zero+10 || e.Origin != (unix+20)*int64(e.Init.Timescale) || !e.Arrival {
			t.Errorf("%s: epoch %+v", name, e)
		}
	}
	if e := c.Events(); e.Epochs != 1 || len(c.bad) != 0 {
		t.Errorf("events %+v, bad %v", e, c.bad)
	}
	checkStored(t, c)
}

func TestChangedHeaderOpensAnEpochEverywhere(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 12), a.seconds(t, 12))
	c := newChannel(t, cfg(), v, a)
	wide := bytes.Clone(v.init(t))
	binary.BigEndian.PutUint16(wide[bytes.Index(wide, []byte("avc1"))+4+24:], 256)
	for _, o := range all {
		if o.track == "v" && o.Group == 6 && o.Object.Object == 0 { // second 6 begins slot 3, and audio has begun it, too
			o.Payload = append(bytes.Clone(wide), o.Payload...)
		}
		c.send(o)
	}
	c.want("v", "0 1 2 (3) | 4 5.6")
	c.want("a", "0 1 2 3 | 4 5")
	for _, name := range []string{"v", "a"} {
		if e := c.line(name).Timeline.Load().Current(); e.Index != 1 || e.First != zero+4 || e.Origin != 0 {
			t.Errorf("%s: epoch %+v", name, e)
		}
	}
	if w := c.line("v").Timeline.Load().Current().Init.Width; w != 256 {
		t.Errorf("width %d", w)
	}
	checkStored(t, c)
}

func TestHeaderInTheCatalogTakesEffectWithTheNextGroup(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 10), a.seconds(t, 10))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 4.5)...)
	changed := v.track(t)
	changed.Init = bytes.Clone(changed.Init)
	binary.BigEndian.PutUint16(changed.Init[bytes.Index(changed.Init, []byte("avc1"))+4+24:], 256)
	if err := c.Catalog(t.Context(), time.Unix(unix+4, 0), []media.Track{changed, a.track(t)}); err != nil {
		t.Fatal(err)
	}
	c.send(between(all, 4.5, 10)...)
	c.want("v", "0 1 2 | 3 4.6")
	c.want("a", "0 1 2 | 3 4")
}

func TestSameHeaderAgainChangesNothing(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	for _, o := range interleave(v.seconds(t, 8), a.seconds(t, 8)) {
		if o.track == "v" && o.Object.Object == 0 {
			o.Payload = append(bytes.Clone(v.init(t)), o.Payload...)
		}
		c.send(o)
	}
	if e := c.Events(); e != (segmenter.Events{}) {
		t.Errorf("events %+v", e)
	}
	c.want("v", "0 1 2 3.6")
}

func TestHeaderMayComeWithTheMedia(t *testing.T) {
	v, a := plain()
	header := v.init(t)
	bare := v.track(t)
	bare.Init = nil
	c := newChannel(t, cfg(), a)
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{bare, a.track(t)}); err != nil {
		t.Fatal(err)
	}
	for _, o := range between(interleave(v.seconds(t, 8), a.seconds(t, 8)), 0.5, 8) {
		if o.track == "v" && o.Object.Object == 0 {
			o.Payload = append(bytes.Clone(header), o.Payload...)
		}
		c.send(o)
	}
	c.want("v", "1 2 3.6")
	c.want("a", "1 2 3")
}

func TestMediaUnderARefusedHeaderIsRefusedToo(t *testing.T) {
	v, a := plain()
	header := v.init(t)
	sealed := bytes.ReplaceAll(header, []byte("avc1"), []byte("encv"))
	c := newChannel(t, cfg(), v, a)
	for _, o := range interleave(v.seconds(t, 14), a.seconds(t, 14)) {
		if o.track == "v" && o.Object.Object == 0 {
			head := header
			if o.Group >= 4 && o.Group < 7 {
				head = sealed
			}
			o.Payload = append(bytes.Clone(head), o.Payload...)
		}
		c.send(o)
	}
	c.want("v", "0 (1) (2) (3) 4 5 6.6")
	c.want("a", "0 1 2 3 4 5 6")
	if len(c.bad) != 3*25 {
		t.Errorf("%d objects refused, want those of 3 groups", len(c.bad))
	}
	for _, b := range c.bad {
		var where *demux.Error
		if !errors.As(b, &where) || where.Box != "sinf" {
			t.Fatal(b)
		}
	}
}

func TestOneWildTimeIsBadInput(t *testing.T) {
	for name, wild := range map[string]uint64{"far future": math.MaxInt64 / 2, "zero": 0, "an hour on": (unix + 3600) * 12800, "beyond": math.MaxUint64} {
		t.Run(name, func(t *testing.T) {
			v, a := plain()
			c := newChannel(t, cfg(), v, a)
			for _, o := range interleave(v.seconds(t, 10), a.seconds(t, 10)) {
				if o.track == "v" && o.Group == 5 && o.Object.Object == 3 {
					o.Payload = bytes.Clone(o.Payload)
					binary.BigEndian.PutUint64(o.Payload[bytes.Index(o.Payload, []byte("tfdt"))+8:], wild)
				}
				c.send(o)
			}
			c.want("v", "0 1 (2) 3 4.6")
			c.want("a", "0 1 2 3 4")
			if len(c.bad) != 1 || c.bad[0].Location != (media.Location{Group: 5, Object: 3}) {
				t.Errorf("bad input %v", c.bad)
			}
		})
	}
}

// Whatever times a publisher claims, nothing overflows, loops or panics, and what is published is consistent.
func TestHostileTimesAndTimescales(t *testing.T) {
	for _, timescale := range []uint32{1, 7, 1000, math.MaxUint32} {
		for _, dur := range []int64{1, 3, int64(timescale), min(10*int64(timescale), math.MaxUint32)} {
			for _, start := range []int64{0, unix, unix * int64(timescale), math.MaxInt64/2 - 100*math.MaxUint32} {
				if dur > 10*int64(timescale) {
					continue
				}
				v := video("v", timescale, dur, 4, start)
				a := audio("a", timescale, dur, start)
				c := newChannel(t, cfg(), v, a)
				for i := range int64(40) {
					c.send(v.objects(t, i, i+1)[0], a.objects(t, i, i+1)[0])
				}
				_ = c.Tick(t.Context(), time.Unix(unix+60, 0))
				for i := range int64(40) {
					c.send(v.objects(t, 40+i, 41+i)[0], a.objects(t, 40+i, 41+i)[0])
				}
				checkStored(t, c)
				if err := c.End(t.Context()); err != nil {
					t.Errorf("timescale %d, duration %d, start %d: %v", timescale, dur, start, err)
				}
			}
		}
	}
}

func TestBadObjectsSayWhereAndTheChannelGoesOn(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	all := interleave(v.seconds(t, 8), a.seconds(t, 8))
	c.send(between(all, 0, 4.5)...)
	o := v.objects(t, 113, 114)[0]
	o.Payload = o.Payload[:40]
	c.send(o)
	var where *demux.Error
	if len(c.bad) != 1 || c.bad[0].Track != "v" || !errors.As(c.bad[0], &where) || where.Box == "" {
		t.Errorf("bad input %v", c.bad)
	}
	c.send(v.objects(t, 111, 112)...) // overlaps
	if len(c.bad) != 2 || !strings.Contains(c.bad[1].Error(), "before the one before it ends") {
		t.Errorf("bad input %v", c.bad)
	}
	c.send(between(all, 4.5, 8)...)
	c.want("a", "0 1 2 3")
}

func TestAnIllDescribedTrackIsRefusedAndTheOthersGoOn(t *testing.T) {
	v, a := plain()
	sealed := v.track(t)
	sealed.Init = bytes.ReplaceAll(sealed.Init, []byte("avc1"), []byte("encv"))
	c := newChannel(t, cfg())
	err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{sealed, a.track(t)})
	var bad *segmenter.BadInput
	var where *demux.Error
	if !errors.As(err, &bad) || bad.Track != "v" || !errors.As(err, &where) || where.Box != "sinf" {
		t.Fatalf("%v, want a BadInput that names the box", err)
	}
	c.send(interleave(v.seconds(t, 5), a.seconds(t, 5))...)
	c.want("a", "0 1 2.3")
}

func TestRemovedTrackEndsAndAddedTrackJoins(t *testing.T) {
	v, a := plain()
	b := audio("b", 44100, 1024, unix*44100)
	all := interleave(v.seconds(t, 10), a.seconds(t, 10), b.seconds(t, 10))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 5)...)
	removed := c.line("a").Timeline
	if err := c.Catalog(t.Context(), time.Unix(unix+5, 0), []media.Track{b.track(t), v.track(t)}); err != nil {
		t.Fatal(err)
	}
	if got := show(removed.Load(), zero); got != "0 1 (2) end" {
		t.Errorf("the removed track is %q", got)
	}
	c.send(between(all, 5, 10)...)
	c.want("v", "0 1 2 3 4.6")
	c.want("b", "3 4.5")
	var names []string
	for _, r := range c.Output().Renditions {
		names = append(names, r.Track.Name)
	}
	if diff := cmp.Diff([]string{"b", "v"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestEndCompletesWhatIsOpen(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.seconds(t, 5), a.seconds(t, 5))...)
	if err := c.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want("v", "0 1 2 end")
	c.want("a", "0 1 2 end")
	checkStored(t, c)
}

func TestEndOfTrackEndsItsTimelineOnly(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	all := interleave(v.seconds(t, 8), a.seconds(t, 8))
	c.send(between(all, 0, 5)...)
	c.send(object{"v", (unix + 5) * 1e6, media.Object{Location: media.Location{Group: 5}, Status: media.EndOfTrack}})
	c.want("v", "0 1 2 end")
	c.send(between(all, 5, 8)...)
	c.want("v", "0 1 2 end")
	c.want("a", "0 1 2 3")
}

func TestFailingSinkLeavesAGapAndNothingDangling(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 12), a.seconds(t, 12))
	for what := segmenter.MediaSegment; what <= segmenter.MediaPart; what++ {
		c := newChannel(t, cfg(), v, a)
		full := errors.New("disk is full")
		failed := 0
		c.store.fail = func(m segmenter.Media) error {
			if m.Track.Name == "v" && m.What == what && m.N == zero+2 && m.Part%2 == 0 {
				failed++
				return full
			}
			return nil
		}
		for _, o := range all {
			if err := c.Object(t.Context(), time.UnixMicro(o.at), o.track, o.Object); err != nil && !errors.Is(err, full) {
				t.Fatal(err)
			}
		}
		c.want("v", "0 1 (2) 3 4 5.6")
		c.want("a", "0 1 2 3 4 5")
		if failed != 1 {
			t.Errorf("%d attempts at what failed, want 1", failed)
		}
		checkStored(t, c)
	}
}

func TestHeaderIsPutBeforeItsEpochBegins(t *testing.T) {
	v, _ := plain()
	c := newChannel(t, cfg(), v)
	var order []string
	c.store.fail = func(m segmenter.Media) error {
		state := "no output"
		if out := c.Output(); out != nil {
			state = fmt.Sprint(out.Renditions[0].Timeline.Load().Current() != nil)
		}
		order = append(order, fmt.Sprint(m.What, " ", state))
		return nil
	}
	c.send(v.seconds(t, 2)...)
	if len(order) == 0 || order[0] != "1 no output" {
		t.Errorf("puts: %v", order)
	}
}

func FuzzObjects(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 200, 7, 8, 9, 10, 250, 40, 41})
	v, a := plain()
	objects := append(v.objects(f, 0, 150), a.objects(f, 0, 300)...)
	f.Fuzz(func(t *testing.T, script []byte) {
		c := newChannel(t, cfg(), v, a)
		at := map[string]int{}
		now := time.Unix(unix, 0)
		for i := 0; i+1 < len(script); i += 2 {
			op, arg := script[i], script[i+1]
			name, base, count := "v", 0, 150
			if op&1 != 0 {
				name, base, count = "a", 150, 300
			}
			// Run through the objects, skipping some, going back, flagging, damaging and shifting in time.
			run := 1
			switch op >> 1 & 7 {
			case 0, 1:
				run = int(arg)
			case 2:
				at[name] += int(arg)
			case 3:
				at[name] -= int(arg) / 4
			}
			for range run {
				o := objects[base+((at[name]%count)+count)%count]
				at[name]++
				o.Object.Lost = op>>1&7 == 4
				o.Object.Last = op>>1&7 == 5
				if op>>1&7 == 6 && len(o.Payload) > int(arg) {
					o.Payload = bytes.Clone(o.Payload)
					o.Payload[arg] ^= op
				}
				if op>>1&7 == 7 {
					o.Object.Status = media.EndOfGroup
					o.Payload = nil
				}
				err := c.Object(t.Context(), now, o.track, o.Object)
				var bad *segmenter.BadInput
				if err != nil && !errors.As(err, &bad) {
					t.Fatalf("%v", err)
				}
				now = now.Add(10 * time.Millisecond)
			}
		}
		_ = c.End(t.Context())
	})
}

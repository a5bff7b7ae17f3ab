package segmenter_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestPlanDoesNotWaitForASilentTrack(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	all := v.seconds(t, 6)
	c.send(between(all, 0, 1.5)...)
	if c.Output() != nil {
		t.Fatal("the plan did not wait")
	}
	if err := c.Tick(t.Context(), time.Unix(unix+3, 0)); err != nil {
		t.Fatal(err)
	}
	if n := len(c.Output().Renditions); n != 1 {
		t.Fatalf("%d renditions, want 1", n)
	}
	c.send(between(all, 1.5, 3.5)...)
	c.send(between(interleave(all, a.seconds(t, 6)), 3.5, 6)...)
	c.want("v", "0 1 2.6")
	c.want("a", "2")
}

func TestPlanDoesNotWaitForBytesWithoutBound(t *testing.T) {
	v, a := plain()
	small := cfg()
	small.HoldBytes = 5000
	c := newChannel(t, small, v, a)
	c.send(v.objects(t, 0, 20)...) // 2300 bytes, and what it costs to keep them
	if c.Output() == nil {
		t.Error("more is held than allowed")
	}
}

func TestATrackThatIsGoneHoldsNothing(t *testing.T) {
	v, a := plain()
	w := v
	w.name = "w"
	small := cfg()
	small.HoldBytes = 5000
	c := newChannel(t, small, v, w, a)
	c.send(w.objects(t, 0, 12)...) // some 3900 bytes
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), a.track(t)}); err != nil {
		t.Fatal(err)
	}
	if c.send(v.objects(t, 0, 12)...); c.Output() != nil {
		t.Error("what was dropped counts as held")
	}
}

// Audio that was there before the first slot of video would only be heard by nobody.
func TestAudioBeginsWithVideo(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(between(v.seconds(t, 10), 2.1, 10), between(a.seconds(t, 10), 0.2, 10))...)
	c.want("v", "2 3 4.6")
	c.want("a", "2 3 4")
}

// Groups that begin late in their slots make video wait until it is certain where others have cut.
func TestAudioBeginsWithVideoThatHasToWait(t *testing.T) {
	for _, late := range []int64{3, 9, 14, 19} { // tenths of a second, of slots of 2 s
		v, a := plain()
		v.start += late * 1280
		c := newChannel(t, cfg(), v, a)
		c.send(interleave(between(v.seconds(t, 30), 0.2, 24), between(a.seconds(t, 30), 0.2, 24))...)
		first := func(name string) uint64 {
			n, ok := c.line(name).Timeline.Load().First()
			if !ok {
				t.Fatalf("%s: nothing", name)
			}
			return n
		}
		if v, a := first("v"), first("a"); v != a {
			t.Errorf("groups begin %d00 ms late: video begins with %d, audio with %d", late, v, a)
		}
	}
}

// Who joins amid a group does not know yet where groups begin.
func TestAudioBeginsWithVideoThatWasJoinedAmidAGroup(t *testing.T) {
	for _, from := range []float64{0.2, 0.68, 1.32, 1.9} {
		v, a := plain()
		c := newChannel(t, cfg(), v, a)
		picture := v.track(t)
		picture.MaxGroupDuration = time.Second // so that nothing has to be waited for
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{picture, a.track(t)}); err != nil {
			t.Fatal(err)
		}
		c.send(interleave(between(v.seconds(t, 30), from, 24), between(a.seconds(t, 30), from, 24))...)
		v1, _ := c.line("v").Timeline.Load().First()
		a1, ok := c.line("a").Timeline.Load().First()
		if v1 != a1 || !ok {
			t.Errorf("from %v s on: video begins with %d, audio with %d", from, v1, a1)
		}
	}
}

// irregular is a source's objects in groups of so many frames, in turn.
func irregular(t *testing.T, v source, n int64, frames ...int64) (all []object) {
	t.Helper()
	for i, group := int64(0), 0; i < n; group++ {
		v.group = frames[group%len(frames)]
		for k := range v.group {
			m := v.sample(i)
			m.Sync = k == 0
			m.Data[4] = 0x41
			if m.Sync {
				m.Data[4] = 0x65
			}
			payload, err := mux.Fragment(1, []media.Sample{m})
			if err != nil {
				t.Fatal(err)
			}
			at := (m.DTS + v.dur) * 1000 / int64(v.timescale) * 1000
			loc := media.Location{Group: uint64(group), Object: uint64(k)}
			all = append(all, object{v.name, at, media.Object{Location: loc, Payload: payload}})
			i++
		}
	}
	return all
}

// The catalog bounds groups, and they are shorter, by turns a little and a lot: no segment lasts longer than the target duration
// allows.
func TestIrregularGroupsMakeNoSegmentTooLong(t *testing.T) {
	v := video("v", 12800, 512, 50, unix*12800)
	info := v.track(t)
	info.MaxGroupDuration = 2 * time.Second
	all := irregular(t, v, 1000, 47, 31, 50, 12, 44)
	c := newChannel(t, cfg())
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{info}); err != nil {
		t.Fatal(err)
	}
	c.send(all...)
	limit := int64(c.Output().Plan.TargetDuration)*12800 + 6400
	s := c.line("v").Timeline.Load()
	for _, g := range s.Segments {
		if g.State != timeline.Full || g.Dur >= limit {
			t.Errorf("segment %+v", g)
		}
	}
	if len(s.Segments) < 15 || c.Events().ForcedCuts == 0 {
		t.Errorf("%d segments, events %+v", len(s.Segments), c.Events())
	}
}

// Where groups are shorter than the catalog promises, by turns, and segments are cut because they would be too long, whoever joins
// late waits until it knows where the others cut.
func TestLateJoinersOfIrregularGroupsCutAlike(t *testing.T) {
	join := func(t *testing.T, v source, all []object) *channel {
		t.Helper()
		info := v.track(t)
		info.MaxGroupDuration = 2 * time.Second
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{info}); err != nil {
			t.Fatal(err)
		}
		c.send(all...)
		return c
	}
	forced, shared := uint64(0), 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		frames := make([]int64, 3+r.IntN(5))
		for i := range frames {
			frames[i] = 5 + r.Int64N(46)
		}
		v := video("v", 12800, 512, 50, unix*12800+r.Int64N(50)*512)
		all := irregular(t, v, 1500, frames...)
		first := join(t, v, all)
		forced += first.Events().ForcedCuts
		for range 8 {
			late := join(t, v, all[r.IntN(500):])
			n := agree(t, first.store, late.store)
			if n == 0 {
				t.Errorf("seed %d, groups of %v: nothing in common", seed, frames)
			}
			shared += n
		}
	}
	if forced < 50 || shared < 20*8*50 {
		t.Errorf("%d forced cuts and %d names in common are too few to tell", forced, shared)
	}
}

func TestBitrateIsMeasuredOnlyIfTheCatalogHasNone(t *testing.T) {
	v, a := plain()
	named := v.track(t)
	named.Bitrate = 5_000_000
	c := newChannel(t, cfg(), v)
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{named, a.track(t)}); err != nil {
		t.Fatal(err)
	}
	c.send(interleave(v.seconds(t, 3), a.seconds(t, 3))...)
	if got := c.line("v").Track; got.Bitrate != 5_000_000 || got.AvgBitrate != 0 {
		t.Errorf("bitrates %d and %d", got.Bitrate, got.AvgBitrate)
	}
	if got := c.line("a").Track; got.Bitrate < got.AvgBitrate || got.AvgBitrate < 3000 || got.Bitrate > 6000 { // 9 or 10 bytes each 20 ms
		t.Errorf("bitrates %d and %d", got.Bitrate, got.AvgBitrate)
	}
}

func TestMissingGroupDoesNotCountAsALongOne(t *testing.T) {
	v := video("v", 12800, 512, 15, unix*12800) // 0.6 s
	c := newChannel(t, cfg(), v)
	for _, o := range v.seconds(t, 4) {
		if o.Group != 1 {
			c.send(o)
		}
	}
	if g := c.Output().Plan.Grid; g.Num != 9 || g.Den != 5 {
		t.Errorf("grid %+v, want three groups of 0.6 s", g)
	}
}

func TestGroupDurationOfTheCatalogNeedsNoWaiting(t *testing.T) {
	v, a := video("v", 30000, 1001, 30, unix*30000), audio("a", 48000, 960, unix*48000)
	track := v.track(t)
	track.MaxGroupDuration = time.Second // the catalog counts in milliseconds, and rounds
	c := newChannel(t, cfg(), a)
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track, a.track(t)}); err != nil {
		t.Fatal(err)
	}
	c.send(interleave(v.objects(t, 0, 8), a.objects(t, 0, 14))...)
	if c.Output() == nil {
		t.Fatal("the plan waits")
	}
	if g := c.Output().Plan.Grid; g.Num != 1001 || g.Den != 500 {
		t.Errorf("grid %+v", g)
	}
}

func TestAudioAloneIsCutAtTheTarget(t *testing.T) {
	a := audio("a", 44100, 1024, unix*44100)
	c := newChannel(t, cfg(), a)
	c.send(a.seconds(t, 70)...)
	checkLine(t, c.line("a"), c.Output().Plan)
}

// Publishers round to milliseconds: the cuts stay where they are without rounding.
func TestRoundedTimesAreCutLikeExactOnes(t *testing.T) {
	v := video("v", 1000, 33, 30, 0)
	c := newChannel(t, cfg(), v)
	at := func(i int64) int64 { return unix*1000 + (i*1001+15)/30 }
	var all []object
	for i := range int64(3000) {
		s := v.sample(i)
		s.DTS, s.Dur = at(i), uint32(at(i+1)-at(i))
		payload, err := mux.Fragment(1, []media.Sample{s})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object{"v", at(i+1) * 1000, media.Object{
			Location: media.Location{Group: uint64(i / 30), Object: uint64(i % 30)}, Payload: payload,
		}})
	}
	c.send(all...)
	checkLine(t, c.line("v"), c.Output().Plan)
	for _, g := range c.line("v").Timeline.Load().Segments {
		if len(g.Parts) != 6 {
			t.Errorf("segment %d has %d parts, want 6", g.N, len(g.Parts))
		}
	}
}

// A camera's times jitter: the grid must not.
func TestJitterDoesNotReachTheGrid(t *testing.T) {
	v := video("v", 90000, 3000, 30, 0)
	at := func(i int64) int64 { return unix*90000 + 9000 + i*3000 + i*i*7919%900 } // up to 10 ms late
	var all []object
	for i := range int64(1800) {
		s := v.sample(i)
		s.DTS, s.Dur = at(i), uint32(at(i+1)-at(i))
		payload, err := mux.Fragment(1, []media.Sample{s})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object{"v", at(i+1) / 9 * 100, media.Object{
			Location: media.Location{Group: uint64(i / 30), Object: uint64(i % 30)}, Payload: payload,
		}})
	}
	c := newChannel(t, cfg(), v)
	c.send(all...)
	if g := c.Output().Plan.Grid; g.Num != 2 || g.Den != 1 {
		t.Errorf("grid %+v", g)
	}
	if e := c.Events(); e != (segmenter.Events{}) {
		t.Errorf("events %+v", e)
	}
	for _, g := range c.line("v").Timeline.Load().Segments {
		for j, p := range g.Parts {
			if ms := p.Dur / 90; ms > 334 || j < len(g.Parts)-1 && ms < 284 {
				t.Errorf("part %d.%d lasts %d ms", g.N, j, ms)
			}
		}
	}
}

// B-frames: the grid sees where the presentation of a group begins, so video does not slip a slot.
func TestReorderingDoesNotMoveTheGrid(t *testing.T) {
	v, a := plain()
	v.reorder = 2
	v.start -= 2 * 512 // the first picture is shown at the start of the slot
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.seconds(t, 6), a.seconds(t, 6))...)
	c.want("v", "0 1 2.6")
	if g := c.line("v").Timeline.Load().Segments[0]; g.Start != unix*12800 {
		t.Errorf("segment 0 is shown from %d, want %d", g.Start, unix*12800)
	}
}

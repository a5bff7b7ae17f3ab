package segmenter_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// show is a timeline in a line: numbers of full segments, gaps in parentheses, an open segment with its parts, "|" before the
// first segment of an epoch. Numbers are relative to zero.
func show(s *timeline.Snapshot, zero uint64) (line string) {
	epoch := -1
	for i := range s.Segments {
		g := &s.Segments[i]
		if epoch >= 0 && g.Epoch != epoch {
			line += "| "
		}
		epoch = g.Epoch
		if n := int64(g.N - zero); g.State == timeline.Gap {
			line += fmt.Sprintf("(%d) ", n)
		} else {
			line += fmt.Sprintf("%d ", n)
		}
	}
	if o := s.Open; o != nil {
		if epoch >= 0 && o.Epoch != epoch {
			line += "| "
		}
		line += fmt.Sprintf("%d.%d ", int64(o.N-zero), len(o.Parts))
	}
	if s.Ended {
		line += "end "
	}
	if line == "" {
		return ""
	}
	return line[:len(line)-1]
}

const zero = unix / 2 // slot of unix

func (c *channel) want(track, want string) {
	c.t.Helper()
	if got := show(c.line(track).Timeline.Load(), zero); got != want {
		c.t.Errorf("%s is %q, want %q", track, got, want)
	}
}

func cfg() segmenter.Config { return segmenter.DefaultConfig() }

func plain() (v, a source) {
	return video("v", 12800, 512, 25, unix*12800), audio("a", 48000, 960, unix*48000)
}

func TestSegmentsAndPartsFollowTheGrid(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.objects(t, 0, 125), a.objects(t, 0, 250))...)
	c.want("v", "0 1 2.3")
	c.want("a", "0 1 2.3")
	s := c.line("v").Timeline.Load()
	var parts []int64
	for _, p := range s.Segments[0].Parts {
		parts = append(parts, p.Dur*1000/12800)
	}
	if diff := cmp.Diff([]int64{320, 360, 320, 320, 360, 320}, parts); diff != "" {
		t.Error(diff)
	}
	if c.Output().Plan.PartTarget != 360*time.Millisecond || c.Output().Plan.TargetDuration != 2 || !c.Output().Plan.Independent {
		t.Errorf("plan %+v", c.Output().Plan)
	}
}

func TestPartIsPublishedWithItsLastSample(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.objects(t, 0, 58), a.objects(t, 0, 110))...)
	before := c.line("v").Timeline.Load().Position()
	c.send(v.objects(t, 58, 67)...) // the second segment's first part is frames 50 to 57, the next ends with 66
	after := c.line("v").Timeline.Load().Position()
	if before != (timeline.Position{N: zero + 1, Parts: 1}) || after != (timeline.Position{N: zero + 1, Parts: 2}) {
		t.Errorf("positions %+v and %+v", before, after)
	}
}

func TestEndOfGroupClosesTheSegmentAtOnce(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	objects := interleave(v.objects(t, 0, 100), a.objects(t, 0, 200))
	for i := range objects {
		if objects[i].track == "v" && objects[i].Location.Object == 24 {
			objects[i].Last = true
		}
	}
	c.send(objects...)
	c.want("v", "0 1")
	c.want("a", "0 1")
}

func TestSegmentIsTheConcatenationOfItsParts(t *testing.T) {
	v, a := plain()
	v.reorder = 2
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.objects(t, 0, 200), a.objects(t, 0, 400))...)
	checkStored(t, c)
}

// checkStored holds everything that the timelines refer to against the store.
func checkStored(t *testing.T, c *channel) {
	t.Helper()
	if c.Output() == nil {
		return
	}
	for _, r := range c.Output().Renditions {
		s := r.Timeline.Load()
		for i := range s.Segments {
			g := &s.Segments[i]
			var whole []byte
			for p := range g.Parts {
				b, ok := c.store.data[fmt.Sprintf("%s/%d.%d", r.Track.Name, g.N, p)]
				if !ok || int64(len(b)) != g.Parts[p].Size {
					t.Errorf("part %d.%d of %s has %d bytes in the store, %d in the timeline", g.N, p, r.Track.Name, len(b), g.Parts[p].Size)
				}
				whole = append(whole, b...)
			}
			stored, ok := c.store.data[fmt.Sprintf("%s/%d", r.Track.Name, g.N)]
			if ok != (g.State == timeline.Full) {
				t.Errorf("segment %d of %s: stored is %v, state %v", g.N, r.Track.Name, ok, g.State)
			}
			if ok && !bytes.Equal(stored, whole) {
				t.Errorf("segment %d of %s is not its parts", g.N, r.Track.Name)
			}
		}
		for _, e := range s.Epochs {
			if _, ok := c.store.data[fmt.Sprintf("%s/init-%s", r.Track.Name, e.Init.Digest)]; !ok {
				t.Errorf("header %s of %s is not stored", e.Init.Digest, r.Track.Name)
			}
		}
	}
}

func TestGridTable(t *testing.T) {
	for _, tt := range []struct {
		name        string
		timescale   uint32
		dur, group  int64
		grid        timeline.Grid
		part        time.Duration
		full        int // parts that a segment has
		target      int
		start       int64
		audioFrames int64
	}{
		{"25", 12800, 512, 25, timeline.Grid{Num: 2, Den: 1}, 360 * time.Millisecond, 6, 2, unix * 12800, 960},
		{"50", 90000, 1800, 100, timeline.Grid{Num: 2, Den: 1}, 349 * time.Millisecond, 6, 2, unix * 90000, 960},
		{"30", 90000, 3000, 60, timeline.Grid{Num: 2, Den: 1}, 349 * time.Millisecond, 6, 2, unix * 90000, 960},
		{"24", 24000, 1000, 48, timeline.Grid{Num: 2, Den: 1}, 349 * time.Millisecond, 6, 2, unix * 24000, 1024},
		{"29.97, 1.001 s", 30000, 1001, 30, timeline.Grid{Num: 1001, Den: 500}, 349 * time.Millisecond, 6, 2, unix * 30000, 1024},
		{"29.97, 2.002 s", 30000, 1001, 60, timeline.Grid{Num: 1001, Den: 500}, 349 * time.Millisecond, 6, 2, unix * 30000, 1024},
		{"59.94, 1.001 s", 60000, 1001, 60, timeline.Grid{Num: 1001, Den: 500}, 349 * time.Millisecond, 6, 2, unix * 60000, 1024},
		{"23.976", 24000, 1001, 48, timeline.Grid{Num: 1001, Den: 500}, 349 * time.Millisecond, 6, 2, unix * 24000, 1024},
		{"1.92 s", 12800, 512, 48, timeline.Grid{Num: 48, Den: 25}, 326 * time.Millisecond, 6, 2, unix * 12800, 960},
		{"off the grid by 0.7 s", 12800, 512, 50, timeline.Grid{Num: 2, Den: 1}, 360 * time.Millisecond, 6, 2, unix*12800 + 8960, 960},
		{"5 fps", 1000, 200, 10, timeline.Grid{Num: 2, Den: 1}, 400 * time.Millisecond, 5, 2, unix * 1000, 1024},
		{"1 fps", 1000, 1000, 2, timeline.Grid{Num: 2, Den: 1}, time.Second, 2, 3, unix * 1000, 1024},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := video("v", tt.timescale, tt.dur, tt.group, tt.start)
			a := audio("a", 44100, 1024, unix*44100)
			b := audio("b", 48000, tt.audioFrames, unix*48000)
			c := newChannel(t, cfg(), v, a, b)
			frames := 60 * int64(tt.timescale) / tt.dur
			c.send(interleave(v.objects(t, 0, frames), a.objects(t, 0, 60*44100/1024), b.objects(t, 0, 60*48000/tt.audioFrames))...)
			p := c.Output().Plan
			if p.Grid != tt.grid || p.PartTarget != tt.part || p.TargetDuration != tt.target || !p.Independent {
				t.Errorf("plan %+v, want grid %v, part %v, target %d", p, tt.grid, tt.part, tt.target)
			}
			if got := len(c.line("v").Timeline.Load().Segments[1].Parts); got != tt.full {
				t.Errorf("%d parts a segment, want %d", got, tt.full)
			}
			for _, r := range c.Output().Renditions {
				checkLine(t, &r, p)
			}
			if e := c.Events(); e != (segmenter.Events{}) {
				t.Errorf("events %+v", e)
			}
			checkStored(t, c)
		})
	}
}

// checkLine holds a timeline against the rules of media playlists: no number is skipped, no segment rounds to more than the
// target duration, no part is longer than the part target, and none but a segment's last is shorter than 85 % of it.
func checkLine(t *testing.T, r *segmenter.Rendition, p segmenter.Plan) {
	t.Helper()
	s := r.Timeline.Load()
	scale := int64(s.Current().Init.Timescale)
	if len(s.Segments) < 25 {
		t.Errorf("%s has %d segments", r.Track.Name, len(s.Segments))
	}
	for i := range s.Segments {
		g := &s.Segments[i]
		if g.State != timeline.Full {
			t.Errorf("%s: segment %d is a gap", r.Track.Name, g.N)
		}
		if i > 0 && (g.N != s.Segments[i-1].N+1 || g.Start != s.Segments[i-1].End()) {
			t.Errorf("%s: segment %d at %d follows %d that ends at %d", r.Track.Name, g.N, g.Start, s.Segments[i-1].N, s.Segments[i-1].End())
		}
		if rounded := (g.Dur + scale/2) / scale; rounded > int64(p.TargetDuration) {
			t.Errorf("%s: segment %d lasts %d/%d s, target duration is %d", r.Track.Name, g.N, g.Dur, scale, p.TargetDuration)
		}
		if !g.Independent() {
			t.Errorf("%s: segment %d does not begin independently", r.Track.Name, g.N)
		}
		for j, part := range g.Parts {
			dur := time.Duration(part.Dur) * time.Second / time.Duration(scale)
			if dur > p.PartTarget || j < len(g.Parts)-1 && dur*100 < p.PartTarget*85 {
				t.Errorf("%s: part %d.%d lasts %v, part target is %v", r.Track.Name, g.N, j, dur, p.PartTarget)
			}
		}
	}
}

func TestNumberingIsContiguousOverThousandsOfGroups(t *testing.T) {
	c := newChannel(t, cfg(), video("v", 30000, 1001, 30, unix*30000))
	v := video("v", 30000, 1001, 30, unix*30000)
	v.batch = 30
	c.send(v.objects(t, 0, 30*6000)...)
	e := c.Events()
	if s := c.line("v").Timeline.Load(); e.Gaps != 0 || s.Position().N-s.Segments[0].N != uint64(cfg().Window) {
		t.Errorf("%d gaps", e.Gaps)
	}
}

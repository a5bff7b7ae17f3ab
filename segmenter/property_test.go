package segmenter_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// agree holds two stores against each other: what both have under a name is equal. It returns how many names both have.
func agree(t *testing.T, a, b *store) (both int) {
	t.Helper()
	for key, body := range a.data {
		if other, ok := b.data[key]; ok {
			both++
			if !bytes.Equal(body, other) {
				t.Errorf("%s differs", key)
			}
		}
	}
	return both
}

func TestBatchingDoesNotMatter(t *testing.T) {
	v, a := plain()
	v.reorder = 2
	one := newChannel(t, cfg(), v, a)
	one.send(interleave(v.objects(t, 0, 500), a.objects(t, 0, 1000))...)
	for _, batch := range []struct{ v, a int64 }{{2, 3}, {5, 1}, {7, 16}, {8, 12}} {
		v.batch, a.batch = batch.v, batch.a
		c := newChannel(t, cfg(), v, a)
		c.send(interleave(v.objects(t, 0, 500), a.objects(t, 0, 1000))...)
		if n := agree(t, one.store, c.store); n < 100 {
			t.Errorf("batches of %v: only %d names in common", batch, n)
		}
	}
}

func TestObjectsLongerThanAPartAreParts(t *testing.T) {
	v, a := plain()
	v.batch = 25
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.objects(t, 0, 1500), a.objects(t, 0, 3000))...)
	if got := c.Output().Plan.PartTarget; got != time.Second {
		t.Errorf("part target %v, want 1s", got)
	}
	for _, r := range c.Output().Renditions {
		checkLine(t, &r, c.Output().Plan)
	}
}

// Whoever joins later publishes less, but nothing else.
func TestLateJoinersPublishTheSameBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		v, a source
	}{
		{"25 fps", video("v", 12800, 512, 25, unix*12800), audio("a", 48000, 1024, unix*48000)},
		{"29.97 fps", video("v", 30000, 1001, 30, unix*30000), audio("a", 44100, 1024, unix*44100)},
		{"59.94 fps in milliseconds", video("v", 1000, 20, 50, unix*1000+300), audio("a", 44100, 1024, unix*44100+100)},
		{"B-frames off the grid", source{name: "v", kind: media.Video, timescale: 30000, dur: 1001, group: 60, batch: 1, start: unix*30000 + 12345, reorder: 2},
			audio("a", 48000, 1536, unix*48000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vn := 30 * int64(tt.v.timescale) / tt.v.dur
			an := 30 * int64(tt.a.timescale) / tt.a.dur
			all := interleave(tt.v.objects(t, 0, vn), tt.a.objects(t, 0, an))
			first := newChannel(t, cfg(), tt.v, tt.a)
			first.send(all...)
			for skip := 7; skip < len(all)/2; skip += 97 {
				late := newChannel(t, cfg(), tt.v, tt.a)
				late.send(all[skip:]...)
				if n := agree(t, first.store, late.store); n < 40 {
					t.Errorf("joined after %d objects: only %d names in common", skip, n)
				}
				checkStored(t, late)
			}
		})
	}
}

// Losses are different on two instances. What one of them has lost, it does not publish.
func TestLossesNeverChangeBytes(t *testing.T) {
	v, a := plain()
	all := interleave(v.objects(t, 0, 750), a.objects(t, 0, 1500))
	whole := newChannel(t, cfg(), v, a)
	whole.send(all...)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newChannel(t, cfg(), v, a)
		lost := map[string]bool{}
		for i, o := range all {
			if i > 200 && r.IntN(100) == 0 {
				lost[o.track] = true
				continue
			}
			o.Lost = lost[o.track]
			lost[o.track] = false
			c.send(o)
		}
		if n := agree(t, whole.store, c.store); n < 100 {
			t.Errorf("seed %d: only %d names in common", seed, n)
		}
		checkStored(t, c)
		if c.Events().Losses == 0 {
			t.Error("nothing was lost")
		}
	}
}

// Truncated and damaged objects are dropped, and what is left is as after a loss.
func TestDamageNeverChangesBytes(t *testing.T) {
	v, a := plain()
	all := interleave(v.objects(t, 0, 500), a.objects(t, 0, 1000))
	whole := newChannel(t, cfg(), v, a)
	whole.send(all...)
	c := newChannel(t, cfg(), v, a)
	for i, o := range all {
		if i%97 == 96 {
			o.Payload = o.Payload[:len(o.Payload)-1]
		}
		c.send(o)
	}
	agree(t, whole.store, c.store)
	checkStored(t, c)
	if len(c.bad) == 0 || !strings.Contains(c.bad[0].Error(), "mdat") {
		t.Errorf("bad input: %v", c.bad)
	}
}

// A group that lasts much longer than its slot is cut where everybody cuts it.
func TestLongGroupsAreCutAlike(t *testing.T) {
	v := video("v", 12800, 512, 1<<40, unix*12800) // one group for ever
	v2 := v
	a := audio("a", 48000, 960, unix*48000)
	c := newChannel(t, cfg(), v, a)
	all := interleave(v.objects(t, 0, 1000), a.objects(t, 0, 2000))
	c.send(all...)
	p := c.Output().Plan
	if p.Independent || p.TargetDuration != 2 {
		t.Errorf("plan %+v", p)
	}
	if c.Events().ForcedCuts == 0 {
		t.Error("no cut was forced")
	}
	for _, g := range c.line("v").Timeline.Load().Segments {
		if g.Dur > 2*12800 || g.State != timeline.Full {
			t.Errorf("segment %+v", g)
		}
	}
	late := newChannel(t, cfg(), v2, a)
	late.send(all[333:]...)
	if n := agree(t, c.store, late.store); n < 50 {
		t.Errorf("only %d names in common", n)
	}
}

// One group in between is longer than the others: the numbers go on and no segment is too long.
func TestGroupThatOutlivesItsSlotIsCutOnce(t *testing.T) {
	v := video("v", 12800, 512, 25, unix*12800+5120)
	all := v.objects(t, 0, 1000)
	for i := range all { // groups 8 to 12 are one
		if g := all[i].Group; g >= 8 && g < 13 {
			all[i].Object.Location.Group, all[i].Object.Object = 8, (g-8)*25+all[i].Object.Object
			all[i].Payload = bytes.Replace(all[i].Payload, []byte{0x65, 'v'}, []byte{0x41, 'v'}, 1)
			if i == 8*25 {
				all[i].Payload = bytes.Replace(all[i].Payload, []byte{0x41, 'v'}, []byte{0x65, 'v'}, 1)
			}
		}
	}
	c := newChannel(t, cfg(), v)
	c.send(all...)
	if e := c.Events(); e.ForcedCuts == 0 || e.Gaps != 0 {
		t.Errorf("events %+v", e)
	}
	segments := c.line("v").Timeline.Load().Segments
	for i := range segments {
		if g := &segments[i]; (g.Dur+6400)/12800 > 2 || g.State != timeline.Full {
			t.Errorf("segment %d of %d ticks", g.N, g.Dur)
		}
	}
}

type nowhere struct{}

func (nowhere) Put(context.Context, segmenter.Media) error { return nil }

func BenchmarkSegmenter(b *testing.B) {
	v := video("v", 30000, 1001, 30, unix*30000)
	init := v.track(b)
	all := v.objects(b, 0, 3000)
	b.ReportAllocs()
	for b.Loop() {
		s, err := segmenter.New(cfg(), nowhere{}, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Catalog(b.Context(), time.Unix(unix, 0), []media.Track{init})
		for i := range all {
			if err := s.Object(b.Context(), time.UnixMicro(all[i].at), "v", all[i].Object); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3000, "ns/object")
}

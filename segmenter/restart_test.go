package segmenter_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// past is what a record would hold of the channel, after a way through a file.
func (c *channel) past() *segmenter.Past {
	c.t.Helper()
	out := c.Output()
	if out == nil {
		return nil
	}
	p := segmenter.Past{Plan: out.Plan, Events: out.Events}
	switch l := c.ledger.(type) {
	case *ledger:
		p.Epochs, p.Changes = l.claims, l.changes
	case *shared:
		p.Epochs, p.Changes = l.claims, l.changes
	}
	for _, r := range out.Renditions {
		s := r.Timeline.Load()
		p.Renditions = append(p.Renditions, segmenter.PastRendition{Track: *r.Track, Epochs: s.Epochs, Segments: s.Segments, Ended: s.Ended})
	}
	body, err := json.Marshal(p)
	if err != nil {
		c.t.Fatal(err)
	}
	var back segmenter.Past
	if err := json.Unmarshal(body, &back); err != nil {
		c.t.Fatal(err)
	}
	return &back
}

// again is the next run of the channel: it has what the record says, and publishes under the same names.
func (c *channel) again(tracks ...media.Track) *channel {
	c.t.Helper()
	next := &channel{t: c.t, store: c.store, ledger: c.ledger}
	s, err := segmenter.New(cfg(), c.store, c.ledger, c.past())
	if err != nil {
		c.t.Fatal(err)
	}
	if next.Segmenter = s; c.Output() != nil {
		for i, r := range s.Output().Renditions {
			if want := show(full(c.Output().Renditions[i].Timeline.Load()), zero); show(r.Timeline.Load(), zero) != want {
				c.t.Errorf("before the catalog %s is %q, want %q", r.Track.Name, show(r.Timeline.Load(), zero), want)
			}
		}
	}
	if err := s.Catalog(c.t.Context(), time.Unix(unix, 0), tracks); err != nil {
		c.t.Fatal(err)
	}
	return next
}

// full is the snapshot without its open segment.
func full(s *timeline.Snapshot) *timeline.Snapshot {
	closed := *s
	closed.Open = nil
	return &closed
}

func far(ticks, frame int64) bool { return ticks > frame || ticks < -frame }

// checkContinues holds timelines after restarts against those of a run without: numbers go on, and what is not a gap is equal.
func checkContinues(t *testing.T, whole, c *channel, gaps int) {
	t.Helper()
	for _, r := range whole.Output().Renditions {
		w, s := r.Timeline.Load(), c.line(r.Track.Name).Timeline.Load()
		if w.Position() != s.Position() {
			t.Errorf("%s is at %+v, want %+v", r.Track.Name, s.Position(), w.Position())
		}
		missing := 0
		for i, g := range s.Segments {
			if i > 0 && g.N != s.Segments[i-1].N+1 {
				t.Errorf("%s: segment %d follows %d", r.Track.Name, g.N, s.Segments[i-1].N)
			}
			want := w.Segment(g.N)
			switch {
			case want == nil:
				t.Errorf("%s: segment %d is not there without a restart", r.Track.Name, g.N)
			case g.State == timeline.Gap:
				missing++
				if far(g.Start-want.Start, w.Frame) || far(g.Dur-want.Dur, w.Frame) {
					t.Errorf("%s: the gap %d is at %d for %d, the segment at %d for %d", r.Track.Name, g.N, g.Start, g.Dur, want.Start, want.Dur)
				}
			case g.Epoch != want.Epoch || g.State != want.State || g.Start != want.Start || g.Dur != want.Dur || g.Size != want.Size:
				t.Errorf("%s: %+v, without a restart %+v", r.Track.Name, g, want)
			}
		}
		if missing > gaps {
			t.Errorf("%s: %d gaps, want %d at most: %s", r.Track.Name, missing, gaps, show(s, zero))
		}
		for _, e := range s.Epochs {
			if o := w.Epoch(e.Index); o == nil || o.First != e.First || o.Origin != e.Origin || o.Init.Digest != e.Init.Digest || o.Frame != e.Frame {
				t.Errorf("%s: epoch %+v, without a restart %+v", r.Track.Name, e, o)
			}
		}
	}
}

func TestRestartAtEveryInstantGoesOnInTheSameTimelines(t *testing.T) {
	for _, tt := range []struct {
		name string
		v, a source
		gaps int
	}{
		{"25 fps", video("v", 12800, 512, 25, unix*12800), audio("a", 48000, 1024, unix*48000), 2},
		{"29.97 fps", video("v", 30000, 1001, 30, unix*30000), audio("a", 44100, 1024, unix*44100), 3},
		{"milliseconds", video("v", 1000, 20, 50, unix*1000+300), audio("a", 44100, 1024, unix*44100+100), 2},
		{"B-frames off the grid", source{name: "v", kind: media.Video, timescale: 30000, dur: 1001, group: 60, batch: 1, start: unix*30000 + 12345, reorder: 2},
			audio("a", 48000, 1536, unix*48000), 9}, // until it is certain where segments begin
		{"by arrival", video("v", 12800, 512, 25, 1000*12800), audio("a", 48000, 960, 1000*48000), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scale := int64(tt.v.timescale)
			all := interleave(tt.v.objects(t, 0, 30*scale/tt.v.dur), tt.a.objects(t, 0, 30*int64(tt.a.timescale)/tt.a.dur))
			if tt.v.start < unix {
				for i := range all {
					all[i].at += (unix - 1000) * 1e6
				}
			}
			whole := newChannel(t, cfg(), tt.v, tt.a)
			whole.send(all...)
			for at := 1; at < len(all)/2; at += 13 {
				c := newChannel(t, cfg(), tt.v, tt.a)
				c.send(all[:at]...)
				if c.Output() == nil || c.line("v").Timeline.Load().Current() == nil {
					continue // the run that follows is the first one
				}
				c = c.again(tt.v.track(t), tt.a.track(t))
				c.send(all[at:]...)
				agree(t, whole.store, c.store)
				checkContinues(t, whole, c, tt.gaps)
				if e := c.Events(); e.Epochs != 0 || t.Failed() {
					t.Fatalf("restarted after %d objects: events %+v", at, e)
				}
			}
		})
	}
}

func TestRestartAfterALongTimeLeavesGapsAndKeepsTheWindow(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 40), a.seconds(t, 40))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 8.5)...)
	c = c.again(v.track(t), a.track(t))
	c.send(between(all, 31.9, 38.5)...)
	c.want("v", "0 1 2 3 (4) (5) (6) (7) (8) (9) (10) (11) (12) (13) (14) (15) 16 17 18 19.1")
	c.want("a", "0 1 2 3 (4) (5) (6) (7) (8) (9) (10) (11) (12) (13) (14) (15) 16 17 18 19.1")
	s := c.line("v").Timeline.Load()
	for i := range s.Segments[1:] {
		if s.Segments[i].End() != s.Segments[i+1].Start {
			t.Errorf("segment %d ends at %d, the next begins at %d", s.Segments[i].N, s.Segments[i].End(), s.Segments[i+1].Start)
		}
	}
	if e := c.Events(); e.Gaps != 24 || e.Epochs != 0 {
		t.Errorf("events %+v", e)
	}
}

func TestRestartIntoAnotherTimeBaseOpensAnEpoch(t *testing.T) {
	v, a := plain()
	v.start, a.start = 1000*12800, 1000*48000
	shift := func(all []object, base int64) []object {
		for i := range all {
			all[i].at += base * 1e6
		}
		return all
	}
	c := newChannel(t, cfg(), v, a)
	c.send(shift(interleave(v.seconds(t, 9), a.seconds(t, 9)), unix-1000)...)
	v.start, a.start = 100*12800, 100*48000
	c = c.again(v.track(t), a.track(t))
	c.send(shift(interleave(v.seconds(t, 5), a.seconds(t, 5)), unix-80)...)
	c.want("v", "0 1 2 3 (4) (5) (6) (7) (8) (9) | 10 11 12.3")
	c.want("a", "0 1 2 3 (4) (5) (6) (7) (8) (9) | 10 11 12.3")
	for _, name := range []string{"v", "a"} {
		e := c.line(name).Timeline.Load().Current()
		if e.Index != 1 || e.First != zero+10 || e.Origin != (unix-80)*int64(e.Init.Timescale) || !e.Arrival {
			t.Errorf("%s: epoch %+v", name, e)
		}
	}
	if e := c.Events(); e.Epochs != 1 {
		t.Errorf("events %+v", e)
	}
}

func TestRestartWithAnotherHeaderOpensAnEpoch(t *testing.T) {
	for inline, want := range map[bool]string{false: "0 1 2 (3) | (4) 5 6 7 8.1", true: "0 1 2 (3) (4) | 5 6 7 8.1"} {
		v, a := plain()
		all := interleave(v.seconds(t, 20), a.seconds(t, 20))
		c := newChannel(t, cfg(), v, a)
		c.send(between(all, 0, 6.5)...)
		v.header = wide(t, v)
		track := v.track(t)
		if inline {
			track.Init = nil
		}
		c = c.again(track, a.track(t))
		for _, o := range between(all, 9.9, 16.5) {
			if inline && o.track == "v" && o.Object.Object == 0 {
				o.Payload = append(append([]byte(nil), v.header...), o.Payload...)
			}
			c.send(o)
		}
		c.want("v", want)
		if v, a := c.line("v").Timeline.Load().Current(), c.line("a").Timeline.Load().Current(); a.Index != 1 || a.First != v.First {
			t.Errorf("inline %v: video is in epoch %+v, audio in %+v", inline, v, a)
		}
		if e := c.Events(); e.Epochs != 1 {
			t.Errorf("inline %v: events %+v", inline, e)
		}
	}
}

// Another rendition has begun the slot in which the header changes, so the epoch begins with the next one. Media time did not
// move, however little is known of what it is.
func TestChangedHeaderKeepsABaseThatWasTakenFromArrival(t *testing.T) {
	v, a := plain()
	v.start, a.start = 1000*12800, 1000*48000
	all := later(interleave(v.seconds(t, 14), a.seconds(t, 14)), (unix-1000)*1000)
	for i := range all {
		if o := &all[i]; o.track == "v" && o.Group == 6 && o.Object.Object == 0 {
			o.Payload = append(wide(t, v), o.Payload...)
		}
	}
	c := newChannel(t, cfg(), v, a)
	c.send(all...)
	c.want("v", "0 1 2 (3) | 4 5 6.6")
	for _, name := range []string{"v", "a"} {
		for _, e := range c.line(name).Timeline.Load().Epochs {
			if e.Origin != (unix-1000)*int64(e.Init.Timescale) {
				t.Errorf("%s: epoch %+v", name, e)
			}
		}
	}
}

func TestTrackOfThePastThatLeftTheCatalogLeavesTheOutput(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 6.5)...)
	c = c.again(v.track(t))
	if out := c.Output(); len(out.Renditions) != 1 || out.Renditions[0].Track.Name != "v" {
		t.Errorf("renditions %+v", out.Renditions)
	}
	c.send(between(all, 6.5, 12)...)
	c.want("v", "0 1 2 (3) 4 5.6")
}

func TestRecordingGoesOnWhenMediaComesAgain(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	for _, restart := range []bool{false, true} {
		c := newChannel(t, cfg(), v, a)
		c.send(between(all, 0, 6)...)
		for _, track := range []string{"v", "a"} {
			c.send(object{track, (unix + 6) * 1e6, media.Object{Location: media.Location{Group: 6}, Status: media.EndOfTrack}})
		}
		if restart {
			c = c.again(v.track(t), a.track(t))
		} else if err := c.Catalog(t.Context(), time.Unix(unix+6, 0), []media.Track{v.track(t), a.track(t)}); err != nil {
			t.Fatal(err)
		}
		c.want("v", "0 1 2 end")
		c.send(between(all, 9.9, 14)...)
		c.want("v", "0 1 2 (3) (4) 5 6.6")
		c.want("a", "0 1 2 (3) (4) 5 6")
	}
}

func TestPastOfAnotherGridIsRefused(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.seconds(t, 6), a.seconds(t, 6))...)
	other := cfg()
	other.Target = 4 * time.Second
	if _, err := segmenter.New(other, c.store, nil, c.past()); !errors.Is(err, segmenter.ErrPast) || !strings.Contains(err.Error(), "target 2s") ||
		!strings.Contains(err.Error(), "target 4s") {
		t.Errorf("another target: %v", err)
	}
	other = cfg()
	other.Part = 500 * time.Millisecond
	if _, err := segmenter.New(other, c.store, nil, c.past()); !errors.Is(err, segmenter.ErrPast) {
		t.Errorf("other parts: %v", err)
	}
	other = cfg()
	other.Window, other.DVR = 3, 10*time.Second
	s, err := segmenter.New(other, c.store, nil, c.past())
	if err != nil || s.Output().Plan.Window != 5 {
		t.Errorf("another window: %v", err)
	}
}

func TestMalformedPastIsAnError(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(v.seconds(t, 8), a.seconds(t, 8))...)
	for name, spoil := range map[string]func(*segmenter.Past){
		"no grid":          func(p *segmenter.Past) { p.Plan.Grid = timeline.Grid{} },
		"no parts":         func(p *segmenter.Past) { p.Plan.PartTarget = 0 },
		"a hole":           func(p *segmenter.Past) { p.Renditions[0].Segments[1].N++ },
		"two of a name":    func(p *segmenter.Past) { p.Renditions[1].Track.Name = "v" },
		"no epochs":        func(p *segmenter.Past) { p.Renditions[0].Epochs = nil },
		"epochs in a knot": func(p *segmenter.Past) { p.Epochs = []segmenter.Epoch{{Index: 2}, {Index: 1}} },
		"a wild epoch":     func(p *segmenter.Past) { p.Epochs = []segmenter.Epoch{{Index: 2, First: 1 << 60}} },
		"beyond any clock": func(p *segmenter.Past) {
			p.Renditions[0].Segments = p.Renditions[0].Segments[:1]
			p.Renditions[0].Segments[0].N = 1 << 60
		},
		"of no known media": func(p *segmenter.Past) { p.Renditions[0].Track.Kind = 0 },
	} {
		p := c.past()
		spoil(p)
		if _, err := segmenter.New(cfg(), c.store, nil, p); !errors.Is(err, segmenter.ErrPast) {
			t.Errorf("%s: %v, want ErrPast", name, err)
		}
	}
}

// A claim far in the future, or an edge there, must not keep the channel silent until then.
func TestPastFromTheFutureOpensAnEpoch(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 6)...)
	for name, move := range map[string]func(*segmenter.Past){
		"an edge": func(p *segmenter.Past) {
			for i := range p.Renditions {
				for j := range p.Renditions[i].Segments {
					p.Renditions[i].Segments[j].N += 100_000
				}
			}
		},
		"a claim": func(p *segmenter.Past) { p.Epochs = []segmenter.Epoch{{Index: 3, First: zero + 100_000}} },
	} {
		p := c.past()
		move(p)
		s, err := segmenter.New(cfg(), newStore(t), nil, p)
		if err != nil {
			t.Fatal(err)
		}
		next := &channel{Segmenter: s, t: t, store: newStore(t)}
		if err := s.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), a.track(t)}); err != nil {
			t.Fatal(err)
		}
		before := next.line("v").Timeline.Load().Position()
		next.send(between(all, 8, 16)...)
		if at := next.line("v").Timeline.Load().Position(); at.N < before.N+3 || at.N > before.N+10 {
			t.Errorf("%s: from %+v to %+v", name, before, at)
		}
	}
}

func FuzzPast(f *testing.F) {
	v, a := plain()
	c := newChannel(f, cfg(), v, a)
	all := interleave(v.seconds(f, 8), a.seconds(f, 8))
	c.send(all...)
	body, err := json.Marshal(c.past())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	tracks := []media.Track{v.track(f), a.track(f)}
	f.Fuzz(func(t *testing.T, body []byte) {
		var p segmenter.Past
		if json.Unmarshal(body, &p) != nil {
			return
		}
		s, err := segmenter.New(cfg(), nowhere{}, nil, &p)
		if err != nil {
			return
		}
		_ = s.Catalog(t.Context(), time.Unix(unix, 0), tracks)
		for _, o := range all {
			_ = s.Object(t.Context(), time.UnixMicro(o.at), o.track, o.Object)
		}
		_ = s.End(t.Context())
	})
}

// A relay may bring media again that was published before the restart.
func TestMediaOfThePastIsNotPublishedAgain(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 8.5)...)
	c = c.again(v.track(t), a.track(t))
	c.send(between(all, 2.9, 14)...)
	c.want("v", "0 1 2 3 4 5 6.6")
	c.want("a", "0 1 2 3 4 5 6")
	if e := c.Events(); e.Gaps != 0 || e.Epochs != 0 {
		t.Errorf("events %+v", e)
	}
}

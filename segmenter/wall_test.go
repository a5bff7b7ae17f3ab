package segmenter_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// late are the objects as they arrive after so many microseconds on a way of their own.
func late(objects []object, micros int64) (all []object) {
	for _, o := range objects {
		o.at += micros
		all = append(all, o)
	}
	return all
}

// Media time begins at zero, and the catalog says when that was: whoever joins and whatever the way there takes, segments have the same
// numbers, those of that time.
func TestTheWallClockOfTheCatalogNumbersTheSegments(t *testing.T) {
	v, a := video("v", 12800, 512, 25, 0), audio("a", 48000, 960, 0)
	began := time.Unix(unix-7200, 400e6) // the publisher has been running for two hours
	all := late(interleave(v.objects(t, 7200*25, 7200*25+300), a.objects(t, 7200*50, 7200*50+600)), began.UnixMicro())
	var first *channel
	for _, delay := range []int64{0, 900_000, 3_300_000} {
		c := newChannel(t, cfg())
		tracks := []media.Track{v.track(t), a.track(t)}
		tracks[1].Anchor = began // of any track
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
			t.Fatal(err)
		}
		objects := late(all, delay)
		c.send(objects[int(delay/25_000):]...)
		e := c.line("v").Timeline.Load().Current()
		if e.Arrival || e.Origin != (unix-7200)*12800 {
			t.Errorf("after %d ms: media time zero is at %d, from arrival: %v", delay/1000, e.Origin/12800, e.Arrival)
		}
		if first == nil {
			first = c
			continue
		}
		shared := 0
		for key, body := range c.store.data {
			if other, ok := first.store.data[key]; ok {
				if shared++; string(other) != string(body) {
					t.Errorf("%s has two contents", key)
				}
			}
		}
		if shared < 10 {
			t.Errorf("after %d ms: %d names are shared", delay/1000, shared)
		}
	}
}

// A wall clock that is more than a day off is none.
func TestAWildWallClockIsNotBelieved(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	c := newChannel(t, cfg())
	track := v.track(t)
	track.Anchor = time.Unix(unix-3*24*3600, 0)
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
		t.Fatal(err)
	}
	c.send(late(v.objects(t, 0, 200), unix*1e6)...)
	if e := c.line("v").Timeline.Load().Current(); !e.Arrival || e.Origin != unix*12800 {
		t.Errorf("%+v", e)
	}
}

// moq-mi says with every object when it was sent: that counts, and not when it arrives.
func TestTheWallClockOfMoqMINumbersTheSegments(t *testing.T) {
	data, err := os.ReadFile("../testdata/cmaf/h264-2997.mp4")
	if err != nil {
		t.Fatal(err)
	}
	clip, err := live.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Unix(unix-3600, 0)
	s, err := live.NewSource(live.Track{Name: "video0", Clip: clip, Packing: live.Packing{As: media.MoqMI}}, began)
	if err != nil {
		t.Fatal(err)
	}
	var origin int64
	for _, delay := range []time.Duration{0, 1900 * time.Millisecond} {
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{{Name: "video0", Kind: media.Video, Packaging: media.MoqMI, Namespace: []string{"x"}}}); err != nil {
			t.Fatal(err)
		}
		l, _ := s.Largest(time.Unix(unix, 0))
		for l = (media.Location{Group: l.Group + 1}); s.Due(l).Before(time.Unix(unix+12, 0)); l = s.Next(l) {
			o, err := s.Object(l)
			if err != nil {
				t.Fatal(err)
			}
			c.send(object{"video0", s.Due(l).Add(delay).UnixMicro(), o})
		}
		e := c.line("video0").Timeline.Load().Current()
		if origin == 0 {
			origin = e.Origin
		}
		if e.Origin != origin {
			t.Errorf("after %v media time zero is at %d, and at %d at once", delay, e.Origin, origin)
		}
	}
}

// A producer reference time says the wall clock of some media time: that counts, and not when the object arrives.
func TestTheWallClockOfTheProducerNumbersTheSegments(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	began := time.Unix(unix-3600, 0)
	all := v.objects(t, 3600*25, 3600*25+300)
	for i := range all {
		at := uint64(3600*25+i) * 512
		ntp := uint64(began.Unix()+2208988800)<<32 + at<<32/12800
		b := append(binary.BigEndian.AppendUint32(nil, 32), "prft\x01\x00\x00\x00\x00\x00\x00\x01"...)
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, ntp), at)
		all[i].Payload = append(b, all[i].Payload...)
	}
	for _, delay := range []int64{0, 1_900_000} {
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t)}); err != nil {
			t.Fatal(err)
		}
		c.send(late(all, began.UnixMicro()+delay)...)
		if e := c.line("v").Timeline.Load().Current(); e.Origin != began.Unix()*12800 {
			t.Errorf("after %d ms media time zero is at %d, want %d", delay/1000, e.Origin/12800, began.Unix())
		}
	}
}

// history are the objects of a media timeline of v, whose media time zero was at began: a group for each of v's groups from one on, each
// with the records of all groups since the first. What it says of each is some time late, as encoders are.
func history(v source, first, from, to int64, began time.Time) (all []object) {
	var records []string
	for g := first; g < to; g++ {
		at := g * v.group * v.dur * 1000 / int64(v.timescale)
		records = append(records, fmt.Sprintf("[%d,[%d,0],%d]", at, g, began.UnixMilli()+at+g*37%80))
		if g >= from {
			all = append(all, object{"h", (began.UnixMilli() + at + 100) * 1000, media.Object{
				Location: media.Location{Group: uint64(g)}, Payload: []byte("[" + strings.Join(records, ",") + "]"),
			}})
		}
	}
	return all
}

func historyTrack() media.Track {
	return media.Track{Name: "h", Kind: media.Timeline, Packaging: media.MediaTimeline, Depends: []string{"v"}, Namespace: []string{"x"}}
}

// A media timeline says when media was made: whoever joins, and whatever the way there takes, segments have the same numbers.
func TestAMediaTimelineNumbersTheSegments(t *testing.T) {
	v, a := video("v", 12800, 512, 25, 0), audio("a", 48000, 960, 0)
	began := time.Unix(unix-7200, 960e6) // the slots of half the records would be those of a second later
	media7200 := interleave(late(interleave(v.objects(t, 7200*25, 7200*25+300), a.objects(t, 7200*50, 7200*50+600)), began.UnixMicro()),
		history(v, 0, 7199, 7212, began))
	var first *channel
	for _, delay := range []int64{0, 900_000, 3_300_000} {
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{historyTrack(), v.track(t), a.track(t)}); err != nil {
			t.Fatal(err)
		}
		objects := late(media7200, delay)
		c.send(objects[int(delay/25_000):]...)
		e := c.line("v").Timeline.Load().Current()
		if !e.Arrival || e.Origin != (unix-7200)*12800 {
			t.Errorf("after %d ms: media time zero is at %d, other instances may differ: %v", delay/1000, e.Origin/12800, e.Arrival)
		}
		if first == nil {
			first = c
			continue
		}
		shared := 0
		for key, body := range c.store.data {
			if other, ok := first.store.data[key]; ok {
				if shared++; string(other) != string(body) {
					t.Errorf("%s has two contents", key)
				}
			}
		}
		if shared < 10 {
			t.Errorf("after %d ms: %d names are shared", delay/1000, shared)
		}
	}
}

// What the catalog says counts before what a timeline says, and that before what a producer says; a timeline that is broken, says nothing,
// speaks of other media or is a day off counts for nothing.
func TestWhoseWallClockCounts(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	began := time.Unix(unix-7200, 0)
	arrived := began.Unix() + 2
	for name, c := range map[string]struct {
		anchor  time.Time
		history []object
		from    int64 // media time zero, in Unix time
	}{
		"catalog":  {began.Add(10 * time.Second), history(v, 0, 7200, 7201, began), began.Unix() + 10},
		"timeline": {time.Time{}, history(v, 0, 7200, 7201, began), began.Unix()},
		"nobody":   {time.Time{}, nil, arrived},
		"broken":   {time.Time{}, []object{{"h", unix * 1e6, media.Object{Payload: []byte("MEDIA_PTS,GROUP_ID")}}}, arrived},
		"silent":   {time.Time{}, []object{{"h", unix * 1e6, media.Object{Payload: []byte("[[7200000,[7200,0],0]]")}}}, arrived},
		"others":   {time.Time{}, history(v, 0, 1, 2, time.Unix(unix, 0)), arrived},
		"a day":    {time.Time{}, history(v, 0, 7200, 7201, began.Add(-25*time.Hour)), arrived},
	} {
		ch := newChannel(t, cfg())
		tracks := []media.Track{v.track(t), historyTrack()}
		tracks[0].Anchor = c.anchor
		if err := ch.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
			t.Fatal(err)
		}
		for i := range c.history {
			c.history[i].at = unix*1e6 + 500_000
		}
		ch.send(interleave(late(v.objects(t, 7200*25, 7200*25+300), began.UnixMicro()+2e6), c.history)...)
		if e := ch.line("v").Timeline.Load().Current(); e.Origin != c.from*12800 || e.Arrival != c.anchor.IsZero() {
			t.Errorf("%s: media time zero is at %d, want %d; may differ: %v", name, e.Origin/12800, c.from, e.Arrival)
		}
		if want := map[string]int{"broken": 1}[name]; len(ch.bad) != want {
			t.Errorf("%s: refused %v", name, ch.bad)
		}
	}
}

// A timeline may come after the media; but not for ever is it waited for, and not at all where media time is Unix time.
func TestATimelineIsWaitedForWhereItIsNeeded(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	began := time.Unix(unix-7200, 0)
	for name, c := range map[string]struct {
		start  int64 // Unix time at media time zero, if media time is that
		after  int64 // ms, when the timeline comes
		plan   int64 // ms, when there is an output by
		origin int64
	}{
		"early":     {0, 100, 1100, began.Unix()},
		"late":      {0, 1500, 1550, began.Unix()},
		"too late":  {0, 2500, 2100, began.Unix()},
		"Unix time": {began.Unix(), 2500, 1100, 0},
	} {
		ch := newChannel(t, cfg())
		v := v
		v.start = c.start * 12800
		if err := ch.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), historyTrack()}); err != nil {
			t.Fatal(err)
		}
		h := history(v, 0, 7200, 7201, began)
		h[0].at = unix*1e6 + c.after*1000
		for _, o := range interleave(late(v.objects(t, 7200*25, 7200*25+300), (began.Unix()-c.start)*1e6), h) {
			if ch.Output() != nil && o.at < unix*1e6+(c.plan-60)*1000 {
				t.Fatalf("%s: it was not waited for", name)
			}
			if ch.Output() == nil && o.at > unix*1e6+c.plan*1000 {
				t.Fatalf("%s: there is no output after %d ms", name, c.plan)
			}
			ch.send(o)
			if ch.Output() == nil && ch.Enough("h") {
				t.Fatalf("%s: nothing has come yet that it counts for", name)
			}
		}
		if e := ch.line("v").Timeline.Load().Current(); e.Origin != c.origin*12800 {
			t.Errorf("%s: media time zero is at %d, want %d", name, e.Origin/12800, c.origin)
		}
		if !ch.Enough("h") || ch.Enough("v") {
			t.Errorf("%s: %v for the timeline, %v for the video", name, ch.Enough("h"), ch.Enough("v"))
		}
	}
}

// After a restart of the publisher the timeline speaks of its new media time.
func TestAMediaTimelineFollowsARestart(t *testing.T) {
	v := video("v", 12800, 512, 25, 0)
	began := time.Unix(unix-7200, 0)
	again := time.Unix(unix+12, 300e6)
	c := newChannel(t, cfg())
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), historyTrack()}); err != nil {
		t.Fatal(err)
	}
	c.send(interleave(late(v.objects(t, 7200*25, 7200*25+250), began.UnixMicro()), history(v, 0, 7199, 7210, began))...)
	c.send(interleave(late(v.objects(t, 0, 250), again.UnixMicro()+1_900_000), history(v, 0, 0, 10, again))...)
	if e := c.line("v").Timeline.Load().Current(); e.Index != 1 || e.Origin != (unix+12)*12800 {
		t.Errorf("epoch %d: media time zero is at %d, want %d", e.Index, e.Origin/12800, unix+12)
	}
}

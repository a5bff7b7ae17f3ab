package segmenter_test

import (
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// sends are the objects of every track of the demo's broadcast in an interval, wrapped in one way.
func sends(t *testing.T, p live.Packing, from time.Time, d time.Duration) (tracks []media.Track, all []object) {
	t.Helper()
	demo, err := live.Demo("x")
	if err != nil {
		t.Fatal(err)
	}
	demo.Tracks = slices.Clone(demo.Tracks)
	for i := range demo.Tracks {
		demo.Tracks[i].Packing = p
	}
	b, err := live.Open(demo)
	if err != nil {
		t.Fatal(err)
	}
	var each [][]object
	for _, s := range b.Sources() {
		track := media.Track{Name: s.Name, Kind: s.Clip.Kind, Packaging: media.CMAF}
		if !p.Init {
			track.Init = s.Init()
		}
		tracks = append(tracks, track)
		l, _ := s.Largest(from)
		var objects []object
		for l = (media.Location{Group: l.Group + 1}); s.Due(l).Before(from.Add(d)); l = s.Next(l) {
			payload, err := s.Payload(l)
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, object{s.Name, s.Due(l).UnixMicro(), media.Object{Location: l, Payload: payload}})
		}
		each = append(each, objects)
	}
	return tracks, interleave(each...)
}

func TestWrappingLeavesNoTrace(t *testing.T) {
	from := time.Unix(unix+1, 300e6)
	publish := func(p live.Packing, from time.Time, d time.Duration) *channel {
		tracks, objects := sends(t, p, from, d)
		c := newChannel(t, cfg())
		if err := c.Catalog(t.Context(), from, tracks); err != nil {
			t.Fatal(err)
		}
		c.send(objects...)
		if len(c.bad) > 0 {
			t.Error(c.bad)
		}
		checkStored(t, c)
		return c
	}
	bare := publish(live.Packing{}, from, 12*time.Second)
	if e := bare.Events(); e.ForcedCuts+e.Gaps+e.Losses+e.Epochs > 0 {
		t.Errorf("events %+v", e)
	}
	for _, r := range bare.Output().Renditions {
		if n, ok := r.Timeline.Load().First(); !ok || n != zero+1 {
			t.Errorf("%s begins with slot %d, want %d", r.Track.Name, int64(n-zero), 1)
		}
	}
	for _, p := range []live.Packing{
		{Durations: live.InTfhd},
		{Durations: live.InTrex, Styp: true},
		{Frames: 5, Durations: live.InTfhd, Prft: true, Emsg: true},
		{Frames: 3, Init: true},
	} {
		c := publish(p, from.Add(1700*time.Millisecond), 10*time.Second)
		if n := agree(t, bare.store, c.store); n < 50 {
			t.Errorf("%+v: only %d names in common", p, n)
		}
	}
}

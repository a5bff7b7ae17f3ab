package live_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

func demo(t *testing.T) *live.Broadcast {
	t.Helper()
	b, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	open, err := live.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return open
}

// source is a test clip as a track.
func source(t *testing.T, file string, p live.Packing, epoch time.Time) *live.Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../testdata/cmaf", file))
	if err != nil {
		t.Fatal(err)
	}
	c, err := live.Load(data)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s, err := live.NewSource(live.Track{Name: file, Clip: c, Packing: p}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func clipFiles() []string {
	return []string{"h264-2997.mp4", "h264-5994.mp4", "hevc-25.mp4", "av1-25.mp4", "aac-44100.mp4", "opus-48000.mp4", "ac3-48000.mp4"}
}

// samples decodes the header and the objects from l on as one file.
func samples(t *testing.T, s *live.Source, l media.Location, objects int) []mp4.FullSample {
	t.Helper()
	file := bytes.Clone(s.Init())
	for range objects {
		p, err := s.Payload(l)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, bytes.TrimPrefix(p, s.Init())...)
		l = s.Next(l)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	var all []mp4.FullSample
	for _, segment := range f.Segments {
		for _, fragment := range segment.Fragments {
			more, err := fragment.GetFullSamples(f.Init.Moov.Mvex.Trex)
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			all = append(all, more...)
		}
	}
	return all
}

func continuous(t *testing.T, name string, all []mp4.FullSample) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if want := all[i-1].DecodeTime + uint64(all[i-1].Dur); all[i].DecodeTime != want {
			t.Fatalf("%s: sample %d starts at %d, want %d", name, i, all[i].DecodeTime, want)
		}
	}
}

func TestMediaTimeIsUnixTimeAndContinuesOverLoops(t *testing.T) {
	const seam = 32 * 100 // the end of a loop, as a Unix time
	for _, s := range demo(t).Sources() {
		all := samples(t, s, media.Location{Group: seam - 2}, 4*int(s.Objects(seam)))
		continuous(t, s.Name, all)
		if got := all[0].DecodeTime / uint64(s.Clip.Timescale); got != seam-2 {
			t.Errorf("%s: group %d starts at second %d", s.Name, seam-2, got)
		}
		if !all[0].IsSync() {
			t.Errorf("%s: a group does not start with a sync frame", s.Name)
		}
	}
}

func TestLoopRepeatsItsContent(t *testing.T) {
	for _, s := range demo(t).Sources() {
		a := samples(t, s, media.Location{Group: 320}, 60)
		b := samples(t, s, media.Location{Group: 352}, 60)
		for i := range a {
			if !bytes.Equal(a[i].Data, b[i].Data) {
				t.Fatalf("%s: sample %d differs one loop later", s.Name, i)
			}
		}
	}
}

func TestEveryClipRunsContinuously(t *testing.T) {
	for _, file := range clipFiles() {
		s := source(t, file, live.Packing{}, time.Time{})
		now, _ := s.Largest(time.Unix(1_800_000_000, 0))
		continuous(t, file, samples(t, s, now, 500))
	}
}

func TestEveryPackingHoldsTheSameSamples(t *testing.T) {
	epoch := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, file := range clipFiles() {
		want := samples(t, source(t, file, live.Packing{}, epoch), media.Location{}, 20)
		for _, p := range []live.Packing{
			{Durations: live.InTfhd},
			{Durations: live.InTrex},
			{Durations: live.InTrex, Frames: 5},
			{Frames: 4, Styp: true, Prft: true, Emsg: true, Init: true},
		} {
			got := samples(t, source(t, file, p, epoch), media.Location{}, 20/max(1, p.Frames))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %+v: %s", file, p, diff)
			}
		}
	}
}

func TestGroupsHoldWholeObjectsAndTheRest(t *testing.T) {
	s := source(t, "hevc-25.mp4", live.Packing{Frames: 10}, time.Time{})
	if got := s.Objects(7); got != 3 {
		t.Errorf("a group of 25 frames in objects of 10 has %d objects, want 3", got)
	}
	if got := len(samples(t, s, media.Location{Group: 7, Object: 2}, 1)); got != 5 {
		t.Errorf("the last object has %d frames, want 5", got)
	}
	if s.Has(media.Location{Group: 7, Object: 3}) {
		t.Error("there is a fourth object")
	}
}

func TestAudioGroupsStartWithTheFirstFrameOfTheirSecond(t *testing.T) {
	s, _ := demo(t).Source("audio-en")
	var frames []uint64
	for g := range uint64(8) {
		frames = append(frames, s.Objects(g))
	}
	if diff := cmp.Diff([]uint64{47, 47, 47, 47, 47, 47, 47, 46}, frames); diff != "" {
		t.Error(diff)
	}
}

func TestLargestIsTheNewestObjectThatIsDue(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, file := range clipFiles() {
		for _, frames := range []int{1, 7} {
			for _, epoch := range []time.Time{{}, start.Add(-3 * time.Second).Add(123_456_789)} {
				s := source(t, file, live.Packing{Frames: frames}, epoch)
				for now := start; now.Before(start.Add(4 * time.Second)); now = now.Add(6_543_211) {
					l, ok := s.Largest(now)
					if !ok || s.Due(l).After(now) || !s.Due(s.Next(l)).After(now) || !s.Has(l) {
						t.Fatalf("%s at %v: largest %v (%v) due %v, next due %v", file, now, l, ok, s.Due(l), s.Due(s.Next(l)))
					}
				}
			}
		}
	}
}

func TestNothingExistsBeforeTheFirstObjectIsDue(t *testing.T) {
	epoch := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s := source(t, "hevc-25.mp4", live.Packing{Frames: 10}, epoch)
	for _, d := range []time.Duration{-time.Hour, 0, 399 * time.Millisecond} {
		if l, ok := s.Largest(epoch.Add(d)); ok {
			t.Errorf("%v after the epoch there is already %v", d, l)
		}
	}
	if l, ok := s.Largest(epoch.Add(400 * time.Millisecond)); !ok || l != (media.Location{}) {
		t.Errorf("400 ms after the epoch: %v, %v", l, ok)
	}
}

func BenchmarkPayload(b *testing.B) {
	broadcast, err := live.Demo("demo")
	if err != nil {
		b.Fatal(err)
	}
	s, err := live.NewSource(broadcast.Tracks[0], time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for l := (media.Location{Group: 1_800_000_000}); b.Loop(); l = s.Next(l) {
		if _, err := s.Payload(l); err != nil {
			b.Fatal(err)
		}
	}
}

package vod_test

import (
	"fmt"
	"testing"

	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/vod"
)

// BenchmarkClipOf24Hours makes a clip of a record of 43,200 segments of five tracks.
func BenchmarkClipOf24Hours(b *testing.B) {
	const first, segments = 897_620_400, 43_200
	w := &world{t: b, store: storage.NewMemory(0), entries: map[string][]archive.Entry{}}
	w.head = archive.Head{Format: 1, Plan: manifesttest.Plan(2, 1, 30)}
	for i, t := range []manifesttest.Track{
		manifesttest.Video("v1", 1080, 25, 1, 50), manifesttest.Video("v2", 720, 25, 1, 50), manifesttest.Video("v3", 360, 25, 1, 50),
		manifesttest.Audio("a1", "en", 48000), manifesttest.Audio("a2", "sv", 48000),
	} {
		w.head.Tracks = append(w.head.Tracks, archive.Track{Track: t.Track, Epochs: []timeline.Epoch{{First: first, Init: &t.Init, Frame: t.Frame}}})
		d := 2 * int64(t.Init.Timescale)
		for n := uint64(first); n < first+segments; n++ {
			w.entries[t.Track.Name] = append(w.entries[t.Track.Name], archive.Entry{Digest: fmt.Sprintf("%016x", n<<3+uint64(i)), Segment: timeline.Segment{
				N: n, State: timeline.Full, Start: int64(n) * d, Dur: d, Size: 1 << 20,
			}})
		}
	}
	w.save()
	b.ReportAllocs()
	for b.Loop() {
		r, err := vod.Open(b.Context(), w.store, "demo")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Clip(b.Context(), w.store, "clip", vod.Range{Start: r.First, End: r.Last}, true); err != nil {
			b.Fatal(err)
		}
	}
}

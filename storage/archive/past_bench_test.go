package archive

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
)

// BenchmarkPastOf43200Segments reads, as a start does, what a day of five tracks has left in the record.
func BenchmarkPastOf43200Segments(b *testing.B) {
	d, err := disk.Open(b.TempDir(), 0)
	must(b, err)
	b.Cleanup(func() { _ = d.Close() })
	for _, s := range []struct {
		name  string
		store storage.Durable
	}{{"memory", storage.NewMemory(0)}, {"disk", d}} {
		b.Run(s.name, func(b *testing.B) { benchmarkPast(b, s.store) })
	}
}

func benchmarkPast(b *testing.B, store storage.Durable) {
	const slots = 43_200
	w := newBroadcast(b, 30, "v1", "v2", "v3", "a1", "a2")
	book := books{store, "demo"}
	chunks := map[uint64]*Chunk{}
	head := Head{Plan: w.plan, First: begin}
	for i, rendition := range w.lines {
		init := w.init(rendition.Track)
		scale := int64(init.Timescale)
		head.Tracks = append(head.Tracks, Track{Track: *rendition.Track, Begin: begin, Epochs: []timeline.Epoch{{First: begin, Init: init, Frame: scale / 25}}})
		for n := uint64(begin); n < begin+slots; n++ {
			c := chunks[chunkOf(n)]
			if c == nil {
				c = &Chunk{From: chunkOf(n), Tracks: map[string][]Entry{}}
				chunks[c.From] = c
			}
			seg := timeline.Segment{N: n, State: timeline.Full, Start: int64(n) * 2 * scale, Dur: 2 * scale, Size: 1e6}
			c.Tracks[rendition.Track.Name] = append(c.Tracks[rendition.Track.Name], Entry{seg, fmt.Sprintf("%016x", n<<3+uint64(i))})
		}
	}
	_, err := book.updateHead(b.Context(), func(h *Head) bool { *h = head; return true })
	must(b, err)
	for _, c := range chunks {
		_, _, err := book.updateChunk(b.Context(), *c)
		must(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		past, err := Past(b.Context(), store, "demo", slots, slog.New(slog.DiscardHandler))
		must(b, err)
		if len(past.Renditions) != 5 || len(past.Renditions[0].Segments) != slots {
			b.Fatalf("%d renditions", len(past.Renditions))
		}
	}
}

package archive

import (
	"context"
	"testing"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// roundOf is a run whose archive has recorded a whole window of five tracks, and the batch of the next slot.
func roundOf(b *testing.B, window int) (*run, func(n uint64) *work) {
	w := newBroadcast(b, window, "v1", "v2", "v3", "a1", "a2")
	a := New(Config{Channel: "demo", Name: "s3", Store: storage.NewMemory(0), Media: w.memory})
	must(b, a.open(b.Context(), w.plan))
	r := &run{a: a, plan: w.plan, out: w.out, feeds: map[string]*feed{}, pages: map[string]*page{}}
	next := func(n uint64) *work {
		x := &work{edge: n + 1, ended: map[string]bool{}}
		for _, rendition := range w.lines {
			init := w.init(rendition.Track)
			track, scale := rendition.Track.Name, int64(init.Timescale)
			e := timeline.Epoch{First: begin, Init: init, Frame: scale / 25}
			seg := timeline.Segment{N: n, State: timeline.Full, Start: int64(n) * 2 * scale, Dur: 2 * scale, Size: 1e6}
			x.tracks = append(x.tracks, Track{Track: *rendition.Track, Begin: begin, Epochs: []timeline.Epoch{e}})
			x.all, x.current = append(x.all, track), append(x.current, track)
			x.batch = append(x.batch, record{track, Entry{seg, "0123456789abcdef"}})
		}
		return x
	}
	first := next(begin)
	must(b, r.writeHead(b.Context(), first))
	for n := uint64(begin); n < begin+uint64(window); n++ {
		for _, e := range next(n).batch {
			a.lines[e.track].take([]Entry{e.entry})
		}
	}
	return r, next
}

func BenchmarkRoundOfFiveTracks(b *testing.B) {
	r, next := roundOf(b, 30)
	n := uint64(begin + 30)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.round(context.Background(), next(n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkDocumentsOf43200Segments(b *testing.B) {
	r, next := roundOf(b, 43_200)
	all := next(begin).all
	for _, name := range []manifest.Name{
		{Kind: manifest.LegacyPlaylist, Channel: "demo", Track: "v1"}, {Kind: manifest.LegacyMPD, Channel: "demo"},
	} {
		b.Run(name.Key(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p := r.a.present(r.plan, all)
				d, err := render(&p, name)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(d.Body)))
			}
		})
	}
}

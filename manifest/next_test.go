package manifest_test

import (
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestTheNextPartIsTheNextSegmentsWhenTheOpenOneIsFull(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kind  media.Kind
		start int64   // of slot 100, ticks
		durs  []int64 // of its parts, ticks
		want  timeline.Position
	}{
		{"nothing open", media.Video, 200_000, nil, timeline.Position{N: 100}},
		{"video in the middle", media.Video, 200_000, []int64{360, 320}, timeline.Position{N: 100, Parts: 2}},
		{"video a frame short", media.Video, 200_000, []int64{1960}, timeline.Position{N: 100, Parts: 1}},
		{"video as long as the slot", media.Video, 200_000, []int64{1000, 1000}, timeline.Position{N: 101}},
		{"video that begins late in its slot", media.Video, 200_700, []int64{1960}, timeline.Position{N: 100, Parts: 1}},
		{"audio that ends a frame before the slot", media.Audio, 200_015, []int64{1940}, timeline.Position{N: 100, Parts: 1}},
		{"audio that ends with the slot", media.Audio, 200_015, []int64{1985}, timeline.Position{N: 101}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := timeline.New(3, 40)
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			must(line.Begin(timeline.Epoch{First: 99, Init: &media.Init{Timescale: 1000}}))
			must(line.Gap(99, 198_000, 2000))
			at := tt.start
			for i, d := range tt.durs {
				must(line.Append(100, i, timeline.Part{Start: at, Dur: d}))
				at += d
			}
			p := manifest.Presentation{Plan: segmenter.Plan{Grid: timeline.Grid{Num: 2, Den: 1}}}
			r := manifest.Rendition{Track: &media.Track{Kind: tt.kind}, Snapshot: line.Load()}
			if got := p.Next(&r); got != tt.want {
				t.Errorf("next is %+v, want %+v", got, tt.want)
			}
		})
	}
}

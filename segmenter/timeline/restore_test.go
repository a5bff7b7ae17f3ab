package timeline_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func epoch(index int, first uint64) timeline.Epoch {
	return timeline.Epoch{Index: index, First: first, Init: &media.Init{Timescale: 50, Digest: fmt.Sprint("d", index)}, Frame: 2}
}

func full(n uint64, epoch int) timeline.Segment {
	start, dur := nominal(n)
	return timeline.Segment{N: n, Epoch: epoch, State: timeline.Full, Start: start, Dur: dur, Size: 10}
}

// A timeline that is cut off anywhere and restored from what is written of it goes on like the one that was not.
func TestRestoredTimelineGoesOnLikeTheOneBefore(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		window := 1 + r.IntN(6)
		a := timeline.New(window, 2)
		must(t, a.Begin(epoch(0, 7)))
		b, index := a, 0
		for n := uint64(7); n < 40; n++ {
			if r.IntN(4) == 0 {
				s := b.Load()
				body, err := json.Marshal([]any{s.Epochs, s.Segments})
				must(t, err)
				var epochs []timeline.Epoch
				var segments []timeline.Segment
				must(t, json.Unmarshal(body, &[]any{&epochs, &segments}))
				if b, err = timeline.Restore(window, 0, epochs, segments); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(6) == 0 {
				index++
				must(t, a.Begin(epoch(index, n)))
				if b != a {
					must(t, b.Begin(epoch(index, n)))
				}
			}
			for i, l := range []*timeline.Timeline{a, b} {
				if i == 1 && a == b {
					continue
				}
				if n%5 == 0 {
					start, dur := nominal(n)
					must(t, l.Gap(n, start, dur))
				} else {
					must(t, l.Adopt([]timeline.Segment{full(n, index)}))
				}
			}
			if diff := cmp.Diff(dump(a.Load()), dump(b.Load())); diff != "" && !sameEpochs(a.Load(), b.Load()) {
				t.Fatalf("seed %d, segment %d: %s", seed, n, diff)
			}
		}
	}
}

// sameEpochs compares what dump shows as pointers.
func sameEpochs(a, b *timeline.Snapshot) bool {
	return cmp.Equal(a.Epochs, b.Epochs) && cmp.Equal(a.Segments, b.Segments) && a.Frame == b.Frame
}

func TestRestoreKeepsTheWindowAndItsEpochs(t *testing.T) {
	epochs := []timeline.Epoch{epoch(0, 1), epoch(2, 3), epoch(5, 9)}
	segments := []timeline.Segment{full(1, 0), full(2, 0), full(3, 2), full(4, 2)}
	l, err := timeline.Restore(2, 0, epochs, segments)
	must(t, err)
	s := l.Load()
	if diff := cmp.Diff([]int{3, 4}, numbers(s)); diff != "" {
		t.Error(diff)
	}
	if len(s.Epochs) != 2 || s.Epochs[0].Index != 2 || s.Current().Index != 5 || s.Frame != 2 {
		t.Errorf("epochs %+v, frame %d", s.Epochs, s.Frame)
	}
	must(t, l.Adopt([]timeline.Segment{full(5, 2)}))
	if segments[2].N != 3 || len(segments) != 4 {
		t.Error("the caller's segments were changed")
	}
}

func TestWhatIsNoTimelineIsNotRestored(t *testing.T) {
	good := []timeline.Epoch{epoch(0, 1), epoch(1, 3)}
	edit := func(change func(*timeline.Segment)) []timeline.Segment {
		all := []timeline.Segment{full(1, 0), full(2, 0), full(3, 1)}
		change(&all[1])
		return all
	}
	if _, err := timeline.Restore(3, 2, good, edit(func(*timeline.Segment) {})); err != nil {
		t.Fatal(err)
	}
	for name, segments := range map[string][]timeline.Segment{
		"a hole":                edit(func(g *timeline.Segment) { g.N = 5 }),
		"an open segment":       edit(func(g *timeline.Segment) { g.State = timeline.Open }),
		"an unknown state":      edit(func(g *timeline.Segment) { g.State = 9 }),
		"an unknown epoch":      edit(func(g *timeline.Segment) { g.Epoch = 7 }),
		"an epoch that is over": {full(1, 1), full(2, 0)},
		"a negative duration":   edit(func(g *timeline.Segment) { g.Dur = -1 }),
		"a wild time":           edit(func(g *timeline.Segment) { g.Start = math.MaxInt64 }),
		"a negative size":       edit(func(g *timeline.Segment) { g.Size = -1 }),
		"no next number":        {full(math.MaxUint64, 0)},
	} {
		if _, err := timeline.Restore(3, 2, good, segments); !errors.Is(err, timeline.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	bare := epoch(3, 9)
	bare.Init = nil
	for name, epochs := range map[string][]timeline.Epoch{
		"epochs out of order": {epoch(1, 3), epoch(1, 5)},
		"a negative epoch":    {epoch(-1, 3)},
		"no init":             {bare},
	} {
		if _, err := timeline.Restore(3, 2, epochs, nil); !errors.Is(err, timeline.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestOnlyWhatFollowsIsAdopted(t *testing.T) {
	for name, tt := range map[string]struct {
		segments []timeline.Segment
		want     error
	}{
		"a later segment":       {[]timeline.Segment{full(12, 1)}, timeline.ErrOrder},
		"an older segment":      {[]timeline.Segment{full(10, 1)}, timeline.ErrOrder},
		"an epoch to come":      {[]timeline.Segment{full(11, 2)}, timeline.ErrMalformed},
		"an epoch that is over": {[]timeline.Segment{full(11, 0)}, timeline.ErrMalformed},
		"a hole":                {[]timeline.Segment{full(11, 1), full(13, 1)}, timeline.ErrMalformed},
	} {
		l, err := timeline.Restore(3, 2, []timeline.Epoch{epoch(0, 1), epoch(1, 10)}, []timeline.Segment{full(9, 0), full(10, 1)})
		must(t, err)
		before := l.Load()
		if err := l.Adopt(tt.segments); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if l.Load() != before {
			t.Errorf("%s: the timeline changed", name)
		}
	}
	l := begun(t, 3)
	must(t, l.Append(1, 0, timeline.Part{Dur: 1}))
	if err := l.Adopt([]timeline.Segment{full(2, 0)}); !errors.Is(err, timeline.ErrOrder) {
		t.Errorf("inside a segment: %v", err)
	}
}

func TestAdoptingWakesWhoWaitsAndKeepsTheWindow(t *testing.T) {
	l := begun(t, 3)
	publish(t, l, 10)
	held := l.Load()
	must(t, l.Adopt([]timeline.Segment{full(11, 0), full(12, 0), full(13, 0), full(14, 0)}))
	select {
	case <-held.Next():
	default:
		t.Error("nobody was woken")
	}
	if diff := cmp.Diff([]int{12, 13, 14}, numbers(l.Load())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{10}, numbers(held)); diff != "" {
		t.Errorf("an older snapshot changed: %s", diff)
	}
}

func BenchmarkRestore(b *testing.B) {
	segments := make([]timeline.Segment, 43200) // a day of segments of 2 s
	for i := range segments {
		segments[i] = full(uint64(i), 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := timeline.Restore(len(segments), 2, []timeline.Epoch{epoch(0, 0)}, segments); err != nil {
			b.Fatal(err)
		}
	}
}

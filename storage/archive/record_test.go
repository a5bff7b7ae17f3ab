package archive

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

func whole(n uint64, digest string) Entry {
	return Entry{timeline.Segment{N: n, State: timeline.Full, Start: int64(n), Dur: 1, Size: 1}, digest}
}

func lostEntry(n uint64) Entry {
	return Entry{Segment: timeline.Segment{N: n, State: timeline.Gap, Start: int64(n), Dur: 1}}
}

func TestMergingIsTheSameInAnyOrderAndGrowsOnly(t *testing.T) {
	a := Chunk{Tracks: map[string][]Entry{"v": {whole(1, "x"), lostEntry(2), whole(4, "y")}, "a": {whole(3, "z")}}}
	b := Chunk{Tracks: map[string][]Entry{"v": {lostEntry(1), whole(2, "w"), whole(3, "v")}}}
	want := map[string][]Entry{"v": {whole(1, "x"), whole(2, "w"), whole(3, "v"), whole(4, "y")}, "a": {whole(3, "z")}}
	for _, order := range [][2]*Chunk{{&a, &b}, {&b, &a}} {
		c := Chunk{}
		for _, other := range order {
			if conflicts, changed := c.merge(other); len(conflicts) > 0 || !changed {
				t.Errorf("conflicts %v, changed %v", conflicts, changed)
			}
		}
		if _, changed := c.merge(&a); changed {
			t.Error("what is known is news")
		}
		if diff := cmp.Diff(want, c.Tracks); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOfTwoContentsTheFirstStays(t *testing.T) {
	c := Chunk{Tracks: map[string][]Entry{"v": {whole(1, "x"), whole(2, "y")}}}
	conflicts, changed := c.merge(&Chunk{Tracks: map[string][]Entry{"v": {whole(2, "other"), whole(1, "x")}}})
	if diff := cmp.Diff([]Conflict{{"v", 2, "y", "other"}}, conflicts); diff != "" || changed {
		t.Errorf("changed %v, %s", changed, diff)
	}
}

func TestHeadsOfTwoInstancesMerge(t *testing.T) {
	track := func(name string, begin uint64, epochs ...timeline.Epoch) Track {
		return Track{Track: media.Track{Name: name}, Begin: begin, Epochs: epochs}
	}
	epoch := func(index int, first uint64, digest string) timeline.Epoch {
		return timeline.Epoch{Index: index, First: first, Init: &media.Init{Timescale: 1, Digest: digest}}
	}
	h := Head{Tracks: []Track{track("old", 1), track("v", 5, epoch(0, 5, "a"), epoch(2, 9, "c"))}}
	h.Tracks[1].Ended = true
	diverged := h.take(h.Plan, []Track{track("v", 7, epoch(0, 4, "a"), epoch(1, 8, "b"), epoch(2, 9, "x")), track("a", 6)}, map[string]bool{"a": true})
	want := []Track{track("v", 7, epoch(0, 4, "a"), epoch(1, 8, "b"), epoch(2, 9, "c")), track("a", 6), track("old", 1)}
	want[0].Ended, want[1].Ended = true, true
	if diff := cmp.Diff(want, h.Tracks); diff != "" || !slices.Equal(diverged, []string{"v"}) {
		t.Errorf("diverged %v, %s", diverged, diff)
	}
	if h.take(h.Plan, h.Tracks, map[string]bool{"v": false}); h.Tracks[0].Ended {
		t.Error("the track has ended although it goes on")
	}
}

func TestALineSettlesWhatFollowsWithoutAHole(t *testing.T) {
	l := newLine(4, 10)
	l.take([]Entry{whole(8, "early"), whole(12, "000000000000000c"), whole(11, "b")})
	if l.end() != 10 || l.hole() != 11 {
		t.Errorf("end %d, hole until %d", l.end(), l.hole())
	}
	l.take([]Entry{lostEntry(10)})
	if e, ok := l.at(12); l.end() != 13 || !ok || e.Digest != "000000000000000c" || len(l.ahead) > 0 {
		t.Errorf("end %d, %+v", l.end(), e)
	}
	l.stale = false
	l.take([]Entry{whole(10, "a")})
	if e, _ := l.at(10); e.State != timeline.Full || !l.stale {
		t.Error("the gap stays although the segment is there now")
	}
	for n := uint64(13); n < 1000; n++ {
		l.take([]Entry{whole(n, "d")})
	}
	if len(l.run) > 4+1+64 || len(l.sums) != len(l.run) || l.end() != 1000 {
		t.Errorf("%d segments and %d digests of a window of 4, end %d", len(l.run), len(l.sums), l.end())
	}
	l.from(998)
	if l.run[0].N != 998 || l.end() != 1000 {
		t.Errorf("after the start has risen: %d to %d", l.run[0].N, l.end())
	}
	l.take([]Entry{whole(1003, "e")})
	if l.from(1003); l.end() != 1004 || l.run[0].N != 1003 {
		t.Errorf("after the start has risen over a hole: %d to %d", l.run[0].N, l.end())
	}
}

// recordOf are the books of a short broadcast.
func recordOf(t testing.TB) (head, chunk []byte) {
	init := &media.Init{Kind: media.Video, Codec: "avc1.64001f", Timescale: 1000, Digest: "00000000"}
	h := Head{Format: format, Plan: planOf2s(6), Tracks: []Track{{
		Track: media.Track{Name: "v", Kind: media.Video}, Begin: 256, Epochs: []timeline.Epoch{{Init: init}, {Index: 1, First: 258, Init: init}},
	}}}
	c := Chunk{From: 256, Tracks: map[string][]Entry{"v": {whole(256, "x"), lostEntry(257), whole(258, "y")}}}
	c.Tracks["v"][2].Epoch = 1
	head, err := json.Marshal(h)
	must(t, err)
	chunk, err = json.Marshal(c)
	must(t, err)
	return head, chunk
}

// FuzzRecord opens an archive whose books anybody may have written, and renders what they say.
func FuzzRecord(f *testing.F) {
	head, chunk := recordOf(f)
	f.Add(head, chunk)
	f.Add(bytes.Replace(head, []byte(`"index":1`), []byte(`"index":7`), 1), chunk)
	f.Add(bytes.Replace(head, []byte(`"index":1`), []byte(`"index":2000000000`), 1), bytes.Replace(chunk, []byte(`"e":1`), []byte(`"e":2000000000`), 1))
	f.Add(head, bytes.Replace(chunk, []byte(`"e":1`), []byte(`"e":-1`), 1))
	f.Add(bytes.Replace(head, []byte(`"timescale":1000`), []byte(`"timescale":0`), 1), chunk)
	f.Add([]byte(`{"format":1,"plan":{"grid":{"num":2,"den":1}},"tracks":[{},{}]}`), []byte(`{"from":256,"tracks":{"":[]}}`))
	f.Fuzz(func(t *testing.T, head, chunk []byte) {
		store := storage.NewMemory(0)
		for key, body := range map[string][]byte{headKey("demo"): head, chunkKey("demo", 256): chunk} {
			_, err := store.Swap(t.Context(), key, storage.Blob{Pieces: [][]byte{body}}, "")
			must(t, err)
		}
		a := New(Config{Channel: "demo", Store: store, Media: store})
		plan := planOf2s(6)
		if a.open(t.Context(), plan) != nil {
			return
		}
		if err := a.reload(t.Context(), plan.Window, 300); err != nil {
			return
		}
		h := a.heading()
		var names []string
		for _, track := range h.Tracks {
			names = append(names, track.Name)
			a.Has(track.Name, 256)
		}
		p := a.present(plan, names)
		for _, track := range names {
			_, _ = render(&p, manifest.Name{Kind: manifest.LegacyPlaylist, Channel: "demo", Track: track})
		}
		_, _ = render(&p, manifest.Name{Kind: manifest.LegacyMultivariant, Channel: "demo"})
		_, _ = render(&p, manifest.Name{Kind: manifest.LegacyMPD, Channel: "demo"})
	})
}

// What ends just behind the beginning of a chunk has its last but one segments in the chunk before.
func TestTheEndOfATrackIsReadWholly(t *testing.T) {
	store, plan := storage.NewMemory(0), planOf2s(30)
	r := newRecording(t, store)
	r.head(plan, []timeline.Epoch{epochOf(0, 240)}, "v")
	r.add("v", fulls(240, 254, 0)...)
	a := New(Config{Channel: "c", Store: store, Media: store})
	must(t, a.open(t.Context(), plan))
	r.add("v", fulls(254, 258, 0)...) // by another instance
	_, err := r.books.updateHead(t.Context(), func(h *Head) bool {
		h.Tracks[0].Ended = true
		return true
	})
	must(t, err)
	must(t, a.reload(t.Context(), plan.Window, 254))
	if end, _ := a.end("v"); end != 258 {
		t.Errorf("it knows of slots before %d", end)
	}
}

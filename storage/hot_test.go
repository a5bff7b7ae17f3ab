package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

const window = 3

var video = media.Track{Name: "v", Kind: media.Video} // never written

// putSlot puts two parts of size bytes each and the segment that they make.
func putSlot(h *storage.Hot, n uint64, size int) error { return putSlotOf(h, &video, n, size) }

func putSlotOf(h *storage.Hot, track *media.Track, n uint64, size int) error {
	parts := [][]byte{make([]byte, size), make([]byte, size)}
	for p := range parts {
		m := segmenter.Media{Track: track, What: segmenter.MediaPart, N: n, Part: p, Body: parts[p : p+1]}
		if err := h.Put(context.Background(), m); err != nil {
			return err
		}
	}
	return h.Put(context.Background(), segmenter.Media{Track: track, What: segmenter.MediaSegment, N: n, Body: parts})
}

func putInit(t *testing.T, h *storage.Hot, digest string) {
	t.Helper()
	m := segmenter.Media{Track: &video, What: segmenter.InitSegment, Digest: digest, Body: [][]byte{[]byte(digest)}}
	if err := h.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func list(s storage.Store) []string {
	var keys []string
	for key := range s.List(context.Background(), "") {
		keys = append(keys, key)
	}
	return keys
}

func TestHotNamesWhatItPuts(t *testing.T) {
	m := storage.NewMemory(0)
	h := storage.NewHot(m, "demo", window, nil)
	putInit(t, h, "0123abcd")
	if err := putSlot(h, 900, 10); err != nil {
		t.Fatal(err)
	}
	want := []string{"demo/v/900.0.m4s", "demo/v/900.1.m4s", "demo/v/900.m4s", "demo/v/init-0123abcd.mp4"}
	if got := list(m); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	b, err := m.Get(t.Context(), "demo/v/900.m4s")
	if err != nil || b.ContentType != "video/mp4" || b.Digest != storage.Digest(b.Pieces) {
		t.Errorf("the segment is %q, %q, %v", b.ContentType, b.Digest, err)
	}
	if m.Used() != 28 {
		t.Errorf("%d bytes are used, want those of two parts and an init, 28", m.Used())
	}
}

// Segment n leaves the playlist when n+window is complete and stays for window+1 segments more.
func TestHotKeepsTwoWindows(t *testing.T) {
	m := storage.NewMemory(0)
	h := storage.NewHot(m, "demo", window, nil)
	putInit(t, h, "00000000")
	for n := range uint64(2*window + 2) {
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(list(m)); got != 3*(2*window+2)+1 {
		t.Errorf("%d keys after 2*window+2 segments, want all of them", got)
	}
	if err := putSlot(h, 2*window+2, 1); err != nil {
		t.Fatal(err)
	}
	if got := list(m); slices.ContainsFunc(got, func(k string) bool { return k == "demo/v/0.m4s" || k == "demo/v/0.1.m4s" }) {
		t.Errorf("the oldest segment is still there: %q", got)
	}
	if _, err := m.Get(t.Context(), "demo/v/1.0.m4s"); err != nil {
		t.Errorf("the part of the second oldest segment: %v", err)
	}
}

func TestHotKeepsAnInitWhileASegmentNeedsIt(t *testing.T) {
	m := storage.NewMemory(0)
	h := storage.NewHot(m, "demo", window, nil)
	putInit(t, h, "00000000")
	if err := putSlot(h, 0, 1); err != nil {
		t.Fatal(err)
	}
	putInit(t, h, "11111111")
	for n := uint64(1); n < 20; n++ {
		_, err := m.Get(t.Context(), "demo/v/init-00000000.mp4")
		_, serr := m.Get(t.Context(), "demo/v/0.m4s")
		if (err == nil) != (serr == nil) {
			t.Fatalf("at segment %d: init %v, its segment %v", n, err, serr)
		}
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(m); slices.Contains(got, "demo/v/init-00000000.mp4") || !slices.Contains(got, "demo/v/init-11111111.mp4") {
		t.Errorf("after the old segments are gone: %q", got)
	}
}

func TestHotGivesUpTheLingeringNotTheWindow(t *testing.T) {
	m := storage.NewMemory(2 * 10 * (window + 2))
	h := storage.NewHot(m, "demo", window, nil)
	for n := range uint64(50) {
		if err := putSlot(h, n, 10); err != nil {
			t.Fatal(err)
		}
		for i := n - min(n, window); i <= n; i++ {
			if _, err := m.Get(t.Context(), fmt.Sprintf("demo/v/%d.m4s", i)); err != nil {
				t.Fatalf("at segment %d: %v", n, err)
			}
		}
	}
}

// A publisher that names its tracks anew whenever it starts must not fill the store.
func TestHotForgetsTracksThatAreGone(t *testing.T) {
	m := storage.NewMemory(0)
	h := storage.NewHot(m, "demo", window, nil)
	most := 0
	for n := range uint64(200) {
		track := media.Track{Name: fmt.Sprintf("v%d", n/10), Kind: media.Video}
		if n%10 == 0 {
			h.Retain([]string{track.Name})
			if err := h.Put(t.Context(), segmenter.Media{Track: &track, What: segmenter.InitSegment, Digest: "00000000"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := putSlotOf(h, &track, n, 10); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(list(m)))
	}
	if limit := 2 * (3*(2*window+2) + 1); most > limit {
		t.Errorf("%d keys at most, want those of two tracks, %d", most, limit)
	}
}

// Who watches what is gone is behind the live edge, and must get that far.
func TestHotKeepsTheWindowOfATrackThatIsGone(t *testing.T) {
	m := storage.NewMemory(0)
	h := storage.NewHot(m, "demo", window, nil)
	gone, others := media.Track{Name: "w", Kind: media.Video}, []media.Track{{Name: "v", Kind: media.Video}, {Name: "a", Kind: media.Audio}}
	for n := range uint64(2 * window) {
		if n < window {
			if err := putSlotOf(h, &gone, n, 1); err != nil {
				t.Fatal(err)
			}
		}
		for i := range others {
			if err := putSlotOf(h, &others[i], n, 1); err != nil {
				t.Fatal(err)
			}
		}
		h.Retain([]string{"v", "a"})
		for k := max(n, window) - window; k < min(n+1, window); k++ {
			if _, err := m.Get(t.Context(), fmt.Sprintf("demo/w/%d.m4s", k)); err != nil {
				t.Errorf("at slot %d slot %d of what is gone: %v", n, k, err)
			}
		}
	}
}

func TestHotGivesUpATrackThatIsGoneForOneThatIsThere(t *testing.T) {
	m := storage.NewMemory(2 * 10 * (window + 2))
	h := storage.NewHot(m, "demo", window, nil)
	other := media.Track{Name: "w", Kind: media.Video}
	for n := range uint64(window + 1) {
		if err := putSlotOf(h, &other, n, 10); err != nil {
			t.Fatal(err)
		}
	}
	h.Retain([]string{"v"})
	for n := range uint64(20) {
		if err := putSlot(h, n, 10); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHotFailsWhenTheWindowDoesNotFit(t *testing.T) {
	h := storage.NewHot(storage.NewMemory(50), "demo", window, nil)
	var err error
	for n := uint64(0); n < 10 && err == nil; n++ {
		err = putSlot(h, n, 10)
	}
	if !errors.Is(err, storage.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}

func TestHotDeletesWhatWasPutWithoutAcknowledgement(t *testing.T) {
	m := storage.NewMemory(0)
	lost := errors.New("lost")
	f := &storagetest.Faulty{Store: m, Plan: storagetest.Once(storagetest.Put, storagetest.Fault{After: lost})}
	h := storage.NewHot(f, "demo", window, nil)
	if err := putSlot(h, 0, 1); !errors.Is(err, lost) {
		t.Fatalf("got %v, want the fault", err)
	}
	for n := uint64(1); n < 20; n++ {
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Get(t.Context(), "demo/v/0.0.m4s"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the part whose put was not acknowledged is still there: %v", err)
	}
}

func TestHotTriesAFailedDeleteAgain(t *testing.T) {
	m := storage.NewMemory(0)
	f := &storagetest.Faulty{Store: m, Plan: storagetest.Once(storagetest.Delete, storagetest.Fault{Before: errors.New("down")})}
	h := storage.NewHot(f, "demo", window, nil)
	for n := range uint64(20) {
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(list(m)); got != 3*(2*window+2) {
		t.Errorf("%d keys are left, want %d", got, 3*(2*window+2))
	}
}

// left records what leaves, and fails the test if it is not in the store any more.
func left(t *testing.T, m *storage.Memory, slots *[]string) func(string, uint64) {
	return func(track string, n uint64) {
		key := fmt.Sprintf("demo/%s/%d.m4s", track, n)
		if _, err := m.Get(t.Context(), key); err != nil {
			t.Errorf("%s is to leave: %v", key, err)
		}
		*slots = append(*slots, fmt.Sprint(track, n))
	}
}

func TestHotTellsWhatLeavesBeforeItIsGone(t *testing.T) {
	m := storage.NewMemory(0)
	var slots []string
	h := storage.NewHot(m, "demo", window, left(t, m, &slots))
	other := media.Track{Name: "w", Kind: media.Video}
	for n := range uint64(2) {
		if err := putSlotOf(h, &other, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	h.Retain([]string{"v"})
	for n := range uint64(2*window + 4) {
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(slots)
	if want := []string{"v0", "v1", "w0", "w1"}; !slices.Equal(slots, want) {
		t.Errorf("%q left, want %q", slots, want)
	}
}

func TestHotTellsWhatLeavesAFullStore(t *testing.T) {
	m := storage.NewMemory(2 * 10 * (window + 2))
	var slots []string
	h := storage.NewHot(m, "demo", window, left(t, m, &slots))
	for n := range uint64(window + 4) {
		if err := putSlot(h, n, 10); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"v0", "v1"}; !slices.Equal(slots, want) {
		t.Errorf("%q left, want %q", slots, want)
	}
}

func TestHotTellsAgainWhatItCouldNotDelete(t *testing.T) {
	m := storage.NewMemory(0)
	f := &storagetest.Faulty{Store: m, Plan: storagetest.Once(storagetest.Delete, storagetest.Fault{Before: errors.New("down")})}
	var slots []string
	h := storage.NewHot(f, "demo", window, left(t, m, &slots))
	for n := range uint64(2*window + 4) {
		if err := putSlot(h, n, 1); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"v0", "v0", "v1"}; !slices.Equal(slots, want) {
		t.Errorf("%q left, want %q", slots, want)
	}
}

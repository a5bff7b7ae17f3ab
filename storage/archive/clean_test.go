package archive

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func (r *recording) inits() (digests []string) {
	for key, err := range r.store.List(r.t.Context(), "c/v/init-") {
		must(r.t, err)
		digests = append(digests, key[len("c/v/init-"):len(key)-len(".mp4")])
	}
	return digests
}

func TestHeadersLiveAsLongAsAnyChunkNeedsThem(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		hold *Hold
		want []string
	}{
		{41 * time.Minute, nil, []string{"00000000", "00000001", "00000002"}}, // chunk 512 has slots of epoch 0
		{34 * time.Minute, nil, []string{"00000001", "00000002"}},             // chunk 768
		{time.Minute, nil, []string{"00000002"}},
		{time.Minute, &Hold{From: 700, To: 700}, []string{"00000000", "00000001", "00000002"}},
	} {
		inBubble(t, func(t *testing.T) {
			r := hour(t)
			if tt.hold != nil {
				must(t, PutHold(t.Context(), r.store, "c", "h", *tt.hold))
			}
			k, _ := keeperOf(r.store, "c", Retain{Age: tt.age})
			passes(t, k)
			if diff := cmp.Diff(tt.want, r.inits()); diff != "" {
				t.Errorf("age %v: %s", tt.age, diff)
			}
		})
	}
}

func TestHeadersThatSlotsMayNeed(t *testing.T) {
	track := Track{Epochs: []timeline.Epoch{epochOf(0, 0), epochOf(1, 100), epochOf(2, 300), epochOf(3, 400)}}
	track.Epochs[2].Init = track.Epochs[0].Init
	for _, tt := range []struct {
		slot         uint64
		entries      []Entry
		needed, over []string
	}{
		{99, nil, []string{"00000000", "00000001", "00000003"}, nil},
		{100, nil, []string{"00000001", "00000000", "00000003"}, nil},
		{299, nil, []string{"00000001", "00000000", "00000003"}, nil},
		{300, nil, []string{"00000000", "00000003"}, []string{"00000001"}},
		{300, fulls(300, 302, 1), []string{"00000001", "00000000", "00000003"}, nil}, // an instance was late to begin epoch 2
		{1 << 40, nil, []string{"00000003"}, []string{"00000000", "00000001"}},
	} {
		needed, over := headers(&track, tt.slot, tt.entries)
		if !slices.Equal(needed, tt.needed) || !slices.Equal(over, tt.over) {
			t.Errorf("from slot %d: needed %v, over %v; want %v, %v", tt.slot, needed, over, tt.needed, tt.over)
		}
	}
}

// A publisher may return to a header that retention has deleted: the archive must not believe that it is still there.
func TestAnOldHeaderIsStoredAgainForANewEpoch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBucket(t) // which checks that what is listed is there
		b := newBroadcast(t, 5, "v")
		b.start(begin)
		old := *b.lines[0].Timeline.Load().Current()
		a := start(t, b, Config{Name: "disk", Store: store})
		b.live(begin, begin+10)
		b.start(begin + 10)
		b.live(begin+10, begin+30)
		key := initKey("demo", "v", old.Init.Digest)
		must(t, store.Delete(t.Context(), key))
		old.Index, old.First, b.epoch = 2, begin+30, 3
		must(t, b.lines[0].Timeline.Begin(old))
		b.live(begin+30, begin+40)
		a.stop(t)
		if _, err := store.Get(t.Context(), key); err != nil {
			t.Error(err)
		}
	})
}

// A publisher may return to a header that was just deleted.
func TestAHeaderThatIsNeededAgainIsPutBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		k, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
		passes(t, k)
		again := epochOf(0, 1800)
		again.Index = 3
		_, err := r.books.updateHead(t.Context(), func(h *Head) bool {
			h.Tracks[0].Epochs = append(h.Tracks[0].Epochs, again)
			return true
		})
		must(t, err)
		_, err = k.pass(t.Context(), false)
		must(t, err)
		if diff := cmp.Diff([]string{"00000000", "00000002"}, r.inits()); diff != "" {
			t.Error(diff)
		}
	})
}

// A keeper is killed at every operation in turn, before or after that had its effect. The next one finishes.
func TestAKeeperMayDieAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for i, died := 0, true; died; i++ {
			inBubble(t, func(t *testing.T) { died = killKeeper(t, i, after) })
		}
	}
}

func killKeeper(t *testing.T, at int, after bool) (died bool) {
	r := recordedSlots(t, 280, "v") // the last chunk begins with slot 768
	must(t, PutHold(t.Context(), r.store, "c", "h", Hold{From: 300, To: 300}))
	var mu sync.Mutex
	op := 0
	faulty := &storagetest.Faulty{Store: r.store, Plan: func(storagetest.Op, string) storagetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		op++
		died = died || op > at
		switch {
		case op-1 == at && after:
			return storagetest.Fault{After: errDown}
		case op > at:
			return storagetest.Fault{Before: errDown}
		}
		return storagetest.Fault{}
	}}
	k, _ := keeperOf(faulty, "c", Retain{Age: time.Minute})
	for range 3 {
		if _, err := k.pass(t.Context(), false); err != nil && !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
	}
	for n := r.first(); n < 840; n++ {
		if _, err := r.store.Get(t.Context(), manifest.Name{Kind: manifest.Segment, Channel: "c", Track: "v", N: n}.Key()); err != nil {
			t.Fatalf("killed at operation %d: slot %d is kept, and gone: %v", at, n, err)
		}
	}
	next, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
	passes(t, next)
	froms, segments := chunksIn(t, r.store, "c")
	if !slices.Equal(froms, []uint64{256, 768}) || len(segments) != 2 || segments[256] != 256 || segments[768] != 72 {
		t.Fatalf("killed at operation %d, the next one left %v, %v", at, froms, segments)
	}
	return died
}

func TestACorruptChunkGoesWithItsMedia(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		must(t, r.store.Delete(t.Context(), chunkKey("c", 256)))
		putText(t, r.store, chunkKey("c", 256), "rubbish")
		k, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
		passes(t, k)
		if froms, segments := chunksIn(t, r.store, "c"); !slices.Equal(froms, []uint64{1536, 1792}) || len(segments) != 2 {
			t.Errorf("left %v, %v", froms, segments)
		}
	})
}

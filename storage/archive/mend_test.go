package archive

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// torn is a recording of slots 240 to 260 on a disk that lost some of what it had written.
func torn(t *testing.T) *recording {
	r := newRecording(t, storage.NewMemory(0))
	r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
	r.add("v", fulls(240, 250, 0)...)
	r.add("v", gap(250, 0))
	r.add("v", fulls(251, 260, 0)...)
	r.media("v", 240, 260)
	keys := newReader(r.store, "c", quiet())
	must(t, r.store.Delete(t.Context(), keys.segmentKey("v", 241), keys.segmentKey("v", 253), keys.segmentKey("v", 258), keys.segmentKey("v", 259)))
	must(t, r.store.Put(t.Context(), keys.segmentKey("v", 258), content(7))) // half of it, or other content
	return r
}

func TestWhatADiskHasLostBecomesGaps(t *testing.T) {
	r := torn(t)
	must(t, Mend(t.Context(), r.store, "c", 8, quiet()))
	want := []int{240, 241, 242, 243, 244, 245, 246, 247, 248, 249, -250, 251, 252, -253, 254, 255, 256, 257, -258, -259}
	if diff := cmp.Diff(want, summary(pastOf(t, r.store, 30).Renditions[0].Segments)); diff != "" {
		t.Error(diff)
	}
	key := newReader(r.store, "c", quiet()).segmentKey("v", 258)
	if err := r.store.Put(t.Context(), key, content(258)); err != nil {
		t.Errorf("the true content cannot be put: %v", err)
	}
	r.add("v", full(258, 0)) // and counts again
	if s := pastOf(t, r.store, 30).Renditions[0].Segments; s[18].State != timeline.Full {
		t.Error("what was put again is still a gap")
	}
}

// A store that does not answer has lost nothing; and when it fails on the way, the next start finishes.
func TestMendingMayBeInterrupted(t *testing.T) {
	for _, op := range []storagetest.Op{storagetest.List, storagetest.Load, storagetest.Get, storagetest.Delete, storagetest.Swap} {
		for _, f := range []storagetest.Fault{{Before: errDown}, {After: errDown}} {
			r := torn(t)
			var mu sync.Mutex
			once := storagetest.Once(op, f)
			faulty := &storagetest.Faulty{Store: r.store, Plan: func(o storagetest.Op, key string) storagetest.Fault {
				mu.Lock()
				defer mu.Unlock()
				if _, err := r.store.Get(t.Context(), key); o == storagetest.Get && err != nil {
					return storagetest.Fault{} // what is not there has no acknowledgement that could be lost
				}
				return once(o, key)
			}}
			if err := Mend(t.Context(), faulty, "c", 8, quiet()); !errors.Is(err, errDown) {
				t.Errorf("operation %d, %+v: %v", op, f, err)
			}
			if op == storagetest.Get {
				if s := pastOf(t, r.store, 30).Renditions[0].Segments; s[19].State != timeline.Full {
					t.Error("a store that did not answer has lost a segment")
				}
			}
			must(t, Mend(t.Context(), r.store, "c", 8, quiet()))
			if s := pastOf(t, r.store, 30).Renditions[0].Segments; s[19].State != timeline.Gap || s[17].State != timeline.Full {
				t.Errorf("operation %d, %+v: not mended", op, f)
			}
		}
	}
}

func TestNothingNeedsNoMending(t *testing.T) {
	must(t, Mend(t.Context(), storage.NewMemory(0), "c", 8, quiet()))
}

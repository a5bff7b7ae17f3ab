package archive

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// A day is read within a second from a store that takes 20 ms for everything, in order, and without what retention took meanwhile.
func TestChunksAreReadAheadAndInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := storage.NewMemory(0)
		r := newRecording(t, store)
		r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
		for i := range uint64(170) {
			r.add("v", full(i*chunkSlots, 0))
		}
		far := &storagetest.Faulty{Store: store, Plan: func(storagetest.Op, string) storagetest.Fault {
			return storagetest.Fault{Delay: 20 * time.Millisecond}
		}}
		at := time.Now()
		numbers, err := ChunkNumbers(t.Context(), far, "c")
		must(t, err)
		must(t, store.Delete(t.Context(), chunkKey("c", 5*chunkSlots)))
		var got []uint64
		for c, err := range ReadChunks(t.Context(), far, "c", numbers) {
			must(t, err)
			got = append(got, c.From)
		}
		if took := time.Since(at); took > time.Second {
			t.Errorf("took %v", took)
		}
		want := slices.Delete(slices.Clone(numbers), 5, 6)
		if !slices.Equal(got, want) || len(got) != 169 {
			t.Errorf("got %v", got)
		}
	})
}

func TestReadingChunksStopsWithAnError(t *testing.T) {
	store := storage.NewMemory(0)
	r := newRecording(t, store)
	r.add("v", fulls(0, 600, 0)...)
	must(t, store.Delete(t.Context(), chunkKey("c", 256)))
	putText(t, store, chunkKey("c", 256), "rubbish")
	n, failed := 0, error(nil)
	for _, err := range ReadChunks(t.Context(), store, "c", []uint64{0, 256, 512}) {
		n, failed = n+1, err
	}
	if failed == nil || n != 1 {
		t.Errorf("%d chunks, the last with %v", n, failed)
	}
	broken := &storagetest.Faulty{Store: store, Plan: func(storagetest.Op, string) storagetest.Fault { return storagetest.Fault{Before: errDown} }}
	for _, err := range ReadChunks(t.Context(), broken, "c", []uint64{0}) {
		if !errors.Is(err, errDown) {
			t.Error(err)
		}
	}
}

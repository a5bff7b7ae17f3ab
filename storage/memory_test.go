package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storagetest.RunDurable(t, func(*testing.T) storage.Durable { return storage.NewMemory(0) })
}

func TestMemoryCountsSharedPiecesOnce(t *testing.T) {
	m := storage.NewMemory(0)
	a, b := make([]byte, 100), make([]byte, 50)
	put(t, m, "1.0", a)
	put(t, m, "1.1", b)
	put(t, m, "1", a, b)
	if got := m.Used(); got != 150 {
		t.Errorf("a segment and its two parts use %d bytes, want 150", got)
	}
	if err := m.Delete(t.Context(), "1.0", "1.1"); err != nil {
		t.Fatal(err)
	}
	if got := m.Used(); got != 150 {
		t.Errorf("the segment alone uses %d bytes, want 150", got)
	}
	if err := m.Delete(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if got := m.Used(); got != 0 {
		t.Errorf("an empty store uses %d bytes", got)
	}
}

func TestMemoryRefusesWhatExceedsItsLimit(t *testing.T) {
	m := storage.NewMemory(100)
	part := make([]byte, 60)
	put(t, m, "a", part)
	err := m.Put(t.Context(), "b", storage.Blob{Pieces: [][]byte{make([]byte, 41)}})
	var full *storage.FullError
	if !errors.As(err, &full) || !errors.Is(err, storage.ErrFull) {
		t.Fatalf("Put = %v, want a FullError", err)
	}
	if want := (storage.FullError{Key: "b", Size: 41, Used: 60, Limit: 100}); *full != want {
		t.Errorf("got %+v, want %+v", *full, want)
	}
	put(t, m, "c", part, make([]byte, 40)) // shares 60 bytes
}

func put(t *testing.T, s storage.Store, key string, pieces ...[]byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, storage.Blob{Pieces: pieces}); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkMemoryPut(b *testing.B) {
	m := storage.NewMemory(0)
	body := [][]byte{make([]byte, 64<<10)}
	b.ReportAllocs()
	for i := range b.N {
		key := fmt.Sprint("demo/video/", i, ".m4s")
		if err := m.Put(b.Context(), key, storage.Blob{Pieces: body}); err != nil {
			b.Fatal(err)
		}
	}
}

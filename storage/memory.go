package storage

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Memory is a Store in memory, bounded by bytes. A piece that several blobs share, as a segment shares those of its
// parts, is held and counted once. It does not evict: what a live window needs is known to whoever fills the store.
type Memory struct {
	limit int64 // bytes; 0 is unbounded

	mu    sync.RWMutex
	blobs map[string]Blob
	refs  map[piece]int // blobs that hold the piece
	used  int64         // bytes of all pieces in refs
}

var _ Durable = (*Memory)(nil) // but for the memory

// piece identifies a slice by where it lies.
type piece struct {
	first *byte
	size  int
}

// NewMemory returns an empty store for limit bytes of content; 0 is unbounded.
func NewMemory(limit int64) *Memory {
	return &Memory{limit: limit, blobs: map[string]Blob{}, refs: map[piece]int{}}
}

// Used is the number of bytes that are held.
func (m *Memory) Used() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.used
}

// Put keeps b's pieces: nobody may write to them again. It refuses with a *FullError what would exceed the limit.
func (m *Memory) Put(ctx context.Context, key string, b Blob) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.blobs[key]; ok {
		if !old.Equal(b) {
			return fmt.Errorf("put %s: %w", key, ErrConflict)
		}
		return nil
	}
	if grow := m.growth(b); m.limit > 0 && m.used+grow > m.limit {
		return fmt.Errorf("put: %w", &FullError{Key: key, Size: grow, Used: m.used, Limit: m.limit})
	}
	m.keep(key, b)
	return nil
}

// keep files b under a key that is free. The caller holds mu.
func (m *Memory) keep(key string, b Blob) {
	for _, p := range b.Pieces {
		id := identify(p)
		if m.refs[id] == 0 {
			m.used += int64(len(p))
		}
		m.refs[id]++
	}
	m.blobs[key] = b
}

// growth is how many bytes b would add, in bytes. A piece that b itself holds twice is counted twice, which errs to the
// safe side.
func (m *Memory) growth(b Blob) int64 {
	var n int64
	for _, p := range b.Pieces {
		if m.refs[identify(p)] == 0 {
			n += int64(len(p))
		}
	}
	return n
}

// Get returns the blob as it was put, pieces shared.
func (m *Memory) Get(ctx context.Context, key string) (Blob, error) {
	if err := ctx.Err(); err != nil {
		return Blob{}, fmt.Errorf("get %s: %w", key, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	b, ok := m.blobs[key]
	if !ok {
		return Blob{}, fmt.Errorf("get %s: %w", key, ErrNotFound)
	}
	return b, nil
}

// List yields the keys that existed when the iteration began.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := ctx.Err(); err != nil {
			yield("", fmt.Errorf("list %s: %w", prefix, err))
			return
		}
		for _, key := range m.keys(prefix) {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (m *Memory) keys(prefix string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var keys []string
	for key := range m.blobs {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Load returns the document as it was swapped in.
func (m *Memory) Load(ctx context.Context, key string) (Blob, Version, error) {
	b, err := m.Get(ctx, key)
	if err != nil {
		return Blob{}, "", err
	}
	return b, version(b), nil
}

// Swap replaces the document. Its version is that of its content. The limit does not count for documents, which are few.
func (m *Memory) Swap(ctx context.Context, key string, b Blob, old Version) (Version, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("swap %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Version("")
	if before, ok := m.blobs[key]; ok {
		now = version(before)
	}
	if now != old {
		return "", fmt.Errorf("swap %s: %w", key, ErrStale)
	}
	m.forget(key)
	m.keep(key, b)
	return version(b), nil
}

func version(b Blob) Version { return Version(Digest(b.Pieces)) }

// Delete forgets the keys and frees the pieces that no other blob holds.
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		m.forget(key)
	}
	return nil
}

// forget removes a key. The caller holds mu.
func (m *Memory) forget(key string) {
	for _, p := range m.blobs[key].Pieces {
		id := identify(p)
		if m.refs[id]--; m.refs[id] == 0 {
			delete(m.refs, id)
			m.used -= int64(len(p))
		}
	}
	delete(m.blobs, key)
}

func identify(p []byte) piece { return piece{unsafe.SliceData(p), len(p)} }

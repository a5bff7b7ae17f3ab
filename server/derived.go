package server

import (
	"context"
	"slices"
	"sync"

	"github.com/moqpack/moqpack/storage"
)

// Bounds of what is derived for the viewers of a channel at one time.
const (
	derivations = 32       // bodies that are remembered
	derivedSize = 16 << 20 // bytes of them
	deriving    = 4        // that are made at the same time: each takes a segment
)

// derived holds bodies that nobody stores because they are functions of what is stored: the newest ones that somebody asked for. A
// thousand callers cost one making.
type derived struct {
	making chan struct{} // has a place for each that is being made

	mu    sync.Mutex
	made  map[string]*derivation
	keys  []string // oldest first
	bytes int64
}

type derivation struct {
	get  func() (storage.Blob, error) // the first call makes it
	size int64                        // once it is made
}

func newDerived() *derived {
	return &derived{making: make(chan struct{}, deriving), made: map[string]*derivation{}}
}

// get is what build returns, which the key must tell all about. Failures are not remembered.
func (d *derived) get(ctx context.Context, key string, build func(context.Context) (storage.Blob, error)) (storage.Blob, error) {
	d.mu.Lock()
	one, ok := d.made[key]
	if !ok {
		one = &derivation{}
		one.get = sync.OnceValues(func() (storage.Blob, error) { return d.build(ctx, key, one, build) })
		d.made[key], d.keys = one, append(d.keys, key)
		d.shrink()
	}
	d.mu.Unlock()
	b, err := one.get()
	if err != nil {
		d.mu.Lock()
		if d.made[key] == one {
			d.drop(key)
		}
		d.mu.Unlock()
	}
	return b, err
}

// build waits for its turn and makes one. Whoever asked first may leave meanwhile: others ask, too.
func (d *derived) build(ctx context.Context, key string, one *derivation, build func(context.Context) (storage.Blob, error)) (storage.Blob, error) {
	select {
	case d.making <- struct{}{}:
		defer func() { <-d.making }()
	case <-ctx.Done():
		return storage.Blob{}, ctx.Err()
	}
	b, err := build(context.WithoutCancel(ctx))
	if err != nil {
		return b, err
	}
	b.Digest = storage.Digest(b.Pieces)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made[key] == one {
		one.size = b.Size()
		d.bytes += one.size
		d.shrink()
	}
	return b, nil
}

// shrink drops the oldest while there are too many. The caller holds the lock.
func (d *derived) shrink() {
	for len(d.keys) > derivations || d.bytes > derivedSize {
		d.drop(d.keys[0])
	}
}

// drop forgets one. The caller holds the lock.
func (d *derived) drop(key string) {
	if one := d.made[key]; one != nil {
		d.bytes -= one.size
	}
	delete(d.made, key)
	d.keys = slices.DeleteFunc(d.keys, func(k string) bool { return k == key })
}

package server

import (
	"slices"
	"sync"

	"github.com/moqpack/moqpack/storage"
)

// derivations is how many bodies of a channel are remembered: what its viewers ask for at one time.
const derivations = 32

// derived holds bodies that nobody stores because they are functions of what is stored: the newest ones that somebody asked for. A
// thousand callers cost one making.
type derived struct {
	mu   sync.Mutex
	made map[string]func() (storage.Blob, error)
	keys []string // oldest first
}

// get is what build returns, which the key must tell all about. Failures are not remembered.
func (d *derived) get(key string, build func() (storage.Blob, error)) (storage.Blob, error) {
	d.mu.Lock()
	made, ok := d.made[key]
	if !ok {
		made = sync.OnceValues(func() (storage.Blob, error) {
			b, err := build()
			b.Digest = storage.Digest(b.Pieces)
			return b, err
		})
		d.put(key, made)
	}
	d.mu.Unlock()
	b, err := made()
	if err != nil {
		d.forget(key)
	}
	return b, err
}

func (d *derived) put(key string, made func() (storage.Blob, error)) {
	if d.made == nil {
		d.made = map[string]func() (storage.Blob, error){}
	}
	if len(d.keys) == derivations {
		delete(d.made, d.keys[0])
		d.keys = d.keys[1:]
	}
	d.made[key], d.keys = made, append(d.keys, key)
}

func (d *derived) forget(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.made, key)
	d.keys = slices.DeleteFunc(d.keys, func(k string) bool { return k == key })
}

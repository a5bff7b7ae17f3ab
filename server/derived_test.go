package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

// counted is a store that counts what is read, and may be out of order.
type counted struct {
	storage.Getter
	reads  atomic.Int64
	broken atomic.Bool
}

func (c *counted) Get(ctx context.Context, key string) (storage.Blob, error) {
	c.reads.Add(1)
	if c.broken.Load() {
		return storage.Blob{}, errors.New("out of order")
	}
	return c.Getter.Get(ctx, key)
}

// withStore is a channel with another store.
type withStore struct {
	Channel
	store storage.Getter
}

func (w withStore) Store() storage.Getter { return w.store }

func TestAThousandViewersCostOneMaking(t *testing.T) {
	stills := newPictures(t)
	stills.publish(first, parts)
	stills.must(stills.timeline("p").Timeline.Gap(first+1, begins(first+1), slotTicks))
	texts := subtitled(t)
	texts.segments(first, first+3)
	texts.say(first, "hello")
	for url, show := range map[string]*show{"/demo/p/901.m4s": stills.show, "/demo/s/900.vtt": texts} {
		store := &counted{Getter: show.Store()}
		server := newServer(t, Config{}, withStore{show, store})
		store.broken.Store(true)
		get(server, url) // a failure is nobody else's
		store.broken.Store(false)
		store.reads.Store(0)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if w := get(server, url); w.Code != 200 {
					t.Errorf("%s: %d", url, w.Code)
				}
			})
		}
		all.Wait()
		if n := store.reads.Load(); n != 2 { // the header and the segment
			t.Errorf("%s: %d reads", url, n)
		}
	}
}

func TestOnlyTheNewestBodiesAreRemembered(t *testing.T) {
	var d derived
	made := 0
	ask := func(n int) {
		_, err := d.get(fmt.Sprint(n), func() (storage.Blob, error) { made++; return storage.Blob{}, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 * derivations {
		ask(n)
		ask(n)
	}
	if made != 10*derivations || len(d.made) != derivations || len(d.keys) != derivations {
		t.Errorf("%d made, %d and %d kept", made, len(d.made), len(d.keys))
	}
	if ask(0); made != 10*derivations+1 {
		t.Errorf("%d made", made)
	}
}

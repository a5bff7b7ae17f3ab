package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	for size, kept := range map[int]int{0: derivations, derivedSize / 4: 4, derivedSize + 1: 0} {
		d, made := newDerived(), 0
		ask := func(n int) {
			_, err := d.get(t.Context(), fmt.Sprint(n), func(context.Context) (storage.Blob, error) {
				made++
				return storage.Blob{Pieces: [][]byte{make([]byte, size)}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range 3 * derivations {
			ask(n)
		}
		if made != 3*derivations || len(d.made) != kept || len(d.keys) != kept || d.bytes != int64(kept*size) {
			t.Errorf("of %d bytes: %d made, %d and %d kept, %d bytes", size, made, len(d.made), len(d.keys), d.bytes)
		}
		ask(3*derivations - 1)
		if again := made > 3*derivations; again != (kept == 0) {
			t.Errorf("of %d bytes: the newest is made again: %v", size, again)
		}
	}
}

func TestFewBodiesAreMadeAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDerived()
		var making atomic.Int64
		for n := range 3 * deriving {
			go func() {
				_, _ = d.get(t.Context(), fmt.Sprint(n), func(context.Context) (storage.Blob, error) {
					making.Add(1)
					time.Sleep(time.Second)
					making.Add(-1)
					return storage.Blob{}, nil
				})
			}()
		}
		synctest.Wait()
		if n := making.Load(); n != deriving {
			t.Errorf("%d at the same time", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.get(ctx, "late", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("who left waits: %v", err)
		}
		time.Sleep(time.Minute)
		if n := making.Load(); n != 0 || len(d.made) != 3*deriving {
			t.Errorf("%d are being made, %d were", n, len(d.made))
		}
	})
}

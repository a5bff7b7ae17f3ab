package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/storage"
)

var errUnruly = errors.New("says the unruly store")

// unruly makes a Plan by which every operation is slow, some fail, and some fail after they were done.
func unruly(seed uint64) func(Op, string) Fault {
	var mu sync.Mutex // guards rng
	rng := rand.New(rand.NewPCG(seed, 1))
	return func(Op, string) Fault {
		mu.Lock()
		defer mu.Unlock()
		f := Fault{Delay: time.Duration(rng.IntN(3)) * time.Millisecond}
		switch rng.IntN(4) {
		case 0:
			f.Before = errUnruly
		case 1:
			f.After = errUnruly
		}
		return f
	}
}

// disturbed has several writers put blobs of their own and the same ones, and write their names into one document. The store is
// unruly, and whoever is refused tries again: nothing is lost, and nothing is there twice.
func disturbed(t *testing.T, s storage.Durable) {
	f := &Faulty{Store: s, Plan: unruly(1)}
	const writers, each = 4, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				own, shared := fmt.Sprintf("own/%d-%d.m4s", w, i), fmt.Sprintf("shared/%d.m4s", i)
				insist(t, func() error { return f.Put(t.Context(), own, blob(own)) })
				insist(t, func() error { return f.Put(t.Context(), shared, blob(shared)) })
				insist(t, func() error { return enter(t.Context(), f, own+"\n") })
			}
		})
	}
	wg.Wait()
	for _, key := range append(keys(t, s, "own/"), keys(t, s, "shared/")...) {
		want(t, s, key, blob(key))
	}
	if n := len(keys(t, s, "")); n != writers*each+each+1 {
		t.Errorf("%d keys are listed, want those of %d writers, the shared ones and the document", n, writers)
	}
	b, _, err := s.Load(t.Context(), book)
	if err != nil {
		t.Fatal(err)
	}
	text := string(bytes.Join(b.Pieces, nil))
	for _, key := range keys(t, s, "own/") {
		if n := strings.Count(text, key+"\n"); n != 1 {
			t.Errorf("the document has %s %d times", key, n)
		}
	}
}

// insist tries until it works, for as long as it is the store that is unruly, or others that are faster.
func insist(t *testing.T, try func() error) {
	for range 1000 {
		err := try()
		if err == nil {
			return
		}
		if !errors.Is(err, errUnruly) && !errors.Is(err, storage.ErrStale) {
			t.Error(err)
			return
		}
	}
	t.Error("tried a thousand times")
}

// enter adds a line to the document, unless it has come there already: its acknowledgement may have been lost.
func enter(ctx context.Context, s storage.Documents, line string) error {
	b, v, err := s.Load(ctx, book)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	text := string(bytes.Join(b.Pieces, nil))
	if strings.Contains(text, line) {
		return nil
	}
	_, err = s.Swap(ctx, book, document(text+line), v)
	return err
}

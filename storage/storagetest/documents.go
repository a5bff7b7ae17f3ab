package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

// RunDurable proves that the stores which open returns keep the contract of storage.Durable. Every call of open must return
// an empty store.
func RunDurable(t *testing.T, open func(t *testing.T) storage.Durable) {
	Run(t, func(t *testing.T) storage.Store { return open(t) })
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s storage.Durable)
	}{
		{"a document is made and replaced", swap},
		{"a stale swap changes nothing", stale},
		{"a document that does not exist is ErrNotFound", notLoaded},
		{"of concurrent swaps exactly one wins", swapRace},
		{"no concurrent change is lost", increments},
		{"a reader sees whole documents", wholeDocuments},
		{"a document is got, listed and deleted", documentIsBlob},
		{"a done context stops Load and Swap", cancelledDocuments},
		{"after a swap whose acknowledgement was lost, Load tells whose it is", lostSwap},
		{"writers who repeat what fails lose nothing in a store that is slow and fails", disturbed},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

const book = "c/record.json"

func document(content string) storage.Blob {
	b := blob(content)
	b.ContentType, b.CacheControl = "application/json", "no-store"
	return b
}

func mustSwap(t *testing.T, s storage.Documents, content string, old storage.Version) storage.Version {
	t.Helper()
	v, err := s.Swap(t.Context(), book, document(content), old)
	if err != nil || v == "" {
		t.Fatalf("Swap %q for version %q = %q, %v", content, old, v, err)
	}
	return v
}

// wantDocument checks the content of the book and returns its version.
func wantDocument(t *testing.T, s storage.Documents, content string) storage.Version {
	t.Helper()
	b, v, err := s.Load(t.Context(), book)
	if err != nil || v == "" || !b.Equal(document(content)) {
		t.Fatalf("Load = %.60q of type %q, version %q, %v, want %.60q", b.Pieces, b.ContentType, v, err, content)
	}
	return v
}

func swap(t *testing.T, s storage.Durable) {
	var v storage.Version
	for _, content := range []string{"one", "two", "two", "", "three, which is longer"} {
		v = mustSwap(t, s, content, v)
		if loaded := wantDocument(t, s, content); loaded != v {
			t.Errorf("Load says version %q, Swap said %q", loaded, v)
		}
	}
}

func stale(t *testing.T, s storage.Durable) {
	first := mustSwap(t, s, "one", "")
	second := mustSwap(t, s, "two", first)
	for _, old := range []storage.Version{first, "", "no version at all"} {
		if v, err := s.Swap(t.Context(), book, document("three"), old); !errors.Is(err, storage.ErrStale) || v != "" {
			t.Errorf("Swap for version %q = %q, %v, want ErrStale", old, v, err)
		}
	}
	if v := wantDocument(t, s, "two"); v != second {
		t.Errorf("the version is %q, want %q as before", v, second)
	}
	if err := s.Delete(t.Context(), book); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), book, document("three"), second); !errors.Is(err, storage.ErrStale) {
		t.Errorf("Swap of a deleted document = %v, want ErrStale", err)
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("the stale swap made %q", got)
	}
	mustSwap(t, s, "anew", "")
}

func notLoaded(t *testing.T, s storage.Durable) {
	if _, v, err := s.Load(t.Context(), book); !errors.Is(err, storage.ErrNotFound) || v != "" {
		t.Errorf("Load = %q, %v, want ErrNotFound", v, err)
	}
}

func swapRace(t *testing.T, s storage.Durable) {
	var v storage.Version // of the round before; at first nothing is there
	for round := range 20 {
		contents, versions, errs := make([]string, 3), make([]storage.Version, 3), make([]error, 3)
		var wg sync.WaitGroup
		for i := range errs {
			contents[i] = fmt.Sprintf("round %d writer %d", round, i)
			wg.Go(func() {
				versions[i], errs[i] = s.Swap(context.WithoutCancel(t.Context()), book, document(contents[i]), v)
			})
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		if winner < 0 {
			t.Fatalf("round %d: nobody wins: %v", round, errs)
		}
		for i, err := range errs {
			if i != winner && !errors.Is(err, storage.ErrStale) {
				t.Fatalf("round %d: writer %d = %v although %d won, want ErrStale", round, i, err, winner)
			}
		}
		if v = wantDocument(t, s, contents[winner]); v != versions[winner] {
			t.Fatalf("round %d: Load says version %q, the winner's Swap said %q", round, v, versions[winner])
		}
	}
}

func increments(t *testing.T, s storage.Durable) {
	v := mustSwap(t, s, "0", "")
	const writers, each = 3, 5
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			for range each {
				if err := increment(t.Context(), s, writer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n, now, err := counted(t.Context(), s)
	if err != nil || n != writers*each || now == v {
		t.Errorf("%d steps of %d, version %q after %q, %v", n, writers*each, now, v, err)
	}
}

// increment adds one to the number that the book begins with, for as long as others are faster. What each writes is its own: to
// two writers of the same content a store may say that they are one whose acknowledgement was lost.
func increment(ctx context.Context, s storage.Documents, writer int) error {
	for {
		n, v, err := counted(ctx, s)
		if err != nil {
			return err
		}
		if _, err = s.Swap(ctx, book, document(fmt.Sprintf("%d by writer %d", n+1, writer)), v); !errors.Is(err, storage.ErrStale) {
			return err
		}
	}
}

// counted is the number that the book begins with.
func counted(ctx context.Context, s storage.Documents) (n int, v storage.Version, err error) {
	b, v, err := s.Load(ctx, book)
	if err != nil {
		return 0, "", err
	}
	_, err = fmt.Sscanf(string(bytes.Join(b.Pieces, nil)), "%d", &n)
	return n, v, err
}

func wholeDocuments(t *testing.T, s storage.Durable) {
	page := func(i int) string { return string(bytes.Repeat([]byte{byte('a' + i)}, 1<<16+i)) }
	v := mustSwap(t, s, page(0), "")
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for open := true; open; {
			select {
			case <-done:
				open = false
			default:
			}
			b, _, err := s.Load(context.WithoutCancel(t.Context()), book)
			body := bytes.Join(b.Pieces, nil)
			if err != nil || len(body) < 1<<16 || string(body) != page(int(body[0]-'a')) {
				t.Errorf("Load = %d bytes %.10q, %v", len(body), body, err)
				return
			}
		}
	})
	defer close(done)
	for i := range 20 {
		v = mustSwap(t, s, page(i), v)
	}
}

func documentIsBlob(t *testing.T, s storage.Durable) {
	put(t, s, "c/t/1.m4s", blob("media"))
	v := mustSwap(t, s, "one", "")
	mustSwap(t, s, "two", v)
	b, err := s.Get(t.Context(), book)
	if err != nil || !b.Equal(document("two")) {
		t.Errorf("Get = %q of type %q, %v", b.Pieces, b.ContentType, err)
	}
	if got, want := keys(t, s, "c/"), []string{book, "c/t/1.m4s"}; !slices.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
	if err := s.Delete(t.Context(), book); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), book); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Load of what was deleted = %v, want ErrNotFound", err)
	}
}

func cancelledDocuments(t *testing.T, s storage.Durable) {
	v := mustSwap(t, s, "one", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Load(ctx, book); !errors.Is(err, context.Canceled) {
		t.Errorf("Load = %v, want context.Canceled", err)
	}
	if _, err := s.Swap(ctx, book, document("two"), v); !errors.Is(err, context.Canceled) {
		t.Errorf("Swap = %v, want context.Canceled", err)
	}
	wantDocument(t, s, "one")
}

func lostSwap(t *testing.T, s storage.Durable) {
	lost := errors.New("lost")
	v := mustSwap(t, s, "one", "")
	f := &Faulty{Store: s, Plan: Once(Swap, Fault{After: lost})}
	if _, err := f.Swap(t.Context(), book, document("two"), v); !errors.Is(err, lost) {
		t.Fatalf("Swap = %v, want the fault", err)
	}
	if _, err := f.Swap(t.Context(), book, document("two"), v); !errors.Is(err, storage.ErrStale) {
		t.Fatalf("the second Swap = %v, want ErrStale", err)
	}
	mustSwap(t, f, "three", wantDocument(t, f, "two"))
	wantDocument(t, f, "three")
}

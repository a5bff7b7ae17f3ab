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

// Run proves that the stores which open returns keep the contract of storage.Store. Every call of open must return an
// empty store.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s storage.Store)
	}{
		{"what was put is got", putGet},
		{"an unknown key is ErrNotFound", notFound},
		{"the same content may be put again", putAgain},
		{"other content is ErrConflict and changes nothing", conflict},
		{"content types are kept, whatever the name", types},
		{"keys are listed by prefix in ascending order", list},
		{"a list can be left early", listBreak},
		{"deleted keys are gone and can be put anew", deletes},
		{"concurrent puts of one key agree on one content", race},
		{"a done context stops every operation", cancelled},
		{"a put whose acknowledgement was lost succeeds when it is repeated", lostAcknowledgement},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func blob(pieces ...string) storage.Blob {
	b := storage.Blob{ContentType: "video/mp4"}
	for _, p := range pieces {
		b.Pieces = append(b.Pieces, []byte(p))
	}
	b.Digest = storage.Digest(b.Pieces)
	return b
}

func put(t *testing.T, s storage.Store, key string, b storage.Blob) {
	t.Helper()
	if err := s.Put(t.Context(), key, b); err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
}

func want(t *testing.T, s storage.Store, key string, want storage.Blob) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get %s: %v", key, err)
	}
	if !got.Equal(want) || got.Digest != want.Digest {
		t.Errorf("Get %s = %d bytes %q of type %q, want %d bytes %q of type %q",
			key, got.Size(), got.Digest, got.ContentType, want.Size(), want.Digest, want.ContentType)
	}
}

func keys(t *testing.T, s storage.Store, prefix string) []string {
	t.Helper()
	var keys []string
	for key, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List %s: %v", prefix, err)
		}
		keys = append(keys, key)
	}
	return keys
}

func putGet(t *testing.T, s storage.Store) {
	for key, b := range map[string]storage.Blob{
		"c/t/1.m4s":   blob("one", "", "two", "three"),
		"c/t/2.m4s":   blob(),
		"c/~c3/3.m4s": blob(string(bytes.Repeat([]byte{0, 255}, 1<<16))),
	} {
		put(t, s, key, b)
		want(t, s, key, b)
	}
}

func notFound(t *testing.T, s storage.Store) {
	if _, err := s.Get(t.Context(), "no/thing.m4s"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

func putAgain(t *testing.T, s storage.Store) {
	put(t, s, "k.m4s", blob("ab", "c"))
	put(t, s, "k.m4s", blob("a", "bc"))
	want(t, s, "k.m4s", blob("abc"))
}

func conflict(t *testing.T, s storage.Store) {
	put(t, s, "k.m4s", blob("abc"))
	for _, other := range []storage.Blob{blob("abd"), blob("ab"), blob("abc", "d"), blob()} {
		if err := s.Put(t.Context(), "k.m4s", other); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put of %d other bytes = %v, want ErrConflict", other.Size(), err)
		}
	}
	want(t, s, "k.m4s", blob("abc"))
}

func list(t *testing.T, s storage.Store) {
	// In a file system the directory a would come before a-b, and before a.m4s.
	for _, key := range []string{"a/3.m4s", "a/1.m4s", "b/1.m4s", "a/10.m4s", "a.m4s", "a-b/1.m4s"} {
		put(t, s, key, blob(key))
	}
	all := []string{"a-b/1.m4s", "a.m4s", "a/1.m4s", "a/10.m4s", "a/3.m4s", "b/1.m4s"}
	for prefix, want := range map[string][]string{"": all, "a": all[:5], "a/": all[2:5], "a/1": all[2:4], "a/1.m4s": all[2:3], "a/1.m4s/": nil, "c": nil} {
		if got := keys(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List %q = %q, want %q", prefix, got, want)
		}
	}
}

func listBreak(t *testing.T, s storage.Store) {
	put(t, s, "a.m4s", blob("a"))
	put(t, s, "b.m4s", blob("b"))
	for range s.List(t.Context(), "") {
		break
	}
	put(t, s, "c.m4s", blob("c")) // would block if the list still held a lock
}

func deletes(t *testing.T, s storage.Store) {
	put(t, s, "c/a.m4s", blob("a"))
	put(t, s, "c/b.m4s", blob("b"))
	put(t, s, "d/a.m4s", blob("a"))
	if err := s.Delete(t.Context(), "c/a.m4s", "never/was.m4s", "d/a.m4s"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"c/b.m4s"}) {
		t.Errorf("after the delete there are %q, want c/b.m4s", got)
	}
	if _, err := s.Get(t.Context(), "d/a.m4s"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get of what was deleted = %v, want ErrNotFound", err)
	}
	put(t, s, "d/a.m4s", blob("something else"))
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

func types(t *testing.T, s storage.Store) {
	for key, contentType := range map[string]string{
		"c/v/1.m4s": "video/mp4", "c/v/2.m4s": "audio/mp4", "c/v/3.m4s": "video/mp4", "c/a/1.m4s": "audio/mp4",
		"c/v/legacy.m3u8": "application/vnd.apple.mpegurl", "c/legacy.mpd": "application/dash+xml", "c/record.json": "application/json",
		"c/a/index.m3u8": "text/plain",
	} {
		b := blob(key)
		b.ContentType = contentType
		put(t, s, key, b)
		put(t, s, key, b)
		defer want(t, s, key, b)
	}
}

func race(t *testing.T, s storage.Store) {
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			results[i] = s.Put(context.WithoutCancel(t.Context()), "k.m4s", blob(fmt.Sprint("content ", i%2)))
		})
	}
	wg.Wait()
	b, err := s.Get(t.Context(), "k.m4s")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	for i, err := range results {
		if won := b.Equal(blob(fmt.Sprint("content ", i%2))); won && err != nil || !won && !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Put %d = %v; its content won: %v", i, err, won)
		}
	}
}

func cancelled(t *testing.T, s storage.Store) {
	put(t, s, "k.m4s", blob("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "l.m4s", blob("b")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	if _, err := s.Get(ctx, "k.m4s"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want context.Canceled", err)
	}
	if err := s.Delete(ctx, "k.m4s"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete = %v, want context.Canceled", err)
	}
	for _, err := range s.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List yields %v, want context.Canceled", err)
		}
	}
	want(t, s, "k.m4s", blob("a"))
}

func lostAcknowledgement(t *testing.T, s storage.Store) {
	lost := errors.New("lost")
	f := &Faulty{Store: s, Plan: Once(Put, Fault{After: lost})}
	if err := f.Put(t.Context(), "k.m4s", blob("a")); !errors.Is(err, lost) {
		t.Fatalf("Put = %v, want the fault", err)
	}
	put(t, f, "k.m4s", blob("a"))
	want(t, f, "k.m4s", blob("a"))
}

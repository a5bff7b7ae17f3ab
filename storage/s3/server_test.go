package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// each runs a test against versitygw, and another implementation if the environment names one. open makes stores, with little
// patience, of the same prefix, which nobody used before.
func each(t *testing.T, test func(t *testing.T, open func() *Store)) {
	t.Helper()
	srv := server(t)
	prefix := fmt.Sprintf("each-%d", time.Now().UnixNano())
	configs := map[string]Config{"versitygw": {Endpoint: srv.Endpoint, AccessKey: access, SecretKey: secret}}
	if url := os.Getenv("MOQPACK_TEST_S3_ENDPOINT"); url != "" {
		configs["other"] = Config{Endpoint: url, AccessKey: os.Getenv("MOQPACK_TEST_S3_ACCESS"), SecretKey: os.Getenv("MOQPACK_TEST_S3_SECRET")}
	}
	for name, c := range configs {
		c.Bucket, c.Prefix, c.PathStyle = bucketName, prefix, true
		t.Run(name, func(t *testing.T) { test(t, func() *Store { return storeOf(t, c) }) })
	}
}

func keysOf(t *testing.T, s *Store, prefix string) (keys []string) {
	t.Helper()
	for k, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func TestAServerThatIsKilledInAPutHasAllOrNothing(t *testing.T) { servers(t, killedInAPut) }

func killedInAPut(t *testing.T, start func() *s3test.Server) {
	const size = 6 << 20
	content := blob(strings.Repeat("0123456789abcdef", size/16))
	for _, after := range []int64{1, 2 << 20, size} { // bytes that reach the server before it dies
		srv := start()
		killed := make(chan struct{})
		p := between(t, srv.Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
			if n == 1 {
				r.Body = &deadly{ReadCloser: r.Body, left: after, kill: func() { srv.Kill(); close(killed) }}
			}
			forward.ServeHTTP(w, r)
		})
		s := storeAt(t, p.URL)
		if err := s.Put(t.Context(), key, content); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("killed after %d bytes: Put = %v, want ErrUnavailable", after, err)
		}
		<-killed
		srv.Restart()
		switch b, err := s.Get(t.Context(), key); {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil || !b.Equal(content):
			t.Errorf("killed after %d bytes: half an object is there: %d bytes, %v", after, b.Size(), err)
		}
		if err := s.Put(t.Context(), key, content); err != nil {
			t.Errorf("killed after %d bytes: the second Put = %v", after, err)
		}
		if b, err := s.Get(t.Context(), key); err != nil || !b.Equal(content) {
			t.Errorf("killed after %d bytes: Get = %d bytes, %v", after, b.Size(), err)
		}
		if got := keysOf(t, s, ""); !slices.Equal(got, []string{key}) {
			t.Errorf("killed after %d bytes: %q are listed", after, got)
		}
	}
}

// deadly kills somebody when so many bytes were read.
type deadly struct {
	io.ReadCloser
	left int64
	kill func()
}

func (d *deadly) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if d.left > 0 {
		if d.left -= int64(n); d.left <= 0 {
			d.kill()
		}
	}
	return n, err
}

func TestAnOutageIsNamedAndOver(t *testing.T) { servers(t, outage) }

func outage(t *testing.T, start func() *s3test.Server) {
	srv := start()
	s := storeAt(t, srv.Endpoint)
	if err := s.Put(t.Context(), key, blob("media")); err != nil {
		t.Fatal(err)
	}
	v, err := s.Swap(t.Context(), "c/record.json", blob("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	srv.Kill()
	for name, op := range operations(s, v) {
		begin := time.Now()
		if err := op(t.Context()); !errors.Is(err, storage.ErrUnavailable) || time.Since(begin) > 10*time.Second {
			t.Errorf("%s in the outage = %v after %v, want ErrUnavailable", name, err, time.Since(begin))
		}
	}
	srv.Restart()
	for name, op := range operations(s, v) {
		if err := op(t.Context()); err != nil {
			t.Errorf("%s after the outage = %v", name, err)
		}
	}
}

// operations are all that a store can do, each independent of the others.
func operations(s *Store, v storage.Version) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Put": func(ctx context.Context) error { return s.Put(ctx, "c/t/2.m4s", blob("more")) },
		"Get": func(ctx context.Context) error { _, err := s.Get(ctx, key); return err },
		"Load": func(ctx context.Context) error {
			_, _, err := s.Load(ctx, key)
			return err
		},
		"Swap": func(ctx context.Context) error { _, err := s.Swap(ctx, "c/record.json", blob("two"), v); return err },
		"List": func(ctx context.Context) error {
			for _, err := range s.List(ctx, "c/") {
				return err
			}
			return nil
		},
		"Directories": func(ctx context.Context) error {
			for _, err := range s.Directories(ctx) {
				return err
			}
			return nil
		},
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, "c/t/3.m4s") },
		"Probe":  func(ctx context.Context) error { _, err := s.Probe(ctx, "test"); return err },
	}
}

func TestTwoInstancesPutOneContent(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		stores := []*Store{open(), open()}
		for round := range 10 {
			key, same := fmt.Sprintf("c/t/%d.m4s", round), blob(fmt.Sprint("content ", round))
			var wg sync.WaitGroup
			for _, s := range stores {
				for range 3 {
					wg.Go(func() {
						if err := s.Put(context.WithoutCancel(t.Context()), key, same); err != nil {
							t.Errorf("the same content: %v", err)
						}
					})
				}
			}
			wg.Wait()
			if err := stores[1].Put(t.Context(), key, blob("other")); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("other content = %v, want ErrConflict", err)
			}
			if b, err := stores[0].Get(t.Context(), key); err != nil || !b.Equal(same) {
				t.Errorf("Get = %s, %v", b.Pieces, err)
			}
		}
	})
}

// A claim is a Put that each instance tries with its own content.
func TestOfTwoInstancesOneClaims(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		stores := []*Store{open(), open()}
		for round := range 20 {
			key, errs := fmt.Sprintf("c/epoch-%d.json", round), make([]error, len(stores))
			var wg sync.WaitGroup
			for i, s := range stores {
				wg.Go(func() { errs[i] = s.Put(context.WithoutCancel(t.Context()), key, blob(fmt.Sprint("writer ", i))) })
			}
			wg.Wait()
			winner := slices.Index(errs, nil)
			if winner < 0 || !errors.Is(errs[1-winner], storage.ErrConflict) {
				t.Fatalf("round %d: %v, want one to win and the other to learn of it", round, errs)
			}
			if b, err := stores[1-winner].Get(t.Context(), key); err != nil || !b.Equal(blob(fmt.Sprint("writer ", winner))) {
				t.Fatalf("round %d: Get = %s, %v, but writer %d won", round, b.Pieces, err, winner)
			}
		}
	})
}

func TestTwoInstancesLoseNoUpdate(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		const each, doc = 15, "c/record.json"
		var wg sync.WaitGroup
		for range 2 {
			s := open()
			wg.Go(func() {
				for range each {
					if err := add(context.WithoutCancel(t.Context()), s, doc); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b, _, err := open().Load(t.Context(), doc)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Size(); got != 2*each {
			t.Errorf("%d updates are there, want %d", got, 2*each)
		}
	})
}

// add makes the document longer by one byte, for as long as others are faster.
func add(ctx context.Context, s *Store, doc string) error {
	for {
		b, v, err := s.Load(ctx, doc)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		longer := storage.Blob{ContentType: "application/json", Pieces: append(slices.Clone(b.Pieces), []byte("x"))}
		if _, err := s.Swap(ctx, doc, longer, v); !errors.Is(err, storage.ErrStale) {
			return err
		}
	}
}

func TestMoreThanAPageIsListedAndDeleted(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := open()
		var want []string
		for i := range 1005 {
			want = append(want, fmt.Sprintf("c/t/%d.m4s", i))
		}
		// These are one behind the other in the order of bytes, and not in that of directories.
		want = append(want, "c/t-2/1.m4s", "c/t~/1.m4s", "c-2/t/1.m4s", "d/record.json")
		work := make(chan string)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for key := range work {
					if err := s.Put(context.WithoutCancel(t.Context()), key, blob()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, key := range want {
			work <- key
		}
		close(work)
		wg.Wait()
		slices.Sort(want)
		if got := keysOf(t, s, ""); !slices.Equal(got, want) {
			t.Errorf("%d keys are listed, want %d, and ascending", len(got), len(want))
		}
		for range 2 { // the second time none of them exists
			if err := s.Delete(t.Context(), want[:len(want)-1]...); err != nil {
				t.Error(err)
			}
		}
		if got := keysOf(t, s, ""); !slices.Equal(got, []string{"d/record.json"}) {
			t.Errorf("%q are left", got)
		}
	})
}

func TestNamesComeBackFromLists(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := open()
		want := []string{manifest.PrivateKey("ä/b c", "record.json")}
		for kind := manifest.Multivariant; kind <= manifest.Segment; kind++ {
			want = append(want, manifest.Name{Kind: kind, Channel: "ä/b c", Track: "../~?%#", N: 7, Digest: "0123abcd"}.Key())
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for _, key := range want {
			if err := s.Put(t.Context(), key, blob(key)); err != nil {
				t.Fatal(err)
			}
		}
		if got := keysOf(t, s, ""); !slices.Equal(got, want) {
			t.Errorf("%q are listed, want %q", got, want)
		}
		for _, key := range want {
			if b, err := s.Get(t.Context(), key); err != nil || !b.Equal(blob(key)) {
				t.Errorf("%s: %s, %v", key, b.Pieces, err)
			}
		}
	})
}

func TestPlayersSeeTheHeaders(t *testing.T) {
	each(t, func(t *testing.T, open func() *Store) {
		s := open()
		playlist := storage.Blob{Pieces: [][]byte{[]byte("#EXTM3U")}, ContentType: manifest.TypeHLS, CacheControl: "max-age=1"}
		if err := s.Put(t.Context(), key, blob("me", "dia")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Swap(t.Context(), "c/legacy.m3u8", playlist, ""); err != nil {
			t.Fatal(err)
		}
		for k, want := range map[string][3]string{
			key:             {"video/mp4", storage.Immutable, "media"},
			"c/legacy.m3u8": {manifest.TypeHLS, "max-age=1", "#EXTM3U"},
		} {
			signed, err := api.NewPresignClient(s.api).PresignGetObject(t.Context(), &api.GetObjectInput{Bucket: aws.String(bucketName), Key: s.path(k)})
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Get(signed.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			h := res.Header
			got := [3]string{h.Get("Content-Type"), h.Get("Cache-Control"), string(body)}
			if err != nil || got != want || h.Get("Content-Encoding") != "" || h.Get("X-Amz-Meta-"+digestKey) == "" {
				t.Errorf("%s: %q, %v, %v, want %q", k, got, h, err, want)
			}
		}
	})
}

func BenchmarkStore(b *testing.B) {
	srv := server(b)
	s, err := New(b.Context(), Config{Bucket: bucketName, Endpoint: srv.Endpoint, PathStyle: true, AccessKey: access, SecretKey: secret}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	media, doc := blob(strings.Repeat("x", 500_000)), blob(strings.Repeat("y", 20_000))
	n := 0
	b.Run("Put500kB", func(b *testing.B) {
		b.SetBytes(media.Size())
		for b.Loop() {
			if n++; s.Put(b.Context(), fmt.Sprintf("c/t/%d.m4s", n), media) != nil {
				b.Fatal("it fails")
			}
		}
	})
	b.Run("Get500kB", func(b *testing.B) {
		b.SetBytes(media.Size())
		for b.Loop() {
			if _, err := s.Get(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Swap20kB", func(b *testing.B) {
		_, v, err := s.Load(b.Context(), "c/record.json")
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			b.Fatal(err)
		}
		for b.Loop() {
			if v, err = s.Swap(b.Context(), "c/record.json", doc, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/storage"
)

func TestAnEndpointWithoutConditionsIsFoundOutAndLookedAtBefore(t *testing.T) {
	srv := server(t)
	ignoring := func(header string) rule {
		return func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
			without(t, header, w, r, forward)
		}
	}
	refusing := func(status int, code string) rule {
		return func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, status, code) }
	}
	const none, match, either = "If-None-Match", "If-Match", "If-None-Match If-Match"
	for i, tt := range []struct {
		name, headers string
		rule          rule
		put, swap     bool
	}{
		{"ignores If-None-Match", none, ignoring(none), false, true},
		{"ignores If-Match", match, ignoring(match), true, false},
		{"has no conditions", either, refusing(http.StatusNotImplemented, "NotImplemented"), false, false},
		{"never finds them true", either, refusing(http.StatusPreconditionFailed, "PreconditionFailed"), false, false},
		{"knows no such argument", either, refusing(http.StatusBadRequest, "InvalidArgument"), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := between(t, srv.Endpoint, func(r *http.Request) bool {
				return r.Method == "PUT" && slices.ContainsFunc(strings.Fields(tt.headers), func(h string) bool { return r.Header.Get(h) != "" })
			}, tt.rule)
			s := storeAt(t, p.URL)
			s.cfg.Prefix = fmt.Sprint("conditions-", i)
			a, err := s.Probe(t.Context(), "test")
			if err != nil || a.Put != tt.put || a.Swap != tt.swap || !a.Headers {
				t.Fatalf("Probe = %+v, %v", a, err)
			}
			missing := strings.Join(a.Missing(), "\n")
			if strings.Contains(missing, none) == tt.put || strings.Contains(missing, "If-Match:") == tt.swap {
				t.Errorf("Missing: %s", missing)
			}
			looks(t, s)
		})
	}
}

// looks proves that a store which relies on no condition keeps its contract while nobody else writes.
func looks(t *testing.T, s *Store) {
	t.Helper()
	for k, err := range s.List(t.Context(), "") {
		t.Errorf("the probe leaves %s behind, %v", k, err)
	}
	for range 2 {
		if err := s.Put(t.Context(), key, blob("media")); err != nil {
			t.Errorf("Put = %v", err)
		}
	}
	if err := s.Put(t.Context(), key, blob("other")); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("other content = %v, want ErrConflict", err)
	}
	if b, err := s.Get(t.Context(), key); err != nil || !b.Equal(blob("media")) {
		t.Errorf("Get = %s, %v", b.Pieces, err)
	}
	doc := "c/record.json"
	one, err := s.Swap(t.Context(), doc, blob("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Swap(t.Context(), doc, blob("two"), one)
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []storage.Version{"", one} {
		if _, err := s.Swap(t.Context(), doc, blob("three"), old); !errors.Is(err, storage.ErrStale) {
			t.Errorf("Swap for version %q = %v, want ErrStale", old, err)
		}
	}
	if b, v, err := s.Load(t.Context(), doc); err != nil || v != two || !b.Equal(blob("two")) {
		t.Errorf("Load = %s, %q, %v", b.Pieces, v, err)
	}
}

func TestAProbeThatFailsLeavesNothingBehind(t *testing.T) {
	srv := server(t)
	p := between(t, srv.Endpoint, method("GET"), func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		refuse(w, http.StatusForbidden, "AccessDenied")
	})
	if _, err := storeAt(t, p.URL).Probe(t.Context(), "test"); !errors.Is(err, ErrConfig) {
		t.Errorf("Probe = %v", err)
	}
	if left := keysOf(t, storeAt(t, srv.Endpoint), ""); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestAnotherKeyThanTheOneThatWasAskedForIsFoundOut(t *testing.T) {
	p := between(t, server(t).Endpoint, method("HEAD"), func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		w.Header().Set("X-Amz-Server-Side-Encryption", "aws:kms")
		w.Header().Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:aws:kms:eu-west-3:1:key/0123")
		forward.ServeHTTP(w, r)
	})
	for asked, want := range map[string]bool{"0123": true, "4567": false} {
		s := storeAt(t, p.URL)
		s.cfg.SSE, s.cfg.KMSKey = "aws:kms", asked
		if a, err := s.Probe(t.Context(), "test"); err != nil || a.Encrypts != want {
			t.Errorf("%s: Probe = %+v, %v", asked, a, err)
		}
	}
}

func TestProbeSaysThatClocksDiffer(t *testing.T) {
	p := between(t, server(t).Endpoint, func(*http.Request) bool { return true }, func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(dated{w, 7 * time.Minute}, r)
	})
	a, err := storeAt(t, p.URL).Probe(t.Context(), "test")
	if err != nil || !a.Skewed() || (a.Skew-7*time.Minute).Abs() > 5*time.Second {
		t.Errorf("Probe = %+v, %v", a, err)
	}
}

// dated shifts the Date of answers.
type dated struct {
	http.ResponseWriter
	by time.Duration
}

func (d dated) WriteHeader(status int) {
	d.Header().Set("Date", time.Now().Add(d.by).UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

// Without conditions, the updates of one process are not lost at least.
func TestOneInstanceLosesNoUpdateWithoutConditions(t *testing.T) {
	s := storeAt(t, server(t).Endpoint)
	s.abilities.put.Store(false)
	s.abilities.swap.Store(false)
	const writers, each, doc = 4, 10, "c/record.json"
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := add(context.WithoutCancel(t.Context()), s, doc); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b, err := s.Get(t.Context(), doc); err != nil || b.Size() != writers*each {
		t.Errorf("%d updates are there, want %d: %v", b.Size(), writers*each, err)
	}
}

package s3

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/storage"
)

const key = "c/t/1.m4s"

func TestALostAcknowledgementOfAPutIsSuccess(t *testing.T) { servers(t, lostPut) }

func lostPut(t *testing.T, start func() *s3test.Server) {
	p := between(t, start().Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n == 1 {
			lose(r, forward)
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	if err := s.Put(t.Context(), key, blob("media")); err != nil || len(p.requests()) != 2 {
		t.Errorf("Put = %v after %d requests", err, len(p.requests()))
	}
	if err := s.Put(t.Context(), key, blob("other")); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("other content = %v, want ErrConflict", err)
	}
}

func TestALostAcknowledgementOfASwapIsSuccess(t *testing.T) { servers(t, lostSwap) }

func lostSwap(t *testing.T, start func() *s3test.Server) {
	lost := 0
	p := between(t, start().Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n%2 == 1 {
			lost++
			lose(r, forward)
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	var v storage.Version
	for i := range 3 {
		now, err := s.Swap(t.Context(), "c/record.json", blob(fmt.Sprint(i)), v)
		if err != nil || now == v || now == "" {
			t.Fatalf("Swap %d for %q = %q, %v", i, v, now, err)
		}
		v = now
	}
	if lost != 3 {
		t.Errorf("%d acknowledgements were lost, want 3", lost)
	}
}

// Who was not asked twice has lost no acknowledgement: the same content is another instance's.
func TestTheSameContentOfAnotherInstanceIsStale(t *testing.T) {
	s := storeAt(t, server(t).Endpoint)
	if _, err := s.Swap(t.Context(), key, blob("same"), ""); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Swap(t.Context(), key, blob("same"), ""); !errors.Is(err, storage.ErrStale) {
		t.Errorf("Swap = %q, %v, want ErrStale", v, err)
	}
}

// Between a Swap whose acknowledgement is lost and its second attempt another instance replaces the document.
func TestASwapThatWasReplacedBeforeItsSecondAttemptIsStale(t *testing.T) {
	srv := server(t)
	other := storeAt(t, srv.Endpoint)
	p := between(t, srv.Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n > 1 {
			forward.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		_, v, err := other.Load(r.Context(), key)
		if err == nil {
			_, err = other.Swap(r.Context(), key, blob("theirs"), v)
		}
		if err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	if v, err := storeAt(t, p.URL).Swap(t.Context(), key, blob("ours"), ""); !errors.Is(err, storage.ErrStale) || v != "" {
		t.Errorf("Swap = %q, %v, want ErrStale", v, err)
	}
	if b, err := other.Get(t.Context(), key); err != nil || !b.Equal(blob("theirs")) {
		t.Errorf("Get = %s, %v, want theirs", b.Pieces, err)
	}
}

// What is refused because it is there, and then is not, was deleted meanwhile: nobody may believe that it is stored.
func TestAPutThatIsRefusedForNothingIsUnavailable(t *testing.T) {
	p := between(t, server(t).Endpoint, method("PUT"), func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	})
	if err := storeAt(t, p.URL).Put(t.Context(), key, blob("media")); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put = %v, want ErrUnavailable", err)
	}
}

func TestSlowDownIsHonoured(t *testing.T) {
	t.Parallel() // it waits most of the time
	p := between(t, server(t).Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	s.limits.pauses = 10 * time.Second
	begin := time.Now()
	if err := s.Put(t.Context(), key, blob("media")); err != nil || time.Since(begin) < time.Second {
		t.Errorf("Put = %v after %v, want it to wait for a second", err, time.Since(begin))
	}
}

func TestAnotherWriterAtTheSameMomentIsAskedAboutAgain(t *testing.T) {
	p := between(t, server(t).Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n%2 == 1 {
			refuse(w, http.StatusConflict, "ConditionalRequestConflict")
			return
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	if err := s.Put(t.Context(), key, blob("media")); err != nil {
		t.Error(err)
	}
	if _, err := s.Swap(t.Context(), "c/record.json", blob("one"), ""); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotAnsweredIsSentAgainOnAFreshConnection(t *testing.T) {
	t.Parallel() // it waits most of the time
	p := between(t, server(t).Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n == 2 { // the connection of the first is used again for this one, and never answers
			swallow(r)
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	for _, k := range []string{"c/t/1.m4s", "c/t/2.m4s"} {
		if err := s.Put(t.Context(), k, blob("media")); err != nil {
			t.Fatal(err)
		}
		s.limits.answer = 2 * time.Second
	}
	if seen := p.requests(); len(seen) != 3 || seen[1] != seen[0] || seen[2] == seen[1] {
		t.Errorf("connections of the attempts: %v, want two on one and the third on another", seen)
	}
}

func TestAServerThatNeverAnswersIsUnavailableInBoundedTime(t *testing.T) {
	p := between(t, "http://127.0.0.1:1", method("GET"), func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) { swallow(r) })
	s := storeAt(t, p.URL)
	s.limits.answer = 50 * time.Millisecond
	begin := time.Now()
	_, err := s.Get(t.Context(), key)
	if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, errTimeout) || time.Since(begin) > 10*time.Second {
		t.Errorf("Get = %v after %v", err, time.Since(begin))
	}
	if err != nil && !strings.Contains(err.Error(), "6 attempts") {
		t.Errorf("the error does not say how often it was tried: %v", err)
	}
}

func TestABigBodyHasTimeAndAStalledOneHasNot(t *testing.T) {
	t.Parallel() // it waits most of the time
	big := blob(strings.Repeat("x", 3<<20))
	var stall bool
	p := between(t, server(t).Endpoint, method("GET"), func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		got := httptest.NewRecorder()
		forward.ServeHTTP(got, r)
		for name, values := range got.Header() {
			w.Header()[name] = values
		}
		half := got.Body.Len() / 2
		_, _ = w.Write(got.Body.Next(half))
		_ = http.NewResponseController(w).Flush()
		if stall {
			swallow(r)
		}
		select {
		case <-time.After(3 * time.Second): // longer than an answer may take
		case <-r.Context().Done():
		}
		_, _ = w.Write(got.Body.Bytes())
	})
	s := storeAt(t, p.URL)
	if err := s.Put(t.Context(), key, big); err != nil {
		t.Fatal(err)
	}
	s.limits.answer, s.limits.perMiB, s.limits.attempts = 2*time.Second, 20*time.Second, 1
	if b, err := s.Get(t.Context(), key); err != nil || !b.Equal(big) {
		t.Errorf("a slow body: %v", err)
	}
	s.limits.perMiB, stall = 0, true
	if _, err := s.Get(t.Context(), key); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a stalled body: %v", err)
	}
}

func TestABodyThatIsCutOrDamagedIsReadAgain(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, tt := range []struct {
		name  string
		spoil func(w http.ResponseWriter, body []byte)
		want  error
		reads int
	}{
		{"cut", func(w http.ResponseWriter, body []byte) {
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, storage.ErrUnavailable, 6},
		{"damaged", func(w http.ResponseWriter, body []byte) {
			body[1] ^= 1
			_, _ = w.Write(body)
		}, storage.ErrCorrupt, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			times := 1
			p := between(t, server(t).Endpoint, method("GET"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
				if n > times {
					forward.ServeHTTP(w, r)
					return
				}
				got := httptest.NewRecorder()
				forward.ServeHTTP(got, r)
				for name, values := range got.Header() {
					w.Header()[name] = values
				}
				tt.spoil(w, got.Body.Bytes())
			})
			s := storeAt(t, p.URL)
			if err := s.Put(t.Context(), key, blob("media")); err != nil {
				t.Fatal(err)
			}
			if b, err := s.Get(t.Context(), key); err != nil || !b.Equal(blob("media")) {
				t.Errorf("once: %v", err)
			}
			before := len(p.requests())
			times = 1000
			if _, err := s.Get(t.Context(), key); !errors.Is(err, tt.want) || len(p.requests())-before != tt.reads {
				t.Errorf("always: %v after %d reads, want %v after %d", err, len(p.requests())-before, tt.want, tt.reads)
			}
		})
	}
}

func TestAClockThatIsWrongIsNamed(t *testing.T) {
	times := 1
	p := between(t, server(t).Endpoint, method("PUT"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if n <= times {
			refuse(w, http.StatusForbidden, "RequestTimeTooSkewed")
			return
		}
		forward.ServeHTTP(w, r)
	})
	s := storeAt(t, p.URL)
	if err := s.Put(t.Context(), key, blob("media")); err != nil {
		t.Errorf("with the time of the answer: %v", err)
	}
	times = 1000
	err := s.Put(t.Context(), key, blob("media"))
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "clock of this machine is wrong") || len(p.requests()) != 4 {
		t.Errorf("Put = %v after %d requests", err, len(p.requests()))
	}
}

// What is signed by a clock that is an hour late arrives so, and the answers are dated an hour ahead of it: a real server refuses
// the former, and the latter are what the time can be learned from.
func TestAClockAnHourLateIsPutRightByTheAnswers(t *testing.T) { servers(t, hourLate) }

func hourLate(t *testing.T, start func() *s3test.Server) {
	const late = time.Hour
	for name, ahead := range map[string]time.Duration{"dated": late, "dated by the same clock": 0} {
		p := between(t, start().Endpoint, func(*http.Request) bool { return true }, func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
			at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Error(err)
			}
			sign(t, r, at.Add(-late))
			forward.ServeHTTP(dated{w, ahead}, r)
		})
		a, err := storeAt(t, p.URL).Probe(t.Context(), "test")
		if ahead > 0 && (err != nil || len(a.Missing()) > 0 || !a.Skewed()) {
			t.Errorf("%s: Probe = %+v, %v", name, a, err)
		}
		if ahead == 0 && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "the clock of this machine is wrong: synchronize it")) {
			t.Errorf("%s: Probe = %v", name, err)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	p := between(t, "http://127.0.0.1:1", func(*http.Request) bool { return true }, func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-3")
		if r.Method == http.MethodHead {
			w.Header().Set("Location", "/elsewhere")
		}
		refuse(w, http.StatusMovedPermanently, "PermanentRedirect")
	})
	s := storeAt(t, p.URL)
	_, getErr := s.Get(t.Context(), key)
	_, headErr := s.head(t.Context(), key)
	for _, err := range []error{s.Put(t.Context(), key, blob("media")), getErr, headErr} {
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "it is in eu-west-3") {
			t.Errorf("%v", err)
		}
	}
	if n := len(p.requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestDeleteSendsMD5AndSaysWhatItCouldNotDelete(t *testing.T) {
	var sums []string
	p := between(t, server(t).Endpoint, method("POST"), func(n int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		sums = append(sums, r.Header.Get("Content-MD5"))
		code := map[int]string{2: "InternalError", 4: "AccessDenied", 5: "AccessDenied", 6: "NoSuchKey"}[n]
		if code == "" {
			forward.ServeHTTP(w, r)
			return
		}
		_, _ = io.WriteString(w, `<?xml version="1.0"?><DeleteResult><Error><Key>k</Key><Code>`+code+`</Code><Message>no</Message></Error></DeleteResult>`)
	})
	s := storeAt(t, p.URL)
	for i, want := range []error{nil, nil, ErrConfig, nil} { // as it is; at the second attempt; never; gone already
		if err := s.Delete(t.Context(), key); !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), "s3:DeleteObject") {
			t.Errorf("Delete %d = %v, want %v", i, err, want)
		}
	}
	if len(sums) != 6 || slices.Contains(sums, "") {
		t.Errorf("Content-MD5: %q, want six", sums)
	}
	before := len(p.requests())
	if err := s.Delete(t.Context(), "fine", "../other"); !errors.Is(err, errKey) || len(p.requests()) != before {
		t.Errorf("with a key that is none: %v", err)
	}
}

func TestAListThatGoesInCirclesEnds(t *testing.T) {
	p := between(t, "http://127.0.0.1:1", method("GET"), func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = io.WriteString(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>`+
			`<EncodingType>url</EncodingType><Contents><Key>pre%2Ffix%2Fa%7E2f/record.json</Key></Contents><Contents><Key>pre/fix/%zz</Key></Contents>`+
			`<Contents><Key>pre/fix/../x</Key></Contents><Contents><Key>other</Key></Contents></ListBucketResult>`)
	})
	var keys []string
	var last error
	for k, err := range storeAt(t, p.URL).List(t.Context(), "") {
		if last = err; err == nil {
			keys = append(keys, k)
		}
	}
	if !errors.Is(last, ErrConfig) || len(keys) != 2 || keys[0] != "a~2f/record.json" {
		t.Errorf("List = %q, %v", keys, last)
	}
}

func TestAnEndpointMayHaveAPath(t *testing.T) {
	var path string
	p := between(t, "http://127.0.0.1:1", method("GET"), func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		path = r.URL.EscapedPath()
		refuse(w, http.StatusNotFound, "NoSuchKey")
	})
	for _, endpoint := range []string{p.URL + "/gate/s3", p.URL + "/gate/s3/"} {
		if _, err := storeAt(t, endpoint).Get(t.Context(), "a~2f/1.m4s"); !errors.Is(err, storage.ErrNotFound) || path != "/gate/s3/moqpack/pre/fix/a~2f/1.m4s" {
			t.Errorf("%v, the path is %s", err, path)
		}
	}
}

func TestACertificateIsTrustedWithAWSCABundle(t *testing.T) {
	p := unstarted(t, server(t).Endpoint, func(*http.Request) bool { return false }, nil)
	p.StartTLS()
	t.Setenv("AWS_CA_BUNDLE", "")
	if _, err := storeAt(t, p.URL).Probe(t.Context(), "test"); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("without: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	s := storeAt(t, p.URL)
	if a, err := s.Probe(t.Context(), "test"); err != nil || len(a.Missing()) > 0 {
		t.Errorf("with: %+v, %v", a, err)
	}
	looks(t, s)
}

package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestEveryAnswerMayBeReadByOtherOrigins(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	for _, url := range []string{"/", "/demo/index.m3u8", "/demo/v/901.m4s", "/nothing", "/demo/v/index.m3u8?_HLS_part=1", "/time"} {
		h := get(s, url).Header()
		if h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Date") {
			t.Errorf("%s: CORS headers are missing: %v", url, h)
		}
	}
}

func TestPreflight(t *testing.T) {
	s := newServer(t, Config{}, newShow(t))
	for _, url := range []string{"/demo/index.m3u8", "/time", "/"} {
		w := do(t.Context(), s, http.MethodOptions, url, "Origin", "https://example.org", "Access-Control-Request-Headers", "range")
		if w.Code != 204 || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Range") || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", url, w.Code, w.Header())
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	s := newServer(t, Config{}, newShow(t))
	for _, url := range []string{"/demo/index.m3u8", "/time"} {
		w := do(t.Context(), s, http.MethodPost, url)
		expect(t, w, 405, oneMinute)
		if !strings.Contains(w.Header().Get("Allow"), "GET") {
			t.Errorf("%s: Allow %q", url, w.Header().Get("Allow"))
		}
	}
}

func TestTimeIsUTCWithMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234 * time.Millisecond)
		w := get(newServer(t, Config{}, newShow(t)), "/time")
		if got := w.Body.String(); got != "2000-01-01T00:00:01.234Z" {
			t.Errorf("got %q", got)
		}
		expect(t, w, 200, "no-store")
	})
}

func TestTheAPIListsChannelsAndTheirTracks(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	w := get(newServer(t, Config{}, show), "/api/channels")
	var got []struct {
		Name   string
		State  string
		URLs   map[string]string
		Rewind int64
		Tracks []map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Name != "demo" || got[0].State != "live" || got[0].URLs["hls"] != "/demo/index.m3u8" || len(got[0].Tracks) != 2 || got[0].Rewind != 6000 {
		t.Fatalf("got %s", w.Body)
	}
	if v := got[0].Tracks[0]; v["codec"] != "avc1.640028" || v["width"] != 640.0 || v["segment"] != 903.0 || v["age"] == nil {
		t.Errorf("got %v", v)
	}
}

func TestThePageIsServed(t *testing.T) {
	s := newServer(t, Config{}, newShow(t))
	expect(t, get(s, "/"), 200, "no-cache")
	for _, url := range []string{"/page/", "/page/none.js", "/page/../server.go", "/page/vendor.sh"} {
		expect(t, get(s, url), 404, "public, max-age=10")
	}
}

func TestThePageKnowsWhichPlayersAreBuiltIn(t *testing.T) {
	s := newServer(t, Config{}, newShow(t))
	for _, tt := range []struct {
		files fstest.MapFS
		want  string
	}{
		{fstest.MapFS{"page/index.html": {}}, `[]`},
		{fstest.MapFS{"page/index.html": {}, "page/vendor/hls.min.js": {}}, `["hlsjs"]`},
	} {
		var err error
		if s.assets, err = assets(tt.files); err != nil {
			t.Fatal(err)
		}
		if got := get(s, "/api/players").Body.String(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

type panicking struct{ *show }

func (panicking) Output() *segmenter.Output { panic("a bug") }

func TestAPanicCostsOneRequest(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, panicking{newShow(t)})
	expect(t, get(s, "/demo/index.m3u8"), 500, "no-store")
	if !strings.Contains(log.String(), "a bug") {
		t.Errorf("the log says %q", log.String())
	}
	expect(t, get(s, "/healthz"), 200, "no-store")
}

func TestMediaThatWasLostIsAGapAndAHeaderAFault(t *testing.T) {
	var log bytes.Buffer
	show := newShow(t)
	show.segments(first, first+3)
	show.must(show.store.Delete(t.Context(), "demo/v/902.m4s", "demo/v/init-0123abcd.mp4"))
	s := newServer(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, show)
	expect(t, get(s, "/demo/v/902.m4s"), 204, "public, max-age=1")
	if !strings.Contains(log.String(), "segment lost") {
		t.Errorf("the log says %q", log.String())
	}
	expect(t, get(s, "/demo/v/init-0123abcd.mp4"), 500, "no-store")
	if !strings.Contains(log.String(), "published but not stored") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestASegmentThatIsKnownToBeLostIsListedAsAGap(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	urls := []string{"/demo/v/index.m3u8", "/demo/v/legacy.m3u8"}
	etags := map[string]string{}
	for _, url := range urls {
		etags[url] = get(s, url).Header().Get("ETag")
	}
	show.timeline("v").Timeline.Lose(first + 1)
	for _, url := range urls {
		w := get(s, url)
		if body := w.Body.String(); strings.Count(body, "#EXT-X-GAP") != 1 || w.Header().Get("ETag") == etags[url] {
			t.Errorf("%s has no gap, or ETag %s as before:\n%s", url, etags[url], body)
		}
	}
	expect(t, get(s, "/demo/v/901.m4s"), 204, "public, max-age=1")
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	show := newShow(t)
	if _, err := New(Config{CertFile: "x"}, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("a certificate without a key: %v", err)
	}
	if _, err := New(Config{}, []Channel{show, show}); !errors.Is(err, ErrConfig) {
		t.Errorf("two channels of one name: %v", err)
	}
}

// serve runs s on a loopback address until the test ends.
func serve(t *testing.T, s *Server) (addr string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return ln.Addr().String(), stop
}

// certificate writes a self-signed one for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return certFile, keyFile, pool
}

// clients are the protocols that the server speaks over a real connection.
func clients(t *testing.T, show *show) map[string]struct {
	client *http.Client
	base   string
} {
	certFile, keyFile, pool := certificate(t)
	secure, _ := serve(t, newServer(t, Config{CertFile: certFile, KeyFile: keyFile}, show))
	open, _ := serve(t, newServer(t, Config{}, show))
	client := func(http1, h2, h2c bool) *http.Client {
		p := new(http.Protocols)
		p.SetHTTP1(http1)
		p.SetHTTP2(h2)
		p.SetUnencryptedHTTP2(h2c)
		tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{RootCAs: pool}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	return map[string]struct {
		client *http.Client
		base   string
	}{
		"HTTP/1.1":           {client(true, false, false), "http://" + open},
		"HTTP/2.0 cleartext": {client(false, false, true), "http://" + open},
		"HTTP/2.0":           {client(false, true, false), "https://" + secure},
		"HTTP/1.1 over TLS":  {client(true, false, false), "https://" + secure},
	}
}

func TestTheServerSpeaksEveryVersionOfHTTP(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	for name, c := range clients(t, show) {
		t.Run(name, func(t *testing.T) {
			resp, err := c.client.Get(c.base + "/demo/v/901.m4s")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != segmentBody("v", 901) || !strings.HasPrefix(name, resp.Proto) || resp.Header.Get("Date") == "" {
				t.Errorf("%s: %d bytes, %v, %v", resp.Proto, len(body), err, resp.Header)
			}
		})
	}
}

// net/http adds a Content-Length to short bodies, but not to those that HEAD leaves out.
func TestHeadHasTheLengthOfGetOverARealConnection(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	for name, c := range clients(t, show) {
		for _, path := range []string{"/demo/v/901.m4s", "/demo/v/index.m3u8", "/demo/v/index.m3u8?_HLS_part=1", "/nothing"} {
			var lengths [2]int64
			for i, method := range []string{http.MethodGet, http.MethodHead} {
				req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept-Encoding", "identity")
				resp, err := c.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				lengths[i] = resp.ContentLength
			}
			if lengths[0] <= 0 || lengths[0] != lengths[1] {
				t.Errorf("%s %s: GET has %d bytes, HEAD says %d", name, path, lengths[0], lengths[1])
			}
		}
	}
}

// What a cache sees of a segment that fails is an error, not the end of a body.
func TestAnAbortedBodyIsAnErrorForTheClient(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	show.part("v", 903, 0)
	var bodies []io.ReadCloser
	for _, c := range clients(t, show) {
		resp, err := c.client.Get(c.base + "/demo/v/903.m4s")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(partBody("v", 903, 0)))
		if _, err := io.ReadFull(resp.Body, got); err != nil || resp.ContentLength != -1 {
			t.Fatalf("the first part: %v, length %d", err, resp.ContentLength)
		}
		bodies = append(bodies, resp.Body)
	}
	show.must(show.timeline("v").Timeline.Close(903, timeline.Gap))
	for _, b := range bodies {
		if rest, err := io.ReadAll(b); err == nil {
			t.Errorf("the body ended after %d more bytes as if it were complete", len(rest))
		}
		b.Close()
	}
}

func TestStoppingEndsBlockedRequests(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	addr, stop := serve(t, s)
	status := make(chan int, 1)
	go func() {
		resp, err := http.Get("http://" + addr + "/demo/v/index.m3u8?_HLS_msn=903")
		if err != nil {
			status <- -1
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	for s.waits.Load() == 0 {
		runtime.Gosched() // in real time: a real connection
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got := <-status; got != 503 {
		t.Errorf("the blocked request got %d, want 503", got)
	}
}

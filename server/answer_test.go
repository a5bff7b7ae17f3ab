package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

const segmentKind = manifest.Segment

func recorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func TestHeadHasTheHeadersOfGet(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	for _, url := range []string{
		"/", "/api/channels", "/demo/index.m3u8", "/demo/index.mpd", "/demo/v/index.m3u8", "/demo/v/901.m4s", "/demo/v/901.1.m4s",
		"/demo/v/init-0123abcd.mp4", "/demo/v/index.m3u8?_HLS_part=1", "/demo/v/999.m4s", "/nothing",
	} {
		g, h := get(s, url), do(t.Context(), s, http.MethodHead, url)
		if g.Code != h.Code || h.Body.Len() != 0 {
			t.Errorf("%s: HEAD %d with %d bytes, GET %d", url, h.Code, h.Body.Len(), g.Code)
		}
		if diff := cmp.Diff(g.Header(), h.Header()); diff != "" {
			t.Errorf("%s: (-GET +HEAD)\n%s", url, diff)
		}
	}
}

func TestAnETagIsADigestOfTheBody(t *testing.T) {
	one, two := newShow(t), newShow(t)
	one.segments(first, first+3)
	two.segments(first, first+3)
	a, b := newServer(t, Config{}, one), newServer(t, Config{}, two)
	for _, url := range []string{"/demo/v/index.m3u8", "/demo/index.m3u8", "/demo/index.mpd", "/demo/v/901.m4s", "/demo/v/901.0.m4s"} {
		w, x := get(a, url), get(b, url)
		want := `"` + storage.Digest([][]byte{w.Body.Bytes()}) + `"`
		if got := w.Header().Get("ETag"); got != want || x.Header().Get("ETag") != want {
			t.Errorf("%s: ETags %s and %s, want %s", url, got, x.Header().Get("ETag"), want)
		}
	}
}

func TestNotModifiedKeepsWhatACacheNeeds(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	for _, url := range []string{"/demo/v/index.m3u8", "/demo/v/901.m4s", "/demo/index.mpd"} {
		full := get(s, url, "Accept-Encoding", "gzip")
		etag := full.Header().Get("ETag")
		for _, header := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			w := get(s, url, "Accept-Encoding", "gzip", "If-None-Match", header)
			if w.Code != 304 || w.Body.Len() != 0 {
				t.Errorf("%s, If-None-Match %s: %d with %d bytes", url, header, w.Code, w.Body.Len())
			}
			for _, name := range []string{"ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"} {
				if w.Header().Get(name) != full.Header().Get(name) {
					t.Errorf("%s: 304 has %s %q, 200 %q", url, name, w.Header().Get(name), full.Header().Get(name))
				}
			}
		}
		if w := get(s, url, "Accept-Encoding", "gzip", "If-None-Match", `"x"`); w.Code != 200 {
			t.Errorf("%s with another ETag: %d", url, w.Code)
		}
	}
}

func TestRanges(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	const url = "/demo/v/901.m4s"
	body := segmentBody("v", 901)
	size := strconv.Itoa(len(body))
	etag := get(s, url).Header().Get("ETag")
	for _, tt := range []struct {
		header, ifRange string
		status          int
		want            string
		contentRange    string
	}{
		{"bytes=0-9", "", 206, body[:10], "bytes 0-9/" + size},
		{"bytes=700-1699", "", 206, body[700:1700], "bytes 700-1699/" + size}, // over a part's end
		{"bytes=3-", "", 206, body[3:], "bytes 3-" + strconv.Itoa(len(body)-1) + "/" + size},
		{"bytes=-5", "", 206, body[len(body)-5:], "bytes " + strconv.Itoa(len(body)-5) + "-" + strconv.Itoa(len(body)-1) + "/" + size},
		{"bytes=0-999999", "", 206, body, "bytes 0-" + strconv.Itoa(len(body)-1) + "/" + size},
		{"bytes=0-9", etag, 206, body[:10], "bytes 0-9/" + size},
		{"bytes=0-9", `"x"`, 200, body, ""},
		{"bytes=0-9,20-29", "", 200, body, ""}, // several: the whole
		{"bytes=9-3", "", 200, body, ""},
		{"lines=0-9", "", 200, body, ""},
		{"bytes=a-b", "", 200, body, ""},
		{"bytes=" + size + "-", "", 416, "", "bytes */" + size},
		{"bytes=-0", "", 416, "", "bytes */" + size},
	} {
		w := get(s, url, "Range", tt.header, "If-Range", tt.ifRange)
		if w.Code != tt.status || w.Header().Get("Content-Range") != tt.contentRange {
			t.Errorf("%s: %d, Content-Range %q, want %d, %q", tt.header, w.Code, w.Header().Get("Content-Range"), tt.status, tt.contentRange)
		}
		if tt.status != 416 && w.Body.String() != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.header, w.Body.Len(), len(tt.want))
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, h := range []string{"bytes=0-9", "bytes=-5", "bytes=3-", "bytes=9-3", "bytes=1-2,3-4", "bytes=-", "bytes= 1 - 2", ""} {
		f.Add(h, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		size = max(size, 0)
		if r, ok := parseRange(header, size); ok && (r.offset < 0 || r.length < 0 || r.offset > size || r.length > size-r.offset) {
			t.Errorf("range %+v of %d bytes", r, size)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("gzip;q=0.1, *", `W/"a", "b"`)
	f.Fuzz(func(t *testing.T, encodings, tags string) {
		if acceptsGzip(encodings) && !strings.Contains(strings.ToLower(encodings), "gzip") {
			t.Error("gzip was not offered")
		}
		if matches(tags, `"b"`) && !strings.Contains(tags, `"b"`) && !strings.Contains(tags, "*") {
			t.Error("the tag is not listed")
		}
	})
}

// Whatever the path, the answer is a status of the table with a cache header, and never a 500.
func FuzzPath(f *testing.F) {
	show := newShow(f)
	show.segments(first, first+8)
	s := newServer(f, Config{}, show)
	for _, p := range []string{"/", "/demo/index.m3u8", "/demo/v/907.m4s", "/demo/v/1.m4s", "/page/index.html", "/demo/v/907.4.m4s", "//", "/demo/%2e%2e/x"} {
		f.Add(p)
	}
	hungUp, cancel := context.WithCancel(context.Background())
	cancel() // so that nothing waits
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequestWithContext(hungUp, http.MethodGet, "/", nil)
		r.URL.Path = "/" + strings.TrimPrefix(path, "/")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code == 500 || w.Header().Get("Cache-Control") == "" {
			t.Errorf("%q: %d, Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	})
}

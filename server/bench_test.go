package server

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// sink is a ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	bytes  int64
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(b []byte) (int, error) { s.bytes += int64(len(b)); return len(b), nil }

func benchmarkGet(b *testing.B, url string, headers ...string) {
	show := newShow(b)
	show.segments(first, first+8)
	s := newServer(b, Config{}, show)
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		s.Handler().ServeHTTP(w, r)
	}
}

func BenchmarkPlaylistMemoHit(b *testing.B) {
	benchmarkGet(b, "/demo/v/index.m3u8?_HLS_msn=907&_HLS_part=3", "Accept-Encoding", "gzip")
}

func BenchmarkMPDMemoHit(b *testing.B) { benchmarkGet(b, "/demo/index.mpd") }

func BenchmarkSegmentGet(b *testing.B) { benchmarkGet(b, "/demo/v/905.m4s") }

// BenchmarkWake is from the publication of a part to the last of 10,000 blocked viewers having its playlist.
func BenchmarkWake(b *testing.B) {
	const viewers = 10_000
	show := newShow(b)
	show.segments(first, first+8)
	s := newServer(b, Config{}, show)
	v := show.timeline("v").Timeline
	b.ReportAllocs()
	for n := first + 8; b.Loop(); n++ {
		b.StopTimer()
		r := httptest.NewRequest(http.MethodGet, "/demo/v/index.m3u8", nil)
		r.URL.RawQuery = "_HLS_part=0&_HLS_msn=" + strconv.FormatUint(n, 10)
		var wg sync.WaitGroup
		for range viewers {
			wg.Go(func() { s.Handler().ServeHTTP(&sink{header: http.Header{}}, r) })
		}
		for s.waits.Load() < viewers {
			runtime.Gosched()
		}
		b.StartTimer()
		show.part("v", n, 0)
		wg.Wait()
		b.StopTimer()
		show.must(v.Close(n, timeline.Full))
		b.StartTimer()
	}
}

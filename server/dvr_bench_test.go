package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// day is how many segments of 2 s a day has.
const day = 43_200

// newDay is a show whose timelines hold a day. Only what is listed is there, not the media.
func newDay(b *testing.B) *show {
	s := newShow(b)
	s.ready.Plan.Window = day
	for i, r := range s.ready.Renditions {
		segments := make([]timeline.Segment, day)
		for n := range segments {
			slot := first + uint64(n)
			segments[n] = timeline.Segment{N: slot, State: timeline.Full, Start: int64(slot) * 2000, Dur: 2000, Size: 1e6}
		}
		epoch := *r.Timeline.Load().Current()
		t, err := timeline.Restore(day, 40, []timeline.Epoch{epoch}, segments)
		s.must(err)
		s.ready.Renditions[i].Timeline = t
	}
	return s
}

// segment publishes the next segment of both tracks.
func (s *show) segment() {
	for _, r := range s.ready.Renditions {
		n := r.Timeline.Load().Position().N
		for p := range parts {
			start := int64(n)*2000 + int64(p)*partMillis
			s.must(r.Timeline.Append(n, p, timeline.Part{Start: start, Dur: partMillis, Size: 1000, Independent: p == 0}))
		}
		s.must(r.Timeline.Close(n, timeline.Full))
	}
}

// dayViews are the documents of a channel with a day to go back, by name.
var dayViews = []struct{ name, url string }{
	{"ll", "/demo/v/index.m3u8"},
	{"ll-skip", "/demo/v/index.m3u8?_HLS_skip=YES"},
	{"legacy.m3u8", "/demo/v/legacy.m3u8"},
	{"index.mpd", "/demo/index.mpd"},
	{"legacy.mpd", "/demo/legacy.mpd"},
}

// BenchmarkDay is the first request for a document after a segment has been published: it is rendered and, for most viewers,
// compressed.
func BenchmarkDay(b *testing.B) {
	for _, v := range dayViews {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(v.name+"/"+encoding, func(b *testing.B) { benchmarkDay(b, v.url, encoding, 1) })
		}
	}
}

// BenchmarkDayViewers is the same for the longest document, and a thousand viewers who ask at once.
func BenchmarkDayViewers(b *testing.B) { benchmarkDay(b, dayViews[0].url, "gzip", 1000) }

func benchmarkDay(b *testing.B, url, encoding string, viewers int) {
	show := newDay(b)
	s := newServer(b, Config{}, show)
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.Header.Set("Accept-Encoding", encoding)
	sinks := make([]sink, viewers)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		show.segment()
		for i := range sinks {
			sinks[i] = sink{header: http.Header{}}
		}
		b.StartTimer()
		var wg sync.WaitGroup
		for i := range sinks {
			wg.Go(func() { s.Handler().ServeHTTP(&sinks[i], r) })
		}
		wg.Wait()
	}
	for i := range sinks {
		if sinks[i].bytes == 0 || strings.Contains(sinks[i].header.Get("Content-Type"), "json") {
			b.Fatalf("viewer %d got %d bytes of %q", i, sinks[i].bytes, sinks[i].header.Get("Content-Type"))
		}
	}
	b.ReportMetric(float64(sinks[0].bytes), "body-bytes")
}

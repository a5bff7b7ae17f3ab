package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// show is a broadcast of two tracks, "v" and "a", whose segments of 2 s have four parts. It is published by hand into real
// timelines and a real store.
type show struct {
	testing.TB
	out   *segmenter.Output // nil while waiting
	store *storage.Memory
	hot   *storage.Hot
	ready *segmenter.Output
	from  atomic.Uint64
}

const (
	showWindow = 5
	first      = uint64(900) // slot of the first segment
	partMillis = 500
	parts      = 4
)

func newShow(t testing.TB) *show {
	s := &show{TB: t, store: storage.NewMemory(0)}
	s.hot = storage.NewHot(s.store, "demo", showWindow, nil)
	s.ready = &segmenter.Output{Plan: segmenter.Plan{
		Grid: timeline.Grid{Num: 2, Den: 1}, TargetDuration: 2, PartTarget: partMillis * time.Millisecond,
		Window: showWindow, Independent: true,
	}}
	for _, track := range []media.Track{
		{Name: "v", Kind: media.Video, Namespace: []string{"demo"}, Bitrate: 1000, AltGroup: 1},
		{Name: "a", Kind: media.Audio, Namespace: []string{"demo"}, Bitrate: 100},
	} {
		init := media.Init{Kind: track.Kind, Timescale: 1000, Codec: "avc1.640028", Width: 640, Height: 360, Digest: "0123abcd"}
		if track.Kind == media.Audio {
			init = media.Init{Kind: track.Kind, Timescale: 1000, Codec: "mp4a.40.2", SampleRate: 48000, Channels: 2, Digest: "4567cdef"}
		}
		tl := timeline.New(showWindow, 40)
		s.must(s.hot.Put(context.Background(), segmenter.Media{Track: &track, What: segmenter.InitSegment, Digest: init.Digest, Body: [][]byte{[]byte("init")}}))
		s.must(tl.Begin(timeline.Epoch{First: first, Init: &init}))
		s.ready.Renditions = append(s.ready.Renditions, segmenter.Rendition{Track: &track, Timeline: tl})
	}
	s.out = s.ready
	return s
}

// Output, Store and Status make the show a Channel.
func (s *show) Output() *segmenter.Output { return s.out }
func (s *show) Store() storage.Getter     { return s.store }
func (s *show) From() uint64              { return s.from.Load() }
func (s *show) Status() Status            { return Status{Name: "demo", State: Live} }

func (s *show) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *show) timeline(track string) segmenter.Rendition {
	for _, r := range s.ready.Renditions {
		if r.Track.Name == track {
			return r
		}
	}
	s.Fatalf("no track %s", track)
	panic("unreachable")
}

// partBody is what part p of slot n holds.
func partBody(track string, n uint64, p int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%s/%d.%d;", track, n, p), 100))
}

func segmentBody(track string, n uint64) string {
	var b strings.Builder
	for p := range parts {
		b.Write(partBody(track, n, p))
	}
	return b.String()
}

// part publishes part p of slot n.
func (s *show) part(track string, n uint64, p int) {
	s.Helper()
	r := s.timeline(track)
	m := segmenter.Media{Track: r.Track, What: segmenter.MediaPart, N: n, Part: p, Body: [][]byte{partBody(track, n, p)}}
	s.must(s.hot.Put(context.Background(), m))
	s.must(r.Timeline.Append(n, p, timeline.Part{
		Start: int64(n)*2000 + int64(p)*partMillis, Dur: partMillis, Size: int64(len(m.Body[0])), Independent: p == 0,
	}))
}

// close completes slot n.
func (s *show) close(track string, n uint64) {
	s.Helper()
	r := s.timeline(track)
	m := segmenter.Media{Track: r.Track, What: segmenter.MediaSegment, N: n}
	for p := range r.Timeline.Load().Open.Parts {
		m.Body = append(m.Body, partBody(track, n, p))
	}
	s.must(s.hot.Put(context.Background(), m))
	s.must(r.Timeline.Close(n, timeline.Full))
}

// segments publishes the slots [from, to) of both tracks.
func (s *show) segments(from, to uint64) {
	s.Helper()
	for n := from; n < to; n++ {
		for _, track := range []string{"v", "a"} {
			for p := range parts {
				s.part(track, n, p)
			}
			s.close(track, n)
		}
	}
}

func newServer(t testing.TB, cfg Config, channels ...Channel) *Server {
	t.Helper()
	s, err := New(cfg, channels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get answers a request in-process. Headers are given as name, value, name, value.
func get(s *Server, url string, headers ...string) *httptest.ResponseRecorder {
	return do(context.Background(), s, http.MethodGet, url, headers...)
}

func do(ctx context.Context, s *Server, method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, url, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// pending is a request that is under way in a bubble.
type pending struct {
	*httptest.ResponseRecorder
	done    bool
	aborted bool
	took    time.Duration
}

// begin sends a request in a goroutine of the bubble and returns once it waits or is done.
func begin(ctx context.Context, s *Server, method, url string) *pending {
	p := &pending{ResponseRecorder: httptest.NewRecorder()}
	go func() {
		began := time.Now()
		defer func() {
			p.aborted = recover() == http.ErrAbortHandler
			p.done, p.took = true, time.Since(began)
		}()
		s.Handler().ServeHTTP(p, httptest.NewRequestWithContext(ctx, method, url, nil))
	}()
	synctest.Wait()
	return p
}

// renderings is how many documents of the kind were rendered.
func renderings(m *Metrics, kind string) int {
	return int(testutil.ToFloat64(m.renders.WithLabelValues(kind)))
}

func expect(t testing.TB, w *httptest.ResponseRecorder, status int, cacheControl string) {
	t.Helper()
	if w.Code != status || w.Header().Get("Cache-Control") != cacheControl {
		t.Errorf("got %d with Cache-Control %q, want %d with %q; body %.200q",
			w.Code, w.Header().Get("Cache-Control"), status, cacheControl, w.Body)
	}
}

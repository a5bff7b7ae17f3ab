package server

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/segmenter"
)

const (
	oneSecond = "public, max-age=1"
	oneMinute = "public, max-age=60"
)

func TestABlockingReloadWaitsForItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/index.m3u8?_HLS_msn=903&_HLS_part=0")
		if p.done {
			t.Fatalf("answered before the part exists: %d", p.Code)
		}
		time.Sleep(time.Second)
		show.part("v", 903, 0)
		synctest.Wait()
		if !p.done || p.took != time.Second {
			t.Fatalf("not answered when the part appeared")
		}
		expect(t, p.ResponseRecorder, 200, "public, max-age=12")
		if !strings.Contains(p.Body.String(), `URI="903.0.m4s"`) {
			t.Errorf("the playlist does not list the part:\n%s", p.Body)
		}
	})
}

func TestABlockedReloadIsHeldForThreeTargetDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/index.m3u8?_HLS_msn=903")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !p.done || p.took != 6*time.Second {
			t.Fatalf("done %v after %v, want 6 s", p.done, p.took)
		}
		expect(t, p.ResponseRecorder, 503, "no-store")
		if p.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

func TestPlaylistRequestsThatAreNotHeld(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+8) // window 903..907
	show.part("v", 908, 0)
	s := newServer(t, Config{}, show)
	for _, tt := range []struct {
		url, cacheControl string
		status            int
	}{
		{"/demo/v/index.m3u8", oneSecond, 200},
		{"/demo/v/index.m3u8?_HLS_msn=908&_HLS_part=0", "public, max-age=12", 200},
		{"/demo/v/index.m3u8?_HLS_msn=907", "public, max-age=12", 200},
		{"/demo/v/index.m3u8?_HLS_msn=3", oneSecond, 200}, // old: the current playlist, which the URL does not fix
		{"/demo/v/index.m3u8?_HLS_skip=YES", oneSecond, 200},
		{"/demo/v/index.m3u8?_HLS_msn=910", oneSecond, 400},
		{"/demo/v/index.m3u8?_HLS_msn=908&_HLS_part=7", oneSecond, 400},
		{"/demo/v/index.m3u8?_HLS_part=1", oneMinute, 400},
		{"/demo/v/index.m3u8?_HLS_msn=x", oneMinute, 400},
		{"/demo/v/legacy.m3u8?_HLS_msn=x", "public, max-age=1", 200}, // no directives in this view
		{"/demo/index.m3u8", "public, max-age=2", 200},
		{"/demo/legacy.m3u8", "public, max-age=2", 200},
		{"/demo/index.mpd", oneSecond, 200},
		{"/demo/legacy.mpd", oneSecond, 200},
		{"/demo/other/index.m3u8", "public, max-age=10", 404},
		{"/other/index.m3u8", "public, max-age=10", 404},
		{"/demo/index.m3u9", "public, max-age=10", 404},
		{"/demo/v/../v/index.m3u8", "public, max-age=10", 404},
		{"/demo", "public, max-age=10", 404},
	} {
		t.Run(tt.url, func(t *testing.T) { expect(t, get(s, tt.url), tt.status, tt.cacheControl) })
	}
}

func TestAfterTheEndDirectivesAreIgnored(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	show.must(show.timeline("v").Timeline.End())
	s := newServer(t, Config{}, show)
	for _, query := range []string{"?_HLS_msn=903&_HLS_part=0", "?_HLS_msn=999", "?_HLS_msn=902&_HLS_part=55&_HLS_skip=YES"} {
		w := get(s, "/demo/v/index.m3u8"+query)
		if w.Code != 200 || !strings.Contains(w.Body.String(), "#EXT-X-ENDLIST") {
			t.Errorf("%s: got %d %s", query, w.Code, w.Body)
		}
	}
}

func TestAStartingChannelIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		s := newServer(t, Config{}, show)
		multivariant := begin(t.Context(), s, http.MethodGet, "/demo/index.m3u8")
		media := begin(t.Context(), s, http.MethodGet, "/demo/v/index.m3u8")
		show.part("v", first, 0)
		synctest.Wait()
		if multivariant.done {
			t.Error("the multivariant playlist did not wait for the audio")
		}
		show.part("a", first, 0)
		synctest.Wait()
		if !multivariant.done || media.done {
			t.Errorf("multivariant answered: %v, want true; media playlist without a segment: %v, want false", multivariant.done, media.done)
		}
		show.close("v", first)
		synctest.Wait()
		if !media.done || media.Code != 200 {
			t.Errorf("the media playlist did not answer: %d %s", media.Code, media.Body)
		}
	})
}

func TestATrackThatNeverComesDoesNotHoldTheOthersForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		s := newServer(t, Config{}, show)
		show.part("v", first, 0)
		p := begin(t.Context(), s, http.MethodGet, "/demo/index.mpd")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !p.done || p.Code != 200 {
			t.Errorf("got %d %s", p.Code, p.Body)
		}
	})
}

func TestAChannelWithoutABroadcastIsNotFoundForASecond(t *testing.T) {
	show := newShow(t)
	show.out = nil
	s := newServer(t, Config{}, show)
	for _, url := range []string{"/demo/index.m3u8", "/demo/v/index.m3u8", "/demo/v/900.m4s"} {
		w := get(s, url)
		expect(t, w, 404, oneSecond)
		if !strings.Contains(w.Body.String(), "waiting for its broadcast") {
			t.Errorf("the body does not say why: %s", w.Body)
		}
	}
}

func TestAThousandBlockedViewersCostOneRendering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		m := NewMetrics(prometheus.NewRegistry())
		s := newServer(t, Config{Metrics: m}, show)
		viewers := make([]*pending, 1000)
		for i := range viewers {
			viewers[i] = begin(t.Context(), s, http.MethodGet, "/demo/v/index.m3u8?_HLS_msn=903&_HLS_part=0")
		}
		if got := renderings(m, "hls"); got != 0 {
			t.Errorf("%d renderings while all wait", got)
		}
		show.part("v", 903, 0)
		synctest.Wait()
		for i, v := range viewers {
			if !v.done || v.Code != 200 || v.Body.String() != viewers[0].Body.String() {
				t.Fatalf("viewer %d: done %v, %d", i, v.done, v.Code)
			}
		}
		if got := renderings(m, "hls"); got != 1 {
			t.Errorf("%d renderings, want 1", got)
		}
	})
}

func TestADocumentIsRenderedAgainWhenItsVersionChanges(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	m := NewMetrics(prometheus.NewRegistry())
	s := newServer(t, Config{Metrics: m}, show)
	load := func() {
		for range 3 {
			for _, url := range []string{"/demo/v/index.m3u8", "/demo/v/legacy.m3u8", "/demo/index.mpd"} {
				if w := get(s, url); w.Code != 200 {
					t.Fatalf("%s: %d %s", url, w.Code, w.Body)
				}
			}
		}
	}
	want := func(event string, hls, legacy, dash int) {
		t.Helper()
		if h, l, d := renderings(m, "hls"), renderings(m, "legacy_hls"), renderings(m, "dash"); h != hls || l != legacy || d != dash {
			t.Errorf("after %s: %d, %d, %d renderings, want %d, %d, %d", event, h, l, d, hls, legacy, dash)
		}
	}
	load()
	want("the first load", 1, 1, 1)
	show.part("v", 903, 0)
	load()
	want("a new segment", 2, 2, 2)
	show.part("v", 903, 1)
	load()
	want("another part", 3, 2, 2)
}

func TestMPDsBecomeARecordingThatBeginsAtZeroWhenNobodyWatchesLiveAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3) // the bubble's clock is decades later
		s := newServer(t, Config{}, show)
		if mpd := get(s, "/demo/index.mpd").Body.String(); !strings.Contains(mpd, `type="dynamic"`) {
			t.Errorf("while it is live:\n%s", mpd)
		}
		for _, track := range []string{"v", "a"} {
			show.must(show.timeline(track).Timeline.End())
		}
		if index, legacy := get(s, "/demo/index.mpd"), get(s, "/demo/legacy.mpd"); index.Body.String() != legacy.Body.String() ||
			!strings.Contains(legacy.Body.String(), `type="static"`) || !strings.Contains(legacy.Body.String(), ` start="PT0S"`) ||
			!strings.Contains(legacy.Body.String(), ` mediaPresentationDuration="PT6S"`) {
			t.Errorf("long after the end:\n%s", index.Body)
		}
	})
}

func TestDocumentsLearnThatTheBroadcastEnded(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	urls := []string{"/demo/v/index.m3u8", "/demo/v/legacy.m3u8", "/demo/legacy.mpd"}
	for _, url := range urls {
		if body := get(s, url).Body.String(); strings.Contains(body, "ENDLIST") || strings.Contains(body, `type="static"`) {
			t.Errorf("%s has ended already:\n%s", url, body)
		}
	}
	for _, track := range []string{"v", "a"} {
		show.must(show.timeline(track).Timeline.End())
	}
	for _, url := range urls {
		if body := get(s, url).Body.String(); !strings.Contains(body, "ENDLIST") && !strings.Contains(body, `type="static"`) {
			t.Errorf("%s goes on:\n%s", url, body)
		}
	}
}

// The end of its list would be that of the broadcast to who watches it, and a 404 for its media would be the end of dash.js.
func TestARenditionThatLeavesDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("a", first+3, 0)
		s := newServer(t, Config{}, show)
		reload := begin(t.Context(), s, http.MethodGet, "/demo/a/index.m3u8?_HLS_msn=903&_HLS_part=1")
		synctest.Wait()
		gone := show.timeline("a")
		gone.Until = first + 4
		next := *show.out
		next.Renditions, next.Former = show.ready.Renditions[:1], []segmenter.Rendition{gone}
		show.out = &next
		show.must(gone.Timeline.Break(first+3, 2000*int64(first+4)))
		show.must(gone.Timeline.End())
		synctest.Wait()
		if !reload.done || reload.Code != 404 {
			t.Errorf("who waits for more of its list gets %d:\n%s", reload.Code, reload.Body)
		}
		for url, want := range map[string]int{
			"/demo/a/index.m3u8": 404, "/demo/a/legacy.m3u8": 404, "/demo/a/902.m4s": 200, "/demo/a/init-4567cdef.mp4": 200,
			"/demo/a/903.m4s": 204, "/demo/a/904.m4s": 204, "/demo/a/906.m4s": 204, "/demo/v/902.m4s": 200,
		} {
			if got := get(s, url).Code; got != want {
				t.Errorf("%s: %d, want %d", url, got, want)
			}
		}
	})
}

func TestDocumentsLearnThatATrackLeft(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	urls := []string{"/demo/v/index.m3u8", "/demo/index.m3u8", "/demo/index.mpd"}
	for _, url := range urls {
		get(s, url)
	}
	out := *show.out
	out.Renditions = out.Renditions[:1]
	show.out = &out
	fresh := newServer(t, Config{}, show)
	for _, url := range urls {
		if got, want := get(s, url).Body.String(), get(fresh, url).Body.String(); got != want {
			t.Errorf("%s is stale:\n%s\nwant\n%s", url, got, want)
		}
	}
}

func TestDocumentsHaveNoRanges(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	for _, url := range []string{"/demo/v/index.m3u8", "/demo/index.mpd", "/"} {
		if w := get(s, url, "Range", "bytes=0-3"); w.Code != 200 || w.Body.Len() == 4 || w.Header().Get("Accept-Ranges") != "" {
			t.Errorf("%s: %d with %d bytes", url, w.Code, w.Body.Len())
		}
	}
}

func TestAWaiterWhoHangsUpIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		show := newShow(t)
		show.segments(first, first+3)
		m := NewMetrics(prometheus.NewRegistry())
		s := newServer(t, Config{Metrics: m}, show)
		ctx, cancel := context.WithCancel(t.Context())
		var all []*pending
		for _, url := range []string{"/demo/v/index.m3u8?_HLS_msn=903", "/demo/v/903.0.m4s", "/demo/v/903.m4s"} {
			all = append(all, begin(ctx, s, http.MethodGet, url))
		}
		if got := s.waits.Load(); got != 3 {
			t.Errorf("%d requests wait, want 3", got)
		}
		cancel()
		synctest.Wait()
		for i, p := range all {
			if !p.done {
				t.Errorf("request %d still waits", i)
			}
		}
		if got := s.waits.Load(); got != 0 {
			t.Errorf("%d requests wait after all hung up", got)
		}
		for _, kind := range []string{"hls", "part", "segment"} {
			if gone := testutil.ToFloat64(m.requests.WithLabelValues(kind, "0")); gone != 1 {
				t.Errorf("%v hang-ups counted of kind %s, want 1", gone, kind)
			}
		}
	})
}

func TestTooManyWaitersAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{MaxWaits: 1}, show)
		const url = "/demo/v/index.m3u8?_HLS_msn=903"
		held := begin(t.Context(), s, http.MethodGet, url)
		expect(t, get(s, url), 503, "no-store")
		show.segments(903, 904)
		synctest.Wait()
		if held.Code != 200 || get(s, url).Code != 200 {
			t.Error("the one who waited was not answered")
		}
	})
}

func TestPlaylistsAreCompressedForWhoAccepts(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{}, show)
	plain := get(s, "/demo/v/index.m3u8")
	for _, tt := range []struct {
		accept string
		gzip   bool
	}{
		{"gzip", true}, {"deflate, GZIP;q=0.5, br", true}, {"gzip; q=1.0", true},
		{"", false}, {"br", false}, {"gzip;q=0", false}, {"gzip; q=0.000", false}, {"xgzip", false},
	} {
		w := get(s, "/demo/v/index.m3u8", "Accept-Encoding", tt.accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != tt.gzip {
			t.Errorf("%q: gzip %v, want %v", tt.accept, got, tt.gzip)
			continue
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: no Vary", tt.accept)
		}
		var body io.Reader = w.Body
		if tt.gzip {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
			if w.Header().Get("ETag") == plain.Header().Get("ETag") {
				t.Error("the gzip has the strong ETag of the plain body")
			}
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != plain.Body.String() {
			t.Errorf("%q: the body differs from the plain one: %v", tt.accept, err)
		}
	}
}

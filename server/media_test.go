package server

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

func TestMediaRequestsThatAreNotHeld(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+14) // window 909..913, stored 902..913
	for _, track := range []string{"v", "a"} {
		show.must(show.timeline(track).Timeline.Gap(914, 914*2000, 2000))
		show.part(track, 915, 0)
	}
	s := newServer(t, Config{}, show)
	for _, tt := range []struct {
		url, cacheControl string
		status            int
	}{
		{"/demo/v/913.m4s", storage.Immutable, 200},
		{"/demo/a/913.3.m4s", storage.Immutable, 200},
		{"/demo/v/915.0.m4s", storage.Immutable, 200},
		{"/demo/v/init-0123abcd.mp4", storage.Immutable, 200},
		{"/demo/v/903.m4s", storage.Immutable, 200},   // left the playlist, still stored
		{"/demo/v/903.2.m4s", storage.Immutable, 200}, // its parts too
		{"/demo/v/901.m4s", oneMinute, 410},
		{"/demo/v/901.2.m4s", oneMinute, 410},
		{"/demo/v/914.m4s", oneSecond, 204},   // a gap
		{"/demo/v/914.0.m4s", oneMinute, 404}, // has no parts
		{"/demo/v/913.4.m4s", oneMinute, 404}, // a segment of four parts
		{"/demo/v/915.2.m4s", oneSecond, 404}, // not hinted: 915.1 is
		{"/demo/v/917.m4s", oneSecond, 404},   // more than a segment early
		{"/demo/v/916.1.m4s", oneSecond, 404}, // not hinted
		{"/demo/v/9223372036854775807.m4s", oneSecond, 404},
		{"/demo/v/18446744073709551615.m4s", oneSecond, 404},
		{"/demo/v/init-ffffffff.mp4", "public, max-age=10", 404},
		{"/demo/x/913.m4s", "public, max-age=10", 404},
		{"/demo/v/0913.m4s", "public, max-age=10", 404}, // not the canonical spelling
		{"/demo/v%2f913.m4s", "public, max-age=10", 404},
	} {
		t.Run(tt.url, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				expect(t, get(s, tt.url), tt.status, tt.cacheControl)
				if held := time.Since(began); held > 0 {
					t.Errorf("held for %v", held)
				}
			})
		})
	}
}

// Players of a live MPD ask by the clock for what a broadcast that stalls has not made yet.
func TestMediaThatIsDueIsHeldHoweverFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		grid := show.Output().Plan.Grid
		now := time.Now()
		n := grid.Slot(now.Unix(), 1)
		for ahead, want := range map[int64]bool{-40: false, -29: true, -1: true, 0: true, 1: false, 100: false} {
			if got := due(show.Output().Plan, uint64(int64(n)+ahead), now); got != want {
				t.Errorf("%d slots from now: due %v, want %v", ahead, got, want)
			}
		}
		show.segments(n-10, n-5)
		s := newServer(t, Config{}, show)
		expect(t, get(s, fmt.Sprintf("/demo/v/%d.m4s", n)), 204, oneSecond) // held, and then given up
		if held, want := time.Since(now), 3*time.Duration(show.Output().Plan.TargetDuration)*time.Second; held != want {
			t.Errorf("held for %v, want %v", held, want)
		}
	})
}

// A server that has just started knows nothing of what the one before it listed.
func TestMediaFromBeforeTheServerIsGone(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+2)
	s := newServer(t, Config{}, show)
	for _, url := range []string{"/demo/v/899.m4s", "/demo/v/899.0.m4s", "/demo/a/898.m4s", "/demo/v/0.m4s"} {
		expect(t, get(s, url), 410, oneMinute)
	}
}

func TestMediaAfterTheEndIsNotWaitedFor(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	show.must(show.timeline("v").Timeline.End())
	s := newServer(t, Config{}, show)
	expect(t, get(s, "/demo/v/903.m4s"), 204, oneSecond) // asked for by who did not know yet
	expect(t, get(s, "/demo/v/904.m4s"), 204, oneSecond)
	expect(t, get(s, "/demo/v/905.m4s"), 404, oneMinute)
	expect(t, get(s, "/demo/v/903.0.m4s"), 404, oneMinute)
	expect(t, get(s, "/demo/v/902.m4s"), 200, storage.Immutable)
}

func TestAHintedPartSendsNothingBeforeItIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("v", 903, 0)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/903.1.m4s")
		time.Sleep(400 * time.Millisecond)
		if p.done || p.Flushed || p.Body.Len() > 0 {
			t.Fatal("something was sent before the part exists")
		}
		show.part("v", 903, 1)
		synctest.Wait()
		expect(t, p.ResponseRecorder, 200, storage.Immutable)
		if p.Body.String() != string(partBody("v", 903, 1)) || p.Header().Get("Content-Length") == "" {
			t.Errorf("got %d bytes, Content-Length %q", p.Body.Len(), p.Header().Get("Content-Length"))
		}
	})
}

// When the open segment is as long as segments are, the hint is the first part of the next one.
func TestTheFirstPartOfTheNextSegmentMayBeHinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("v", 903, 0)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/904.0.m4s")
		show.close("v", 903)
		synctest.Wait()
		if p.done {
			t.Fatalf("answered with %d before the part exists", p.Code)
		}
		show.part("v", 904, 0)
		synctest.Wait()
		expect(t, p.ResponseRecorder, 200, storage.Immutable)
	})
}

func TestAHintThatIsTakenBackIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("v", 903, 0)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/903.1.m4s")
		show.close("v", 903)
		synctest.Wait()
		expect(t, p.ResponseRecorder, 404, oneMinute)
	})
}

func TestAHintedPartThatDoesNotComeIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/903.0.m4s")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		expect(t, p.ResponseRecorder, 404, oneSecond)
	})
}

// Two readers of a segment that is being written, one from its start and one from its middle, get part after part and in
// the end the bytes of the complete segment.
func TestAGrowingSegmentIsSentAsItGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{}, show)
		early := begin(t.Context(), s, http.MethodGet, "/demo/v/903.m4s")
		if early.done || early.Flushed {
			t.Fatal("a segment that has not begun was answered")
		}
		var late *pending
		want := 0
		for p := range parts {
			show.part("v", 903, p)
			want += len(partBody("v", 903, p))
			if p == 1 {
				late = begin(t.Context(), s, http.MethodGet, "/demo/v/903.m4s")
			}
			synctest.Wait()
			if early.Body.Len() != want || !early.Flushed {
				t.Errorf("after part %d the first reader has %d bytes, want %d, flushed", p, early.Body.Len(), want)
			}
			if p >= 1 && late.Body.Len() != want {
				t.Errorf("after part %d the second reader has %d bytes, want %d", p, late.Body.Len(), want)
			}
			early.Flushed = false
		}
		if early.done {
			t.Error("the body ended before the segment did")
		}
		show.close("v", 903)
		synctest.Wait()
		for _, p := range []*pending{early, late} {
			if !p.done || p.aborted || p.Body.String() != get(s, "/demo/v/903.m4s").Body.String() || p.Body.String() != segmentBody("v", 903) {
				t.Errorf("done %v, aborted %v: %d bytes differ from the complete segment", p.done, p.aborted, p.Body.Len())
			}
			if p.Header().Get("Content-Length") != "" || p.Header().Get("Content-Type") != "video/mp4" || p.Header().Get("Cache-Control") != storage.Immutable {
				t.Errorf("headers %v", p.Header())
			}
		}
	})
}

func TestASegmentThatBecomesAGapIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("v", 903, 0)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/903.m4s")
		show.must(show.timeline("v").Timeline.Close(903, timeline.Gap))
		synctest.Wait()
		if !p.done || !p.aborted {
			t.Errorf("done %v, aborted %v, want both", p.done, p.aborted)
		}
	})
}

func TestASegmentThatStopsGrowingIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		show.part("v", 903, 0)
		s := newServer(t, Config{}, show)
		p := begin(t.Context(), s, http.MethodGet, "/demo/v/903.m4s")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !p.done || !p.aborted {
			t.Errorf("done %v, aborted %v, want both", p.done, p.aborted)
		}
	})
}

// A reader so slow that its segment has left the timeline's window still gets all of it.
func TestASlowReaderGetsTheRestFromTheStore(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	show.part("v", 903, 0)
	r := show.timeline("v")
	f := follower{w: recorder(), store: show.store}
	f.name.Channel, f.name.Track, f.name.N = "demo", "v", 903
	f.name.Kind = segmentKind
	if done, err := f.advance(t.Context(), r.Timeline.Load().Open); done || err != nil {
		t.Fatal(done, err)
	}
	for p := 1; p < parts; p++ {
		show.part("v", 903, p)
	}
	show.close("v", 903)
	for n := uint64(904); n < 910; n++ {
		show.part("v", n, 0)
		show.close("v", n)
	}
	done, err := f.advance(t.Context(), r.Timeline.Load().Segment(903))
	if !done || err != nil || f.bytes != int64(len(segmentBody("v", 903))) {
		t.Errorf("done %v after %d bytes: %v", done, f.bytes, err)
	}
}

func TestHeadWaitsLikeGetAndSendsNoBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := newShow(t)
		show.segments(first, first+3)
		s := newServer(t, Config{}, show)
		part := begin(t.Context(), s, http.MethodHead, "/demo/v/903.0.m4s")
		segment := begin(t.Context(), s, http.MethodHead, "/demo/v/903.m4s")
		if part.done || segment.done {
			t.Error("answered before GET would send anything")
		}
		show.part("v", 903, 0)
		synctest.Wait()
		for _, p := range []*pending{part, segment} {
			if !p.done || p.Code != 200 || p.Body.Len() != 0 {
				t.Errorf("done %v: %d with %d bytes", p.done, p.Code, p.Body.Len())
			}
		}
	})
}

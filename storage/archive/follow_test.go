package archive

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// slowly delays what is put under keys that begin with prefix.
func slowly(prefix string, d time.Duration) func(storagetest.Op, string) storagetest.Fault {
	return func(op storagetest.Op, key string) (f storagetest.Fault) {
		if op == storagetest.Put && strings.HasPrefix(key, prefix) {
			f.Delay = d
		}
		return f
	}
}

func TestTheMPDStaysWhereItIsWhenATrackThatWasGivenUpComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 12, "v1", "v2"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+4)
		s.setPlan(slowly("demo/v2/8", 13*time.Second)) // its segments
		b.live(begin+4, begin+14)
		s.setPlan(slowly("demo/v2/8", 2500*time.Millisecond))
		b.live(begin+14, begin+40)
		s.setPlan(nil)
		after(5 * time.Second)
		compare(t, b.documents(), s.documents())
		a.stop(t)
	})
}

func TestAGapWaitsForTheSegmentOfTheOtherInstance(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newBucket(t)
		one, two := newBroadcast(t, 6, "v", "a"), newBroadcast(t, 6, "v", "a")
		one.lost["v"] = []uint64{begin + 5}
		a, b := start(t, one, Config{Store: s}), start(t, two, Config{Store: s})
		one.start(begin)
		two.start(begin)
		for n := uint64(begin); n < begin+12; n++ {
			time.Sleep(time.Second)
			if n > begin+1 {
				two.play(n - 2)
			}
			time.Sleep(time.Second)
			one.play(n)
		}
		two.play(begin + 10)
		two.play(begin + 11)
		after(time.Second)
		compare(t, two.documents(), s.documents())
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.gaps > 0 {
			t.Errorf("%d versions of documents list a gap that nobody needed", s.gaps)
		}
		a.stop(t)
		b.stop(t)
	})
}

func TestWhatTimelinesForgetIsTakenWhileMemoryHasIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 4, "v", "a"), newBucket(t)
		b.keep = 40
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		s.setPlan(outage)
		b.live(begin+10, begin+18)
		s.setPlan(nil)
		b.live(begin+18, begin+40)
		after(time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.Lost != 0 || len(s.segments()) != 2*40 {
			t.Errorf("%d segments, %+v", len(s.segments()), st)
		}
		a.stop(t)
	})
}

func TestPlayersThatReadTheOverviewOnceSeeAllTracks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v1", "v2", "a"), newBucket(t)
		s.setPlan(slowly("demo/v2/", 1500*time.Millisecond))
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+6)
		after(3 * time.Second)
		for _, key := range []string{"demo/legacy.m3u8", "demo/legacy.mpd"} {
			if doc := s.first[key]; !strings.Contains(doc, "v2") || !strings.Contains(doc, "v1") {
				t.Errorf("the first %s:\n%s", key, doc)
			}
		}
		a.stop(t)
	})
}

func TestATrackThatDoesNotComeIsNotWaitedForForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v1", "v2"), newBucket(t)
		s.setPlan(slowly("demo/v2/", time.Hour))
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+4)
		after(time.Second)
		if doc := s.documents()["demo/legacy.m3u8"]; !strings.Contains(doc, "v1/") || strings.Contains(doc, "v2/") {
			t.Errorf("the overview:\n%s", doc)
		}
		a.cancel()
		must(t, <-a.done)
	})
}

func TestWhatIsInTheStoreAlreadyIsNotLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		b.memory = s.Memory // what another instance put: our memory has nothing of it
		a := start(t, b, Config{Store: s, Media: storage.NewMemory(0)})
		b.keep = 1000
		b.start(begin)
		b.live(begin, begin+6)
		after(time.Second)
		compare(t, b.documents(), s.documents())
		entries, err := a.Segments(t.Context(), "v", begin, begin+6)
		must(t, err)
		if st := a.Status(); st.Lost != 0 || len(entries) != 6 || entries[0].Digest == "" || entries[0].Size == 0 {
			t.Errorf("%+v, %+v", st, entries)
		}
		a.stop(t)
	})
}

func TestMetricsSayWhatTheStatusSays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		m := NewMetrics(r)
		b, s := newBroadcast(t, 6, "v"), newBucket(t)
		a := start(t, b, Config{Name: "s3", Store: s, Metrics: m})
		b.start(begin)
		b.live(begin, begin+5)
		after(time.Second)
		s.setPlan(outage)
		b.live(begin+5, begin+40)
		labels := prometheus.Labels{"channel": "demo", "store": "s3"}
		for name, c := range map[string]struct{ got, least float64 }{
			"segments": {testutil.ToFloat64(m.segments.With(labels)), 5},
			"bytes":    {testutil.ToFloat64(m.bytes.With(labels)), 100},
			"retries":  {testutil.ToFloat64(m.retries.With(labels)), 5},
			"lag":      {testutil.ToFloat64(m.lag.With(labels)), 60},
			"queued":   {testutil.ToFloat64(m.queued.With(labels)), 100},
		} {
			if c.got < c.least {
				t.Errorf("%s is %v, want %v at least", name, c.got, c.least)
			}
		}
		a.cancel()
		must(t, <-a.done)
	})
}

func TestWhatRetentionHasGivenUpIsNotMadeUpFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		b.keep = 1000
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		s.setPlan(outage)
		b.live(begin+10, begin+30)
		books := books{s.Memory, "demo"}
		_, err := books.updateHead(t.Context(), func(h *Head) bool { h.First = begin + 25; return true })
		must(t, err)
		s.setPlan(nil)
		b.live(begin+30, begin+60)
		after(time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.State != OK || st.Segments != 0 {
			t.Errorf("%+v", st)
		}
		if a.Pending(begin + 59) {
			t.Error("it waits for what is given up")
		}
		a.stop(t)
	})
}

func TestAStoreThatFailsNowAndThenDoesNotFillTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		rng := rand.New(rand.NewPCG(1, 5))
		s.setPlan(func(storagetest.Op, string) (f storagetest.Fault) {
			if rng.IntN(4) == 0 {
				f.Before = errDisturbed
			}
			return f
		})
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+60)
		s.setPlan(nil)
		after(20 * time.Second)
		compare(t, b.documents(), s.documents())
		if n := a.log.count("keeps trying"); n < 1 || n > 14 || a.log.count("writes again") != n {
			t.Errorf("%d warnings in two minutes, and %d times well again: %+v\n%s", n, a.log.count("writes again"), a.Status(), a.log.text.String())
		}
		a.stop(t)
	})
}

// Gaps that are made at once leave a short window before anybody sees them. They are no loss of the archive's; media that does so is.
func TestWhatWasAlwaysAGapIsNoLoss(t *testing.T) {
	for _, burst := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			b, s := newBroadcast(t, 3, "v", "a"), newBucket(t)
			if !burst {
				b.lost["v"] = []uint64{begin + 10, begin + 11, begin + 12, begin + 13, begin + 14, begin + 15}
			}
			a := start(t, b, Config{Store: s})
			b.start(begin)
			b.live(begin, begin+10)
			if burst {
				time.Sleep(12 * time.Second)
				for n := uint64(begin + 10); n < begin+16; n++ {
					b.play(n)
				}
			} else {
				b.live(begin+10, begin+16)
			}
			b.live(begin+16, begin+24)
			after(time.Second)
			compare(t, b.documents(), s.documents())
			gaps := 0
			for _, track := range []string{"v", "a"} {
				entries, err := a.Segments(t.Context(), track, begin, begin+24)
				must(t, err)
				for _, e := range entries {
					if e.State == timeline.Gap {
						gaps++
					}
				}
			}
			want := 6 // that were published
			if burst {
				want = int(a.Status().Lost) // as many as were not seen in time
			}
			if st := a.Status(); gaps != want || !burst && st.Lost > 0 {
				t.Errorf("burst %v: %d gaps, %+v", burst, gaps, st)
			}
			a.stop(t)
		})
	}
}

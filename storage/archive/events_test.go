package archive

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func TestEventsAreInTheDocumentsAndSurviveARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 8, "v1", "a"), newBucket(t)
		a := start(t, b, Config{Name: "s3", Store: s})
		b.start(begin)
		b.happen(3_000, "early")
		b.live(begin, begin+4)
		time.Sleep(time.Second) // nothing else is to be written
		b.happen(9_000, "soon")
		b.happen(700_000, "much later") // in another book
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.live(begin+4, begin+5)
		synctest.Wait()
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		a.stop(t)
		if text := b.documents()["demo/v1/legacy.m3u8"]; strings.Count(text, "#EXT-X-DATERANGE") != 3 {
			t.Errorf("%s", text)
		}

		past, err := Past(t.Context(), s, "demo", 8, quiet())
		must(t, err)
		if diff := cmp.Diff(b.events, past.Events); diff != "" {
			t.Errorf("recalled: %s", diff)
		}
		c := b.recalled(s)
		c.events = past.Events
		c.out.Events = past.Events
		again := start(t, c, Config{Name: "s3", Store: s})
		c.start(begin + 5)
		c.live(begin+5, begin+20) // what was early has left
		time.Sleep(time.Second)
		compare(t, c.documents(), s.documents())
		if text := c.documents()["demo/v1/legacy.m3u8"]; strings.Contains(text, "06:00:03.000Z") {
			t.Errorf("it is long over: %s", text)
		}
		again.stop(t)
	})
}

// Of two instances each misses some events and repeats others. What either knows is in the archive, once, whatever gets lost.
func TestTwoInstancesRecordOneListOfEvents(t *testing.T) {
	for seed := range uint64(8) {
		inBubble(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			late := time.Duration(rng.IntN(1500)) * time.Millisecond
			s := newBucket(t)
			one, two := newBroadcast(t, 6, "v1", "a"), newBroadcast(t, 6, "v1", "a")
			s.setPlan(func(storagetest.Op, string) storagetest.Fault {
				f := storagetest.Fault{Delay: time.Duration(rng.IntN(300)) * time.Millisecond}
				if rng.IntN(15) == 0 {
					f.After = errDisturbed
				}
				return f
			})
			a, b := start(t, one, Config{Store: s}), start(t, two, Config{Store: s})
			done := make(chan bool)
			play := func(w *broadcast, late time.Duration, said ...string) {
				time.Sleep(late)
				w.start(begin)
				for i, text := range said {
					w.live(begin+uint64(2*i), begin+uint64(2*i)+2)
					if text != "" {
						w.happen(int64(i)*2000+5000, text)
					}
				}
				w.live(begin+12, begin+14)
				w.end()
				done <- true
			}
			go play(one, 0, "a", "b", "", "d", "e", "")
			go play(two, late, "a", "", "c", "d", "", "f")
			<-done
			<-done
			s.setPlan(nil)
			after(time.Minute)
			whole := newBroadcast(t, 6, "v1", "a")
			whole.start(begin)
			for n := uint64(begin); n < begin+14; n++ {
				whole.play(n)
			}
			for i, text := range []string{"a", "b", "c", "d", "e", "f"} {
				whole.happen(int64(i)*2000+5000, text)
			}
			whole.end()
			compare(t, whole.documents(), s.documents())
			list, err := ReadEvents(t.Context(), s, "demo", begin, begin+14, func(err error) { t.Error(err) })
			if err != nil || len(list) != 6 {
				t.Errorf("seed %d: %d events, %v", seed, len(list), err)
			}
			a.stop(t)
			b.stop(t)
		})
	}
}

func TestABookOfEventsThatIsDamagedIsLeftOutAndBegunAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 8, "v1"), newBucket(t)
		key := eventKey("demo", chunkOf(begin))
		_, err := s.Memory.Swap(t.Context(), key, storage.Blob{Pieces: [][]byte{[]byte(`{"from":7}`)}}, "")
		must(t, err)
		a := start(t, b, Config{Name: "s3", Store: s})
		b.start(begin)
		b.happen(3_000, "x")
		b.live(begin, begin+4)
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		a.stop(t)
		list, err := ReadEvents(t.Context(), s, "demo", begin, begin, func(err error) { t.Error(err) })
		if err != nil || len(list) != 1 {
			t.Errorf("%+v %v", list, err)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"from":256,"events":[{"t":5,"id":"a-5","scheme":"x"},{"t":4,"id":"b-4","scheme":"x","splice":{"event":1,"cue":1}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeEvents(body, 256)
		for i := range list {
			if err != nil || list[i].Valid() != nil || i > 0 && list[i-1].Compare(&list[i]) >= 0 {
				t.Fatalf("%+v %v", list, err)
			}
		}
	})
}

func TestEventsGoWithTheirMedia(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		for _, from := range []uint64{256, 768, 1024} {
			_, err := r.store.Swap(t.Context(), eventKey("c", from), storage.Blob{Pieces: [][]byte{[]byte("{}")}}, "")
			must(t, err)
		}
		k, _ := keeperOf(r.store, "c", Retain{Age: 34 * time.Minute}) // from chunk 768 on
		passes(t, k)
		var left []string
		for key, err := range r.store.List(t.Context(), eventPrefix("c")) {
			must(t, err)
			left = append(left, key)
		}
		if diff := cmp.Diff([]string{eventKey("c", 1024), eventKey("c", 768)}, left); diff != "" {
			t.Error(diff)
		}
	})
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func TestDocumentsEqualThoseOfTheOrigin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 8, "v1", "v2", "a", "s"), newBucket(t)
		a := start(t, b, Config{Name: "s3", Store: s})
		b.start(begin)
		b.live(begin, begin+5)
		synctest.Wait()
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.lost["v1"] = []uint64{begin + 6}
		b.live(begin+5, begin+12)
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.start(begin + 14)
		b.live(begin+14, begin+20)
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.end()
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.State != OK || st.Segments != 0 {
			t.Errorf("status %+v", st)
		}
		a.stop(t)
	})
}

var errDisturbed = errors.New("disturbed")

// after lets everything that can be done be done.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestFaultsOfEveryKindDelayAndLoseNothing(t *testing.T) {
	for seed := range uint64(10) {
		inBubble(t, func(t *testing.T) {
			b, s := newBroadcast(t, 16, "v1", "s", "a"), newBucket(t)
			rng := rand.New(rand.NewPCG(seed, 1))
			s.setPlan(func(storagetest.Op, string) (f storagetest.Fault) {
				f.Delay = time.Duration(rng.IntN(800)) * time.Millisecond
				switch rng.IntN(5) {
				case 0:
					f.Before = errDisturbed
				case 1:
					f.After = errDisturbed
				}
				return f
			})
			a := start(t, b, Config{Name: "s3", Store: s})
			b.start(begin)
			b.live(begin, begin+20)
			b.start(begin + 21)
			b.live(begin+21, begin+40)
			b.end()
			s.setPlan(nil)
			after(time.Minute)
			compare(t, b.documents(), s.documents())
			if n := len(s.segments()); n != 3*39 {
				t.Errorf("seed %d: %d segments, want %d", seed, n, 3*39)
			}
			if st := a.Status(); st.State != OK || st.Err != nil || st.Lost != 0 || st.Conflicts != 0 || st.Segments != 0 {
				t.Errorf("seed %d: %+v", seed, st)
			}
			a.stop(t)
		})
	}
}

func TestEveryAcknowledgementIsLostOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		seen := map[string]bool{}
		s.setPlan(func(op storagetest.Op, key string) (f storagetest.Fault) {
			if op == storagetest.Put && !seen[key] {
				f.After, seen[key] = errDisturbed, true
			}
			return f
		})
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		after(5 * time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.Conflicts != 0 || st.Lost != 0 {
			t.Errorf("%+v", st)
		}
		a.stop(t)
	})
}

func TestATrackThatIsStuckHoldsNoOtherBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v1", "v2", "a"), newBucket(t)
		s.setPlan(func(op storagetest.Op, key string) (f storagetest.Fault) {
			if op == storagetest.Put && strings.HasPrefix(key, "demo/v2/") {
				f.Delay = time.Hour
			}
			return f
		})
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		after(time.Second)
		want, got := b.documents(), s.documents()
		for _, key := range []string{"demo/v1/legacy.m3u8", "demo/a/legacy.m3u8"} {
			if want[key] != got[key] {
				t.Errorf("%s is\n%s\nwant\n%s", key, got[key], want[key])
			}
		}
		if st := a.Status(); st.State != Behind || st.Segments != 10 || st.Lag != 20*time.Second || st.Queued == 0 {
			t.Errorf("%+v", st)
		}
		if !a.Has("v1", begin+9) || a.Has("v2", begin) {
			t.Error("it does not know what it has")
		}
		if _, ok := a.Edge(); ok {
			t.Error("there is an edge although a live track has nothing")
		}
		if !a.Pending(begin) || a.Pending(begin-1) {
			t.Error("it does not know what it needs")
		}
		a.cancel()
		began := time.Now()
		must(t, <-a.done)
		if took := time.Since(began); took > drainTime {
			t.Errorf("it took %v to stop", took)
		}
	})
}

// outage fails everything while it lasts.
func outage(storagetest.Op, string) storagetest.Fault {
	return storagetest.Fault{Delay: time.Second, Before: errDisturbed}
}

func TestAnOutageOfTenMinutesIsMadeUpForFromTheNearerArchive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, disk, s3 := newBroadcast(t, 6, "v1", "v2", "a"), newBucket(t), newBucket(t)
		near := start(t, b, Config{Name: "disk", Store: disk})
		far := start(t, b, Config{Name: "s3", Store: s3, Nearer: near.Archive, Media: first{b.memory, disk}})
		b.start(begin)
		b.live(begin, begin+20)
		s3.setPlan(outage)
		b.live(begin+20, begin+170)
		b.start(begin + 172)
		b.live(begin+172, begin+320)
		after(time.Second)
		compare(t, b.documents(), disk.documents())
		if st := far.Status(); st.State != Failing || st.Segments < 290 || st.Err == nil {
			t.Errorf("in the outage: %+v", st)
		}
		if st := near.Status(); st.State != OK {
			t.Errorf("the disk in the outage: %+v", st)
		}
		if !far.Pending(begin+100) || near.Pending(begin+100) {
			t.Error("what is pending where is not known")
		}
		s3.setPlan(func(storagetest.Op, string) storagetest.Fault { return storagetest.Fault{Delay: 50 * time.Millisecond} })
		b.live(begin+320, begin+380)
		after(1900 * time.Millisecond)
		compare(t, b.documents(), s3.documents())
		if st := far.Status(); st.State != OK || st.Lost != 0 || st.Conflicts != 0 || st.Segments != 0 {
			t.Errorf("after the outage: %+v", st)
		}
		if n := len(s3.segments()); n != 3*378 {
			t.Errorf("%d segments, want %d", n, 3*378)
		}
		if a, b := far.log.count("keeps trying"), far.log.count("writes again"); a != 1 || b != 1 {
			t.Errorf("the log says %d times that it fails and %d that it works again", a, b)
		}
		near.stop(t)
		far.stop(t)
	})
}

// first reads from the first store that has it.
type first []storage.Getter

func (f first) Get(ctx context.Context, key string) (b storage.Blob, err error) {
	for _, g := range f {
		if b, err = g.Get(ctx, key); err == nil {
			return b, nil
		}
	}
	return b, err
}

func TestWithoutASpoolAnOutageLeavesAGap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		s.setPlan(outage)
		b.live(begin+10, begin+110)
		s.setPlan(nil)
		b.live(begin+110, begin+130)
		after(time.Second)
		compare(t, b.documents(), s.documents())
		st := a.Status()
		if have := int64(len(s.segments())); st.State != OK || st.Lost < 2*70 || st.Lost+have != 2*130 {
			t.Errorf("%+v with %d segments", st, len(s.segments()))
		}
		if n := a.log.count("the archive has a gap"); n != 2 {
			t.Errorf("%d lines about losses, want one for each track", n)
		}
		entries, err := a.Segments(t.Context(), "v", begin, begin+130)
		if err != nil || len(entries) != 130 {
			t.Errorf("the record has %d of 130 slots, %v", len(entries), err)
		}
		a.stop(t)
	})
}

func TestTwoInstancesKeepOneArchive(t *testing.T) {
	for seed := range uint64(12) {
		inBubble(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := newBucket(t)
			one, two := newBroadcast(t, 6, "v1", "v2", "a"), newBroadcast(t, 6, "v1", "v2", "a")
			one.lost["v1"] = []uint64{begin + 7, begin + 8}
			two.lost["v2"] = []uint64{begin + 11, begin + 20}
			one.lost["a"], two.lost["a"] = []uint64{begin + 15}, []uint64{begin + 15}
			s.setPlan(func(storagetest.Op, string) storagetest.Fault {
				f := storagetest.Fault{Delay: time.Duration(rng.IntN(300)) * time.Millisecond}
				if rng.IntN(20) == 0 {
					f.After = errDisturbed
				}
				return f
			})
			late := 4*time.Second + time.Duration(rng.IntN(1500))*time.Millisecond
			a, b := start(t, one, Config{Store: s}), start(t, two, Config{Store: s})
			done := make(chan bool)
			play := func(w *broadcast, from uint64, late time.Duration) {
				time.Sleep(late)
				w.start(from)
				w.live(from, begin+30)
				w.end()
				done <- true
			}
			go play(one, begin, 0)
			go play(two, begin+2, late)
			<-done
			<-done
			s.setPlan(nil)
			after(time.Minute)
			// What either has is in the archive, so that it is as if nobody had lost it.
			whole := newBroadcast(t, 6, "v1", "v2", "a")
			whole.lost["a"] = []uint64{begin + 15}
			whole.start(begin)
			for n := uint64(begin); n < begin+30; n++ {
				whole.play(n)
			}
			whole.end()
			compare(t, whole.documents(), s.documents())
			if n := len(s.segments()); n != 3*30-1 {
				t.Errorf("seed %d: %d segments, want %d", seed, n, 3*30-1)
			}
			for _, x := range []*running{a, b} {
				if st := x.Status(); st.Conflicts != 0 || st.Segments != 0 {
					t.Errorf("seed %d: %+v", seed, st)
				}
				x.stop(t)
			}
		})
	}
}

func TestAnInstanceDoesNotPutWhatTheOtherHasPut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newBucket(t)
		one, two := newBroadcast(t, 6, "v", "a"), newBroadcast(t, 6, "v", "a")
		a, b := start(t, one, Config{Store: s}), start(t, two, Config{Store: s})
		one.start(begin)
		two.start(begin)
		for n := uint64(begin); n < begin+20; n++ {
			time.Sleep(2 * time.Second)
			one.play(n)
			if n > begin+1 {
				two.play(n - 2)
			}
		}
		after(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		twice := 0
		for key, n := range s.puts {
			if strings.HasSuffix(key, ".m4s") && n > 1 {
				twice++
			}
		}
		if twice > 4 { // until it has seen the record
			t.Errorf("%d of %d segments were put twice", twice, len(s.segments()))
		}
		a.stop(t)
		b.stop(t)
	})
}

func TestOtherContentInTheStoreIsKeptAndAlarms(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v"), newBucket(t)
		other := storage.Blob{Pieces: [][]byte{[]byte("from somebody else")}, ContentType: "video/mp4"}
		must(t, s.Memory.Put(t.Context(), fmt.Sprintf("demo/v/%d.m4s", begin+2), other))
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+5)
		after(time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.Conflicts != 1 || st.State != OK {
			t.Errorf("%+v", st)
		}
		entries, err := a.Segments(t.Context(), "v", begin+2, begin+3)
		must(t, err)
		if len(entries) != 1 || entries[0].Digest != storage.Digest(other.Pieces) || entries[0].Size != other.Size() {
			t.Errorf("the record says %+v, the store has %s", entries, storage.Digest(other.Pieces))
		}
		if n := a.log.count("level=ERROR"); n != 1 || a.log.count(storage.Digest(other.Pieces)) != 1 {
			t.Errorf("%d errors in the log:\n%s", n, a.log.text.String())
		}
		a.stop(t)
	})
}

func TestAFullStoreSaysSoAndGoesOnWhenThereIsRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v"), newBucket(t)
		s.setPlan(func(op storagetest.Op, key string) (f storagetest.Fault) {
			if op == storagetest.Put && strings.HasSuffix(key, ".m4s") {
				f.Before = &storage.FullError{Key: key}
			}
			return f
		})
		var told atomic.Int64
		a := start(t, b, Config{Store: s, Full: func() { told.Add(1) }})
		b.start(begin)
		b.live(begin, begin+5)
		if told.Load() == 0 {
			t.Error("nobody is asked for room")
		}
		if st := a.Status(); st.State != Full || !errors.Is(st.Err, storage.ErrFull) {
			t.Errorf("%+v", st)
		}
		s.setPlan(nil)
		after(20 * time.Second)
		if st := a.Status(); st.State != OK {
			t.Errorf("%+v", st)
		}
		compare(t, b.documents(), s.documents())
		a.stop(t)
	})
}

func TestDigestsAreKnownAsFarBackAsDocumentsGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 200, "v"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+150)
		after(time.Second)
		a.stop(t)
		b.live(begin+150, begin+152)
		a = start(t, b, Config{Store: s}) // it reads them from the record, too
		after(time.Second)
		for n := uint64(begin); n < begin+152; n++ {
			name := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: "v", N: n}
			blob, err := s.Get(t.Context(), name.Key())
			must(t, err)
			if got := a.Digest("v", n); got != storage.Digest(blob.Pieces) {
				t.Errorf("segment %d: digest %q of %q", n, got, blob.Pieces)
			}
		}
		a.stop(t)
	})
}

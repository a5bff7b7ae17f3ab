package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

var errDown = errors.New("the store is down")

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func planOf2s(window int) segmenter.Plan {
	return segmenter.Plan{
		Grid: timeline.Grid{Num: 2, Den: 1}, Group: timeline.Grid{Num: 1, Den: 1}, Parts: 6, TargetDuration: 2,
		PartTarget: 334 * time.Millisecond, Window: window, Independent: true,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func putText(t testing.TB, s storage.Store, key, text string) {
	t.Helper()
	must(t, s.Put(t.Context(), key, storage.Blob{Pieces: [][]byte{[]byte(text)}, ContentType: claimType, CacheControl: "no-store"}))
}

// down is a store whose operations fail while *is.
func down(s storage.Store, is *atomic.Bool, asked *atomic.Int64) *storagetest.Faulty {
	return &storagetest.Faulty{Store: s, Plan: func(storagetest.Op, string) storagetest.Fault {
		asked.Add(1)
		if is.Load() {
			return storagetest.Fault{Before: errDown}
		}
		return storagetest.Fault{}
	}}
}

func TestTheFirstClaimStaysAndTheOthersReadIt(t *testing.T) {
	store := storage.NewMemory(0)
	a, b := NewLedger(store, "c", time.Second, quiet()), NewLedger(store, "c", time.Second, quiet())
	first, second := planOf2s(30), planOf2s(40)
	for _, l := range []*Ledger{a, b, a} {
		got, err := l.Plan(t.Context(), first)
		must(t, err)
		if diff := cmp.Diff(planOf2s(30), got); diff != "" {
			t.Error(diff)
		}
		first = second
	}
	mine := segmenter.Epoch{Index: 3, First: 100, Shift: -7, Inits: map[string]string{"v": "00112233"}}
	for _, e := range []segmenter.Epoch{mine, {Index: 3, First: 101}} {
		got, err := b.Begin(t.Context(), e)
		must(t, err)
		if diff := cmp.Diff(mine, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, i := range []int{10, 2} {
		if _, err := a.Begin(t.Context(), segmenter.Epoch{Index: i, First: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	epochs, _, err := b.Since(t.Context(), 0)
	must(t, err)
	if diff := cmp.Diff([]segmenter.Epoch{{Index: 2, First: 2}, mine, {Index: 10, First: 10}}, epochs); diff != "" {
		t.Error(diff)
	}
}

func TestALedgerTellsWhatWasClaimedAndRecordedSince(t *testing.T) {
	store := storage.NewMemory(0)
	l := NewLedger(store, "c", time.Second, quiet())
	if claims, newest, err := l.Since(t.Context(), 0); len(claims) > 0 || newest > 0 || err != nil {
		t.Errorf("of nothing: %v, %d, %v", claims, newest, err)
	}
	for i := range 3 {
		_, err := l.Begin(t.Context(), segmenter.Epoch{Index: i, First: uint64(i)})
		must(t, err)
	}
	books := books{store, "c"}
	for track, entries := range map[string][]Entry{"a": {full(250, 0), full(258, 0)}, "v": {full(257, 0)}} {
		for _, e := range entries {
			_, _, err := books.updateChunk(t.Context(), Chunk{From: chunkOf(e.N), Tracks: map[string][]Entry{track: {e}}})
			must(t, err)
		}
	}
	claims, newest, err := l.Since(t.Context(), 2)
	must(t, err)
	if diff := cmp.Diff([]segmenter.Epoch{{Index: 2, First: 2}}, claims); diff != "" || newest != 258 {
		t.Errorf("newest %d, claims: %s", newest, diff)
	}
}

// Two instances claim epochs while the store loses requests and acknowledgements. Whatever happens, a claim has one content for
// ever, and whoever got an answer got that.
func TestInstancesAgreeWhateverTheStoreLoses(t *testing.T) {
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) { raceLedgers(t, seed) })
	}
}

func raceLedgers(t *testing.T, seed uint64) {
	const epochs = 6
	store := storage.NewMemory(0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int][]segmenter.Epoch{}
	for id := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, id)) // of this instance's goroutine
		faulty := &storagetest.Faulty{Store: store, Plan: func(storagetest.Op, string) storagetest.Fault {
			f := storagetest.Fault{Delay: time.Duration(rng.IntN(30)) * time.Millisecond}
			switch rng.IntN(6) {
			case 0:
				f.Before = errDown
			case 1:
				f.After = errDown
			}
			return f
		}}
		l := NewLedger(faulty, "c", 500*time.Millisecond, quiet())
		wg.Go(func() {
			for i := range epochs {
				won, err := l.Begin(t.Context(), segmenter.Epoch{Index: i, First: uint64(100*i) + id})
				if err == nil {
					mu.Lock()
					answers[i] = append(answers[i], won)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for i, got := range answers {
		b, err := store.Get(t.Context(), epochKey("c", i))
		must(t, err)
		want, err := decodeEpoch("", b, i)
		must(t, err)
		for _, e := range got {
			if diff := cmp.Diff(want, e); diff != "" {
				t.Fatalf("seed %d: epoch %d: %s", seed, i, diff)
			}
		}
	}
	if len(answers) == 0 {
		t.Errorf("seed %d: nobody got an answer", seed)
	}
}

func TestAStoreThatIsDownCostsPatienceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var isDown atomic.Bool
		var asked atomic.Int64
		isDown.Store(true)
		l := NewLedger(down(storage.NewMemory(0), &isDown, &asked), "c", 2*time.Second, quiet())
		begin := func(i int) (time.Duration, error) {
			at := time.Now()
			_, err := l.Begin(t.Context(), segmenter.Epoch{Index: i})
			return time.Since(at), err
		}
		if took, err := begin(0); !errors.Is(err, errDown) || took > 2*time.Second {
			t.Errorf("the first claim took %v: %v", took, err)
		}
		before := asked.Load()
		if took, err := begin(1); !errors.Is(err, errAway) || took != 0 || asked.Load() != before {
			t.Errorf("the second claim took %v and asked %d times: %v", took, asked.Load()-before, err)
		}
		if got := l.Published(t.Context(), "v", 1, 2); got != nil || asked.Load() != before {
			t.Errorf("Published asked %d times", asked.Load()-before)
		}
		isDown.Store(false)
		time.Sleep(awayFor + time.Second)
		_, err := begin(2)
		must(t, err)
	})
}

func TestAStoreThatHangsCostsNoMoreThanPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &storagetest.Faulty{Store: storage.NewMemory(0), Plan: func(storagetest.Op, string) storagetest.Fault {
			return storagetest.Fault{Delay: time.Hour}
		}}
		at := time.Now()
		_, err := NewLedger(slow, "c", 2*time.Second, quiet()).Plan(t.Context(), planOf2s(30))
		if took := time.Since(at); !errors.Is(err, context.DeadlineExceeded) || took != 2*time.Second {
			t.Errorf("took %v: %v", took, err)
		}
	})
}

// What was decided alone is claimed when the store is back, and an alarm is raised if another instance decided otherwise.
func TestWhatWasDecidedAloneIsMadeUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		theirs segmenter.Epoch
		alarm  bool
	}{
		{"the other agrees", segmenter.Epoch{Index: 1, First: 50}, false},
		{"the other began it elsewhere", segmenter.Epoch{Index: 1, First: 51}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				store := storage.NewMemory(0)
				var isDown atomic.Bool
				var asked atomic.Int64
				isDown.Store(true)
				l := NewLedger(down(store, &isDown, &asked), "c", time.Second, slog.New(slog.NewTextHandler(&log, nil)))
				for i := range 2 {
					if _, err := l.Begin(t.Context(), segmenter.Epoch{Index: i, First: uint64(50 * i)}); err == nil {
						t.Error("a store that is down has settled something")
					}
				}
				_, err := NewLedger(store, "c", time.Second, quiet()).Begin(t.Context(), tt.theirs)
				must(t, err)
				isDown.Store(false)
				time.Sleep(awayFor + time.Second)
				_, err = l.Begin(t.Context(), segmenter.Epoch{Index: 2, First: 100})
				must(t, err)
				if alarm := strings.Contains(log.String(), "level=ERROR"); alarm != tt.alarm {
					t.Errorf("alarm %v, want %v: %s", alarm, tt.alarm, log.String())
				}
				epochs, _, err := l.Since(t.Context(), 0)
				must(t, err)
				if diff := cmp.Diff([]segmenter.Epoch{{Index: 0}, tt.theirs, {Index: 2, First: 100}}, epochs); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAMalformedClaimSaysWhatToRemove(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"index":7}`, `{"index":4,"first":1}`, `{"index":7,"first":-1}`, `{"index":7,"first":1e30}`,
		`{"index":7,"first":4611686018427387904}`, `{"index":7,"first":1,"shift":-9223372036854775808}`,
		`{"index":7,"first":1,"inits":3}`, strings.Repeat(" ", maxClaim+1),
	} {
		store := storage.NewMemory(0)
		putText(t, store, epochKey("c", 7), text)
		l := NewLedger(store, "c", time.Second, quiet())
		_, err := l.Begin(t.Context(), segmenter.Epoch{Index: 7, First: 1})
		_, _, listed := l.Since(t.Context(), 0)
		for _, err := range []error{err, listed} {
			if !errors.Is(err, errClaim) || !strings.Contains(err.Error(), "c/epoch-7.json") || !strings.Contains(err.Error(), "remove") {
				t.Errorf("%.40q: %v", text, err)
			}
		}
		if _, err := l.Begin(t.Context(), segmenter.Epoch{Index: 8, First: 1}); err != nil {
			t.Errorf("%.40q: the next epoch is refused too: %v", text, err)
		}
	}
	store := storage.NewMemory(0)
	putText(t, store, planKey("c"), `{"grid":{"num":0,"den":1}}`)
	if _, err := NewLedger(store, "c", time.Second, quiet()).Plan(t.Context(), planOf2s(30)); !errors.Is(err, errClaim) || !strings.Contains(err.Error(), "c/plan.json") {
		t.Error(err)
	}
}

// recording writes the record and the media of a channel as an Archive does.
type recording struct {
	t     testing.TB
	store storage.Durable
	books books
}

func newRecording(t testing.TB, store storage.Durable) *recording {
	return &recording{t, store, books{store, "c"}}
}

// epochOf is an epoch of a track with media time that is Unix time.
func epochOf(index int, first uint64) timeline.Epoch {
	init := &media.Init{Kind: media.Video, Codec: "avc1.42c01e", Timescale: 1000, Digest: fmt.Sprintf("%08x", index)}
	return timeline.Epoch{Index: index, First: first, Init: init, Frame: 40}
}

// head writes the head with tracks that have these epochs.
func (r *recording) head(plan segmenter.Plan, epochs []timeline.Epoch, tracks ...string) {
	r.t.Helper()
	_, err := r.books.updateHead(r.t.Context(), func(h *Head) bool {
		h.Plan, h.Tracks = plan, nil
		for _, name := range tracks {
			h.Tracks = append(h.Tracks, Track{Track: media.Track{Name: name, Kind: media.Video}, Epochs: epochs})
		}
		return true
	})
	must(r.t, err)
}

func full(n uint64, epoch int) Entry {
	e := Entry{Segment: timeline.Segment{N: n, Epoch: epoch, State: timeline.Full, Start: int64(n) * 2000, Dur: 2000}}
	b := content(n)
	e.Size, e.Digest = b.Size(), storage.Digest(b.Pieces)
	return e
}

func gap(n uint64, epoch int) Entry {
	return Entry{Segment: timeline.Segment{N: n, Epoch: epoch, State: timeline.Gap, Start: int64(n) * 2000, Dur: 2000}}
}

func content(n uint64) storage.Blob {
	return storage.Blob{Pieces: [][]byte{fmt.Appendf(nil, "the media of slot %d", n)}, ContentType: "video/mp4"}
}

// add records entries of a track.
func (r *recording) add(track string, entries ...Entry) {
	r.t.Helper()
	chunks := map[uint64][]Entry{}
	for _, e := range entries {
		chunks[chunkOf(e.N)] = append(chunks[chunkOf(e.N)], e)
	}
	for from, entries := range chunks {
		_, _, err := r.books.updateChunk(r.t.Context(), Chunk{From: from, Tracks: map[string][]Entry{track: entries}})
		must(r.t, err)
	}
}

func fulls(from, to uint64, epoch int) (entries []Entry) {
	for n := from; n < to; n++ {
		entries = append(entries, full(n, epoch))
	}
	return entries
}

// summary is the slots of segments, gaps negative.
func summary(segments []timeline.Segment) (n []int) {
	for _, s := range segments {
		if s.State == timeline.Gap {
			n = append(n, -int(s.N))
		} else {
			n = append(n, int(s.N))
		}
	}
	return n
}

func TestPublishedIsWhatFollowsWithoutAHole(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to uint64
		want     []int
		waits    bool
	}{
		{"all that was asked for", 250, 260, []int{250, 251, 252, 253, 254, 255, -256, 257, 258, 259}, false},
		{"up to a hole", 260, 266, []int{260, 261}, false},
		{"nothing where a hole begins", 262, 266, nil, false},
		{"up to an epoch that the caller cannot know", 268, 275, []int{268, 269}, false},
		{"up to what is there, after a wait for who is near", 270, 285, nil, true},
		{"at once when nobody is near", 270, 291, nil, false},
		{"nothing before nothing", 7, 7, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storage.NewMemory(0)
				r := newRecording(t, store)
				r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0), epochOf(1, 270)}, "v")
				r.add("v", fulls(200, 256, 0)...)
				r.add("v", gap(256, 0))
				r.add("v", fulls(257, 262, 0)...)
				r.add("v", fulls(265, 270, 0)...)
				r.add("v", fulls(270, 280, 1)...)
				l := NewLedger(store, "c", time.Second, quiet())
				_, err := l.Begin(t.Context(), segmenter.Epoch{})
				must(t, err)
				at := time.Now()
				got := l.Published(t.Context(), "v", tt.from, tt.to)
				if diff := cmp.Diff(tt.want, summary(got)); diff != "" {
					t.Error(diff)
				}
				if waited := time.Since(at); waited > 0 != tt.waits || waited > 4*time.Second {
					t.Errorf("waited %v, should wait: %v", waited, tt.waits)
				}
			})
		})
	}
}

func TestPublishedWaitsForAnInstanceThatIsAtIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory(0)
		r := newRecording(t, store)
		r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
		r.add("v", fulls(250, 255, 0)...)
		l := NewLedger(store, "c", time.Second, quiet())
		at := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := uint64(255); n < 258; n++ {
				time.Sleep(time.Second)
				r.add("v", full(n, 0))
			}
		})
		got := l.Published(t.Context(), "v", 254, 257)
		if diff := cmp.Diff([]int{254, 255, 256}, summary(got)); diff != "" {
			t.Error(diff)
		}
		if waited := time.Since(at); waited < 2*time.Second || waited > 2*time.Second+pollEvery {
			t.Errorf("waited %v, slot 256 came after 2s", waited)
		}
		wg.Wait()
	})
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"index":7,"first":1,"shift":-3,"inits":{"v":"00112233"}}`))
	f.Add([]byte(`{"index":7,"first":9,"came":["sv"],"went":{"lo":1}}`))
	f.Add([]byte(`{"grid":{"num":2,"den":1},"group":{"num":0,"den":0},"targetDuration":2,"partTarget":334000000,"window":30,"independent":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := storage.Blob{Pieces: [][]byte{body}}
		if e, err := decodeEpoch("k", b, 7); err == nil && (e.Index != 7 || e.First >= maxSlot) {
			t.Errorf("accepted %+v", e)
		}
		if c, err := decodeChange("k", b, 7); err == nil && (c.Index != 7 || c.First >= maxSlot) {
			t.Errorf("accepted %+v", c)
		}
		if p, err := decodePlan("k", b); err == nil && (p.Grid.Valid() != nil || p.Window < 1 || p.Grid.Start(1, 1000) < 100) {
			t.Errorf("accepted %+v", p)
		}
	})
}

func TestARequestThatFailsOnceHidesNothingThatOthersPublished(t *testing.T) {
	for ask := range 4 {
		synctest.Test(t, func(t *testing.T) {
			store := storage.NewMemory(0)
			r := newRecording(t, store)
			r.head(planOf2s(30), []timeline.Epoch{epochOf(0, 0)}, "v")
			r.add("v", fulls(240, 250, 0)...)
			var asked atomic.Int64
			l := NewLedger(&storagetest.Faulty{Store: store, Plan: func(storagetest.Op, string) (f storagetest.Fault) {
				if asked.Add(1) == int64(ask) {
					f.Before = errors.New("trouble")
				}
				return f
			}}, "c", time.Second, quiet())
			if _, newest, err := l.Since(t.Context(), 0); newest != 249 || err != nil {
				t.Errorf("%d: newest %d, %v", ask, newest, err)
			}
			asked.Store(0)
			got := l.Published(t.Context(), "v", 247, 250)
			if diff := cmp.Diff([]int{247, 248, 249}, summary(got)); diff != "" {
				t.Errorf("%d: %s", ask, diff)
			}
		})
	}
}

func TestTheFirstClaimOfAChangeStaysAndIsRecalled(t *testing.T) {
	store := storage.NewMemory(0)
	a, b := NewLedger(store, "c", time.Second, quiet()), NewLedger(store, "c", time.Second, quiet())
	mine := segmenter.Change{Index: 0, First: 100, Came: []string{"sv"}, Went: map[string]int{"lo": 1}}
	for _, claim := range []func() (segmenter.Change, error){
		func() (segmenter.Change, error) { return a.Turn(t.Context(), mine) },
		func() (segmenter.Change, error) {
			return b.Turn(t.Context(), segmenter.Change{First: 101, Came: []string{"sv"}})
		},
	} {
		got, err := claim()
		must(t, err)
		if diff := cmp.Diff(mine, got); diff != "" {
			t.Error(diff)
		}
	}
	_, err := b.Plan(t.Context(), planOf2s(30))
	must(t, err)
	past, err := Past(t.Context(), store, "c", 30, quiet())
	must(t, err)
	if diff := cmp.Diff([]segmenter.Change{mine}, past.Changes); diff != "" {
		t.Error(diff)
	}
	putText(t, store, changeKey("c", 1), "{}")
	if _, err := b.Turn(t.Context(), segmenter.Change{Index: 1, First: 1}); !errors.Is(err, errClaim) {
		t.Errorf("of a malformed claim: %v", err)
	}
	if past, err := Past(t.Context(), store, "c", 30, quiet()); err != nil || past.Changes != nil {
		t.Errorf("with a malformed claim: %v, %v", past, err)
	}
}

package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

func begun(t testing.TB, window int) *timeline.Timeline {
	t.Helper()
	l := timeline.New(window, 20)
	must(t, l.Begin(timeline.Epoch{}))
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func nominal(n uint64) (start, dur int64) { return int64(n) * 100, 100 }

// numbers of the segments in the window, gaps negative.
func numbers(s *timeline.Snapshot) (n []int) {
	for i := range s.Segments {
		if v := int(s.Segments[i].N); s.Segments[i].State == timeline.Gap {
			n = append(n, -v)
		} else {
			n = append(n, v)
		}
	}
	return n
}

func publish(t testing.TB, l *timeline.Timeline, n uint64) {
	t.Helper()
	start, dur := nominal(n)
	must(t, l.Append(n, 0, timeline.Part{Start: start, Dur: dur, Size: 10, Independent: true}))
	must(t, l.Close(n, timeline.Full))
}

func TestSnapshotsNeverChange(t *testing.T) {
	l := begun(t, 3)
	var held []*timeline.Snapshot
	var want []string
	for n := uint64(5); n < 40; n++ {
		for p := range 3 {
			must(t, l.Append(n, p, timeline.Part{Start: int64(n)*100 + int64(p)*30, Dur: 30, Size: 1}))
			s := l.Load()
			held, want = append(held, s), append(want, dump(s))
		}
		must(t, l.Close(n, timeline.Full))
		held, want = append(held, l.Load()), append(want, dump(l.Load()))
	}
	for i, s := range held {
		if diff := cmp.Diff(want[i], dump(s)); diff != "" {
			t.Fatalf("snapshot %d changed: %s", i, diff)
		}
	}
}

func dump(s *timeline.Snapshot) string {
	o := timeline.Segment{}
	if s.Open != nil {
		o = *s.Open
	}
	return fmt.Sprintf("%+v %+v %+v", s.Segments, o, s.Epochs)
}

func TestWindowSlides(t *testing.T) {
	l := begun(t, 3)
	for n := range uint64(6) {
		publish(t, l, n+10)
	}
	if diff := cmp.Diff([]int{13, 14, 15}, numbers(l.Load())); diff != "" {
		t.Error(diff)
	}
}

func TestSkipRecordsGapsAndIsBounded(t *testing.T) {
	for _, tt := range []struct {
		to   uint64
		want []int
	}{
		{11, []int{10}},
		{13, []int{10, -11, -12}},
		{14, []int{-11, -12, -13}},
		{math.MaxUint64, []int{-3, -2, -1}},
	} {
		l := begun(t, 3)
		publish(t, l, 10)
		must(t, l.Skip(tt.to, nominal))
		got := numbers(l.Load())
		if tt.to == math.MaxUint64 {
			if len(got) != 3 {
				t.Errorf("%d gaps, want 3", len(got))
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("skip to %d: %s", tt.to, diff)
		}
		if p := l.Load().Position(); p.N != tt.to {
			t.Errorf("position %d after a skip to %d", p.N, tt.to)
		}
	}
}

func TestBreakKeepsPartsAndLastsToItsEnd(t *testing.T) {
	l := begun(t, 3)
	must(t, l.Append(7, 0, timeline.Part{Start: 700, Dur: 30, Size: 9}))
	must(t, l.Break(7, 800))
	got := l.Load().Segments[0]
	want := timeline.Segment{N: 7, State: timeline.Gap, Start: 700, Dur: 100, Parts: []timeline.Part{{Start: 700, Dur: 30, Size: 9}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsLostBecomesAGap(t *testing.T) {
	l := begun(t, 5)
	for n := uint64(10); n < 14; n++ {
		publish(t, l, n)
	}
	must(t, l.End())
	before := l.Load()
	was := dump(before)
	if !l.Lose(11) || l.Lose(11) || l.Lose(9) || l.Lose(14) {
		t.Error("what is lost is a full segment that is listed, and lost once")
	}
	s := l.Load()
	for i := range s.Segments {
		want := before.Segments[i]
		if want.N == 11 {
			want.State, want.Size, want.Parts = timeline.Gap, 0, nil
		}
		if diff := cmp.Diff(want, s.Segments[i]); diff != "" {
			t.Error(diff)
		}
	}
	if s.Lost != 1 || s.Position() != before.Position() || !s.Ended {
		t.Errorf("%d lost, at %+v, ended %v", s.Lost, s.Position(), s.Ended)
	}
	if dump(before) != was {
		t.Errorf("an older snapshot has changed: %s", dump(before))
	}
	select {
	case <-before.Next():
	default:
		t.Error("who waits is not told")
	}
}

func TestOnlyTheNextThingIsAdmitted(t *testing.T) {
	part := timeline.Part{Dur: 1}
	for name, write := range map[string]func(l *timeline.Timeline) error{
		"a part of an older segment":  func(l *timeline.Timeline) error { return l.Append(9, 0, part) },
		"a part of a later segment":   func(l *timeline.Timeline) error { return l.Append(12, 0, part) },
		"a part out of order":         func(l *timeline.Timeline) error { return l.Append(11, 2, part) },
		"a part twice":                func(l *timeline.Timeline) error { return l.Append(11, 0, part) },
		"a gap inside a segment":      func(l *timeline.Timeline) error { return l.Gap(12, 0, 1) },
		"a skip inside a segment":     func(l *timeline.Timeline) error { return l.Skip(13, nominal) },
		"close of another segment":    func(l *timeline.Timeline) error { return l.Close(10, timeline.Full) },
		"close as open":               func(l *timeline.Timeline) error { return l.Close(11, timeline.Open) },
		"an epoch inside a segment":   func(l *timeline.Timeline) error { return l.Begin(timeline.Epoch{Index: 1}) },
		"the end inside a segment":    func(l *timeline.Timeline) error { return l.End() },
		"a part after the end":        func(l *timeline.Timeline) error { end(l); return l.Append(12, 0, part) },
		"a gap after the end":         func(l *timeline.Timeline) error { end(l); return l.Gap(12, 0, 1) },
		"an epoch after the end":      func(l *timeline.Timeline) error { end(l); return l.Begin(timeline.Epoch{Index: 1}) },
		"an epoch that is not newer":  func(l *timeline.Timeline) error { _ = l.Close(11, timeline.Full); return l.Begin(timeline.Epoch{}) },
		"a skip back":                 func(l *timeline.Timeline) error { _ = l.Close(11, timeline.Full); return l.Skip(11, nominal) },
		"a part before any epoch":     func(*timeline.Timeline) error { return timeline.New(3, 1).Append(1, 0, part) },
		"a skip on an empty timeline": func(*timeline.Timeline) error { return begun(t, 3).Skip(9, nominal) },
	} {
		l := begun(t, 3)
		publish(t, l, 10)
		must(t, l.Append(11, 0, part))
		before := l.Load().Position()
		if err := write(l); !errors.Is(err, timeline.ErrOrder) {
			t.Errorf("%s: %v, want ErrOrder", name, err)
		}
		if l.Load().Position().Before(before) {
			t.Errorf("%s: the position went back", name)
		}
	}
}

func end(l *timeline.Timeline) {
	_ = l.Close(11, timeline.Full)
	_ = l.End()
}

func TestEpochsLeaveWithTheirSegments(t *testing.T) {
	l := begun(t, 2)
	publish(t, l, 1)
	must(t, l.Begin(timeline.Epoch{Index: 1, First: 2}))
	publish(t, l, 2)
	if n := len(l.Load().Epochs); n != 2 {
		t.Errorf("%d epochs while both have segments, want 2", n)
	}
	publish(t, l, 3)
	if s := l.Load(); len(s.Epochs) != 1 || s.Current().Index != 1 {
		t.Errorf("epochs %+v, want the current one", s.Epochs)
	}
}

func TestPositionsAreOrdered(t *testing.T) {
	l := begun(t, 3)
	last := l.Load().Position()
	step := func(err error) {
		must(t, err)
		p := l.Load().Position()
		if !last.Before(p) || p.Before(last) {
			t.Fatalf("%+v is not after %+v", p, last)
		}
		last = p
	}
	step(l.Append(4, 0, timeline.Part{Dur: 1}))
	step(l.Append(4, 1, timeline.Part{Start: 1, Dur: 1}))
	step(l.Close(4, timeline.Full))
	step(l.Gap(5, 5, 1))
	step(l.Skip(8, nominal))
}

func TestWaitReturnsTheFirstSnapshotThatIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begun(t, 3)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := l.Wait(t.Context(), func(s *timeline.Snapshot) bool { return s.Position().N > 2 })
				if err != nil || s.Position().N <= 2 {
					t.Errorf("%+v, %v", s.Position(), err)
				}
			})
		}
		for n := range uint64(4) {
			publish(t, l, n)
			synctest.Wait()
		}
		wg.Wait()
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := begun(t, 3)
	s, err := l.Wait(ctx, func(*timeline.Snapshot) bool { return false })
	if !errors.Is(err, context.Canceled) || s != l.Load() {
		t.Errorf("%v, %v", s, err)
	}
}

func TestGridIsExact(t *testing.T) {
	for _, tt := range []struct {
		g     timeline.Grid
		t     int64
		scale uint32
		want  uint64
	}{
		{timeline.Grid{Num: 2, Den: 1}, 3999, 1000, 1},
		{timeline.Grid{Num: 2, Den: 1}, 4000, 1000, 2},
		{timeline.Grid{Num: 2002, Den: 1000}, 60059, 30000, 0},
		{timeline.Grid{Num: 2002, Den: 1000}, 60060, 30000, 1},
		{timeline.Grid{Num: 2, Den: 1}, 1795174260 * 90000, 90000, 897587130},
		{timeline.Grid{Num: 2, Den: 1}, -5, 1000, 0},
		{timeline.Grid{Num: 1, Den: 1 << 31}, math.MaxInt64, 1, 1<<63 - 1},
	} {
		if got := tt.g.Slot(tt.t, tt.scale); got != tt.want {
			t.Errorf("%v slot of %d/%d is %d, want %d", tt.g, tt.t, tt.scale, got, tt.want)
		}
	}
}

func FuzzGridStartIsTheFirstTickOfItsSlot(f *testing.F) {
	f.Add(uint64(2002), uint64(1000), uint64(896690439), uint32(30000))
	f.Fuzz(func(t *testing.T, num, den, n uint64, scale uint32) {
		g := timeline.Grid{Num: num % (1 << 20), Den: den % (1 << 20)}
		if g.Valid() != nil || scale == 0 {
			return
		}
		n %= 1 << 40
		start := g.Start(n, scale)
		if start == math.MaxInt64 || g.Num*uint64(scale) < g.Den { // less than a tick a slot
			return
		}
		if got := g.Slot(start, scale); got != n {
			t.Errorf("%+v: start %d of slot %d is in slot %d", g, start, n, got)
		}
		if got := g.Slot(start-1, scale); n > 0 && got != n-1 {
			t.Errorf("%+v: the tick before start %d of slot %d is in slot %d", g, start, n, got)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	for _, window := range []int{10, 100, 1800, 43200} {
		b.Run(fmt.Sprint(window), func(b *testing.B) {
			l := begun(b, window)
			for n := range uint64(window) {
				publish(b, l, n)
			}
			part := timeline.Part{Dur: 30, Size: 1}
			n, p := uint64(window), 0
			b.ReportAllocs()
			for b.Loop() {
				if p == 6 {
					must(b, l.Close(n, timeline.Full))
					n, p = n+1, 0
				} else {
					must(b, l.Append(n, p, part))
					p++
				}
			}
		})
	}
}

func BenchmarkWake10000(b *testing.B) {
	l := begun(b, 30)
	var ready, done sync.WaitGroup
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		s := l.Load()
		ready.Add(10_000)
		done.Add(10_000)
		for range 10_000 {
			go func() {
				ready.Done()
				<-s.Next()
				done.Done()
			}()
		}
		ready.Wait()
		publish(b, l, n)
		n++
		done.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/waiter")
}

package archive

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// What a document has listed a moment ago stays for the grace time even if there is no room: somebody may still have that document.
func TestWhatWasListedAMomentAgoStaysEvenIfThereIsNoRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		r.documents(0, "a", "b")
		k, _ := keeperOf(r.store, "c", Retain{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		time.Sleep(10 * time.Minute)
		r.documents(1770, "a", "b")
		dropped := time.Now()
		for time.Since(dropped) < 2*leastStay {
			k.MakeRoom()
			time.Sleep(time.Second)
			froms, _ := chunksIn(t, r.store, "c")
			if there := froms[0] == 0; !there && time.Since(dropped) < leastStay {
				t.Fatalf("after %v media that was listed is gone", time.Since(dropped))
			} else if there && time.Since(dropped) > leastStay+2*passSoon {
				t.Fatalf("after %v there is still no room", time.Since(dropped))
			}
		}
		cancel()
		wg.Wait()
	})
}

// Where others have filled the disk to the last byte, not even the head can be written that gives something up.
func TestAStoreThatIsFullToTheLastByteIsAnAlarm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var full atomic.Bool
		full.Store(true)
		store := &storagetest.Faulty{Store: hour(t).store, Plan: func(op storagetest.Op, _ string) (f storagetest.Fault) {
			if op == storagetest.Swap && full.Load() {
				f.Before = storage.ErrFull
			}
			return f
		}}
		k, log := keeperOf(store, "c", Retain{})
		k.cfg.Metrics = NewMetrics(prometheus.NewRegistry())
		gauge := k.cfg.Metrics.full.WithLabelValues("c", "disk")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		for range 100 {
			time.Sleep(time.Second)
			k.MakeRoom()
		}
		if got := testutil.ToFloat64(gauge); got != 1 || log.count("full to the last byte") != 1 {
			t.Errorf("full: %v; the log says %s", got, log.text.String())
		}
		full.Store(false)
		k.MakeRoom()
		time.Sleep(3 * passSoon)
		if got := testutil.ToFloat64(gauge); got != 0 {
			t.Errorf("full: %v although there is room; the log says %s", got, log.text.String())
		}
		if froms, _ := chunksIn(t, store, "c"); froms[0] == 0 {
			t.Error("nothing was given up when that could be written")
		}
		cancel()
		wg.Wait()
	})
}

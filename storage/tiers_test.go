package storage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/storagetest"
)

const segment = "demo/v/7.m4s"

func content(s string) storage.Blob {
	b := storage.Blob{Pieces: [][]byte{[]byte(s)}, ContentType: "video/mp4"}
	b.Digest = storage.Digest(b.Pieces)
	return b
}

// holding is a store with the content under the key segment, or an empty one.
func holding(t *testing.T, contents ...string) *storage.Memory {
	t.Helper()
	m := storage.NewMemory(0)
	for _, c := range contents {
		if err := m.Put(t.Context(), segment, content(c)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// far is a store behind which every Get takes a second and is counted.
func far(s storage.Store, gets *atomic.Int64, f storagetest.Fault) *storagetest.Faulty {
	return &storagetest.Faulty{Store: s, Plan: func(op storagetest.Op, _ string) storagetest.Fault {
		if op == storagetest.Get {
			gets.Add(1)
			return f
		}
		return storagetest.Fault{}
	}}
}

func TestTiersAskTheNearestFirst(t *testing.T) {
	down := errors.New("down")
	dead := func(t *testing.T) storage.Getter {
		return far(holding(t, "dead"), new(atomic.Int64), storagetest.Fault{Before: down})
	}
	for name, tt := range map[string]struct {
		tiers    []storage.Getter
		want     string
		err      error
		reported bool
	}{
		"all have it":                {tiers: []storage.Getter{holding(t, "near"), holding(t, "far")}, want: "near"},
		"only the last has it":       {tiers: []storage.Getter{holding(t), holding(t), holding(t, "far")}, want: "far"},
		"a dead one hides no other":  {tiers: []storage.Getter{holding(t), dead(t), holding(t, "far")}, want: "far", reported: true},
		"the first one is dead":      {tiers: []storage.Getter{dead(t), holding(t, "far")}, want: "far", reported: true},
		"none has it":                {tiers: []storage.Getter{holding(t), holding(t)}, err: storage.ErrNotFound},
		"a dead one may have had it": {tiers: []storage.Getter{holding(t), dead(t), holding(t)}, err: down},
		"there is one":               {tiers: []storage.Getter{holding(t, "near")}, want: "near"},
		"there is one, and it fails": {tiers: []storage.Getter{dead(t)}, err: down},
	} {
		t.Run(name, func(t *testing.T) {
			tiers := storage.NewTiers(tt.tiers...)
			var reported error
			tiers.Report = func(_ string, err error) { reported = err }
			b, err := tiers.Get(t.Context(), segment)
			if !errors.Is(err, tt.err) || tt.err == nil && !b.Equal(content(tt.want)) {
				t.Errorf("Get = %q, %v, want %q, %v", b.Pieces, err, tt.want, tt.err)
			}
			if tt.err == down && errors.Is(err, storage.ErrNotFound) {
				t.Errorf("Get = %v: nobody knows that it does not exist", err)
			}
			if (reported != nil) != tt.reported || reported != nil && !errors.Is(reported, down) {
				t.Errorf("reported is %v", reported)
			}
		})
	}
}

func TestTiersFetchOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gets atomic.Int64
		tiers := storage.NewTiers(holding(t), far(holding(t, "far"), &gets, storagetest.Fault{Delay: time.Second}))
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := tiers.Get(impatient, segment); !errors.Is(err, context.Canceled) {
				t.Errorf("who gives up gets %v", err)
			}
		})
		synctest.Wait() // that one has begun the fetch
		for range 10 {
			wg.Go(func() {
				if b, err := tiers.Get(t.Context(), segment); err != nil || !b.Equal(content("far")) {
					t.Errorf("Get = %q, %v", b.Pieces, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if n := gets.Load(); n != 1 {
			t.Errorf("the far tier was asked %d times", n)
		}
	})
}

func TestTiersKeepWhatWasUsedLast(t *testing.T) {
	var gets atomic.Int64
	bucket := storage.NewMemory(0)
	for key, size := range map[string]int{"a.m4s": 40, "b.m4s": 40, "c.m4s": 40, "huge.m4s": 101} {
		if err := bucket.Put(t.Context(), key, content(strings.Repeat(key[:1], size))); err != nil {
			t.Fatal(err)
		}
	}
	tiers := storage.NewTiers(storage.NewMemory(0), far(bucket, &gets, storagetest.Fault{}))
	tiers.Cache = 100
	for i, step := range []struct {
		key  string
		gets int64 // of the far tier, so far
	}{
		{"a.m4s", 1}, {"b.m4s", 2}, {"a.m4s", 2}, {"b.m4s", 2}, {"a.m4s", 2},
		{"c.m4s", 3}, {"a.m4s", 3}, // c takes b's place
		{"b.m4s", 4}, {"a.m4s", 4}, {"c.m4s", 5}, // b takes c's
		{"huge.m4s", 6}, {"huge.m4s", 7}, {"c.m4s", 7}, {"a.m4s", 7},
	} {
		b, err := tiers.Get(t.Context(), step.key)
		if err != nil || b.Pieces[0][0] != step.key[0] {
			t.Fatalf("step %d: Get %s = %.10q, %v", i, step.key, b.Pieces, err)
		}
		if n := gets.Load(); n != step.gets {
			t.Fatalf("step %d: after Get %s the far tier was asked %d times, want %d", i, step.key, n, step.gets)
		}
	}
}

func TestTiersKeepNothingUnlessToldSo(t *testing.T) {
	var gets atomic.Int64
	tiers := storage.NewTiers(holding(t), far(holding(t, "far"), &gets, storagetest.Fault{}))
	for range 2 {
		if _, err := tiers.Get(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
	}
	if n := gets.Load(); n != 2 {
		t.Errorf("the far tier was asked %d times, want 2", n)
	}
}

// onDisk is a disk that holds the segment with one byte flipped.
func onDisk(t *testing.T, good string) (d *disk.Disk, dir string) {
	t.Helper()
	dir = t.TempDir()
	d, err := disk.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Put(t.Context(), segment, content(good)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, segment)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body[0] ^= 1
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	return d, dir
}

func TestACorruptFileIsQuarantinedAndReplacedFromTheBucket(t *testing.T) {
	d, dir := onDisk(t, "good")
	tiers := storage.NewTiers(storage.NewMemory(0), d, holding(t, "good"))
	tiers.Want = func(string) string { return content("good").Digest }
	var reports []error
	tiers.Report = func(_ string, err error) { reports = append(reports, err) }
	for range 2 {
		if b, err := tiers.Get(t.Context(), segment); err != nil || !b.Equal(content("good")) {
			t.Errorf("Get = %q, %v", b.Pieces, err)
		}
	}
	if len(reports) != 1 || !errors.Is(reports[0], storage.ErrCorrupt) {
		t.Errorf("reported is %v, want one ErrCorrupt", reports)
	}
	if b, err := d.Get(t.Context(), segment); err != nil || !b.Equal(content("good")) {
		t.Errorf("on disk there is %q, %v", b.Pieces, err)
	}
	if body, err := os.ReadFile(filepath.Join(dir, ".quarantine", segment)); err != nil || string(body) != "food" {
		t.Errorf("in quarantine there is %q, %v", body, err)
	}
}

func TestACorruptFileThatIsNowhereElseIsNotServed(t *testing.T) {
	d, _ := onDisk(t, "good")
	tiers := storage.NewTiers(d, storage.NewMemory(0))
	tiers.Want = func(string) string { return content("good").Digest[:8] }
	var errs []error
	for range 2 {
		_, err := tiers.Get(t.Context(), segment)
		errs = append(errs, err)
	}
	if !errors.Is(errs[0], storage.ErrCorrupt) || !errors.Is(errs[1], storage.ErrNotFound) {
		t.Errorf("got %v, want ErrCorrupt, then ErrNotFound", errs)
	}
}

func TestWhatIsNotKnownIsNotChecked(t *testing.T) {
	d, _ := onDisk(t, "good")
	tiers := storage.NewTiers(d, holding(t, "good"))
	tiers.Want = func(string) string { return "" }
	if b, err := tiers.Get(t.Context(), segment); err != nil || !slices.Equal(b.Pieces[0], []byte("food")) {
		t.Errorf("Get = %q, %v", b.Pieces, err)
	}
}

func TestADiskThatCannotBeMendedDoesNotHideTheBucket(t *testing.T) {
	d, _ := onDisk(t, "good")
	lost := errors.New("read-only")
	bucket := holding(t, "good")
	tiers := storage.NewTiers(stubborn{d, lost}, bucket)
	tiers.Want = func(string) string { return content("good").Digest }
	var reported error
	tiers.Report = func(_ string, err error) { reported = err }
	if b, err := tiers.Get(t.Context(), segment); err != nil || !b.Equal(content("good")) {
		t.Errorf("Get = %q, %v", b.Pieces, err)
	}
	if !errors.Is(reported, storage.ErrCorrupt) || !errors.Is(reported, lost) || errors.Is(reported, storage.ErrConflict) {
		t.Errorf("reported is %v", reported)
	}
}

// stubborn is a disk from which nothing can be moved.
type stubborn struct {
	*disk.Disk
	err error
}

func (s stubborn) Quarantine(string) error { return s.err }

package channel

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// recordOf puts a record of so many slots of one track, and nothing else, into a store.
func recordOf(t *testing.T, slots int) storage.Durable {
	const first, chunk = 897_620_480, 256 // a multiple of the other
	store := storage.NewMemory(0)
	save := func(name string, book any) {
		body, err := json.Marshal(book)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Swap(t.Context(), manifest.PrivateKey("demo", name), storage.Blob{Pieces: [][]byte{body}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	init := &media.Init{Kind: media.Video, Codec: "avc1.64001f", Timescale: 1000, Width: 640, Height: 360, Digest: "0123abcd"}
	save("record.json", archive.Head{
		Format: 1, Plan: segmenter.Plan{Grid: timeline.Grid{Num: 2, Den: 1}, TargetDuration: 2, PartTarget: 334 * time.Millisecond, Window: slots},
		Tracks: []archive.Track{{
			Track: media.Track{Name: "v", Kind: media.Video}, Begin: first, Epochs: []timeline.Epoch{{First: first, Init: init, Frame: 40}},
		}},
	})
	for from := uint64(first); from < first+uint64(slots); from += chunk {
		c := archive.Chunk{From: from, Tracks: map[string][]archive.Entry{}}
		for n := from; n < from+chunk; n++ {
			seg := timeline.Segment{N: n, State: timeline.Full, Start: int64(n) * 2000, Dur: 2000, Size: 1000}
			c.Tracks["v"] = append(c.Tracks["v"], archive.Entry{Segment: seg, Digest: "0123456789abcdef"})
		}
		save(fmt.Sprintf("record-%d.json", from), c)
	}
	return store
}

// recallSlowly is what a start learns of a day of one track when every read of the store takes so long, and how long it takes.
func recallSlowly(t *testing.T, each time.Duration) (past *segmenter.Past, took time.Duration, err error) {
	synctest.Test(t, func(t *testing.T) {
		slow := &storagetest.Faulty{Store: recordOf(t, 168*256), Plan: func(storagetest.Op, string) storagetest.Fault {
			return storagetest.Fault{Delay: each}
		}}
		cfg := segmenter.DefaultConfig()
		cfg.DVR = 24 * time.Hour
		c, newErr := New(Config{Name: "demo", Segmenter: cfg, Memory: storage.NewMemory(0), S3: slow, Logger: slog.New(slog.DiscardHandler)})
		if newErr != nil {
			t.Fatal(newErr)
		}
		began := time.Now()
		past, err = c.recallFrom(t.Context(), c.keeps[0])
		took = time.Since(began)
	})
	return past, took, err
}

func TestAStartListensToAStoreThatAnswersSlowly(t *testing.T) {
	past, took, err := recallSlowly(t, time.Second)
	if err != nil || past == nil || len(past.Renditions) != 1 || len(past.Renditions[0].Segments) != 168*256 {
		t.Fatalf("after %v: %v, %v", took, past, err)
	}
	if took <= recallPatience {
		t.Errorf("only %v: not slow enough to tell", took)
	}
}

func TestAStartDoesNotWaitForAStoreThatDoesNotAnswer(t *testing.T) {
	if past, took, err := recallSlowly(t, time.Hour); err == nil || took > recallPatience {
		t.Errorf("%v after %v, %v", past, took, err)
	}
}

// Without a store that others use, there is nobody to wait for.
func TestOnlyASharedStoreIsAWitness(t *testing.T) {
	for _, shared := range []bool{false, true} {
		cfg := Config{Name: "demo", Segmenter: segmenter.DefaultConfig(), Memory: storage.NewMemory(0), Disk: storage.NewMemory(0), Logger: slog.New(slog.DiscardHandler)}
		if shared {
			cfg.S3 = storage.NewMemory(0)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, witness := c.others().(segmenter.Witness); witness != shared {
			t.Errorf("shared %v: a witness %v", shared, witness)
		}
	}
}

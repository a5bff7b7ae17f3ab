package channel

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/tape"
)

var update = flag.Bool("update", false, "write the goldens anew")

// What publishers of others sent, by "moqpack record", makes the same segments as ever. A recording of whatever did not work belongs
// beside them.
func TestRecordings(t *testing.T) {
	all, err := filepath.Glob("../../testdata/tape/*.jsonl.gz")
	if err != nil || len(all) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, path := range all {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, golden := played(t, path), strings.TrimSuffix(path, ".jsonl.gz")+".golden"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if diff := cmp.Diff(string(want), got); diff != "" || err != nil {
					t.Errorf("%v -want +got:\n%s", err, diff)
				}
			})
		})
	}
}

// played is what a recording becomes: its tracks, and their segments with what is in them.
func played(t *testing.T, path string) string {
	t.Helper()
	r, err := tape.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := subscriber.DefaultConfig()
	cfg.Namespace, cfg.Replay, cfg.Channel = r.Namespace, path, "tape"
	time.Sleep(time.Until(r.Began)) // its times are those of that day
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	src, err := subscriber.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemory(64 << 20)
	c, err := New(Config{Name: "tape", Source: src, Segmenter: segmenter.DefaultConfig(), Memory: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- c.Run(t.Context()) }()
	time.Sleep(30 * time.Second)
	p := packager{Channel: c, store: store}
	media := p.media(t)
	if err := <-ran; err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for _, r := range c.Output().Renditions {
		s := r.Timeline.Load()
		fmt.Fprintf(&b, "%s: %s, by arrival: %v, ended: %v\n", r.Track.Name, s.Current().Init.Codec, s.Current().Arrival, s.Ended)
		for i := range s.Segments {
			g := &s.Segments[i]
			fmt.Fprintf(&b, "  %d %v start %d dur %d\n", i, map[timeline.State]string{timeline.Full: "full", timeline.Gap: "gap"}[g.State], g.Start, g.Dur)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(media)) {
		if strings.Count(filepath.Base(key), ".") > 1 {
			continue // a part: the segment has it
		}
		fmt.Fprintf(&b, "%s %x\n", key, sha256.Sum256([]byte(media[key])))
	}
	return b.String()
}

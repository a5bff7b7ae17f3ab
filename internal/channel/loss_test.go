package channel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
)

// hoard is a packager with a real disk, and the oldest video segment that is on it and no longer in memory.
type hoard struct {
	*packager
	t    *testing.T
	dir  string
	name manifest.Name
	key  string
}

// damage overwrites the middle of the segment's file.
func (h *hoard) damage() {
	h.t.Helper()
	path := filepath.Join(h.dir, filepath.FromSlash(h.key))
	body, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	copy(body[len(body)/2:], "damage")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// gapIn is how a playlist lists the segment, or fails to: 1 as a gap, 0 as media, -1 not at all.
func gapIn(body string, n uint64) int {
	lines := strings.Split(body, "\n")
	at := slices.Index(lines, fmt.Sprintf("%d.m4s", n))
	if at < 0 {
		return -1
	}
	for ; at > 0 && !strings.HasPrefix(lines[at], "#EXTINF"); at-- {
		if lines[at] == "#EXT-X-GAP" {
			return 1
		}
	}
	if at > 0 && lines[at-1] == "#EXT-X-GAP" {
		return 1
	}
	return 0
}

// documents are the playlists of the origin that list the segment, and those of the stores. An MPD has a gap among its numbers, and
// jumps over what it gets no media for.
func (h *hoard) documents(stores map[string]storage.Store) map[string]string {
	h.t.Helper()
	docs := map[string]string{}
	add := func(what string, d manifest.Document, err error) {
		if err != nil {
			h.t.Errorf("%s: %v", what, err)
		}
		docs[what] = string(d.Body)
	}
	p := manifest.Present("demo", h.Output(), h.From())
	d, err := hls.Media(p, h.name.Track, hls.Options{})
	add("index.m3u8", d, err)
	d, err = legacy.Media(p, h.name.Track)
	add("legacy.m3u8", d, err)
	for on, s := range stores {
		docs[on+"/legacy.m3u8"] = text(h.t, s, manifest.Name{Kind: manifest.LegacyPlaylist, Channel: "demo", Track: h.name.Track}.Key())
	}
	return docs
}

// lists fails the test unless every document lists the segment as a gap, or as media.
func (h *hoard) lists(stores map[string]storage.Store, gap int) {
	h.t.Helper()
	for what, body := range h.documents(stores) {
		if got := gapIn(body, h.name.N); got != gap {
			h.t.Errorf("%s lists segment %d as %d, want %d:\n%s", what, h.name.N, got, gap, body)
		}
	}
}

// hoarding starts a packager that has been live for a while, with what change adds to its disk.
func (w *world) hoarding(t *testing.T, p *sim.Publisher, dir string, change func(*Config)) *hoard {
	d, err := disk.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	pack := w.joinWith(p, "18", func(c *Config) {
		c.Segmenter.Window, c.Segmenter.DVR, c.Disk = 3, 2*time.Minute, d
		change(c)
	})
	w.g.Go(func() error {
		<-pack.dead
		return d.Close()
	})
	time.Sleep(40 * time.Second)
	h := &hoard{packager: pack, t: t, dir: dir}
	for _, r := range pack.Output().Renditions {
		if s := r.Timeline.Load(); r.Track.Width > 0 && h.key == "" {
			h.name = manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: s.Segments[2].N}
			h.key = h.name.Key()
		}
	}
	if _, err := pack.memory.Get(t.Context(), h.key); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("%s is in memory still: %v", h.key, err)
	}
	return h
}

func TestASegmentThatADiskHasDamagedIsAGapFromThenOn(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		h := w.hoarding(w.t, pub, dir, func(*Config) {})
		stores := map[string]storage.Store{"disk": h.keeps[0].store}
		h.lists(stores, 0)
		h.damage()
		if _, err := h.Store().Get(w.t.Context(), h.key); !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("a damaged segment: %v", err)
		}
		time.Sleep(4 * time.Second)
		h.lists(stores, 1)
		if n := counter(h.Status(), "segments lost on disk"); n != 1 {
			t.Errorf("%d segments are counted as lost", n)
		}
		if n := len(h.log.lines("level=ERROR", "is in no store any more")); n != 1 {
			t.Errorf("the log tells of it %d times", n)
		}
		h.gettable(w.t)
		h.kill()
		<-h.dead
		time.Sleep(time.Second)
		again := w.hoarding(w.t, pub, dir, func(*Config) {})
		again.name, again.key = h.name, h.key
		again.lists(map[string]storage.Store{"disk": again.keeps[0].store}, 1)
	})
}

func TestASegmentThatADiskHasDamagedIsFetchedFromTheBucket(t *testing.T) {
	dir, bucket := t.TempDir(), storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		h := w.hoarding(w.t, w.publish(sim.Faults{}, nil), dir, func(c *Config) { c.S3 = bucket })
		stores := map[string]storage.Store{"disk": h.keeps[0].store, "bucket": bucket}
		before := text(t, h.keeps[0].store, h.key)
		h.damage()
		if b, err := h.Store().Get(w.t.Context(), h.key); err != nil || string(slices.Concat(b.Pieces...)) != before {
			t.Errorf("a damaged segment that is in the bucket: %v", err)
		}
		time.Sleep(4 * time.Second)
		h.lists(stores, 0)
		if after := text(t, h.keeps[0].store, h.key); after != before {
			t.Errorf("the disk has not got it back: %.40q", after)
		}
		if n := counter(h.Status(), "segments lost on disk"); n != 0 {
			t.Errorf("%d segments are counted as lost", n)
		}
	})
}

func TestASegmentThatDiskAndBucketHaveLostIsAGap(t *testing.T) {
	dir, bucket := t.TempDir(), storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		h := w.hoarding(w.t, pub, dir, func(c *Config) { c.S3 = bucket })
		other := w.joinWith(pub, "18", func(c *Config) {
			c.Segmenter.Window, c.Segmenter.DVR, c.S3 = 3, 2*time.Minute, bucket
		})
		time.Sleep(5 * time.Second)
		for _, k := range h.keeps {
			if err := k.store.Delete(w.t.Context(), h.key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Store().Get(w.t.Context(), h.key); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("a segment that was deleted: %v", err)
		}
		// The other instance writes the same documents, and hears of it.
		for range 40 {
			time.Sleep(time.Second)
			h.lists(map[string]storage.Store{"disk": h.keeps[0].store, "bucket": bucket}, 1)
		}
		if n := len(other.log.lines("level=ERROR")); n != 0 {
			t.Errorf("the other instance: %v", other.log.lines("level=ERROR"))
		}
	})
}

func TestASegmentOfARecordingMayBeLostToo(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		h := w.hoarding(w.t, pub, dir, func(*Config) {})
		if err := pub.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		stores := map[string]storage.Store{"disk": h.keeps[0].store}
		for what, body := range h.documents(stores) {
			if !strings.Contains(body, "#EXT-X-ENDLIST") {
				t.Fatalf("%s has not ended:\n%s", what, body)
			}
		}
		h.damage()
		if _, err := h.Store().Get(w.t.Context(), h.key); !errors.Is(err, storage.ErrCorrupt) {
			t.Fatalf("a damaged segment: %v", err)
		}
		time.Sleep(4 * time.Second)
		h.lists(stores, 1)
	})
}

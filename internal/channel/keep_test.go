package channel

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// rewinding is a configuration with a short live window and 30 s to go back.
func rewinding(c *Config) {
	c.Segmenter.Window, c.Segmenter.DVR = 3, 30*time.Second
}

// gettable fails the test if a segment or init that the packager's documents list cannot be had. It returns how many segments
// they list.
func (p *packager) gettable(t *testing.T) (listed int) {
	t.Helper()
	present := manifest.Present("demo", p.Output(), p.From())
	for i := range present.Renditions {
		r := &present.Renditions[i]
		for _, s := range present.Listed(r) {
			if s.State != timeline.Full {
				continue
			}
			listed++
			name := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: s.N}
			if _, err := p.Store().Get(t.Context(), name.Key()); err != nil {
				t.Errorf("listed, but: %v", err)
			}
			init := manifest.Name{Kind: manifest.Init, Channel: "demo", Track: r.Track.Name, Digest: r.Epoch(s.Epoch).Init.Digest}
			if _, err := p.Store().Get(t.Context(), init.Key()); err != nil {
				t.Errorf("listed, but: %v", err)
			}
		}
	}
	return listed
}

func TestLineRewindsBeyondMemory(t *testing.T) {
	disk := storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		p := w.joinWith(w.publish(sim.Faults{}, nil), "18", func(c *Config) {
			rewinding(c)
			c.Disk = disk
		})
		time.Sleep(40 * time.Second)
		if n := p.gettable(w.t); n != 5*15 {
			t.Errorf("%d segments are listed, want 15 of each of 5 tracks", n)
		}
		held := 0
		for key := range p.media(t) {
			if name, err := manifest.Parse(key); err == nil && name.Kind == manifest.Segment {
				held++
			}
		}
		if held > 5*9 {
			t.Errorf("memory holds %d segments, want no more than 9 of each track", held)
		}
	})
}

func TestLineListsOnlyWhatIsSomewhere(t *testing.T) {
	down := errors.New("no route to the store")
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		var out time.Time // the store is away until then
		p := w.joinWith(w.publish(sim.Faults{}, nil), "18", func(c *Config) {
			rewinding(c)
			out = time.Now().Add(45 * time.Second)
			c.Disk = &storagetest.Faulty{Store: storage.NewMemory(0), Plan: func(storagetest.Op, string) storagetest.Fault {
				if time.Now().Before(out) {
					return storagetest.Fault{Before: down}
				}
				return storagetest.Fault{}
			}}
		})
		time.Sleep(recallPatience) // it begins then, without a past
		for range 10 {
			time.Sleep(10 * time.Second)
			if n := p.gettable(w.t); n < 5*3 {
				t.Errorf("%d segments are listed, want the live window at least", n)
			}
		}
		for name, s := range p.snapshots(t) {
			for _, seg := range s.Segments {
				if seg.State != timeline.Full {
					t.Errorf("%s: segment %d: the live line minds that the store is away", name, seg.N)
				}
			}
		}
		if n := p.gettable(w.t); n != 5*15 {
			t.Errorf("%d segments are listed after the store came back, want 15 of each of 5 tracks", n)
		}
	})
}

func TestLineRecordsTheSameThatItServes(t *testing.T) {
	bucket := storage.NewMemory(0)
	cfg := segmenter.DefaultConfig()
	cfg.Window = 4
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 4}, func(w *world) {
		p := w.joinWith(w.publish(sim.Faults{}, nil), "18", func(c *Config) { c.Segmenter, c.S3, c.Disk = cfg, bucket, storage.NewMemory(0) })
		time.Sleep(20 * time.Second)
		seen := map[string]bool{}
		for range 40 { // until no segment is on its way
			time.Sleep(100 * time.Millisecond)
			present := manifest.Present("demo", p.Output(), p.From())
			for i := range present.Renditions {
				r := &present.Renditions[i]
				doc, err := legacy.Media(present, r.Track.Name)
				key := manifest.Name{Kind: manifest.LegacyPlaylist, Channel: "demo", Track: r.Track.Name}.Key()
				seen[key] = seen[key] || err == nil && string(doc.Body) == text(t, bucket, key)
			}
			multivariant, err := legacy.Multivariant(present)
			seen["m3u8"] = seen["m3u8"] || err == nil && string(multivariant.Body) == text(t, bucket, "demo/legacy.m3u8")
			mpd, err := dash.Legacy(present)
			seen["mpd"] = seen["mpd"] || err == nil && string(mpd.Body) == text(t, bucket, "demo/legacy.mpd")
		}
		for key, same := range seen {
			if !same {
				t.Errorf("%s: the bucket never says what the origin says:\n%s", key, text(t, bucket, key))
			}
		}
		for key, body := range p.media(t) {
			name, err := manifest.Parse(key)
			if err != nil || name.Kind == manifest.Part {
				continue
			}
			if b, err := bucket.Get(t.Context(), key); err == nil && string(slices.Concat(b.Pieces...)) != body {
				t.Errorf("%s: other bytes in the bucket", key)
			}
		}
		for key, err := range bucket.List(t.Context(), "") {
			if name, perr := manifest.Parse(key); err != nil || perr == nil && name.Kind == manifest.Part {
				t.Errorf("%s is in the bucket, %v", key, err)
			}
		}
	})
}

// text is the document under key, or what went wrong.
func text(t *testing.T, s storage.Store, key string) string {
	t.Helper()
	b, err := s.Get(t.Context(), key)
	if err != nil {
		return err.Error()
	}
	return string(slices.Concat(b.Pieces...))
}

func TestLineSendsViewersToAnInstanceThatHasMore(t *testing.T) {
	bucket := storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		share := func(c *Config) { c.S3, c.Disk, c.Stale = bucket, storage.NewMemory(0), 6*time.Second }
		a, b := w.joinWith(pub, "18", share), w.joinWith(pub, "18", share)
		time.Sleep(20 * time.Second)
		if a.Doubt() != "" || b.Doubt() != "" {
			t.Fatalf("doubt %q and %q although both are live", a.Doubt(), b.Doubt())
		}
		a.ears.close()
		time.Sleep(15 * time.Second)
		if a.Doubt() != "stale" || b.Doubt() != "" {
			t.Errorf("doubt %q and %q, want the first to send viewers to the second", a.Doubt(), b.Doubt())
		}
		if len(a.log.lines("doubt changed", "stale")) != 1 {
			t.Errorf("the log tells of doubt %d times", len(a.log.lines("doubt changed")))
		}
		pub.Kill()
		time.Sleep(30 * time.Second)
		if b.Doubt() != "" {
			t.Errorf("doubt %q although nobody has more", b.Doubt())
		}
	})
}

func TestLineGoesOnAfterARestart(t *testing.T) {
	for _, on := range []string{"disk", "s3", "disk and s3"} {
		disk, bucket := storage.NewMemory(0), storage.NewMemory(0)
		inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
			pub := w.publish(sim.Faults{}, nil)
			start := func() *packager {
				return w.joinWith(pub, "18", func(c *Config) {
					c.Segmenter.Window, c.Segmenter.DVR = 3, time.Minute
					if strings.Contains(on, "disk") {
						c.Disk = disk
					}
					if strings.Contains(on, "s3") {
						c.S3 = bucket
					}
				})
			}
			first := start()
			time.Sleep(17 * time.Second)
			before := first.snapshots(w.t)
			first.kill()
			<-first.dead
			time.Sleep(7 * time.Second)
			second := start()
			time.Sleep(10 * time.Second)
			for name, s := range second.snapshots(w.t) {
				was := before[name]
				oldest, _ := s.First()
				if from, _ := was.First(); oldest != from {
					t.Errorf("%s begins at %d, before the restart at %d", name, oldest, from)
				}
				for i, seg := range s.Segments {
					old := was.Segment(seg.N)
					switch {
					case seg.N != oldest+uint64(i):
						t.Fatalf("%s: %d follows %d", name, seg.N, s.Segments[i-1].N)
					case old != nil && old.State == timeline.Full && (seg.State != timeline.Full || seg.Start != old.Start || seg.Dur != old.Dur):
						t.Errorf("%s: %d was %+v and is %+v", name, seg.N, old, seg)
					}
				}
				if n := len(s.Epochs); n != 1 {
					t.Errorf("%s: %d epochs, want no discontinuity", name, n)
				}
				if last := s.Segments[len(s.Segments)-1]; last.N < was.Position().N+7 || last.State != timeline.Full {
					t.Errorf("%s: the last segment is %d, %v", name, last.N, last.State)
				}
			}
			second.gettable(w.t)
		})
	}
}

func TestAChannelDoesNotGoOnWithOtherSegments(t *testing.T) {
	disk := storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		first := w.joinWith(pub, "18", func(c *Config) { c.Disk = disk })
		time.Sleep(10 * time.Second)
		first.kill()
		<-first.dead
		second, err := New(Config{
			Name: "demo", Source: first.source, Memory: storage.NewMemory(0), Disk: disk, Logger: first.Channel.log,
			Segmenter: func() segmenter.Config {
				c := segmenter.DefaultConfig()
				c.Target = 4 * time.Second
				return c
			}(),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := second.Run(w.ctx); !errors.Is(err, segmenter.ErrPast) {
			t.Errorf("segments of 4 s after segments of 2 s: %v", err)
		}
		if s := second.Status(); s.State != "failed" || s.Error == "" {
			t.Errorf("status %+v", s)
		}
	})
}

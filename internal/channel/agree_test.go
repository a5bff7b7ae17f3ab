package channel

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// edition is one playlist as it was when its rendition was at a position.
type edition struct {
	track string
	at    timeline.Position
}

// collect renders the playlists of every rendition at each position that it passes through. What it returns ends that.
func (w *world) collect(p *packager) (finish func() map[edition]string) {
	ctx, stop := context.WithCancel(w.ctx)
	g, ctx := errgroup.WithContext(ctx)
	out := p.Output()
	if out == nil {
		w.t.Fatalf("nothing was published: %q", p.log.lines("level="))
	}
	var mu sync.Mutex
	seen := map[edition]string{}
	for _, r := range out.Renditions {
		g.Go(func() error {
			for s := r.Timeline.Load(); ; {
				present := manifest.Present("demo", out, 0)
				doc, err := hls.Media(present, r.Track.Name, hls.Options{})
				if err != nil {
					return err
				}
				mu.Lock()
				seen[edition{r.Track.Name, present.Rendition(r.Track.Name).Position()}] = string(doc.Body)
				mu.Unlock()
				select {
				case <-s.Next():
					s = r.Timeline.Load()
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	return func() map[edition]string {
		stop()
		if err := g.Wait(); err != nil {
			w.t.Error(err)
		}
		return seen
	}
}

// sameDocuments fails unless both editions are equal where they are of the same position, and there are enough of those.
func sameDocuments(t *testing.T, a, b map[edition]string, atLeast int) {
	t.Helper()
	shared := 0
	for at, body := range a {
		other, ok := b[at]
		if !ok {
			continue
		}
		if shared++; body != other {
			t.Errorf("%+v: two playlists:\n%s\n%s", at, body, other)
		}
	}
	if shared < atLeast {
		t.Errorf("only %d playlists to compare", shared)
	}
}

// sameManifests fails unless both write the same documents of the whole channel.
func sameManifests(t *testing.T, a, b *packager) {
	t.Helper()
	pa, pb := manifest.Present("demo", a.Output(), 0), manifest.Present("demo", b.Output(), 0)
	for name, render := range map[string]func(manifest.Presentation) (manifest.Document, error){
		"index.m3u8": hls.Multivariant, "legacy.m3u8": legacy.Multivariant, "index.mpd": dash.Live, "legacy.mpd": dash.Legacy,
	} {
		da, err := render(pa)
		if err != nil {
			t.Fatal(err)
		}
		db, err := render(pb)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(da.Body), string(db.Body)); diff != "" {
			t.Errorf("%s differs: %s", name, diff)
		}
	}
}

// sharing is a configuration with a short window and a store that other instances share.
func sharing(s storage.Durable) func(*Config) {
	return func(c *Config) { c.Segmenter.Window, c.S3 = 3, s }
}

func TestLineInstancesRenderIdenticalDocuments(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 3}, func(w *world) {
		pub, shared := w.publish(sim.Faults{}, nil), storage.NewMemory(256<<20)
		a := w.joinWith(pub, "18", sharing(shared))
		time.Sleep(3300 * time.Millisecond)
		b := w.joinWith(pub, "19", sharing(shared))
		time.Sleep(10 * time.Second) // both windows are full
		ofA, ofB := w.collect(a), w.collect(b)
		time.Sleep(8 * time.Second)
		sameDocuments(t, ofA(), ofB(), 5*4*6)
		sameManifests(t, a, b)
	})
}

// Three instances: one that was there from the start, one that joined before the publisher came back with other media, and one
// that joined after.
func TestLineInstancesAreOneAroundARestartOfThePublisher(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second func(*live.Broadcast)
		epoch  int // that all are in afterwards
	}{
		{"with another time base", func(b *live.Broadcast) { b.Epoch = b.Epoch.Add(-500 * time.Second) }, 1},
		{"with other headers", func(b *live.Broadcast) { b.Tracks[0].Clip, b.Tracks[1].Clip = b.Tracks[1].Clip, b.Tracks[0].Clip }, 1},
		{"as it was", func(*live.Broadcast) {}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 8}, func(w *world) {
				shared := storage.NewMemory(512 << 20)
				began := time.Now().Add(-48 * time.Hour) // no Unix time
				pub := w.publish(sim.Faults{NoFetch: true, GroupHead: true}, func(b *live.Broadcast) { b.Epoch = began })
				a := w.joinWith(pub, "18", sharing(shared))
				time.Sleep(3300 * time.Millisecond)
				b := w.joinWith(pub, "19", sharing(shared))
				time.Sleep(8 * time.Second)
				pub.Kill()
				time.Sleep(3 * time.Second)
				pub = w.publish(sim.Faults{NoFetch: true, GroupHead: true}, func(b *live.Broadcast) {
					b.Epoch = began
					tt.second(b)
				})
				time.Sleep(9 * time.Second)
				c := w.joinWith(pub, "16", sharing(shared))
				time.Sleep(20 * time.Second)
				ofA, ofB, ofC := w.collect(a), w.collect(b), w.collect(c)
				time.Sleep(8 * time.Second)
				fromA := ofA()
				sameDocuments(t, fromA, ofB(), 5*3*6)
				sameDocuments(t, fromA, ofC(), 5*3*6)
				sameManifests(t, a, b)
				sameManifests(t, a, c)
				sameMedia(t, a.media(t), b.media(t), 5*6*6)
				sameMedia(t, a.media(t), c.media(t), 5*6*6)
				for _, p := range []*packager{a, b, c} {
					for name, s := range p.snapshots(t) {
						if got := s.Current().Index; got != tt.epoch {
							t.Errorf("%s is in epoch %d, want %d", name, got, tt.epoch)
						}
					}
					if lines := p.log.lines("agree"); len(lines) > 0 {
						t.Errorf("log: %q", lines)
					}
				}
			})
		})
	}
}

package channel

import (
	"context"
	"regexp"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
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

// common leaves out what instances may say differently: in the LL-DASH MPD, since when it has been what it is, which is when
// the instance joined.
func common(document string) string {
	return regexp.MustCompile(` publishTime="[^"]*"`).ReplaceAllString(document, "")
}

func TestLineInstancesRenderIdenticalDocuments(t *testing.T) {
	cfg := segmenter.DefaultConfig()
	cfg.Window = 3
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 3}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		a := w.joinAs(pub, "18", cfg)
		time.Sleep(3300 * time.Millisecond)
		b := w.joinAs(pub, "19", cfg)
		time.Sleep(10 * time.Second) // both windows are full
		ofA, ofB := w.collect(a), w.collect(b)
		time.Sleep(8 * time.Second)
		shared, others := 0, ofB()
		for at, body := range ofA() {
			other, ok := others[at]
			if !ok {
				continue
			}
			shared++
			if common(body) != common(other) {
				t.Errorf("%+v: two playlists:\n%s\n%s", at, body, other)
			}
		}
		if shared < 5*4*6 {
			t.Errorf("only %d playlists to compare", shared)
		}
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
			if common(string(da.Body)) != common(string(db.Body)) {
				t.Errorf("%s differs:\n%s\n%s", name, da.Body, db.Body)
			}
		}
	})
}

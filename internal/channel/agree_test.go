package channel

import (
	"regexp"
	"testing"
	"time"

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

// collect renders the playlists of every rendition at each position that it passes through, until the world ends.
func (w *world) collect(p *packager, into map[edition]string) {
	type version struct {
		edition
		body string
	}
	versions := make(chan version)
	out := p.Output()
	for _, r := range out.Renditions {
		w.g.Go(func() error {
			for s := r.Timeline.Load(); ; {
				present := manifest.Present("demo", out)
				if mine := present.Rendition(r.Track.Name); mine != nil {
					doc, err := hls.Media(present, r.Track.Name, hls.Options{})
					if err != nil {
						return err
					}
					select {
					case versions <- version{edition{r.Track.Name, mine.Position()}, string(doc.Body)}:
					case <-w.ctx.Done():
						return nil
					}
				}
				select {
				case <-s.Next():
					s = r.Timeline.Load()
				case <-w.ctx.Done():
					return nil
				}
			}
		})
	}
	w.g.Go(func() error {
		for {
			select {
			case v := <-versions:
				into[v.edition] = v.body
			case <-w.ctx.Done():
				return nil
			}
		}
	})
}

// common leaves out what instances may say differently. In a playlist: how far the other renditions are, of which an instance
// may hear a moment before or after its own. In the LL-DASH MPD: since when it has been what it is, which is when the instance
// joined.
func common(document string) string {
	return regexp.MustCompile(`(?m)^#EXT-X-RENDITION-REPORT:.*\n| publishTime="[^"]*"`).ReplaceAllString(document, "")
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
		var seen [2]map[edition]string
		for i, p := range []*packager{a, b} {
			seen[i] = map[edition]string{}
			w.collect(p, seen[i])
		}
		time.Sleep(8 * time.Second)
		shared := 0
		for at, body := range seen[0] {
			other, ok := seen[1][at]
			if !ok {
				continue
			}
			shared++
			if common(body) != common(other) {
				t.Errorf("%+v: two playlists:\n%s\n%s", at, body, other)
			}
		}
		if shared < 5*4*7 {
			t.Errorf("only %d playlists to compare", shared)
		}
		pa, pb := manifest.Present("demo", a.Output()), manifest.Present("demo", b.Output())
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

package channel

import (
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestLineIsTheSameOverEveryProtocol(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 10, Seed: 3}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		var all []*packager
		for _, draft := range []string{"18", "lite-05", "lite-04", "lite-03"} {
			all = append(all, w.join(pub, draft))
			time.Sleep(1700 * time.Millisecond)
		}
		time.Sleep(14 * time.Second)
		for _, p := range all[1:] {
			sameMedia(t, all[0].media(t), p.media(t), 5*6*6)
			full(t, p)
		}
	})
}

// full fails unless every segment is.
func full(t *testing.T, p *packager) {
	t.Helper()
	for name, s := range p.snapshots(t) {
		for _, g := range s.Segments {
			if g.State != timeline.Full {
				t.Errorf("%s: segment %d is not full", name, g.N)
			}
		}
	}
}

func TestLineRepairsAnInterruptionOverMoqLite(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		p := w.join(pub, "lite-05")
		time.Sleep(10 * time.Second)
		before := map[string]timeline.Position{}
		for name, s := range p.snapshots(t) {
			before[name] = s.Position()
		}
		pub.Kill()
		time.Sleep(7 * time.Second)
		w.publish(sim.Faults{}, nil)
		time.Sleep(20 * time.Second)
		full(t, p)
		for name, s := range p.snapshots(t) {
			if at := s.Position().N; at < before[name].N+10 {
				t.Errorf("%s: at segment %d, 27 s after %d", name, at, before[name].N)
			}
		}
	})
}

func TestLineCarriesBareFramesOverMoqLite(t *testing.T) {
	for name, tt := range map[string]struct {
		draft   string
		packing live.Packing
	}{
		"LOC with the transport's timestamps": {"lite-05", live.Packing{As: media.LOC}},
		"LOC with timestamps in two places":   {"lite-05", live.Packing{As: media.LOC, Bare: live.Bare{Place: live.InBlock}}},
		"LOC where the transport has none":    {"lite-04", live.Packing{As: media.LOC, Bare: live.Bare{Place: live.InBlock}}},
		"legacy":                              {"lite-05", live.Packing{As: media.Legacy}},
		"legacy where the transport has none": {"lite-03", live.Packing{As: media.Legacy}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
				pub := w.publish(sim.Faults{}, func(b *live.Broadcast) {
					for i := range b.Tracks {
						b.Tracks[i].Packing = tt.packing
					}
				})
				over, lite := w.join(pub, "18"), w.join(pub, tt.draft)
				time.Sleep(14 * time.Second)
				sameMedia(t, over.media(t), lite.media(t), 5*5*6)
				full(t, lite)
			})
		})
	}
}

package channel

import (
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// packed is what the line makes of the demo in one packaging.
func packed(t *testing.T, p live.Packing) (bodies map[string]string) {
	t.Helper()
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 10, Seed: 3}, func(w *world) {
		c := w.join(w.publish(sim.Faults{}, func(b *live.Broadcast) {
			for i := range b.Tracks {
				b.Tracks[i].Packing = p
			}
		}), "18")
		time.Sleep(12 * time.Second)
		checkFull(t, c.snapshots(t), 4)
		bodies = c.media(t)
	})
	return bodies
}

// of90kHz are the renditions whose timescale is not that of CMAF.
func of90kHz(bodies map[string]string) map[string]string {
	kept := map[string]string{}
	for key, body := range bodies {
		if !strings.Contains(key, "video") {
			kept[key] = body
		}
	}
	return kept
}

// LOC and hang's legacy container carry neither the timescale of video nor the language in the header. All else is equal.
func TestLinePublishesTheSameFromEveryPackaging(t *testing.T) {
	cmaf := packed(t, live.Packing{})
	const sound, all = 2 * 4 * 6, 5 * 4 * 6
	for _, p := range []struct {
		name    string
		packing live.Packing
		video   bool // in the clip's timescale
		least   int
	}{
		{"locmaf", live.Packing{As: media.LOCMAF, Frames: 3}, true, all},
		{"moq-mi", live.Packing{As: media.MoqMI}, true, all},
		{"loc", live.Packing{As: media.LOC}, false, sound},
		{"loc in Annex B", live.Packing{As: media.LOC, Bare: live.Bare{InBand: true, StartCode: true, Timestamp: 0x06}}, false, sound},
		{"loc of moq-dev", live.Packing{As: media.LOC, Bare: live.Bare{Place: live.InBlock}}, false, sound},
		{"legacy", live.Packing{As: media.Legacy}, false, sound},
	} {
		t.Run(p.name, func(t *testing.T) {
			got := packed(t, p.packing)
			if p.video {
				sameMedia(t, cmaf, got, p.least)
				return
			}
			if len(got) < all {
				t.Errorf("%d things published, want %d at least", len(got), all)
			}
			sameMedia(t, cmaf, of90kHz(got), p.least)
		})
	}
}

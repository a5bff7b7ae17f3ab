package channel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// The publisher's time begins an hour ago, just short of between two slots, and a media timeline says so, of each second a little later
// than that was: instances without a store agree, and follow the timeline no longer than until they know.
func TestLineInstancesAgreeByAMediaTimeline(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 4}, func(w *world) {
		b := of(t, "h264-2997.mp4", "aac-44100.mp4")
		slot := time.Now().Add(-time.Hour).UnixMilli() / 2002 * 2002
		b.Epoch = time.UnixMilli(slot + 1001 - 40)
		history := map[string]any{"name": "history", "packaging": "mediatimeline"}
		told := func() []byte {
			var records []string
			for n := range int(time.Since(b.Epoch)/time.Second) + 1 {
				records = append(records, fmt.Sprintf("[%d,[%d,0],%d]", n*1000, n, b.Epoch.UnixMilli()+int64(n*1000+n*37%80)))
			}
			return []byte("[" + strings.Join(records, ",") + "]")
		}
		pub := w.air(sim.Config{Broadcasts: []live.Broadcast{b}, Documents: map[string][]byte{live.CatalogTrack: listing(t, b, history), "history": told()}})
		var all []*packager
		for n := range 20 {
			if err := pub.Write([]string{"demo"}, "history", told(), true); err != nil {
				t.Fatal(err)
			}
			if n%3 == 0 && len(all) < 3 {
				all = append(all, w.join(pub, drafts()[len(all)]))
			}
			time.Sleep(time.Second)
		}
		for i, p := range all {
			checkFull(t, p.timelines(t, 2), 4)
			sameMedia(t, all[0].media(t), p.media(t), 2*4*6)
			for name, s := range p.timelines(t, 2) {
				e := s.Current()
				if began := e.Origin * 1000 / int64(e.Init.Timescale); began != slot {
					t.Errorf("%d: %s: media time zero is at %d, want %d", i, name, began, slot)
				}
			}
			if left := p.log.lines("history", "nothing more of the track is needed"); len(left) != 1 {
				t.Errorf("%d: the timeline was left so often: %q", i, left)
			}
		}
	})
}

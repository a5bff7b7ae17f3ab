package channel

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/segmenter/mux"
)

func TestLineCarriesSubtitles(t *testing.T) {
	inWorld(t, sim.Path{Latency: 10 * time.Millisecond, Loss: 5, Seed: 7}, func(w *world) {
		b := of(t, "h264-2997.mp4", "aac-44100.mp4")
		speech, err := live.Speech()
		if err != nil {
			t.Fatal(err)
		}
		b.Tracks = append(b.Tracks, live.Track{Name: "subs", Language: "en", Clip: speech, AltGroup: 3})
		pub := w.air(sim.Config{Broadcasts: []live.Broadcast{b}})
		one := w.join(pub, "18")
		time.Sleep(7300 * time.Millisecond)
		two := w.join(pub, "16")
		time.Sleep(14 * time.Second)
		lines := one.timelines(t, 3)
		checkFull(t, lines, 7)
		text, video := lines["subs"], lines[b.Tracks[0].Name]
		if text.Segments[0].N != video.Segments[0].N || text.Position().N+1 < video.Position().N {
			t.Errorf("text is at %d to %+v, video at %d to %+v", text.Segments[0].N, text.Position(), video.Segments[0].N, video.Position())
		}
		sameMedia(t, one.media(t), two.media(t), 3*5)

		last := text.Segments[len(text.Segments)-1].N
		key := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: "subs", N: last}.Key()
		blob, err := one.Store().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		vtt, err := mux.WebVTT(text.Current().Init.Bytes, bytes.Join(blob.Pieces, nil))
		if err != nil || strings.Count(string(vtt), "Half a second of") < 2 {
			t.Errorf("%v %s", err, vtt)
		}
		doc, err := hls.Multivariant(manifest.Present("demo", one.Output(), 0))
		if err != nil || !strings.Contains(string(doc.Body), `TYPE=SUBTITLES,GROUP-ID="subs",NAME="en"`) {
			t.Errorf("%v %s", err, doc.Body)
		}
		if lines := one.log.lines("level=WARN"); len(lines) > 0 {
			t.Errorf("warnings: %q", lines)
		}
	})
}

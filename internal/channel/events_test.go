package channel

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// listing is a catalog of the broadcast that has an entry about its first track, too.
func listing(t *testing.T, b live.Broadcast, entry map[string]any) []byte {
	t.Helper()
	open, err := live.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	body, err := open.Catalog(time.Now(), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	entry["mimeType"], entry["depends"] = "application/json", []string{b.Tracks[0].Name}
	doc["tracks"] = append(doc["tracks"].([]any), entry)
	if body, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	return body
}

// An advertisement is announced in an event timeline, and every group of every track has an event message: over a network that loses
// packets, two instances that joined at different times list the same.
func TestLineCarriesEvents(t *testing.T) {
	// A splice_insert that leaves the programme for 10 s, as event 2775.
	section := []byte{
		0xfc, 0x30, 0x25, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x14, 0x05, 0, 0, 0x0a, 0xd7, 0x7f, 0xef, 0xfe, 0, 0, 0, 0, 0xfe, 0, 0x0d, 0xbb, 0xa0,
		0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
	}
	inWorld(t, sim.Path{Latency: 10 * time.Millisecond, Loss: 5, Seed: 11}, func(w *world) {
		b := of(t, "h264-2997.mp4", "aac-44100.mp4")
		for i := range b.Tracks {
			b.Tracks[i].Packing = live.Packing{Emsg: true}
		}
		cues := map[string]any{"name": "cues", "packaging": "eventtimeline", "eventType": "urn:scte:scte35:2013:bin", "isLive": true, "role": "eventtimeline"}
		pub := w.air(sim.Config{Broadcasts: []live.Broadcast{b}, Documents: map[string][]byte{live.CatalogTrack: listing(t, b, cues), "cues": []byte("[]")}})
		one := w.join(pub, "18")
		time.Sleep(7300 * time.Millisecond)
		at := time.Now().Add(4 * time.Second).Truncate(time.Second).UnixMilli()
		cue := fmt.Sprintf(`[{"m":%d,"data":{"scte35_payload":%q,"t":"immediate"}}]`, at, base64.StdEncoding.EncodeToString(section))
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(pub.Write([]string{"demo"}, "cues", []byte(cue), false))
		time.Sleep(time.Second)
		two := w.join(pub, "16")
		must(pub.Write([]string{"demo"}, "cues", []byte(cue), true))
		time.Sleep(14 * time.Second)

		p := manifest.Present("demo", one.Output(), 0)
		doc, err := hls.Media(p, b.Tracks[0].Name, hls.Options{})
		must(err)
		want := fmt.Sprintf("#EXT-X-DATERANGE:ID=\"scte35-2775-out-0-%d\",START-DATE=\"%s\",PLANNED-DURATION=10.000,SCTE35-OUT=0x%X\n",
			at, time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z"), section)
		if n := strings.Count(string(doc.Body), want); n != 1 {
			t.Errorf("%d times %s in\n%s", n, want, doc.Body)
		}
		doc, err = dash.Live(p)
		must(err)
		if text := string(doc.Body); strings.Count(text, "<Signal") != 1 || !strings.Contains(text, base64.StdEncoding.EncodeToString(section)) ||
			!strings.Contains(text, `<EventStream schemeIdUri="urn:moqpack:sim" value="group"`) {
			t.Errorf("%s", text)
		}
		same(t, one.Output().Events, two.Output().Events)
		if lines := one.log.lines("level=WARN"); len(lines) > 0 {
			t.Errorf("warnings: %q", lines)
		}
	})
}

// same fails unless both know the same of the time that both were there.
func same(t *testing.T, early, late []timeline.Event) {
	t.Helper()
	if len(late) < 10 || len(early) <= len(late) {
		t.Fatalf("%d and %d events", len(early), len(late))
	}
	for len(early) > 0 && early[0].Start < late[0].Start {
		early = early[1:]
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Known" }, cmp.Ignore())
	if diff := cmp.Diff(early, late, ignore); diff != "" {
		t.Error(diff)
	}
}

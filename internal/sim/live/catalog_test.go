package live_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

func parse(t *testing.T, b []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDemoCatalogDescribesFiveTracks(t *testing.T) {
	b := demo(t)
	data, err := b.Catalog(time.UnixMilli(1_800_000_000_123), nil, false)
	m := parse(t, data, err)
	if m["version"] != "draft-01" || m["generatedAt"] != 1_800_000_000_123. {
		t.Errorf("version %v, generated at %v", m["version"], m["generatedAt"])
	}
	type row struct {
		Name, Role, Codec, Lang, ChannelConfig                string
		Width, Height, Samplerate, AltGroup, MaxGroupDuration int
		Framerate                                             float64
		IsLive                                                bool
	}
	var got struct{ Tracks []row }
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := []row{
		{Name: "video-360", Role: "video", Codec: "avc1.4D401E", Width: 640, Height: 360, Framerate: 25, AltGroup: 1},
		{Name: "video-270", Role: "video", Codec: "avc1.4D4015", Width: 480, Height: 270, Framerate: 25, AltGroup: 1},
		{Name: "video-180", Role: "video", Codec: "avc1.4D400D", Width: 320, Height: 180, Framerate: 25, AltGroup: 1},
		{Name: "audio-en", Role: "audio", Codec: "mp4a.40.2", Lang: "en", Samplerate: 48000, ChannelConfig: "2", AltGroup: 2},
		{Name: "audio-sv", Role: "audio", Codec: "mp4a.40.2", Lang: "sv", Samplerate: 48000, ChannelConfig: "2", AltGroup: 2},
	}
	for i := range want {
		want[i].IsLive, want[i].MaxGroupDuration = true, 1000
		if want[i].Role == "audio" {
			want[i].MaxGroupDuration = 1022
		}
	}
	if diff := cmp.Diff(want, got.Tracks); diff != "" {
		t.Error(diff)
	}
}

func TestInitIsWhereTheGenerationPutsIt(t *testing.T) {
	b := demo(t)
	source := b.Sources()[0]
	data, err := b.Catalog(time.Now(), nil, false)
	m := parse(t, data, err)
	ref := m["tracks"].([]any)[0].(map[string]any)["initRef"]
	if item := m["initDataList"].([]any)[0].(map[string]any); item["id"] != ref || item["type"] != "inline" || !isInit(item["data"], source) {
		t.Errorf("MSF-01: initRef %v, initDataList %v", ref, item)
	}
	b.Generation = live.MSF00
	data, err = b.Catalog(time.Now(), nil, false)
	m = parse(t, data, err)
	if m["version"] != 1. || !isInit(m["tracks"].([]any)[0].(map[string]any)["initData"], source) {
		t.Errorf("MSF-00: %s", data)
	}
}

func isInit(text any, s *live.Source) bool {
	data, err := base64.StdEncoding.DecodeString(text.(string))
	return err == nil && string(data) == string(s.Init())
}

func TestAbsentTracksAreNotListed(t *testing.T) {
	data, err := demo(t).Catalog(time.Now(), map[string]bool{"audio-sv": true}, false)
	m := parse(t, data, err)
	if n := len(m["tracks"].([]any)); n != 4 {
		t.Errorf("%d tracks, want 4", n)
	}
	if n := len(m["initDataList"].([]any)); n != 5 {
		t.Errorf("%d headers, want 5", n)
	}
}

func TestDeltaUpdatesHaveBothSpellings(t *testing.T) {
	b := demo(t)
	data, err := b.Delta(time.Now(), []string{"audio-sv"}, []string{"video-180"})
	m := parse(t, data, err)
	ops := m["deltaUpdate"].([]any)
	if len(ops) != 2 || ops[0].(map[string]any)["op"] != "remove" || ops[1].(map[string]any)["op"] != "add" || m["tracks"] != nil {
		t.Errorf("MSF-01: %s", data)
	}
	b.Generation = live.MSF00
	data, err = b.Delta(time.Now(), []string{"audio-sv"}, []string{"video-180"})
	m = parse(t, data, err)
	if m["deltaUpdate"] != true || len(m["addTracks"].([]any)) != 1 || len(m["removeTracks"].([]any)) != 1 {
		t.Errorf("MSF-00: %s", data)
	}
}

func TestCompleteCatalogHasNoTracks(t *testing.T) {
	data, err := demo(t).Catalog(time.Now(), nil, true)
	m := parse(t, data, err)
	if m["isComplete"] != true || len(m["tracks"].([]any)) != 0 {
		t.Errorf("%s", data)
	}
}

func TestTheSubscriberReadsEveryGeneration(t *testing.T) {
	for _, generation := range []live.Generation{live.MSF01, live.MSF00} {
		b := demo(t)
		b.Generation = generation
		d := catalog.NewDecoder(catalog.Config{Namespace: b.Namespace, Track: live.CatalogTrack})
		data, err := b.Catalog(time.Now(), map[string]bool{"audio-sv": true}, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(media.Object{Location: media.Location{Group: 5}, Payload: data}); err != nil {
			t.Fatal(err)
		}
		if data, err = b.Delta(time.Now(), []string{"audio-sv"}, []string{"video-180"}); err != nil {
			t.Fatal(err)
		}
		c, err := d.Decode(media.Object{Location: media.Location{Group: 5, Object: 1}, Payload: data})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, track := range c.Tracks {
			names = append(names, track.Name)
			if s, _ := b.Source(track.Name); !bytes.Equal(track.Init, s.Init()) {
				t.Errorf("%s: the header is not the one that was written", track.Name)
			}
		}
		if diff := cmp.Diff([]string{"video-360", "video-270", "audio-en", "audio-sv"}, names); diff != "" || len(c.Skipped) > 0 {
			t.Errorf("generation %d: %s %v", generation, diff, c.Skipped)
		}
	}
}

package subscriber_test

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// object is JSON, in any order: only maps whose order says nothing are written so.
type object map[string]any

func text(o object) []byte {
	b, _ := json.Marshal(o)
	return b
}

// hang is a hang catalog of the demo's tracks.
func hang(t *testing.T, tracks ...string) []byte {
	t.Helper()
	video, audio := object{}, object{}
	eachSource(t, tracks, func(s *live.Source) {
		r := object{"codec": s.Clip.Codec, "container": object{"kind": "cmaf", "init": s.Init()}}
		if s.Clip.Kind == media.Video {
			video[s.Name] = r
		} else {
			audio[s.Name] = r
		}
	})
	return text(object{"video": object{"renditions": video}, "audio": object{"renditions": audio}})
}

// warp is a catalog of the common format with an init track for each media track, and these.
func warp(t *testing.T, tracks ...string) map[string][]byte {
	t.Helper()
	documents := map[string][]byte{}
	var list []object
	eachSource(t, tracks, func(s *live.Source) {
		documents[s.Name+".mp4"] = s.Init()
		list = append(list, object{"name": s.Name, "initTrack": s.Name + ".mp4", "selectionParams": object{"codec": s.Clip.Codec}})
	})
	documents[".catalog"] = text(object{"version": 1, "streamingFormat": 1, "commonTrackFields": object{"packaging": "cmaf"}, "tracks": list})
	return documents
}

func eachSource(t *testing.T, tracks []string, f func(*live.Source)) {
	t.Helper()
	b, err := live.Open(demo(t, live.Groups))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Sources() {
		if slices.Contains(tracks, s.Name) {
			f(s)
		}
	}
}

// deflated is the one frame of a compressed group.
func deflated(text []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(text)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// newest is the format and the tracks of the last catalog.
func (r *recorder) newest() string {
	var s string
	r.with(func() {
		if len(r.catalogs) == 0 {
			s = "none"
			return
		}
		c := r.catalogs[len(r.catalogs)-1]
		s = string(c.Format)
		for _, t := range c.Tracks {
			s += " " + t.Name
		}
	})
	return s
}

func TestTheCatalogIsFoundWhereverItIs(t *testing.T) {
	msf := "msf " + strings.Join(names(), " ")
	with := func(m map[string][]byte, track string, object []byte) map[string][]byte {
		m[track] = object
		return m
	}
	for _, tt := range []struct {
		name      string
		format    catalog.Format
		documents map[string][]byte
		want      string
	}{
		{"the best of two", "", map[string][]byte{"catalog.json": hang(t, "video-360")}, msf},
		{"hang", "", map[string][]byte{"catalog": nil, "catalog.json": hang(t, "video-360", "audio-en")}, "hang video-360 audio-en"},
		{"hang, compressed only", "", map[string][]byte{"catalog": nil, "catalog.json.z": deflated(hang(t, "video-360"))}, "hang video-360"},
		{"hang in its place of old", "", map[string][]byte{"catalog": hang(t, "video-360")}, "hang video-360"},
		{"the common catalog format", "", with(warp(t, "video-360", "audio-en"), "catalog", nil), "warp video-360 audio-en"},
		{"another one that is silent", "", map[string][]byte{"catalog": {}, "catalog.json": hang(t, "video-360")}, "hang video-360"},
		{"another one that is malformed", "", map[string][]byte{"catalog": []byte("<xml/>"), "catalog.json": hang(t, "video-360")}, "hang video-360"},
		{"the one that is asked for", catalog.Hang, map[string][]byte{"catalog.json": hang(t, "video-360")}, "hang video-360"},
		{"not what is not asked for", catalog.WARP, map[string][]byte{"catalog": nil, "catalog.json": hang(t, "video-360")}, "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Documents: tt.documents})
				w.cfg.Catalog = tt.format
				r := newRecorder(t)
				w.run(r)
				elapse(5 * time.Second)
				if got := r.newest(); got != tt.want {
					t.Fatalf("the catalog is %s, want %s", got, tt.want)
				}
				if tt.want == "none" {
					return
				}
				for _, track := range strings.Fields(tt.want)[1:] {
					r.seamless(track, 2*25)
				}
				if s := r.state(); s.Phase != subscriber.Live {
					t.Errorf("state %+v", s)
				}
			})
		})
	}
}

// TestACatalogMayComeLate also has a place that says nothing for ever, and one that is refused until the broadcast begins.
func TestACatalogMayComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{
			Broadcasts: []live.Broadcast{demo(t, live.Groups)},
			Documents:  map[string][]byte{"catalog": nil, ".catalog": {}},
		})
		r := newRecorder(t)
		w.run(r)
		elapse(30 * time.Second)
		if s := r.state(); s.Phase != subscriber.Waiting {
			t.Errorf("state %+v", s)
		}
		w.pub.Write([]string{"demo"}, "catalog.json", hang(t, "video-360"), true)
		elapse(25 * time.Second)
		if got := r.newest(); got != "hang video-360" {
			t.Errorf("the catalog is %s", got)
		}
	})
}

func TestTracksComeAndGoInEveryFormat(t *testing.T) {
	for name, tt := range map[string]struct {
		track         string
		begin, change []byte
		whole         bool
	}{
		"hang": {"catalog.json", hang(t, "video-360", "audio-en"), hang(t, "video-360", "audio-sv"), true},
		"hang by a patch": {"catalog.json", hang(t, "video-360", "audio-en"),
			text(object{"audio": object{"renditions": object{"audio-en": nil, "audio-sv": object{"codec": "mp4a.40.2", "container": "cmaf"}}}}), false},
		"warp": {".catalog", warp(t, "video-360", "audio-en")[".catalog"], warp(t, "video-360", "audio-sv")[".catalog"], true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				documents := warp(t, names()...)
				documents["catalog"], documents[tt.track] = nil, tt.begin
				if tt.track != ".catalog" {
					delete(documents, ".catalog")
				}
				w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Documents: documents})
				r := newRecorder(t)
				w.run(r)
				elapse(5 * time.Second)
				if got := r.newest(); !strings.HasSuffix(got, " video-360 audio-en") {
					t.Fatalf("the catalog is %s", got)
				}
				w.pub.Write([]string{"demo"}, tt.track, tt.change, tt.whole)
				elapse(time.Second)
				removed := r.count("audio-en")
				elapse(3 * time.Second)
				if got := r.newest(); !strings.HasSuffix(got, " video-360 audio-sv") || r.count("audio-en") != removed {
					t.Errorf("the catalog is %s; %d objects came of the track that was removed", got, r.count("audio-en")-removed)
				}
				r.seamless("video-360", 7*25)
				r.seamless("audio-sv", 3*25)
			})
		})
	}
}

func TestAnInitTrackThatIsMissingIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		documents := warp(t, "video-360", "audio-en")
		header := documents["audio-en.mp4"]
		documents["audio-en.mp4"], documents["catalog"] = nil, nil
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Documents: documents})
		r := newRecorder(t)
		w.run(r)
		elapse(5 * time.Second)
		if got := r.newest(); got != "warp video-360" {
			t.Errorf("the catalog is %s", got)
		}
		w.pub.Write([]string{"demo"}, "audio-en.mp4", header, true)
		elapse(10 * time.Second)
		if got := r.newest(); got != "warp video-360 audio-en" {
			t.Errorf("the catalog is %s", got)
		}
		r.seamless("video-360", 13*25)
	})
}

func TestVariablesAreChecked(t *testing.T) {
	c := subscriber.DefaultConfig()
	c.Relays, c.Namespace, c.Catalog = []string{"moqt://relay"}, []string{"a"}, "dash"
	c.Variables = map[string]string{"id": `bob","x":"`}
	err := fmt.Sprint(c.Validate())
	for _, want := range []string{`variables: "id"`, `catalog: "dash" is not auto, msf, hang, warp or moq-mi`} {
		if !strings.Contains(err, want) {
			t.Errorf("%s\ndoes not say %s", err, want)
		}
	}
	c.Catalog, c.Variables = catalog.MoqMI, map[string]string{"id": "bob@example-1", "a_b": ""}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

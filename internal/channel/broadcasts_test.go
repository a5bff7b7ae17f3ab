package channel

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
)

// clip loads one of the small files of every codec.
func clip(t *testing.T, name string) *live.Clip {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../testdata/cmaf", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := live.Load(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// of is a broadcast of files, each a track of the file's name.
func of(t *testing.T, files ...string) live.Broadcast {
	t.Helper()
	b := live.Broadcast{Namespace: []string{"demo"}, MaxGroupDuration: true}
	for _, f := range files {
		b.Tracks = append(b.Tracks, live.Track{Name: strings.TrimSuffix(f, ".mp4"), Clip: clip(t, f)})
	}
	return b
}

// checkFull fails unless every segment is full, and there are so many at least in each timeline.
func checkFull(t *testing.T, lines map[string]*timeline.Snapshot, atLeast int) {
	t.Helper()
	for name, s := range lines {
		if len(s.Segments) < atLeast {
			t.Errorf("%s: %d segments, want %d at least", name, len(s.Segments), atLeast)
		}
		for i, g := range s.Segments {
			if g.State != timeline.Full {
				t.Errorf("%s: segment %d is not full", name, g.N)
			}
			if i > 0 && (g.N != s.Segments[i-1].N+1 || g.Start != s.Segments[i-1].End()) {
				t.Errorf("%s: %+v does not follow %+v", name, g, s.Segments[i-1])
			}
		}
		if n := len(s.Epochs); n != 1 {
			t.Errorf("%s: %d epochs, want 1", name, n)
		}
	}
}

func TestLineInstancesAgreeOnATimeBaseOfThePublisher(t *testing.T) {
	// Where the publisher's time lies against the slots, short of just between two.
	for _, offset := range []time.Duration{0, 800 * time.Millisecond} {
		t.Run(offset.String(), func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 5, Seed: 4}, func(w *world) {
				pub := w.publish(sim.Faults{}, func(b *live.Broadcast) { b.Epoch = time.Now().Add(-time.Hour - offset) })
				var all []*packager
				for i := range 3 {
					all = append(all, w.join(pub, drafts()[i]))
					time.Sleep(2350 * time.Millisecond)
				}
				time.Sleep(12 * time.Second)
				now := time.Now().Unix()
				for i, p := range all {
					checkFull(t, p.snapshots(t), 5)
					sameMedia(t, all[0].media(t), p.media(t), 5*5*6)
					if got := p.Status().Clock; got != server.Arrival {
						t.Errorf("%d: the clock is said to be %q", i, got)
					}
					for name, s := range p.snapshots(t) {
						e := s.Current()
						if edge := (s.Segments[len(s.Segments)-1].End() + e.Origin) / int64(e.Init.Timescale); !e.Arrival || edge < now-4 || edge > now+2 {
							t.Errorf("%d: %s: the live edge is at %d, now is %d; by arrival: %v", i, name, edge, now, e.Arrival)
						}
					}
				}
			})
		})
	}
}

func TestLineCarriesEveryCodec(t *testing.T) {
	for _, tt := range []struct {
		files   []string
		packing live.Packing
	}{
		{files: []string{"hevc-25.mp4", "opus-48000.mp4"}},
		{[]string{"av1-25.mp4", "ac3-48000.mp4"}, live.Packing{Frames: 5, Durations: live.InTfhd, Styp: true, Prft: true, Emsg: true}},
		{[]string{"h264-2997.mp4", "aac-44100.mp4"}, live.Packing{Frames: 7, Durations: live.InTrex, Styp: true, Init: true}},
		{files: []string{"h264-2997.mp4", "aac-44100.mp4"}},
		{files: []string{"h264-5994.mp4", "aac-44100.mp4"}},
	} {
		t.Run(strings.Join(tt.files, " "), func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 10 * time.Millisecond, Loss: 5, Seed: 5}, func(w *world) {
				b := of(t, tt.files...)
				for i := range b.Tracks {
					b.Tracks[i].Packing = tt.packing
				}
				p := w.join(w.air(sim.Config{Broadcasts: []live.Broadcast{b}}), "18")
				time.Sleep(18 * time.Second)
				lines := p.timelines(t, 2)
				checkFull(t, lines, 7)
				video, audio := lines[b.Tracks[0].Name], lines[b.Tracks[1].Name]
				if v, a := video.Segments[0].N, audio.Segments[0].N; v != a {
					t.Errorf("video begins with segment %d, audio with %d", v, a)
				}
				if v, a := video.Position(), audio.Position(); v.N > a.N+1 || a.N > v.N+1 {
					t.Errorf("video is at %+v, audio at %+v", v, a)
				}
				if _, err := hls.Multivariant(manifest.Present("demo", p.Output(), 0)); err != nil {
					t.Error(err)
				}
				if lines := p.log.lines("level=WARN"); len(lines) > 0 {
					t.Errorf("warnings: %q", lines)
				}
			})
		})
	}
}

func TestLineFollowsTheCatalogWithoutTouchingTheOtherTracks(t *testing.T) {
	for _, whole := range []bool{false, true} {
		inWorld(t, sim.Path{Latency: 10 * time.Millisecond}, func(w *world) {
			b, err := live.Demo("demo")
			if err != nil {
				t.Fatal(err)
			}
			pub := w.air(sim.Config{Broadcasts: []live.Broadcast{b}, Absent: []string{"video-180"}})
			p := w.join(pub, "18")
			time.Sleep(8 * time.Second)
			before := p.timelines(t, 4)
			if err := pub.Update([]string{"demo"}, []string{"video-180"}, []string{"audio-sv"}, whole); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			after := p.timelines(t, 4)
			if after["audio-sv"] != nil {
				t.Error("the removed track is still there")
			}
			if after["video-180"] == nil || len(after["video-180"].Segments) < 4 {
				t.Errorf("the added track has published %+v", after["video-180"])
			}
			for _, name := range []string{"video-360", "video-270", "audio-en"} {
				if a, b := after[name], before[name]; a.Segments[0].N != b.Segments[0].N || a.Position().N < b.Position().N+4 {
					t.Errorf("%s: from %+v to %+v", name, b.Position(), a.Position())
				}
			}
			checkFull(t, after, 4)
			if former := p.Output().Former; len(former) != 1 || former[0].Track.Name != "audio-sv" {
				t.Errorf("former: %+v", former)
			}
			mpd, err := dash.Live(manifest.Present("demo", p.Output(), 0))
			if err != nil {
				t.Fatal(err)
			}
			last := string(mpd.Body[bytes.LastIndex(mpd.Body, []byte("<Period ")):])
			if !strings.Contains(last, `id="video-180"`) || strings.Contains(last, `id="audio-sv"`) || !strings.Contains(string(mpd.Body), `id="audio-sv"`) {
				t.Errorf("the change begins no period:\n%s", mpd.Body)
			}
		})
	}
}

func TestLineOpensAnEpochEverywhereWhenAnInitChanges(t *testing.T) {
	inWorld(t, sim.Path{Latency: 10 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		p := w.join(pub, "18")
		time.Sleep(8 * time.Second)
		pub.Kill()
		w.publish(sim.Faults{}, func(b *live.Broadcast) {
			b.Tracks[0].Clip, b.Tracks[1].Clip = b.Tracks[1].Clip, b.Tracks[0].Clip
		})
		time.Sleep(20 * time.Second)
		first := uint64(0)
		for name, s := range p.snapshots(t) {
			if len(s.Epochs) != 2 {
				t.Errorf("%s: %d epochs, want 2", name, len(s.Epochs))
				continue
			}
			if first == 0 {
				first = s.Epochs[1].First
			}
			if got := s.Epochs[1].First; got != first {
				t.Errorf("%s: the epoch begins with segment %d, elsewhere with %d", name, got, first)
			}
			if at := s.Position().N; at < first+4 {
				t.Errorf("%s: at segment %d, the epoch began with %d", name, at, first)
			}
		}
	})
}

func TestLineLosesDatagramsButNeverChangesBytes(t *testing.T) {
	var bodies []map[string]string
	for _, loss := range []int{0, 30} {
		inWorld(t, sim.Path{Latency: 10 * time.Millisecond, Loss: loss, Seed: 6}, func(w *world) {
			p := w.join(w.publish(sim.Faults{}, func(b *live.Broadcast) {
				for i := range b.Tracks {
					if b.Tracks[i].Clip.Kind == media.Audio {
						b.Tracks[i].Delivery = live.Datagrams
					}
				}
			}), "18")
			time.Sleep(20 * time.Second)
			gaps := 0
			for name, s := range p.snapshots(t) {
				if len(s.Segments) < 7 {
					t.Errorf("%s: %d segments", name, len(s.Segments))
				}
				for _, g := range s.Segments {
					if g.State == timeline.Gap {
						gaps++
					}
				}
			}
			if loss == 0 && gaps > 0 {
				t.Errorf("%d gaps although nothing is lost", gaps)
			}
			t.Logf("loss of %d in 1000: %d gaps", loss, gaps)
			bodies = append(bodies, p.media(t))
		})
	}
	sameMedia(t, bodies[0], bodies[1], 3*7*6)
}

func TestLineMalformedObjectCostsOneSegmentOfItsTrack(t *testing.T) {
	inWorld(t, sim.Path{Latency: 10 * time.Millisecond}, func(w *world) {
		bad := uint64(time.Now().Unix()) + 9
		pub := w.publish(sim.Faults{Corrupt: func(track string, l media.Location, payload []byte) []byte {
			if track == "video-270" && l.Group == bad && l.Object >= 3 && l.Object < 6 {
				return bytes.Replace(payload, []byte("mdat"), []byte("mdxx"), 1)
			}
			return payload
		}}, nil)
		p := w.join(pub, "18")
		time.Sleep(20 * time.Second)
		lines := p.snapshots(t)
		gaps := 0
		for _, g := range lines["video-270"].Segments {
			if g.State == timeline.Gap {
				gaps++
			}
		}
		if gaps != 1 {
			t.Errorf("%d gaps, want the one segment", gaps)
		}
		delete(lines, "video-270")
		checkFull(t, lines, 8)
		if got := p.log.lines("level=WARN"); len(got) != 1 || !strings.Contains(got[0], "video-270") || !strings.Contains(got[0], "moof") {
			t.Errorf("log: %q, want one line that names the track and the box", got)
		}
		if got := p.count(t, "moqpack_segmenter_refused_total", "video-270"); got != 3 {
			t.Errorf("%v objects counted as refused, want 3", got)
		}
		counted := map[string]int64{}
		for _, n := range p.Status().Counters {
			counted[n.Name] = n.Value
		}
		if counted["refused"] != 3 || counted["losses"] != 1 || counted["gaps"] != 1 {
			t.Errorf("counters: %v", counted)
		}
	})
}

func TestLineEndsWithTheBroadcast(t *testing.T) {
	inWorld(t, sim.Path{Latency: 10 * time.Millisecond}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		p := w.join(pub, "18")
		time.Sleep(9 * time.Second)
		if err := pub.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		lines := p.snapshots(t)
		checkFull(t, lines, 4)
		for name, s := range lines {
			if !s.Ended {
				t.Errorf("%s has not ended; the log: %q", name, p.log.lines("level="))
			}
			list, err := hls.Media(manifest.Present("demo", p.Output(), 0), name, hls.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(list.Body), "#EXT-X-ENDLIST") {
				t.Errorf("%s: no ENDLIST", name)
			}
		}
		mpd, err := dash.Legacy(manifest.Present("demo", p.Output(), 0))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(mpd.Body), `type="static"`) {
			t.Error("the MPD is not static")
		}
	})
}

// sealed is a header or an object that begins with one, encrypted as far as its sample entry tells.
func sealed(b []byte) []byte { return bytes.ReplaceAll(b, []byte("avc1"), []byte("encv")) }

func TestLineRefusesAnIllDescribedTrackAndSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		atHead  bool
		corrupt func(b live.Broadcast) func(track string, l media.Location, payload []byte) []byte
	}{
		{"by its header in the catalog", false, func(b live.Broadcast) func(string, media.Location, []byte) []byte {
			s, err := live.NewSource(b.Tracks[0], time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			header := base64.StdEncoding.EncodeToString(s.Init())
			return func(track string, _ media.Location, payload []byte) []byte {
				if track != live.CatalogTrack {
					return payload
				}
				return bytes.ReplaceAll(payload, []byte(header), []byte(base64.StdEncoding.EncodeToString(sealed(s.Init()))))
			}
		}},
		{"by the head of its objects", true, func(b live.Broadcast) func(string, media.Location, []byte) []byte {
			return func(track string, _ media.Location, payload []byte) []byte {
				if track != b.Tracks[0].Name {
					return payload
				}
				return sealed(payload)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 10 * time.Millisecond}, func(w *world) {
				b := of(t, "h264-2997.mp4", "aac-44100.mp4")
				b.Tracks[0].Packing.Init = tt.atHead
				p := w.join(w.air(sim.Config{
					Broadcasts: []live.Broadcast{b}, Faults: sim.Faults{Corrupt: tt.corrupt(b), NoFetch: true, GroupHead: true},
				}), "18")
				time.Sleep(15 * time.Second)
				checkFull(t, p.timelines(t, 1), 4)
				s := p.Status().Skipped
				if len(s) != 1 || s[0].Track != b.Tracks[0].Name || !strings.Contains(s[0].Reason, "sinf") {
					t.Errorf("skipped: %+v", s)
				}
				if got := p.log.lines("level=WARN"); len(got) != 1 || !strings.Contains(got[0], "sinf") {
					t.Errorf("log: %q, want one line", got)
				}
				if p.count(t, "moqpack_segmenter_refused_total", b.Tracks[0].Name) == 0 {
					t.Error("nothing is counted")
				}
				if got := p.count(t, "moqpack_channel_track_skipped", b.Tracks[0].Name); got != 1 && !tt.atHead {
					t.Errorf("skipped in the metrics: %v", got)
				}
			})
		})
	}
}

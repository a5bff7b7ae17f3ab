package legacy_test

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/grafov/m3u8"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestMultivariantReadsBack(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		d, err := legacy.Multivariant(s.Presentation)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		list, kind, err := m3u8.DecodeFrom(bytes.NewReader(d.Body), true)
		if err != nil || kind != m3u8.MASTER {
			t.Fatalf("%s: kind %d, %v", s.Name, kind, err)
		}
		variants := s.Variants()
		for i, v := range list.(*m3u8.MasterPlaylist).Variants {
			n, err := manifest.Parse(manifest.Escape(s.Channel) + "/" + v.URI)
			if err != nil || n.Kind != manifest.LegacyPlaylist {
				t.Errorf("%s: variant %q: %+v, %v", s.Name, v.URI, n, err)
			}
			if peak, _ := variants[i].Bandwidth(); int64(v.Bandwidth) != peak || v.Codecs != variants[i].Codecs() {
				t.Errorf("%s: variant %d reads back as %+v", s.Name, i, v.VariantParams)
			}
		}
	}
}

func TestMediaReadsBack(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		for i := range s.Renditions {
			r := &s.Renditions[i]
			name := s.Name + "/" + r.Track.Name
			d, err := legacy.Media(s.Presentation, r.Track.Name)
			if errors.Is(err, manifest.ErrNotYet) && len(r.Segments) == 0 {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			list, kind, err := m3u8.DecodeFrom(bytes.NewReader(d.Body), true)
			if err != nil || kind != m3u8.MEDIA {
				t.Fatalf("%s: kind %d, %v", name, kind, err)
			}
			checkRead(t, name, s.Presentation, r, list.(*m3u8.MediaPlaylist))
			if !strings.Contains(string(d.Body), "#EXT-X-TARGETDURATION:2\n") { // the reader raises it to what it sees
				t.Errorf("%s: no target duration of 2 s:\n%s", name, d.Body)
			}
			for _, tag := range []string{"EXT-X-PART", "EXT-X-SERVER-CONTROL", "EXT-X-PRELOAD", "EXT-X-RENDITION", "EXT-X-SKIP"} {
				if strings.Contains(string(d.Body), tag) {
					t.Errorf("%s: %s in a plain playlist", name, tag)
				}
			}
		}
	}
}

func checkRead(t *testing.T, name string, p manifest.Presentation, r *manifest.Rendition, list *m3u8.MediaPlaylist) {
	t.Helper()
	listed := p.Listed(r)
	if int(list.Count()) != len(listed) || list.SeqNo != listed[0].N || list.Closed != r.Ended || list.Version() != 6 {
		t.Errorf("%s: version %d, %d segments from %d, closed %v", name, list.Version(), list.Count(), list.SeqNo, list.Closed)
	}
	for i := range listed {
		got, e := list.Segments[i], r.Epoch(listed[i].Epoch)
		if !leadsTo(got.URI, p, r, listed[i].N) || !got.ProgramDateTime.Equal(manifest.UnixMilli(e, listed[i].Start)) {
			t.Errorf("%s: segment %d reads back as %+v", name, i, got)
		}
	}
}

// leadsTo reports whether the URI leads from r's playlist to segment n of the channel whose media p lists.
func leadsTo(uri string, p manifest.Presentation, r *manifest.Rendition, n uint64) bool {
	if p.Media == "" {
		p.Media = p.Channel
	}
	doc := manifest.Name{Kind: manifest.LegacyPlaylist, Channel: p.Channel, Track: r.Track.Name}
	want := manifest.Name{Kind: r.HLSSegment(), Channel: p.Media, Track: r.Track.Name, N: n}
	return path.Join(path.Dir(doc.Key()), uri) == want.Key()
}

// play is a broadcast of one video track in segments of 2 s; epochs begin at the given slots, counted from its first.
func play(window int, ms int64, epochs ...uint64) manifest.Presentation {
	c := manifesttest.New(manifesttest.Plan(2, 1, window), window, manifesttest.Start, manifesttest.Video("v", 720, 25, 1, 50))
	first := c.Plan.Grid.Slot(manifesttest.Start, 1000)
	for _, n := range epochs {
		c.Play(c.Plan.Grid.Start(first+n, 1000))
		c.Restart(first + n)
	}
	c.Play(manifesttest.Start + ms)
	return c.Present()
}

func TestDiscontinuitiesAddUpWhenEpochsPassWithoutASegment(t *testing.T) {
	d, err := legacy.Media(play(5, 8_000, 2, 2, 2), "v")
	if err != nil {
		t.Fatal(err)
	}
	text := string(d.Body)
	if strings.Count(text, "#EXT-X-DISCONTINUITY\n") != 3 || !strings.Contains(text, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n") {
		t.Errorf("three epochs later:\n%s", text)
	}
	p := play(3, 12_000, 2, 2, 2)
	if p.Renditions[0].Segments[0].State != timeline.Full {
		t.Fatal("the window begins with a gap")
	}
	if d, err = legacy.Media(p, "v"); err != nil || !strings.Contains(string(d.Body), "#EXT-X-DISCONTINUITY-SEQUENCE:3\n") {
		t.Errorf("when they have left, %v:\n%s", err, d.Body)
	}
}

func TestAClipIsAVODThatBeginsWhereItWasAsked(t *testing.T) {
	scenarios := manifesttest.Scenarios()
	s := scenarios[slices.IndexFunc(scenarios, func(s manifesttest.Scenario) bool { return s.Media != "" })]
	for i := range s.Renditions {
		r := &s.Renditions[i]
		d, err := legacy.Media(s.Presentation, r.Track.Name)
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := m3u8.DecodeFrom(bytes.NewReader(d.Body), true)
		if err != nil {
			t.Fatal(err)
		}
		m := list.(*m3u8.MediaPlaylist)
		first := &s.Listed(r)[0]
		offset := s.Start - manifest.UnixMilli(r.Epoch(first.Epoch), first.Start).UnixMilli()
		if m.MediaType != m3u8.VOD || !m.Closed || m.StartTime != float64(offset)/1000 || !m.StartTimePrecise {
			t.Errorf("%s: type %d, closed %v, start at %v:\n%s", r.Track.Name, m.MediaType, m.Closed, m.StartTime, d.Body)
		}
	}
	s.Start = 0
	if d, err := legacy.Media(s.Presentation, "a"); err != nil || strings.Contains(string(d.Body), "EXT-X-START") {
		t.Errorf("a start that nobody asked for: %v\n%s", err, d.Body)
	}
}

func TestAnUnknownTrackIsAnError(t *testing.T) {
	if _, err := legacy.Media(play(5, 8_000), "x"); !errors.Is(err, manifest.ErrNoTrack) {
		t.Errorf("%v", err)
	}
}

func BenchmarkMedia(b *testing.B) {
	p := play(30, 70_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := legacy.Media(p, "v"); err != nil {
			b.Fatal(err)
		}
	}
}

package hls_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/manifesttest"
)

func TestMultivariantReadsBack(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		d, err := hls.Multivariant(s.Presentation)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		list := m3u8.NewMasterPlaylist()
		if err := list.DecodeFrom(bytes.NewReader(d.Body), true); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		variants := s.Variants()
		if len(list.Variants) != len(variants) || len(variants) == 0 {
			t.Fatalf("%s: %d variants, want %d", s.Name, len(list.Variants), len(variants))
		}
		for i, v := range list.Variants {
			peak, average := variants[i].Bandwidth()
			if int64(v.Bandwidth) != peak || int64(v.AverageBandwidth) != average || v.Codecs != variants[i].Codecs() {
				t.Errorf("%s: variant %d reads back as %+v", s.Name, i, v.VariantParams)
			}
			have := map[string]int{}
			for _, a := range v.Alternatives {
				have[a.Type]++
			}
			if g := variants[i].Audio; g != nil && have["AUDIO"] != len(g.Members) {
				t.Errorf("%s: variant %d has %d audio renditions, want %d", s.Name, i, have["AUDIO"], len(g.Members))
			}
			want := "NONE"
			if g := variants[i].Captions; g != nil {
				want = g.ID
				if have["CLOSED-CAPTIONS"] != len(g.Members) {
					t.Errorf("%s: variant %d has %d captions, want %d", s.Name, i, have["CLOSED-CAPTIONS"], len(g.Members))
				}
			} else if manifest.Captioned(variants) {
				want = ""
			}
			if v.Captions != want {
				t.Errorf("%s: variant %d has CLOSED-CAPTIONS %q, want %q", s.Name, i, v.Captions, want)
			}
		}
	}
}

func TestMediaReadsBack(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		for _, r := range s.Renditions {
			if r.Empty() {
				continue
			}
			name := s.Name + "/" + r.Track.Name
			d, err := hls.Media(s.Presentation, r.Track.Name, hls.Options{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			list, err := m3u8.NewMediaPlaylist(0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if err := list.DecodeFrom(bytes.NewReader(d.Body), true); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkRead(t, name, s.Presentation, r, list)
		}
	}
}

func checkRead(t *testing.T, name string, p manifest.Presentation, r manifest.Rendition, list *m3u8.MediaPlaylist) {
	t.Helper()
	listed := p.Listed(&r)
	partTarget := p.Plan.PartTarget.Seconds()
	if r.Track.Kind.String() == "text" {
		partTarget = 0
	}
	if int(list.Count()) != len(listed) || list.SeqNo != listed[0].N || list.TargetDuration != uint(p.Plan.TargetDuration) ||
		list.Closed != r.Ended || list.PartTargetDuration != partTarget {
		t.Errorf("%s: %d segments from %d, target %d, part target %f, closed %v", name, list.Count(), list.SeqNo, list.TargetDuration,
			list.PartTargetDuration, list.Closed)
	}
	for i, s := range list.GetAllSegments() {
		e := r.Epoch(listed[i].Epoch)
		// This parser gives the time of a segment that is listed with parts to a part, and forgets old ones.
		at := s.ProgramDateTime
		uri := fmt.Sprintf("%d.m4s", listed[i].N)
		if e.Init.Codec == "wvtt" {
			uri = fmt.Sprintf("%d.vtt", listed[i].N)
		}
		if p.Media != "" {
			uri = fmt.Sprintf("../../%s/%s/%s", p.Media, manifest.Escape(r.Track.Name), uri)
		}
		if s.URI != uri || !at.IsZero() && !at.Equal(manifest.UnixMilli(e, listed[i].Start)) {
			t.Errorf("%s: segment %d reads back as %+v", name, i, s)
		}
	}
	c := list.ServerControl
	if !c.CanBlockReload || c.PartHoldBack < 3*list.PartTargetDuration || c.CanSkipUntil < 6*float64(list.TargetDuration) {
		t.Errorf("%s: server control %+v", name, c)
	}
	if (r.Ended || partTarget == 0) != (list.PreloadHints == nil) {
		t.Errorf("%s: hint %+v after the end: %v", name, list.PreloadHints, r.Ended)
	}
}

func TestNothingIsWrittenBeforeThereIsSomething(t *testing.T) {
	empty := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Audio("a", "en", 48000)).Present()
	if _, err := hls.Media(empty, "a", hls.Options{}); !errors.Is(err, manifest.ErrNotYet) {
		t.Errorf("Media of an empty timeline: %v", err)
	}
	if _, err := hls.Media(empty, "b", hls.Options{}); !errors.Is(err, manifest.ErrNoTrack) {
		t.Errorf("Media of an unknown track: %v", err)
	}
	if _, err := hls.Multivariant(manifest.Presentation{}); !errors.Is(err, manifest.ErrNotYet) {
		t.Errorf("Multivariant of no rendition: %v", err)
	}
}

func TestPlainLiveDocumentsGoStaleSoon(t *testing.T) {
	s := manifesttest.Scenarios()[0]
	d, err := hls.Media(s.Presentation, "v720", hls.Options{})
	if err != nil || d.MaxAge != time.Second || d.ContentType != "application/vnd.apple.mpegurl" {
		t.Errorf("%v %s, %v", d.MaxAge, d.ContentType, err)
	}
}

func TestObjectsOfDolbyAtmosAreCounted(t *testing.T) {
	atmos := manifesttest.Audio("atmos", "en", 48000)
	atmos.Init.Codec, atmos.Init.Channels, atmos.Init.JOC = "ec-3", 6, 16
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 720, 25, 1, 50), atmos)
	c.Play(manifesttest.Start + 5_000)
	d, err := hls.Multivariant(c.Present())
	if err != nil || !bytes.Contains(d.Body, []byte(`CHANNELS="16/JOC"`)) || !bytes.Contains(d.Body, []byte(`CODECS="avc1.64001f,ec-3"`)) {
		t.Errorf("%v\n%s", err, d.Body)
	}
}

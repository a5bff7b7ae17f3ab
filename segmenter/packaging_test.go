package segmenter_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// clipSource is a test clip as a track whose media time is Unix time.
func clipSource(t testing.TB, file string, p live.Packing) *live.Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../testdata/cmaf", file))
	if err != nil {
		t.Fatal(err)
	}
	c, err := live.Load(data)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s, err := live.NewSource(live.Track{Name: file, Clip: c, Packing: p}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// described is a source as its catalog describes it.
func described(s *live.Source) media.Track {
	p, c := s.Packing, s.Clip
	m := media.Track{Name: s.Name, Kind: c.Kind, Packaging: p.As, Codec: c.Codec, Namespace: []string{"x"}, MaxGroupDuration: time.Second}
	if c.Kind == media.Video {
		m.FrameRate = strconv.FormatFloat(float64(c.Timescale)/float64(c.Frame), 'f', 2, 64)
	} else {
		m.SampleRate, m.Channels = int(c.Timescale), strconv.Itoa(c.Channels)
	}
	switch {
	case p.As == media.MoqMI:
		m.Codec, m.FrameRate, m.SampleRate, m.Channels, m.MaxGroupDuration = "", "", 0, "", 0
	case p.As == "", p.As == media.CMAF, p.As == media.LOCMAF:
		if p.As == "" {
			m.Packaging = media.CMAF
		}
		if !p.Init {
			m.Init = s.Init()
		}
	case p.Bare.InBand && c.ParameterSets() != nil:
		m.Codec = strings.NewReplacer("avc1", "avc3", "hvc1", "hev1").Replace(m.Codec)
	case !p.Bare.Property:
		m.Config = c.Config()
	}
	return m
}

// packagedAs publishes seconds of clips in one packaging.
func packagedAs(t *testing.T, seconds int64, p live.Packing, files ...string) *channel {
	t.Helper()
	c := newChannel(t, cfg())
	var tracks []media.Track
	var each [][]object
	for _, file := range files {
		s := clipSource(t, file, p)
		tracks = append(tracks, described(s))
		l, _ := s.Largest(time.Unix(unix, 0))
		var objects []object
		for l = (media.Location{Group: l.Group}); s.Due(l).Before(time.Unix(unix+seconds, 0)); l = s.Next(l) {
			o, err := s.Object(l)
			if err != nil {
				t.Fatal(err)
			}
			objects = append(objects, object{s.Name, s.Due(l).UnixMicro(), o})
		}
		each = append(each, objects)
	}
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
		t.Fatal(err)
	}
	c.send(interleave(each...)...)
	for _, bad := range c.bad {
		t.Error(bad)
	}
	checkStored(t, c)
	return c
}

// bare are the ways to write a track without boxes.
func bare() map[string]live.Packing {
	return map[string]live.Packing{
		"loc":                          {As: media.LOC},
		"loc-03":                       {As: media.LOC, Bare: live.Bare{Timestamp: 0x06}},
		"loc-03 by its text":           {As: media.LOC, Bare: live.Bare{Timestamp: 0x0A}},
		"loc-00":                       {As: media.LOC, Bare: live.Bare{Timestamp: 0x02}},
		"loc with media time":          {As: media.LOC, Bare: live.Bare{MediaTime: true}},
		"loc with a config property":   {As: media.LOC, Bare: live.Bare{Property: true}},
		"loc in band":                  {As: media.LOC, Bare: live.Bare{InBand: true}},
		"loc in Annex B":               {As: media.LOC, Bare: live.Bare{InBand: true, StartCode: true}},
		"loc of moq-dev":               {As: media.LOC, Bare: live.Bare{Place: live.InBlock}},
		"loc of moq-dev with a config": {As: media.LOC, Bare: live.Bare{Place: live.InBlock, Property: true}},
		"loc of Shaka":                 {As: media.LOC, Bare: live.Bare{Place: live.InPairs, Timestamp: 0x06}},
		"legacy":                       {As: media.Legacy},
		"legacy in Annex B":            {As: media.Legacy, Bare: live.Bare{InBand: true, StartCode: true}},
	}
}

// clips are the files of testdata/cmaf.
func clips() []string {
	return []string{"h264-2997.mp4", "h264-5994.mp4", "hevc-25.mp4", "av1-25.mp4", "vp9-25.mp4", "aac-44100.mp4", "opus-48000.mp4",
		"ac3-48000.mp4", "eac3-48000.mp4", "flac-48000.mp4"}
}

// stretch is the samples of one stored segment.
func stretch(t *testing.T, c *channel, track string, n uint64) []media.Sample {
	t.Helper()
	snap := c.line(track).Timeline.Load()
	d, err := demux.NewCMAF(c.store.data[track+"/init-"+snap.Current().Init.Digest])
	if err != nil {
		t.Fatal(err)
	}
	samples, err := d.Samples(nil, c.store.data[track+"/"+strconv.FormatUint(n, 10)])
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// same compares the published segments of a track in two packagings: the same samples under the same names, at the same times
// but for a tick of rounding in the timescale of the second one.
func same(t *testing.T, track string, want, got *channel) {
	t.Helper()
	a, b := want.line(track).Timeline.Load(), got.line(track).Timeline.Load()
	if len(a.Segments) < 3 || len(a.Segments) != len(b.Segments) {
		t.Fatalf("%s: %d segments, want %d and at least 3", track, len(b.Segments), len(a.Segments))
	}
	from, to := int64(a.Current().Init.Timescale), int64(b.Current().Init.Timescale)
	near := func(x, y int64) bool { d := x/from*to + x%from*to/from - y; return d >= -1 && d <= 1 }
	for i := range a.Segments {
		if a.Segments[i].N != b.Segments[i].N || len(a.Segments[i].Parts) != len(b.Segments[i].Parts) {
			t.Fatalf("%s: segment %d has number %d and %d parts, want %d and %d", track, i, b.Segments[i].N, len(b.Segments[i].Parts),
				a.Segments[i].N, len(a.Segments[i].Parts))
		}
		x, y := stretch(t, want, track, a.Segments[i].N), stretch(t, got, track, b.Segments[i].N)
		if len(x) != len(y) {
			t.Fatalf("%s: segment %d has %d samples, want %d", track, i, len(y), len(x))
		}
		for j := range x {
			if !bytes.Equal(x[j].Data, y[j].Data) || x[j].Sync != y[j].Sync {
				t.Fatalf("%s: sample %d of segment %d is another", track, j, i)
			}
			if !near(x[j].DTS, y[j].DTS) || !near(x[j].PTS(), y[j].PTS()) || !near(int64(x[j].Dur), int64(y[j].Dur)) {
				t.Fatalf("%s: sample %d of segment %d is at %d%+d for %d, want %d%+d for %d in another timescale", track, j, i,
					y[j].DTS, y[j].CTO, y[j].Dur, x[j].DTS, x[j].CTO, x[j].Dur)
			}
		}
	}
}

// What these packagings cannot carry is the publisher's timescale: video has 90 kHz.
func TestBareBitstreamsGiveTheSamplesOfCMAF(t *testing.T) {
	for _, file := range clips() {
		want := packagedAs(t, 8, live.Packing{}, file)
		for name, p := range bare() {
			t.Run(file+" as "+name, func(t *testing.T) { same(t, file, want, packagedAs(t, 8, p, file)) })
		}
	}
}

func TestAudioInOneTimescaleIsEqualToTheByte(t *testing.T) {
	for _, file := range []string{"aac-44100.mp4", "opus-48000.mp4", "ac3-48000.mp4", "eac3-48000.mp4", "flac-48000.mp4"} {
		want := packagedAs(t, 8, live.Packing{}, file)
		for name, p := range bare() {
			if n := agree(t, want.store, packagedAs(t, 8, p, file).store); n < 15 {
				t.Errorf("%s as %s: only %d names in common", file, name, n)
			}
		}
	}
}

func TestInteropMediaIsThatOfCMAFToTheByte(t *testing.T) {
	for _, file := range []string{"h264-2997.mp4", "h264-5994.mp4", "aac-44100.mp4", "opus-48000.mp4"} {
		want, got := packagedAs(t, 8, live.Packing{}, file), packagedAs(t, 8, live.Packing{As: media.MoqMI}, file)
		if n := agree(t, want.store, got.store); n < 15 {
			t.Errorf("%s: only %d names in common", file, n)
		}
		same(t, file, want, got)
	}
}

func TestTwinsInCMAFAndLOCMAFAreEqualToTheByte(t *testing.T) {
	for _, file := range clips() {
		for name, p := range map[string]live.Packing{
			"plain":                 {},
			"defaults in tfhd":      {Durations: live.InTfhd},
			"batches":               {Frames: 7, Durations: live.InTrex},
			"batches and boxes":     {Frames: 4, Styp: true, Prft: true, Emsg: true},
			"batches with defaults": {Frames: 10, Durations: live.InTfhd},
		} {
			t.Run(file+" "+name, func(t *testing.T) {
				want := packagedAs(t, 8, p, file)
				p.As = media.LOCMAF
				got := packagedAs(t, 8, p, file)
				if len(want.store.data) != len(got.store.data) {
					t.Errorf("%d things stored, want %d", len(got.store.data), len(want.store.data))
				}
				if n := agree(t, want.store, got.store); n != len(want.store.data) || n < 15 {
					t.Errorf("%d names in common, want %d", n, len(want.store.data))
				}
			})
		}
	}
}

func TestReorderedFramesKeepTheirOffsets(t *testing.T) {
	c := packagedAs(t, 8, live.Packing{}, "h264-2997.mp4")
	var offsets []int32
	for _, s := range stretch(t, c, "h264-2997.mp4", c.line("h264-2997.mp4").Timeline.Load().Segments[1].N)[:6] {
		offsets = append(offsets, s.CTO/1001)
	}
	if diff := cmp.Diff([]int32{2, 4, 1, 1, 4, 1}, offsets); diff != "" {
		t.Error(diff)
	}
}

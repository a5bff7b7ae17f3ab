package demux_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// clip is a test clip as a track.
func clip(t testing.TB, file string, p live.Packing) *live.Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/cmaf", file))
	if err != nil {
		t.Fatal(err)
	}
	c, err := live.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := live.NewSource(live.Track{Name: file, Clip: c, Packing: p}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clipObject is object n of a clip from the start of a group on.
func clipObject(t testing.TB, s *live.Source, n uint64) media.Object {
	t.Helper()
	l := media.Location{Group: 1_800_000_000}
	for range n {
		l = s.Next(l)
	}
	o, err := s.Object(l)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// codecs are what Frames can be asked for.
func codecs() []media.Track {
	return []media.Track{
		{Kind: media.Video, Codec: "avc3.4d400a"},
		{Kind: media.Video, Codec: "hev1.1.6.L30.90"},
		{Kind: media.Video, Codec: "av01.0.00M.08"},
		{Kind: media.Video, Codec: "vp09.00.10.08"},
		{Kind: media.Audio, Codec: "mp4a.40.2", SampleRate: 48000, Channels: "2"},
		{Kind: media.Audio, Codec: "opus", Channels: "2"},
		{Kind: media.Audio, Codec: "ac-3"},
		{Kind: media.Audio, Codec: "ec-3"},
		{Kind: media.Audio, Codec: "flac"},
	}
}

// sane checks what every reader promises of what it returns.
func sane(t *testing.T, units []demux.Unit) {
	t.Helper()
	for i := range units {
		u := &units[i]
		if len(u.Samples) > 0 && (u.Header == nil || u.Header.Timescale == 0 || len(u.Header.Entry) < 16 || u.Err != nil) {
			t.Fatalf("samples under the header %+v with the error %v", u.Header, u.Err)
		}
		for _, s := range u.Samples {
			if s.Dur == 0 || len(s.Data) == 0 || s.DTS < 0 {
				t.Fatalf("sample at %d for %d with %d bytes", s.DTS, s.Dur, len(s.Data))
			}
		}
	}
}

func FuzzFrames(f *testing.F) {
	for i, file := range []string{"h264-2997.mp4", "hevc-25.mp4", "av1-25.mp4", "vp9-25.mp4", "aac-44100.mp4", "opus-48000.mp4", "ac3-48000.mp4",
		"eac3-48000.mp4", "flac-48000.mp4"} {
		for j, p := range []live.Packing{
			{As: media.LOC, Bare: live.Bare{Place: live.InBlock}},
			{As: media.Legacy, Bare: live.Bare{InBand: true, StartCode: true}},
			{As: media.MoqMI},
		} {
			s := clip(f, file, p)
			if p.As == media.MoqMI && i != 0 && i != 4 && i != 5 {
				continue
			}
			a, b := clipObject(f, s, 0), clipObject(f, s, 1)
			var property []byte
			for _, x := range a.Properties {
				if x.Bytes != nil {
					property = x.Bytes
				}
			}
			f.Add(uint8(i), uint8(j), s.Clip.Config(), uint64(1_800_000_000_000_000), property, a.Payload, b.Payload)
		}
	}
	f.Fuzz(func(t *testing.T, codec, packaging uint8, config []byte, time uint64, property, a, b []byte) {
		track := codecs()[int(codec)%len(codecs())]
		track.Packaging = []media.Packaging{media.LOC, media.Legacy, media.MoqMI}[packaging%3]
		track.FrameRate = "25"
		if codec%2 == 0 {
			track.Config = config
		}
		r, _, err := demux.NewFrames(&track)
		if err != nil {
			return
		}
		var units []demux.Unit
		for i, payload := range [][]byte{a, b, a, b, b, a} {
			o := media.Object{Location: media.Location{Group: uint64(i / 4), Object: uint64(i % 4)}, Payload: payload, Lost: i == 3}
			for _, kind := range []uint64{0x0D, 0x0F, 0x13, 0x15, 0x79} {
				if property != nil && (int(packaging)+i)%3 != int(kind)%3 {
					o.Properties = append(o.Properties, media.Property{Type: kind, Bytes: property})
				}
			}
			if packaging/3%2 == 0 {
				o.Properties = append(o.Properties, media.Property{Type: 0x10, Value: time + uint64(i)*40_000}, media.Property{Type: 0x08, Value: time % 7})
			}
			sane(t, r.Read(units[:0], &o))
		}
		sane(t, r.Read(units[:0], &media.Object{Status: media.EndOfTrack}))
	})
}

func FuzzLOCMAF(f *testing.F) {
	var track media.Track
	for _, p := range []live.Packing{{As: media.LOCMAF}, {As: media.LOCMAF, Frames: 4, Durations: live.InTfhd, Styp: true}} {
		s := clip(f, "h264-2997.mp4", p)
		track = media.Track{Kind: media.Video, Packaging: media.LOCMAF, Init: s.Init()}
		f.Add(clipObject(f, s, 0).Payload, clipObject(f, s, 1).Payload)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, _, err := demux.NewLOCMAF(&track)
		if err != nil {
			t.Fatal(err)
		}
		for i, payload := range [][]byte{a, b, b, a} {
			sane(t, r.Read(nil, &media.Object{Location: media.Location{Group: 1, Object: uint64(i)}, Payload: payload}))
		}
	})
}

package mux_test

import (
	"encoding/hex"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// described is what the canonical header says of a track with a decoder configuration and one access unit.
func described(t *testing.T, track media.Track, config, unit string) *media.Init {
	t.Helper()
	var err error
	if track.Config, err = hex.DecodeString(config); err != nil {
		t.Fatal(err)
	}
	payload, err := hex.DecodeString("00" + unit) // a timestamp of 0
	if err != nil {
		t.Fatal(err)
	}
	track.Packaging = media.Legacy
	r, h, err := demux.NewFrames(&track)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range r.Read(nil, &media.Object{Payload: payload, Last: true}) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
	}
	for _, u := range r.Read(nil, &media.Object{Status: media.EndOfTrack}) {
		h = u.Header
	}
	m, err := mux.Init(h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCodecStringsOfAudio(t *testing.T) {
	type row struct {
		Codec          string
		Rate, Channels int
	}
	for name, tt := range map[string]struct {
		codec, config string
		want          row
	}{
		"AAC-LC":                                  {"mp4a.40.2", "1190", row{"mp4a.40.2", 48000, 2}},
		"AAC-LC with an empty extension":          {"mp4a.40.2", "119056e500", row{"mp4a.40.2", 48000, 2}},
		"HE-AAC":                                  {"mp4a.40.5", "2b118800", row{"mp4a.40.5", 48000, 2}},
		"HE-AAC v2":                               {"mp4a.40.29", "eb098800", row{"mp4a.40.29", 48000, 2}},
		"HE-AAC behind the core":                  {"mp4a.40.2", "131056e598", row{"mp4a.40.5", 48000, 2}},
		"HE-AAC v2 behind the core":               {"mp4a.40.2", "130856e59d4880", row{"mp4a.40.29", 48000, 2}},
		"HE-AAC that only the catalog knows":      {"mp4a.40.5", "1310", row{"mp4a.40.5", 48000, 2}},
		"HE-AAC v2 that only the catalog knows":   {"mp4a.40.29", "1308", row{"mp4a.40.29", 48000, 2}},
		"AAC-LC that the catalog calls something": {"mp4a.40.5", "1190", row{"mp4a.40.2", 48000, 2}},
	} {
		m := described(t, media.Track{Kind: media.Audio, Codec: tt.codec}, tt.config, "2110")
		if got := (row{m.Codec, m.SampleRate, m.Channels}); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// An E-AC-3 frame of 6 blocks with 5.1 channels at 48 kHz, whose addbsi says 16 objects (ETSI TS 103 420, 8.3).
func TestObjectsOfDolbyAtmosAreSeen(t *testing.T) {
	var w bitString
	w.put(16, 0x0b77)
	w.put(2, 0)  // independent
	w.put(3, 0)  // substream 0
	w.put(11, 7) // 16 bytes
	w.put(2, 0)  // 48 kHz
	w.put(2, 3)  // 6 blocks
	w.put(3, 7)  // 3/2
	w.put(1, 1)  // LFE
	w.put(5, 16)
	w.put(5, 31)
	w.put(1, 0) // compr
	w.put(1, 0) // mixing metadata
	w.put(1, 0) // informational metadata
	w.put(1, 1) // addbsi
	w.put(6, 1) // of two bytes
	w.put(7, 0)
	w.put(1, 1)
	w.put(8, 16)
	for len(w.data) < 16 {
		w.put(8, 0)
	}
	m := described(t, media.Track{Kind: media.Audio, Codec: "ec-3"}, "", hex.EncodeToString(w.data[:16]))
	if m.Codec != "ec-3" || m.Channels != 6 || m.JOC != 16 || m.SampleRate != 48000 {
		t.Errorf("%+v", m)
	}
}

func TestCodecStringsOfVP9(t *testing.T) {
	// A key frame of profile 2 with 10 bits in BT.2020, 64x48: header, and that much is enough.
	var w bitString
	w.put(2, 2)
	w.put(2, 1) // profile 2
	w.put(1, 0)
	w.put(1, 0) // key frame
	w.put(2, 2)
	w.put(24, 0x498342)
	w.put(1, 0) // 10 bits
	w.put(3, 5) // BT.2020
	w.put(1, 0)
	w.put(16, 63)
	w.put(16, 47)
	frame := hex.EncodeToString(w.data)
	for codec, want := range map[string][2]string{
		"vp09.02.10.10":                {"vp09.02.10.10.01.09.14.09.00", "SDR"},
		"vp09.02.31.10.01.09.16.09.00": {"vp09.02.31.10.01.09.16.09.00", "PQ"},
	} {
		m := described(t, media.Track{Kind: media.Video, Codec: codec, FrameRate: "25"}, "", frame)
		if m.Codec != want[0] || m.VideoRange != want[1] || m.Width != 64 || m.Height != 48 {
			t.Errorf("%s: %+v", codec, m)
		}
	}
}

// bitString is bits from the first on.
type bitString struct {
	data []byte
	n    int
}

func (w *bitString) put(bits int, v uint64) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

package mux_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

var update = flag.Bool("update", false, "write the goldens")

// file splits a small CMAF file into its header and its objects.
func file(t testing.TB, name string) (init []byte, objects [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../testdata/cmaf", name))
	if err != nil {
		t.Fatal(err)
	}
	init, rest, err := demux.Head(b)
	if err != nil {
		t.Fatal(err)
	}
	for len(rest) > 0 {
		i := bytes.Index(rest[8:], []byte("moof"))
		if i < 0 {
			return init, append(objects, rest)
		}
		objects, rest = append(objects, rest[:i+4]), rest[i+4:]
	}
	return init, objects
}

func samples(t testing.TB, init []byte, objects [][]byte) []media.Sample {
	t.Helper()
	c, err := demux.NewCMAF(init)
	if err != nil {
		t.Fatal(err)
	}
	var s []media.Sample
	for _, o := range objects {
		if s, err = c.Samples(s, o); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestHeaderSaysWhatThePlayerMustKnow(t *testing.T) {
	for name, want := range map[string]media.Init{
		"h264-2997":  {Kind: media.Video, Codec: "avc1.4d400a", Timescale: 30000, Width: 128, Height: 72, VideoRange: "SDR"},
		"h264-5994":  {Kind: media.Video, Codec: "avc1.42c00b", Timescale: 60000, Width: 128, Height: 72, VideoRange: "SDR"},
		"hevc-25":    {Kind: media.Video, Codec: "hvc1.1.6.L30.90", Timescale: 12800, Width: 128, Height: 72, VideoRange: "SDR"},
		"av1-25":     {Kind: media.Video, Codec: "av01.0.00M.08.0.110.02.02.02.0", Timescale: 12800, Width: 128, Height: 72, VideoRange: "SDR"},
		"aac-44100":  {Kind: media.Audio, Codec: "mp4a.40.2", Timescale: 44100, SampleRate: 44100, Channels: 2},
		"opus-48000": {Kind: media.Audio, Codec: "Opus", Timescale: 48000, SampleRate: 48000, Channels: 2},
		"ac3-48000":  {Kind: media.Audio, Codec: "ac-3", Timescale: 48000, SampleRate: 48000, Channels: 2},
	} {
		t.Run(name, func(t *testing.T) {
			init, _ := file(t, name+".mp4")
			got, err := mux.ParseInit(init)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, *got, cmpopts.IgnoreFields(media.Init{}, "Bytes", "Digest")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCanonicalHeaderIsItsOwnCanonicalHeader(t *testing.T) {
	for _, name := range files {
		init, _ := file(t, name+".mp4")
		first, err := mux.ParseInit(init)
		if err != nil {
			t.Fatal(err)
		}
		second, err := mux.ParseInit(first.Bytes)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(name, diff)
		}
	}
}

var files = []string{"h264-2997", "h264-5994", "hevc-25", "av1-25", "aac-44100", "opus-48000", "ac3-48000"}

// One golden per codec: the header and a fragment of the first samples. mp4ff reads them back.
func TestGoldens(t *testing.T) {
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			init, objects := file(t, name+".mp4")
			in := samples(t, init, objects[:10])
			header, err := mux.ParseInit(init)
			if err != nil {
				t.Fatal(err)
			}
			fragment, err := mux.Fragment(mux.Sequence(3, 1), in)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+"-init.mp4", header.Bytes)
			golden(t, name+"-part.m4s", fragment)

			f, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(header.Bytes), fragment...)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := f.Segments[0].Fragments[0].GetFullSamples(f.Init.Moov.Mvex.Trex)
			if err != nil {
				t.Fatal(err)
			}
			var got []media.Sample
			for _, s := range out {
				got = append(got, media.Sample{DTS: int64(s.DecodeTime), CTO: s.CompositionTimeOffset, Dur: s.Dur, Sync: s.IsSync(), Data: s.Data})
			}
			if diff := cmp.Diff(in, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from the golden: if that is meant, run go test -update", name)
	}
}

func TestFragmentReadsBackWithNegativeOffsets(t *testing.T) {
	init, _ := file(t, "h264-2997.mp4")
	want := []media.Sample{
		{DTS: 1 << 40, CTO: 0, Dur: 10, Sync: true, Data: []byte{0, 0, 0, 1, 0x65}},
		{DTS: 1<<40 + 10, CTO: -10, Dur: 20, Data: []byte{0, 0, 0, 1, 0x41}},
	}
	fragment, err := mux.Fragment(1, want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, samples(t, init, [][]byte{fragment})); diff != "" {
		t.Error(diff)
	}
}

func TestEncryptedHeaderWithoutItsSchemeIsRefused(t *testing.T) {
	for name, kind := range map[string]string{"h264-2997.mp4": "avc1", "aac-44100.mp4": "mp4a"} {
		init, _ := file(t, name)
		sealed := bytes.ReplaceAll(init, []byte(kind), []byte("enc"+map[string]string{"avc1": "v", "mp4a": "a"}[kind]))
		var where *demux.Error
		if _, err := mux.ParseInit(sealed); !errors.As(err, &where) || where.Box != "sinf" {
			t.Errorf("%s: %v, want that sinf is missing", name, err)
		}
	}
}

func TestBitratesAndEncoderNamesLeaveNoTrace(t *testing.T) {
	init, _ := file(t, "h264-2997.mp4")
	f, err := mp4.DecodeFile(bytes.NewReader(init))
	if err != nil {
		t.Fatal(err)
	}
	entry := f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.AvcX
	entry.CompressorName = "encoder 7.1"
	entry.AddChild(&mp4.BtrtBox{AvgBitrate: 5})
	f.Init.Moov.Mvhd.CreationTime = 99
	var b bytes.Buffer
	if err := f.Init.Encode(&b); err != nil {
		t.Fatal(err)
	}
	plain, err := mux.ParseInit(init)
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := mux.ParseInit(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, noisy); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseInit(f *testing.F) {
	for _, name := range files {
		init, _ := file(f, name+".mp4")
		f.Add(init)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := mux.ParseInit(b)
		if err != nil {
			return
		}
		if _, err := mux.ParseInit(m.Bytes); err != nil {
			t.Errorf("the canonical header does not parse: %v", err)
		}
	})
}

func BenchmarkDemuxMux(b *testing.B) {
	init, objects := file(b, "h264-2997.mp4")
	c, err := demux.NewCMAF(init)
	if err != nil {
		b.Fatal(err)
	}
	objects = objects[:10]
	var buf []media.Sample
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		buf = buf[:0]
		for _, o := range objects {
			if buf, err = c.Samples(buf, o); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := mux.Fragment(1, buf); err != nil {
			b.Fatal(err)
		}
		n += len(buf)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/sample")
}

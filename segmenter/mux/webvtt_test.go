package mux_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// textInit is the canonical header of a track of text.
func textInit(t testing.TB, describe func(*mp4.TrakBox) error) (*media.Init, error) {
	t.Helper()
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(1000, "wvtt", "en")
	if err := describe(trak); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := init.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return mux.ParseInit(b.Bytes())
}

func webVTT(t testing.TB, config string) *media.Init {
	t.Helper()
	m, err := textInit(t, func(trak *mp4.TrakBox) error { return trak.SetWvttDescriptor(config) })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cueAt(dts int64, dur uint32, cues ...demux.Cue) media.Sample {
	s := media.Sample{DTS: dts, Dur: dur, Sync: true}
	for _, c := range cues {
		s.Data = append(s.Data, demux.CueSample(c)...)
	}
	if s.Data == nil {
		s.Data = mux.Blank("wvtt")
	}
	return s
}

func TestWebVTTIsTheTextOfASegment(t *testing.T) {
	init := webVTT(t, "WEBVTT - by someone\r\n\r\nSTYLE\r\n::cue { color: lime }\r\n")
	a := demux.Cue{ID: "one\ntwo", Settings: "line:0", Text: "<b>a</b>\n\nb"}
	b := demux.Cue{Text: "x --> y\r\nz\x00\xff"}
	const start = 1_795_174_260_000
	segment, err := mux.Fragment(1, []media.Sample{
		cueAt(start, 500), cueAt(start+500, 500, a), cueAt(start+1000, 250, a, b), cueAt(start+1250, 750, b),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mux.WebVTT(init.Bytes, segment)
	if err != nil {
		t.Fatal(err)
	}
	// 1795174260 s * 90000 mod 2^33
	want := `WEBVTT
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:6193593664

STYLE
::cue { color: lime }

one two
00:00:00.500 --> 00:00:01.250 line:0
<b>a</b>
b

00:00:01.000 --> 00:00:02.000
x --&gt; y
z` + "\ufffd\ufffd\n"
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestHeadersOfTextAreCanonical(t *testing.T) {
	vtt := webVTT(t, "WEBVTT")
	if vtt.Kind != media.Text || vtt.Codec != "wvtt" || vtt.Timescale != 1000 {
		t.Errorf("%+v", vtt)
	}
	ttml, err := textInit(t, func(trak *mp4.TrakBox) error {
		trak.Mdia.Hdlr.HandlerType = "subt"
		return trak.SetStppDescriptor("http://www.w3.org/ns/ttml", "", "")
	})
	if err != nil || ttml.Kind != media.Text || ttml.Codec != "stpp.ttml.im1t" {
		t.Errorf("%+v, %v", ttml, err)
	}
	for _, m := range []*media.Init{vtt, ttml} {
		again, err := mux.ParseInit(m.Bytes)
		if err != nil || !bytes.Equal(again.Bytes, m.Bytes) {
			t.Errorf("%s: the canonical header is not its own: %v", m.Codec, err)
		}
	}
	_, err = textInit(t, func(trak *mp4.TrakBox) error {
		return trak.SetStppDescriptor("http://www.w3.org/ns/ttml", "", "image/png")
	})
	if !errors.Is(err, mux.ErrUnsupported) {
		t.Errorf("TTML with pictures: %v", err)
	}
}

// FuzzWebVTT: whatever a publisher's cues hold, the text has these cues and no other.
func FuzzWebVTT(f *testing.F) {
	f.Add("id", "line:0", "text", "WEBVTT", []byte("\x00\x00\x00\x08vttc"))
	f.Add("a\n\n00:00 --> 00:01", "\n\nx", "x\n\n\ny --> z", "WEBVTT\n\n00:00.000 --> 00:01.000\nx", []byte{0})
	f.Fuzz(func(t *testing.T, id, settings, text, config string, raw []byte) {
		init := mp4.CreateEmptyInit()
		if init.AddEmptyTrack(1000, "wvtt", "en").SetWvttDescriptor(config) != nil {
			return
		}
		var b bytes.Buffer
		if init.Encode(&b) != nil {
			return
		}
		m, err := mux.ParseInit(b.Bytes())
		if err != nil {
			return
		}
		segment, err := mux.Fragment(1, []media.Sample{cueAt(0, 1000, demux.Cue{ID: id, Settings: settings, Text: text})})
		if err != nil {
			t.Fatal(err)
		}
		got, err := mux.WebVTT(m.Bytes, segment)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(got), "-->"); n != 1 || !strings.HasPrefix(string(got), "WEBVTT\nX-TIMESTAMP-MAP=") {
			t.Fatalf("%d cues in %q", n, got)
		}
		if segment, err = mux.Fragment(1, []media.Sample{{Dur: 1, Sync: true, Data: raw}}); err == nil {
			_, _ = mux.WebVTT(m.Bytes, segment) // no panic
		}
	})
}

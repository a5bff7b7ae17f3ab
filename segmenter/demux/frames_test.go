package demux_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/demux"
)

func frames(t testing.TB, track media.Track) *demux.Frames {
	t.Helper()
	r, _, err := demux.NewFrames(&track)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sets are the parameter sets of a clip with start codes or lengths.
func sets(t testing.TB, file string) (annexB []byte) {
	t.Helper()
	for _, s := range clip(t, file, live.Packing{}).Clip.ParameterSets() {
		annexB = append(append(annexB, 0, 0, 0, 1), s...)
	}
	return annexB
}

// loc is an object with a timestamp in microseconds.
func loc(group, id, micros uint64, payload []byte) *media.Object {
	return &media.Object{Location: media.Location{Group: group, Object: id}, Payload: payload,
		Properties: []media.Property{{Type: 0x10, Value: micros}}}
}

// read reads objects one after the other.
func read(t testing.TB, r *demux.Frames, objects ...*media.Object) (units []demux.Unit) {
	t.Helper()
	for _, o := range objects {
		units = r.Read(units, o)
	}
	return units
}

// record is the decoder configuration in a header's sample entry.
func record(t testing.TB, h *demux.Header, kind string) []byte {
	t.Helper()
	at := bytes.Index(h.Entry, []byte(kind))
	if at < 0 {
		t.Fatalf("no %s in %x", kind, h.Entry)
	}
	return h.Entry[at+4 : at-4+int(binary.BigEndian.Uint32(h.Entry[at-4:]))]
}

// ffmpeg wrote the clips' configurations from the same parameter sets.
func TestRecordsAreThoseThatAnEncoderWrote(t *testing.T) {
	for _, tt := range []struct{ file, codec, kind string }{
		{"h264-2997.mp4", "avc3", "avcC"}, {"h264-5994.mp4", "avc3", "avcC"}, {"hevc-25.mp4", "hev1", "hvcC"}, {"av1-25.mp4", "av01", "av1C"},
		{"vp9-25.mp4", "vp09", "vpcC"}, {"ac3-48000.mp4", "ac-3", "dac3"}, {"eac3-48000.mp4", "ec-3", "dec3"},
	} {
		s := clip(t, tt.file, live.Packing{As: media.LOC, Bare: live.Bare{InBand: true, StartCode: true}})
		r := frames(t, media.Track{Kind: s.Clip.Kind, Packaging: media.LOC, Codec: tt.codec, FrameRate: "25"})
		a, b := clipObject(t, s, 0), clipObject(t, s, 1)
		units := read(t, r, &a, &b, &media.Object{Status: media.EndOfTrack})
		if units[0].Err != nil {
			t.Errorf("%s: %v", tt.file, units[0].Err)
			continue
		}
		cmaf := reader(t, s.Init())
		want, got := record(t, &cmaf.Header, tt.kind), record(t, units[0].Header, tt.kind)
		if tt.kind == "hvcC" { // x265's encoder information is in ffmpeg's, and what it means for the picture's structure
			want, got = want[1:13], got[1:13]
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s: %s is\n%x, want\n%x", tt.file, tt.kind, got, want)
		}
		if w, g := cmaf.Entry[32:36], units[0].Header.Entry[32:36]; s.Clip.Kind == media.Video && !bytes.Equal(w, g) {
			t.Errorf("%s: size is %x, want %x", tt.file, g, w)
		}
	}
}

func TestDelimitersAndParameterSetsAreDroppedAndCaptionsKept(t *testing.T) {
	aud, sei, idr := []byte{0x09, 0xf0}, []byte{0x06, 4, 1, 0xff, 0x80}, []byte{0x65, 0x88, 0x84}
	code := func(n int, nal []byte) []byte {
		return append(make([]byte, n-1, n+len(nal)), append([]byte{1}, nal...)...)
	}
	length := func(nal []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...) }
	want := cat(length(sei), length(idr))
	inBand := sets(t, "h264-5994.mp4")
	var prefixed []byte
	for _, s := range clip(t, "h264-5994.mp4", live.Packing{}).Clip.ParameterSets() {
		prefixed = append(prefixed, length(s)...)
	}
	short := bytes.ReplaceAll(inBand, []byte{0, 0, 0, 1}, []byte{0, 0, 1})
	for name, payload := range map[string][]byte{
		"start codes":                cat(code(4, aud), inBand, code(4, sei), code(4, idr)),
		"start codes of three bytes": cat(code(3, aud), short, code(3, sei), code(3, idr)),
		"trailing zeros":             cat(code(4, aud), inBand, code(4, sei), []byte{0, 0}, code(4, idr), []byte{0, 0, 0}),
		"lengths":                    cat(length(aud), prefixed, length(sei), length(idr)),
	} {
		r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b"})
		units := read(t, r, loc(1, 0, 1e6, payload), &media.Object{Location: media.Location{Group: 1, Object: 1}, Status: media.EndOfTrack})
		if units[0].Err != nil || len(units[0].Samples) != 1 || !bytes.Equal(units[0].Samples[0].Data, want) || !units[0].Samples[0].Sync {
			t.Errorf("%s: %+v", name, units[0])
		}
	}
}

func TestADTSHeadersNeverReachASample(t *testing.T) {
	raw := []byte{0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c}
	size := 7 + len(raw)
	adts := cat([]byte{0xff, 0xf1, 0x4c, 0x80, byte(size >> 3), byte(size<<5) | 0x1f, 0xfc}, raw)
	r := frames(t, media.Track{Kind: media.Audio, Packaging: media.Legacy, Codec: "mp4a.40.2"})
	units := read(t, r, &media.Object{Payload: cat([]byte{0x80, 0x0f, 0x42, 0x40}, adts)})
	if units[0].Err != nil || !bytes.Equal(units[0].Samples[0].Data, raw) || units[0].Header.Timescale != 48000 {
		t.Errorf("%+v", units[0])
	}
	if config := record(t, units[0].Header, "esds"); !bytes.Contains(config, []byte{5, 0x80, 0x80, 0x80, 2, 0x11, 0x90}) {
		t.Errorf("esds %x", config)
	}
}

// times are the decode times and durations of what was read, in 90 kHz.
func times(units []demux.Unit) (all [][2]int64) {
	for _, u := range units {
		for _, s := range u.Samples {
			all = append(all, [2]int64{s.DTS, int64(s.Dur)})
		}
	}
	return all
}

func TestFramesLastUntilTheNextUnlessTheRateIsKept(t *testing.T) {
	idr := append(sets(t, "h264-5994.mp4"), 0, 0, 0, 1, 0x65, 0x88)
	slice := []byte{0, 0, 0, 1, 0x41, 0x9a}
	const s = 1_000_000
	for name, tt := range map[string]struct {
		rate string
		at   []uint64 // of the frames of a group; the next one begins after 1 s
		want [][2]int64
	}{
		"steady":          {"25", []uint64{s, s + 40_000, s + 80_000}, [][2]int64{{90000, 3600}, {93600, 3600}, {97200, 3600}}},
		"unknown":         {"", []uint64{s, s + 40_000, s + 90_000}, [][2]int64{{90000, 3600}, {93600, 4500}, {98100, 81900}}},
		"captured":        {"25", []uint64{s, s + 30_000, s + 85_000}, [][2]int64{{90000, 2700}, {92700, 4950}, {97650, 82350}}},
		"one of a second": {"1", []uint64{s}, [][2]int64{{90000, 90000}}},
	} {
		r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b", FrameRate: tt.rate})
		var units []demux.Unit
		for i, at := range tt.at {
			payload := slice
			if i == 0 {
				payload = idr
			}
			units = r.Read(units, loc(1, uint64(i), at, payload))
		}
		if early := len(times(units)); name == "steady" && early != 3 || name == "captured" && early != 2 {
			t.Errorf("%s: %d frames are known before the next group", name, early)
		}
		units = r.Read(units, loc(2, 0, 2*s, idr))
		if diff := cmp.Diff(tt.want, times(units)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestHolesAreNoDurations(t *testing.T) {
	idr := append(sets(t, "h264-5994.mp4"), 0, 0, 0, 1, 0x65, 0x88)
	slice := []byte{0, 0, 0, 1, 0x41, 0x9a}
	for _, rate := range []string{"25", ""} {
		r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b", FrameRate: rate})
		after := loc(1, 9, 1_360_000, slice)
		after.Lost = true
		units := read(t, r, loc(1, 0, 1e6, idr), loc(1, 1, 1_040_000, slice), after, loc(1, 10, 1_400_000, slice),
			&media.Object{Status: media.EndOfTrack})
		want := [][2]int64{{90000, 3600}, {93600, 3600}, {122400, 3600}, {126000, 3600}}
		if diff := cmp.Diff(want, times(units)); diff != "" {
			t.Errorf("rate %q: %s", rate, diff)
		}
		if !units[2].Lost {
			t.Error("the loss was not handed on")
		}
	}
}

func TestMarksKeepTheirPlaceBehindFramesThatWait(t *testing.T) {
	idr := append(sets(t, "h264-5994.mp4"), 0, 0, 0, 1, 0x65, 0x88)
	r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b"})
	units := read(t, r, loc(1, 0, 1e6, idr), &media.Object{Location: media.Location{Group: 1, Object: 1}, Status: media.EndOfGroup},
		loc(2, 0, 2e6, idr))
	if len(units) != 2 || len(units[0].Samples) != 1 || units[1].Status != media.EndOfGroup {
		t.Errorf("%+v", units)
	}
}

func TestPropertiesOfEveryGeneration(t *testing.T) {
	opus := []byte{0xfc, 1, 2}
	const unix = 1_795_174_260_000_000
	v := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n|3<<62) }
	for name, tt := range map[string]struct {
		properties []media.Property
		payload    []byte
	}{
		"LOC-04":                     {[]media.Property{{Type: 0x10, Value: unix}}, opus},
		"LOC-02":                     {[]media.Property{{Type: 0x06, Value: unix}}, opus},
		"LOC-03 by its text":         {[]media.Property{{Type: 0x0A, Value: unix}}, opus},
		"LOC-00 with an audio level": {[]media.Property{{Type: 0x02, Value: unix}, {Type: 0x06, Value: 0x7f}}, opus},
		"timescale":                  {[]media.Property{{Type: 0x10, Value: unix / 1_000_000 * 48000}, {Type: 0x08, Value: 48000}}, opus},
		"moq-dev":                    {nil, cat([]byte{9, 0x10}, v(unix), opus)},
		"moq-dev with a timescale":   {nil, cat([]byte{13, 0x08, 0x80, 0, 0xbb, 0x80, 0x08}, v(unix / 1_000_000 * 48000)[0:8], opus)},
		"Shaka":                      {nil, cat([]byte{2, 0x06}, v(unix), []byte{0x0C, 0x30}, opus)},
	} {
		if name == "moq-dev with a timescale" {
			tt.payload[0] = 14
		}
		r := frames(t, media.Track{Kind: media.Audio, Packaging: media.LOC, Codec: "opus", Channels: "stereo"})
		units := read(t, r, &media.Object{Properties: tt.properties, Payload: tt.payload})
		if u := units[0]; u.Err != nil || u.Samples[0].DTS != unix/1_000_000*48000 || !bytes.Equal(u.Samples[0].Data, opus) {
			t.Errorf("%s: %v %+v", name, u.Err, u.Samples)
		}
	}
}

// mlm's AAC: timestamps are cut to microseconds, and rounding finds the frame again.
func TestRoundingFindsTheFrameAgain(t *testing.T) {
	r := frames(t, media.Track{Kind: media.Audio, Packaging: media.LOC, Codec: "mp4a.40.2", Config: []byte{0x11, 0x90}})
	units := read(t, r, loc(1, 0, 1795174260010666, []byte{0x21}))
	if got := units[0].Samples[0].DTS; got != 1024*84148793438 {
		t.Errorf("at %d", got)
	}
}

// aiomoqt says the timescale with the first object of a group.
func TestATimescaleHoldsForItsGroup(t *testing.T) {
	r := frames(t, media.Track{Kind: media.Audio, Packaging: media.LOC, Codec: "mp4a.40.2", Config: []byte{0x11, 0x90}})
	first := loc(1, 0, 48000, []byte{0x21})
	first.Properties = append(first.Properties, media.Property{Type: 0x08, Value: 48000})
	var got []int64
	for _, u := range read(t, r, first, loc(1, 1, 49024, []byte{0x21}), loc(2, 0, 1_042_667, []byte{0x21})) {
		got = append(got, u.Samples[0].DTS)
	}
	if diff := cmp.Diff([]int64{48000, 49024, 50048}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpectralBandReplicationDoublesFrames(t *testing.T) {
	for config, want := range map[string][2]uint32{
		"1190":       {48000, 1024}, // AAC-LC
		"1194":       {48000, 960},
		"2b098800":   {48000, 2048}, // HE-AAC: 24 kHz inside
		"eb098800":   {48000, 2048}, // HE-AAC v2
		"131056e598": {48000, 2048}, // HE-AAC for decoders that do not know it
		"1310":       {24000, 1024}, // HE-AAC that does not say so: as long in seconds
	} {
		asc, err := hex.DecodeString(config)
		if err != nil {
			t.Fatal(err)
		}
		r := frames(t, media.Track{Kind: media.Audio, Packaging: media.LOC, Codec: "mp4a.40.5", Config: asc})
		u := read(t, r, loc(1, 0, 1e6, []byte{0x21}))[0]
		if got := [2]uint32{u.Header.Timescale, u.Samples[0].Dur}; got != want {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
}

func TestLyingObjectsSayWhere(t *testing.T) {
	video := media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b", FrameRate: "25"}
	config := clip(t, "h264-5994.mp4", live.Packing{}).Clip.Config()
	known := video
	known.Config = config
	audio := media.Track{Kind: media.Audio, Packaging: media.LOC, Codec: "opus", Channels: "2"}
	mi := media.Track{Kind: media.Video, Packaging: media.MoqMI}
	for name, tt := range map[string]struct {
		track media.Track
		o     *media.Object
	}{
		"no parameter sets":       {video, loc(1, 0, 1e6, []byte{0, 0, 0, 1, 0x65, 0x88})},
		"a length beyond the end": {known, loc(1, 0, 1e6, []byte{0, 0, 0, 9, 0x65, 0x88})},
		"no picture":              {known, loc(1, 0, 1e6, []byte{0, 0, 0, 1, 0x09, 0xf0})},
		"a broken SPS":            {video, loc(1, 0, 1e6, []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x0b, 0xff, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 0x88})},
		"a broken config":         {known, &media.Object{Payload: []byte{0, 0, 0, 1, 0x65}, Properties: []media.Property{{Type: 0x0D, Bytes: []byte{1, 2}}, {Type: 0x10, Value: 1e6}}}},
		"no timestamp":            {known, &media.Object{Payload: []byte{0, 0, 0, 2, 0x65, 0x88}}},
		"a wild timestamp": {known, &media.Object{Payload: []byte{0, 0, 0, 2, 0x65, 0x88},
			Properties: []media.Property{{Type: 8, Value: 1}, {Type: 0x10, Value: 1<<64 - 1}}}},
		"a timescale of 0":        {known, &media.Object{Payload: []byte{0, 0, 0, 2, 0x65, 0x88}, Properties: []media.Property{{Type: 8}, {Type: 0x10, Value: 1e6}}}},
		"an empty Opus packet":    {audio, loc(1, 0, 1e6, []byte{0xff})},
		"moq-mi without metadata": {mi, &media.Object{Payload: []byte{1}}},
		"moq-mi cut short":        {mi, &media.Object{Payload: []byte{1}, Properties: []media.Property{{Type: 0x15, Bytes: []byte{1, 2}}}}},
	} {
		units := read(t, frames(t, tt.track), tt.o)
		if len(units) != 1 || units[0].Err == nil || len(units[0].Samples) > 0 || units[0].Location != tt.o.Location {
			t.Errorf("%s: %+v", name, units)
			continue
		}
		var where *demux.Error
		if !errors.As(units[0].Err, &where) && !strings.Contains(units[0].Err.Error(), "nothing describes") {
			t.Errorf("%s: %v does not say where", name, units[0].Err)
		}
	}
}

func TestJoiningWithinAGroupIsNoError(t *testing.T) {
	r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: "avc3.42c00b", FrameRate: "25"})
	if u := read(t, r, loc(1, 7, 1e6, []byte{0, 0, 0, 1, 0x41, 0x88})); u[0].Err != nil || len(u[0].Samples) > 0 {
		t.Errorf("%+v", u[0])
	}
}

// The parameter sets know the frame rate where the catalog does not.
func TestBitstreamsSayTheirFrameRate(t *testing.T) {
	for file, want := range map[string]struct {
		dur   int64
		known int // of ten frames: but for those that wait for the ones they are shown after
	}{"h264-2997.mp4": {3003, 8}, "h264-5994.mp4": {1502, 10}, "hevc-25.mp4": {3600, 10}} {
		s := clip(t, file, live.Packing{As: media.LOC})
		r := frames(t, media.Track{Kind: media.Video, Packaging: media.LOC, Codec: s.Clip.Codec, Config: s.Clip.Config()})
		var units []demux.Unit
		for i := range uint64(10) {
			o := clipObject(t, s, i)
			units = r.Read(units, &o)
		}
		all := times(units)
		if len(all) != want.known || all[len(all)-1][1] != want.dur {
			t.Errorf("%s: %d frames of 10, the last one for %d, want %d for %d", file, len(all), all[len(all)-1][1], want.known, want.dur)
		}
	}
}

// Every delta refers to the object before it.
func TestLostReferenceOfLOCMAF(t *testing.T) {
	s := clip(t, "hevc-25.mp4", live.Packing{As: media.LOCMAF})
	for name, fate := range map[string]media.Object{"lost": {Lost: true}, "doubt": {Doubt: true}} {
		r, _, err := demux.NewLOCMAF(&media.Track{Kind: media.Video, Packaging: media.LOCMAF, Init: s.Init()})
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range uint64(28) {
			if i == 2 {
				continue
			}
			o := clipObject(t, s, i)
			if i == 3 {
				o.Lost, o.Doubt = fate.Lost, fate.Doubt
			}
			u := r.Read(nil, &o)[0]
			if u.Err != nil {
				t.Errorf("%s: object %d: %v", name, i, u.Err)
			}
			got = append(got, len(u.Samples))
		}
		if want := append(append([]int{1, 1}, make([]int, 22)...), 1, 1, 1); !cmp.Equal(want, got) {
			t.Errorf("%s: samples %v, want %v", name, got, want)
		}
	}
}

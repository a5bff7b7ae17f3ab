package demux_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// box builds a box from its content.
func box(kind string, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func u32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func cat(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }

// header is the CMAF header of a track with id 7 at 1000 ticks per second: of Opus unless video is given.
func header(edts []byte, video bool) []byte {
	handler, entry := "soun", box("Opus", make([]byte, 28))
	if video {
		handler, entry = "vide", box("avc1", make([]byte, 78), box("avcC", []byte{1, 0x4d, 0x40, 0x1f, 0xff, 0xe0, 0}))
	}
	return cat(box("ftyp", []byte("cmfc"), u32(0)), box("moov",
		box("trak",
			box("tkhd", u32(7, 0, 0, 7, 0, 0)), edts,
			box("mdia", box("mdhd", u32(0, 0, 0, 1000, 0, 0)), box("hdlr", u32(0, 0), []byte(handler), make([]byte, 13)),
				box("minf", box("stbl", box("stsd", u32(0, 1), entry))))),
		box("mvex", box("trex", u32(0, 7, 1, 21, 2, 0x00010000)))))
}

func reader(t testing.TB, init []byte) *demux.CMAF {
	t.Helper()
	c, err := demux.NewCMAF(init)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// object is one moof with the given tfhd and trun contents (data_offset is patched in when it is the trun's third word), and mdat.
func object(tfhd, trun, data []byte) []byte {
	tfdt := box("tfdt", u32(1<<24, 0, 5000))
	build := func(trun []byte) []byte {
		return box("moof", box("mfhd", u32(0, 1)), box("traf", box("tfhd", tfhd), tfdt, box("trun", trun)))
	}
	if binary.BigEndian.Uint32(trun)&1 != 0 && binary.BigEndian.Uint32(trun[8:]) == 0 {
		trun = bytes.Clone(trun)
		binary.BigEndian.PutUint32(trun[8:], uint32(len(build(trun))+8))
	}
	return cat(build(trun), box("mdat", data))
}

var plain = object(u32(0x020000, 7), u32(0x000301, 2, 0, 20, 3, 20, 1), []byte("abcd"))

func want() []media.Sample {
	return []media.Sample{
		{DTS: 5000, Dur: 20, Sync: true, Data: []byte("abc")},
		{DTS: 5020, Dur: 20, Sync: true, Data: []byte("d")},
	}
}

func TestFieldsMayStandInTrunTfhdOrTrex(t *testing.T) {
	three := []media.Sample{
		{DTS: 5000, Dur: 21, Sync: true, Data: []byte("ab")},
		{DTS: 5021, Dur: 21, Sync: true, Data: []byte("cd")},
	}
	for name, tt := range map[string]struct {
		payload []byte
		want    []media.Sample
	}{
		"trun":                         {plain, want()},
		"tfhd":                         {object(u32(0x020018, 7, 21, 2), u32(0x000001, 2, 0), []byte("abcd")), three},
		"trex":                         {object(u32(0x020000, 7), u32(0x000001, 2, 0), []byte("abcd")), three},
		"no default-base-is-moof":      {object(u32(0, 7), u32(0x000001, 2, 0), []byte("abcd")), three},
		"base data offset in the file": {object(u32(1, 7, 0, 12345), u32(0x000001, 2, 0), []byte("abcd")), three},
		"sample description index":     {object(u32(0x020002, 7, 1), u32(0x000001, 2, 0), []byte("abcd")), three},
		"no data offset":               {object(u32(0x020000, 7), u32(0, 2), []byte("abcd")), three},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := reader(t, header(nil, false)).Samples(nil, tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBoxesInFrontAreSkipped(t *testing.T) {
	payload := cat(box("styp", []byte("cmfs")), box("prft", make([]byte, 20)), box("emsg", make([]byte, 30)), box("sidx", make([]byte, 8)),
		box("free"), plain)
	got, err := reader(t, header(nil, false)).Samples(nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want(), got); diff != "" {
		t.Error(diff)
	}
}

func TestSeveralFragmentsAndRuns(t *testing.T) {
	trun := func(offset uint32) []byte { return box("trun", u32(0x000001, 1, offset)) }
	moof := func(offset uint32) []byte {
		return box("moof", box("mfhd", u32(0, 1)),
			box("traf", box("tfhd", u32(0x020000, 7)), box("tfdt", u32(0, 100)), trun(offset), trun(offset+2)))
	}
	size := uint32(len(moof(0)))
	one := cat(moof(size+8), box("mdat", []byte("abcd")))
	got, err := reader(t, header(nil, false)).Samples(nil, cat(one, one))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, s := range got {
		have = append(have, string(s.Data))
	}
	if diff := cmp.Diff([]string{"ab", "cd", "ab", "cd"}, have); diff != "" {
		t.Error(diff)
	}
}

func TestLargeSizeAndSizeToTheEnd(t *testing.T) {
	at := bytes.Index(plain, []byte("mdat")) - 4
	large := cat(plain[:at], u32(1), []byte("mdat"), u32(0, 20), []byte("abcd"))
	offset := bytes.Index(large, []byte("trun")) + 4 + 8
	binary.BigEndian.PutUint32(large[offset:], uint32(at+16))
	toEnd := cat(plain[:at], u32(0), []byte("mdat"), []byte("abcd"))
	for name, payload := range map[string][]byte{"large": large, "to the end": toEnd} {
		got, err := reader(t, header(nil, false)).Samples(nil, payload)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want(), got); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestSampleDataIsNotCopied(t *testing.T) {
	got, err := reader(t, header(nil, false)).Samples(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	if &got[0].Data[0] != &plain[len(plain)-4] {
		t.Error("the data is a copy")
	}
	if cap(got[0].Data) != 3 {
		t.Error("an append to the data would overwrite the payload")
	}
}

func TestBitstreamCorrectsTheSyncFlag(t *testing.T) {
	idr, other := []byte{0, 0, 0, 2, 0x09, 0xf0, 0, 0, 0, 1, 0x65}, []byte{0, 0, 0, 1, 0x41}
	trun := u32(0x000701, 2, 0, 20, uint32(len(idr)), 0x00010000, 20, uint32(len(other)), 0)
	got, err := reader(t, header(nil, true)).Samples(nil, object(u32(0x020000, 7), trun, cat(idr, other)))
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].Sync || got[1].Sync {
		t.Errorf("sync is %v and %v, want true and false", got[0].Sync, got[1].Sync)
	}
}

func TestEditListShiftsThePresentation(t *testing.T) {
	edts := box("edts", box("elst", u32(0, 1, 0, 40, 1<<16)))
	audio, err := reader(t, header(edts, false)).Samples(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	video, err := reader(t, header(edts, true)).Samples(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	if audio[0].DTS != 4960 || audio[0].CTO != 0 {
		t.Errorf("audio at %d%+d, want 4960+0", audio[0].DTS, audio[0].CTO)
	}
	if video[0].DTS != 5000 || video[0].CTO != -40 {
		t.Errorf("video at %d%+d, want 5000-40", video[0].DTS, video[0].CTO)
	}
}

func TestHeadSplitsAHeaderOff(t *testing.T) {
	init := header(nil, false)
	for name, tt := range map[string]struct{ payload, init, rest []byte }{
		"none":       {plain, nil, plain},
		"in front":   {cat(init, plain), init, plain},
		"after styp": {cat(box("styp"), init, plain), init, plain},
	} {
		got, rest, err := demux.Head(tt.payload)
		if err != nil || !bytes.Equal(got, tt.init) || !bytes.Equal(rest, tt.rest) {
			t.Errorf("%s: %d bytes of header, %d of rest, %v", name, len(got), len(rest), err)
		}
	}
}

func TestBadPayloadNamesTheBoxAndItsOffset(t *testing.T) {
	at := func(payload []byte, kind string) int { return bytes.Index(payload, []byte(kind)) - 4 }
	lie := func(kind string, skip int, value uint32) []byte {
		b := bytes.Clone(plain)
		binary.BigEndian.PutUint32(b[at(b, kind)+skip:], value)
		return b
	}
	for name, tt := range map[string]struct {
		payload []byte
		box     string
		reason  string
	}{
		"empty":                 {nil, "", "no sample"},
		"text":                  {[]byte("hello"), "", "too few"},
		"truncated mdat":        {plain[:len(plain)-1], "mdat", "bytes are left"},
		"no mdat":               {plain[:at(plain, "mdat")], "moof", "no mdat"},
		"mdat alone":            {plain[at(plain, "mdat"):], "mdat", "no moof"},
		"box smaller than head": {lie("mfhd", 0, 4), "mfhd", "smaller"},
		"box too large":         {lie("traf", 0, 1<<31), "traf", "bytes are left"},
		"large size missing":    {cat(u32(1), []byte("mdat")), "mdat", "smaller"},
		"wrong track":           {lie("tfhd", 12, 8), "tfhd", "track 8"},
		"sample count bomb":     {lie("trun", 12, 1<<32-1), "trun", "too many"},
		"count beyond the box":  {lie("trun", 12, 1000), "trun", "do not fit"},
		"offset into the moof":  {lie("trun", 16, 8), "trun", "outside"},
		"offset beyond":         {lie("trun", 16, 1<<20), "trun", "outside"},
		"negative offset":       {lie("trun", 16, 1<<32-1), "trun", "outside"},
		"zero duration":         {lie("trun", 20, 0), "trun", "0 ticks"},
		"endless duration":      {lie("trun", 20, 1<<31), "trun", "more than 10 s"},
		"zero size":             {lie("trun", 24, 0), "trun", "0 bytes"},
		"lying size":            {lie("trun", 24, 5), "trun", "left in the mdat"},
		"no tfhd":               {bytes.Replace(plain, []byte("tfhd"), []byte("free"), 1), "trun", "no tfhd"},
		"no tfdt":               {bytes.Replace(plain, []byte("tfdt"), []byte("free"), 1), "trun", "no tfdt"},
		"hostile tfdt":          {lie("tfdt", 12, 1<<31), "tfdt", "out of range"},
		"encrypted":             {bytes.Replace(plain, []byte("tfdt"), []byte("senc"), 1), "senc", "encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := reader(t, header(nil, false)).Samples(nil, tt.payload)
			var e *demux.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v, want an *Error", err)
			}
			if e.Box != tt.box || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("%v, want box %q and %q", err, tt.box, tt.reason)
			}
			if tt.box != "" && e.Offset != at(tt.payload, tt.box) {
				t.Errorf("%v, want offset %d", err, at(tt.payload, tt.box))
			}
		})
	}
}

func TestBadHeaderIsAnError(t *testing.T) {
	good := header(nil, false)
	for name, init := range map[string][]byte{
		"empty":      nil,
		"no moov":    box("ftyp"),
		"no trak":    box("moov"),
		"timescale":  bytes.Replace(good, u32(1000), u32(0), 1),
		"two tracks": bytes.Replace(good, []byte("mvex"), []byte("trak"), 1),
		"truncated":  good[:len(good)-3],
	} {
		if _, err := demux.NewCMAF(init); !errors.As(err, new(*demux.Error)) {
			t.Errorf("%s: %v, want an *Error", name, err)
		}
	}
}

func TestFilesOfEveryCodec(t *testing.T) {
	for name, want := range map[string]struct {
		samples, syncs int
		dur            uint32
	}{
		"h264-2997": {120, 4, 1001}, "h264-5994": {240, 4, 1001}, "hevc-25": {100, 4, 512}, "av1-25": {100, 4, 512},
		"aac-44100": {174, 174, 1024}, "opus-48000": {201, 201, 960}, "ac3-48000": {125, 125, 1536},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("../../testdata/cmaf", name+".mp4"))
			if err != nil {
				t.Fatal(err)
			}
			init, rest, err := demux.Head(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := reader(t, init).Samples(nil, rest)
			if err != nil {
				t.Fatal(err)
			}
			syncs := 0
			for i, s := range got {
				if s.Sync {
					syncs++
				}
				if i > 0 && s.DTS != got[i-1].DTS+int64(got[i-1].Dur) {
					t.Errorf("sample %d at %d does not follow", i, s.DTS)
				}
			}
			if len(got) != want.samples || syncs != want.syncs || got[0].Dur != want.dur {
				t.Errorf("%d samples, %d sync, of %d ticks; want %v", len(got), syncs, got[0].Dur, want)
			}
		})
	}
}

func FuzzSamples(f *testing.F) {
	f.Add(plain)
	f.Add(cat(header(nil, true), plain))
	f.Add(object(u32(0x02003a, 7, 1, 21, 2, 0), u32(0x000f05, 1, 0, 0, 20, 4, 0, 1<<31), []byte("abcd")))
	audio, video := reader(f, header(nil, false)), reader(f, header(box("edts", box("elst", u32(0, 1, 0, 40, 1<<16))), true))
	f.Fuzz(func(t *testing.T, payload []byte) {
		init, rest, err := demux.Head(payload)
		if err == nil && init != nil {
			_, _ = demux.NewCMAF(init)
		}
		for _, c := range []*demux.CMAF{audio, video} {
			samples, err := c.Samples(nil, rest)
			if err != nil && !errors.As(err, new(*demux.Error)) {
				t.Fatalf("%v is not an *Error", err)
			}
			for _, s := range samples {
				if len(s.Data) == 0 || s.Dur == 0 || s.DTS < 0 {
					t.Fatalf("sample %+v", s)
				}
			}
		}
	})
}

package demux_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter/demux"
)

// Sections of ANSI/SCTE 35 2023, 14: what they hold is said there.
const (
	opportunityStart = "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg=="
	insertOut        = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo="
	opportunityEnd   = "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g="
	programme        = "/DBIAAAAAAAA///wBQb+ek233wAyAhdDVUVJSAAAGH+fCAgAAAAALMvDRBEAAAIXQ1VFSUgAABl/nwgIAAAAACyk26AQAACZcuND"
)

func decoded(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSpliceReadsTheExamplesOfItsSpecification(t *testing.T) {
	for name, tt := range map[string]struct {
		section string
		want    []demux.Signal
	}{
		"start of an opportunity": {opportunityStart, []demux.Signal{{Event: 0x4800008e, Type: 0x34, Out: true, PTS: 0x072bd0050, Dur: 0x0001a599b0}}},
		"its end":                 {opportunityEnd, []demux.Signal{{Event: 0x4800008e, Type: 0x35, In: true, PTS: 0x0746290a0}}},
		"splice insert":           {insertOut, []demux.Signal{{Event: 0x4800008f, Out: true, PTS: 0x07369c02e, Dur: 0x00052ccf5}}},
		"two in one": {programme, []demux.Signal{
			{Event: 0x48000018, Type: 0x11, PTS: 0x07a4db7df}, {Event: 0x48000019, Type: 0x10, PTS: 0x07a4db7df},
		}},
	} {
		b := decoded(t, tt.section)
		section, got, err := demux.Splice(append(b, "what follows"...))
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil || len(section) != len(b) {
			t.Errorf("%s: %d bytes of %d, %v %s", name, len(section), len(b), err, diff)
		}
	}
}

func TestTheAdjustmentMovesAllTimesOfASplice(t *testing.T) {
	b := decoded(t, insertOut)
	b[4], b[5] = b[4]|1, 0xff // + 2^32 + 0xff000000
	_, got, err := demux.Splice(b)
	if want := int64(0x07369c02e+0x1ff000000) & (demux.PTSPeriod - 1); err != nil || got[0].PTS != want {
		t.Errorf("%x, want %x: %v", got[0].PTS, want, err)
	}
}

func TestSplicesThatLieAreNamed(t *testing.T) {
	edit := func(at int, value byte) []byte {
		b := decoded(t, opportunityStart)
		b[at] = value
		return b
	}
	// The example of draft-wilaw-moq-scte35-event-timeline ends in the middle.
	draft := decoded(t, "/DAhAAAAAAAAAP/wFAUAAArXf+/+AAAAAH4AARSyAAAAAA==")
	for name, tt := range map[string]struct {
		section []byte
		want    string
	}{
		"another table":     {edit(0, 0xfd), "offset 0: table 0xfd"},
		"a short section":   {draft, "offset 1: section_length is 33, but 31 bytes are left"},
		"a long command":    {edit(12, 0xff), "offset"},
		"a short command":   {edit(12, 3), "splice_command_length is 3, but the command has 5 bytes"},
		"a long loop":       {edit(20, 0xff), "descriptor_loop_length reaches"},
		"a long descriptor": {edit(22, 0x40), "a descriptor of 64 bytes reaches beyond its loop"},
		"a long upid":       {edit(39, 0xff), "ends within a field"},
		"nothing":           {nil, "ends within a field"},
		"hardly anything":   {[]byte{0xfc, 0x30, 0x01, 0}, "too short"},
	} {
		if _, _, err := demux.Splice(tt.section); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestSignalsOfOneSpliceAreBounded(t *testing.T) {
	section := func(n int) []byte {
		var loop []byte
		for i := range n {
			loop = append(loop, 2, 9, 'C', 'U', 'E', 'I', 0, 0, 0, byte(i), 0xff)
		}
		size := 17 + 1 + len(loop)
		b := []byte{0xfc, byte(size >> 8), byte(size), 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 1, 6, 0x7f, byte(len(loop) >> 8), byte(len(loop))}
		return append(append(b, loop...), 0, 0, 0, 0)
	}
	if _, signals, err := demux.Splice(section(32)); err != nil || len(signals) != 32 {
		t.Errorf("32 are %d: %v", len(signals), err)
	}
	if _, signals, err := demux.Splice(section(33)); err == nil {
		t.Errorf("33 are %d", len(signals))
	}
}

func TestEncryptedSplicesArePassedOn(t *testing.T) {
	b := decoded(t, insertOut)
	b[4] |= 0x80
	_, got, err := demux.Splice(b)
	if diff := cmp.Diff([]demux.Signal{{PTS: -1}}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func FuzzSplice(f *testing.F) {
	for _, s := range []string{opportunityStart, insertOut, opportunityEnd, programme} {
		f.Add(decoded(f, s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		section, signals, err := demux.Splice(data)
		if err != nil && (section != nil || signals != nil) {
			t.Fatalf("%v, and %d signals", err, len(signals))
		}
		for _, s := range signals {
			if s.PTS < -1 || s.PTS >= demux.PTSPeriod || s.Dur < 0 || s.Out && s.In {
				t.Fatalf("%+v", s)
			}
		}
	})
}

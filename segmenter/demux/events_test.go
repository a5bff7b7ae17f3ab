package demux_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// said is what an object adds: "1000-2500 text [settings]".
func said(t testing.TB, e *demux.Events, payload string) (all []string) {
	t.Helper()
	units := e.Read(nil, &media.Object{Payload: []byte(payload)})
	if len(units) != 1 || units[0].Err != nil {
		t.Fatalf("%+v", units)
	}
	for _, s := range units[0].Samples {
		cues, err := demux.Cues(s.Data)
		if err != nil || len(cues) != 1 || !s.Sync {
			t.Fatalf("%+v, %v", s, err)
		}
		c := cues[0]
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d-%d %s %s", s.DTS, s.DTS+int64(s.Dur), c.Text, c.Settings)))
	}
	return all
}

func TestEventsAreGivenOnceEach(t *testing.T) {
	e := demux.NewEvents()
	const hello = `{"m": 0, "data": {"start": 0, "end": 2500, "text": "hello"}}`
	const alice = `{"M": 2500, "data": {"id": "7", "start": 2500.5, "end": "5000", "text": "<v Alice>hi</v>", "settings": {"align": "center", "line": -1, "x": "y", "size": "5 0"}, "region": "r"}}`
	const spelt = `{"T": 1, "data": {"start": 6000, "end": 7000, "text": "x", "settings": "line:0"}}`
	for _, tt := range []struct {
		payload string
		want    []string
	}{
		{`[]`, nil},
		{`[` + hello + `]`, []string{"0-2500 hello"}},
		{`[` + alice + `]`, []string{"2500-5000 <v Alice>hi</v> line:-1 align:center region:r"}},
		{`[` + hello + `,` + alice + `]`, nil},
		{`[` + hello + `,{"m":1},7,null,{"data":{"start":5,"end":4,"text":"x"}},{"data":{"start":-1,"end":4,"text":"x"}},` + spelt + `]`, []string{"6000-7000 x line:0"}},
	} {
		if d := cmp.Diff(tt.want, said(t, e, tt.payload)); d != "" {
			t.Errorf("%s: -want +got:\n%s", tt.payload, d)
		}
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(`[{"m": 8000, "data": {"start": 8000, "end": 9000, "text": "small"}}]`)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if got := said(t, e, b.String()); len(got) != 1 {
		t.Errorf("compressed: %q", got)
	}
}

func TestEventsAreBounded(t *testing.T) {
	e := demux.NewEvents()
	large := &media.Object{Payload: []byte("[" + strings.Repeat(" ", 5<<20) + "]")}
	if units := e.Read(nil, large); units[0].Err == nil {
		t.Error("5 MiB were read")
	}
	if _, err := demux.NewRecords(&media.Track{EventType: "urn:example"}).Read(large); err == nil {
		t.Error("5 MiB of records were read")
	}
	long := fmt.Sprintf(`[{"data":{"start":0,"end":9,"text":"%s"}},{"data":{"start":9,"end":10,"text":"short"}}]`, strings.Repeat("x", 20<<10))
	if d := cmp.Diff([]string{"9-10 short"}, said(t, e, long)); d != "" {
		t.Error(d)
	}
}

func TestStylesOfEventsAreInTheHeader(t *testing.T) {
	e := demux.NewEvents()
	header := func(payload string) *demux.Header {
		return e.Read(nil, &media.Object{Payload: []byte(payload)})[0].Header
	}
	plain := header(`[]`)
	if !bytes.HasSuffix(plain.Entry, []byte("vttCWEBVTT")) || header(`[]`) != plain {
		t.Errorf("%q", plain.Entry)
	}
	const styles = `[{"m": 0, "data": {"regions": [{"id": "bottom", "lines": 2, "regionAnchor": "50%,100%"}], "styles": "::cue {\n\n color: lime }"}}]`
	styled := header(styles)
	if want := "vttCWEBVTT\n\nREGION\nid:bottom\nlines:2\nregionanchor:50%,100%\n\nSTYLE\n::cue {\n color: lime }"; !bytes.HasSuffix(styled.Entry, []byte(want)) {
		t.Errorf("%q", styled.Entry)
	}
	if header(styles) != styled || header(`[]`) != styled {
		t.Error("another header for the same")
	}
}

// FuzzEvents: hostile documents give errors or cues that can be shown, and no document gives anything twice.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`[{"m": 0, "data": {"start": 0, "end": 2500, "text": "a", "settings": {"line": "1"}}}]`))
	f.Add([]byte(`[{"data":{"styles":"x","regions":[{"id":1}]}}]`))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, payload []byte) {
		e := demux.NewEvents()
		u := e.Read(nil, &media.Object{Payload: payload})[0]
		for _, s := range u.Samples {
			if cues, err := demux.Cues(s.Data); err != nil || len(cues) != 1 || s.Dur == 0 || s.DTS < 0 {
				t.Fatalf("%+v: %v", s, err)
			}
		}
		if u = e.Read(nil, &media.Object{Payload: payload})[0]; len(u.Samples) > 0 {
			t.Fatalf("%d cues again", len(u.Samples))
		}
	})
}

// FuzzCues: what is read of any sample is what was put into it.
func FuzzCues(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x08vtte"), "id", "line:0", "text")
	f.Fuzz(func(t *testing.T, sample []byte, id, settings, text string) {
		_, _ = demux.Cues(sample)
		c := demux.Cue{ID: strings.ToValidUTF8(id, "?"), Settings: strings.ToValidUTF8(settings, "?"), Text: strings.ToValidUTF8(text, "?")}
		if got, err := demux.Cues(demux.CueSample(c)); err != nil || len(got) != 1 || got[0] != c {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

package catalog_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

const base = `{"version":"draft-01","tracks":[{"name":"v","packaging":"cmaf","role":"video"}]}`

func newDecoder() *catalog.Decoder {
	return catalog.NewDecoder(catalog.Config{Namespace: []string{"ns"}, Track: "catalog"})
}

// object is one of a catalog track.
func object(group, id uint64, payload []byte) media.Object {
	return media.Object{Location: at(group, id), Payload: payload}
}

func at(group, object uint64) media.Location { return media.Location{Group: group, Object: object} }

func names(c *catalog.Catalog) string {
	var s []string
	for _, t := range c.Tracks {
		s = append(s, t.Name)
	}
	return strings.Join(s, ",")
}

func add(name string) []byte {
	return fmt.Appendf(nil, `{"deltaUpdate":[{"op":"add","tracks":[{"name":%q,"packaging":"cmaf","role":"video"}]}]}`, name)
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func TestDecodeRefuses(t *testing.T) {
	huge := `{"version":1,"tracks":[` + strings.Repeat(`{},`, 1024) + `{}]}`
	for _, tt := range []struct {
		name, payload string
		want          error
		where         string // of the message
	}{
		{"nothing", "", catalog.ErrSyntax, "catalog"},
		{"an array", `[]`, catalog.ErrSyntax, "catalog"},
		{"broken JSON, saying where", `{"version":1,"tracks":[}`, catalog.ErrSyntax, "at byte 24"},
		{"a future version", `{"version":"2","tracks":[]}`, catalog.ErrVersion, "version"},
		{"another format", `{"streams":[]}`, catalog.ErrSyntax, "tracks"},
		{"a rendition that is no object", `{"video":{"renditions":{"a":7}}}`, catalog.ErrSyntax, `video.renditions["a"]`},
		{"an early rendition that is no object", `{"audio":[7]}`, catalog.ErrSyntax, "audio[0]"},
		{"too many renditions", `{"video":{"renditions":{` + many(1024) + `}},"audio":{"renditions":{"b":{}}}}`, catalog.ErrTooLarge, "audio"},
		{"JSON that is nested for ever", `{"video":` + strings.Repeat(`{"a":`, 20_000), catalog.ErrSyntax, "catalog"},
		{"protections without end", `{"version":1,"tracks":[],"contentProtections":[` + strings.Repeat(`{},`, 1024) + `{}]}`, catalog.ErrTooLarge, "contentProtections"},
		{"tracks that are no array", `{"version":1,"tracks":{}}`, catalog.ErrSyntax, "tracks"},
		{"a track that is no object", `{"version":1,"tracks":[{},7]}`, catalog.ErrSyntax, "tracks[1]"},
		{"too many tracks", huge, catalog.ErrTooLarge, "tracks"},
		{"too many bytes", strings.Repeat(" ", 1<<20+1), catalog.ErrTooLarge, "catalog"},
		{"a gzip bomb", string(gz(bytes.Repeat([]byte(" "), 9<<20))), catalog.ErrTooLarge, "inflates"},
		{"truncated gzip", string(gz([]byte(base))[:20]), catalog.ErrSyntax, "catalog"},
		{"an init without id", `{"version":1,"tracks":[],"initDataList":[{"data":"AAAA"}]}`, catalog.ErrSyntax, "initDataList[0].id"},
		{"a delta without base", string(add("w")), catalog.ErrNoBase, "object 0"},
		{"a delta of the older spelling without base", `{"deltaUpdate":true,"addTracks":[]}`, catalog.ErrNoBase, "object 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newDecoder().Decode(object(0, 0, []byte(tt.payload)))
			var ce *catalog.Error
			if !errors.Is(err, tt.want) || !errors.As(err, &ce) || !strings.Contains(err.Error(), tt.where) {
				t.Errorf("got %v, want %v naming %q", err, tt.want, tt.where)
			}
		})
	}
}

// many is n renditions.
func many(n int) string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf(`"%d":{"codec":"opus"}`, i))
	}
	return strings.Join(s, ",")
}

func TestFailedDeltaKeepsTheCatalogAndTheNextOneApplies(t *testing.T) {
	for _, bad := range []string{
		`{`,
		`{"deltaUpdate":[{"op":"add","tracks":[{"name":"x"}]},{"op":"remove","tracks":[{"name":"nobody"}]}]}`,
		`{"deltaUpdate":[{"op":"add","tracks":[{"name":"v"}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"parentName":"nobody","name":"x"}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"parentName":"v","width":5}]}]}`,
		`{"deltaUpdate":[{"op":"clone","tracks":[{"name":"x"}]}]}`,
		`{"deltaUpdate":[{"op":"update","tracks":[{"name":"nobody"}]}]}`,
		`{"deltaUpdate":[{"op":"upsert","tracks":[{"name":"v"}]}]}`,
		`{"deltaUpdate":true,"removeTracks":[{"name":"v"}],"addTracks":[{"name":"w"},{"name":"w"}]}`,
	} {
		d := newDecoder()
		if _, err := d.Decode(object(5, 0, []byte(base))); err != nil {
			t.Fatal(err)
		}
		var ce *catalog.Error
		if c, err := d.Decode(object(5, 1, []byte(bad))); c != nil || !errors.As(err, &ce) {
			t.Errorf("%s: got %v, %v, want an error", bad, c, err)
		}
		c, err := d.Decode(object(5, 2, add("w")))
		if err != nil || names(c) != "v,w" {
			t.Errorf("after %s: got %v, %v, want v,w", bad, c, err)
		}
	}
}

func TestAMissingDeltaIsAMissingBase(t *testing.T) {
	d := newDecoder()
	d.Decode(object(5, 0, []byte(base)))
	if _, err := d.Decode(object(5, 2, add("x"))); !errors.Is(err, catalog.ErrNoBase) {
		t.Fatalf("got %v, want ErrNoBase", err)
	}
	d.Decode(object(5, 1, add("w"))) // fetched
	c, err := d.Decode(object(5, 2, add("x")))
	if err != nil || names(c) != "v,w,x" {
		t.Errorf("after the repair: %v, %v", c, err)
	}
}

func TestRepeatedAndOlderObjectsChangeNothing(t *testing.T) {
	d := newDecoder()
	d.Decode(object(5, 0, []byte(base)))
	want, _ := d.Decode(object(5, 1, add("w")))
	for _, l := range []media.Location{at(5, 1), at(5, 0), at(4, 9)} {
		got, err := d.Decode(object(l.Group, l.Object, []byte(`{"version":1,"tracks":[]}`)))
		if err != nil || got != want {
			t.Errorf("%v: got %v, %v", l, got, err)
		}
	}
}

func TestGzipIsRecognised(t *testing.T) {
	d := newDecoder()
	if _, err := d.Decode(object(0, 0, gz([]byte(base)))); err != nil {
		t.Fatal(err)
	}
	c, err := d.Decode(object(0, 1, add("w")))
	if err != nil || names(c) != "v,w" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestEarlierCatalogsAreNotChangedByUpdates(t *testing.T) {
	d := newDecoder()
	before, _ := d.Decode(object(0, 0, []byte(base)))
	d.Decode(object(0, 1, []byte(`{"deltaUpdate":[{"op":"update","tracks":[{"name":"v","width":9}]},{"op":"clone","tracks":[{"parentName":"v","name":"u"}]}]}`)))
	want, _ := newDecoder().Decode(object(0, 0, []byte(base)))
	if diff := cmp.Diff(want, before); diff != "" {
		t.Error(diff)
	}
}

func TestVersions(t *testing.T) {
	for v, ok := range map[string]bool{
		`1`: true, `"1"`: true, `1.0`: true, `"1.0"`: true, `"draft-00"`: true, `"draft-07"`: true, `null`: true,
		`2`: false, `"0.5"`: false, `"warp"`: false,
	} {
		_, err := newDecoder().Decode(object(0, 0, []byte(`{"version":`+v+`,"tracks":[]}`)))
		if (err == nil) != ok {
			t.Errorf("version %s: %v", v, err)
		}
	}
}

// deflate compresses frames as one stream, without the ends of its flushes.
func deflate(frames ...string) (out [][]byte) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	for _, f := range frames {
		b.Reset()
		w.Write([]byte(f))
		w.Flush()
		out = append(out, bytes.TrimSuffix(bytes.Clone(b.Bytes()), []byte{0, 0, 0xff, 0xff}))
	}
	return out
}

const (
	hang      = `{"video":{"renditions":{"hd":{"codec":"avc1.64001f"},"sd":{"codec":"avc1.64001e"}}},"audio":{"renditions":{"a":{"codec":"opus"}}}}`
	hangPatch = `{"video":{"renditions":{"hd":null,"uhd":{"codec":"hev1.1.6.L153.B0"}}}}`
)

func newCompressed() *catalog.Decoder {
	return catalog.NewDecoder(catalog.Config{Namespace: []string{"ns"}, Track: "catalog.json.z"})
}

func TestGroupsOfACompressedTrackAreOneStream(t *testing.T) {
	long := strings.Repeat(" ", 70_000) // more than a window
	frames := deflate(hang, hangPatch+long, `{"audio":{"renditions":{"a":null}}}`)
	d := newCompressed()
	for i, want := range []string{"hd,sd,a", "sd,uhd,a", "sd,uhd"} {
		payload := frames[i]
		if i == 1 { // as a publisher that leaves the flush's end in
			payload = append(payload, 0, 0, 0xff, 0xff)
		}
		c, err := d.Decode(object(7, uint64(i), payload))
		if err != nil || names(c) != want {
			t.Fatalf("frame %d: %v, %v, want %s", i, c, err, want)
		}
	}
	if c, err := d.Decode(object(8, 0, deflate(hang)[0])); err != nil || names(c) != "hd,sd,a" {
		t.Errorf("the next group: %v, %v", c, err)
	}
}

func TestACompressedObjectNeedsAllOfItsGroupBefore(t *testing.T) {
	d := newCompressed()
	for i, frame := range deflate(hang, "{}", `{"video":{"renditions":{"x":{"codec":"avc1.64001f"},"y":{"codec":"avc1.64001e"}}}}`) {
		if _, err := d.Decode(object(7, uint64(i), frame)); err != nil {
			t.Errorf("frame %d: %v", i, err)
		}
	}
}

func TestANewCatalogHasNewHeaders(t *testing.T) {
	const text = `{"tracks":[{"name":"1.m4s","packaging":"cmaf","role":"video","initTrack":"0.mp4"}]}`
	d := newDecoder()
	for group := range uint64(2) {
		d.Decode(object(group, 0, []byte(text)))
		if got := d.Missing(); len(got) != 1 || got[0] != "0.mp4" {
			t.Errorf("group %d: missing %v, want 0.mp4", group, got)
		}
		d.Header("0.mp4", []byte("header"))
		if got := d.Missing(); len(got) > 0 {
			t.Errorf("group %d: missing %v", group, got)
		}
	}
	if _, err := d.Header("0.mp4", make([]byte, 2<<20)); !errors.Is(err, catalog.ErrTooLarge) {
		t.Errorf("a header of 2 MiB: %v", err)
	}
}

func TestHeadersAreBoundedTogether(t *testing.T) {
	box := func(kind string, body ...byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
	}
	trak := func(id byte) []byte { return box("trak", box("tkhd", append(make([]byte, 15), id)...)...) }
	moov := box("moov", append(append(trak(1), trak(2)...), box("udta", make([]byte, 1<<20-1024)...)...)...)

	var tracks []string
	for i := range 20 {
		tracks = append(tracks, fmt.Sprintf(`{"name":"1.%d.m4s","packaging":"cmaf","role":"video","initTrack":"%d.mp4"}`, i, i))
	}
	d := newDecoder()
	d.Decode(object(0, 0, []byte(`{"tracks":[`+strings.Join(tracks, ",")+`]}`)))
	taken := 0
	for _, name := range d.Missing() {
		if _, err := d.Header(name, moov); err == nil {
			taken++
		}
	}
	if taken != 16 {
		t.Errorf("%d headers of 1 MiB were kept", taken)
	}

	one := strings.ReplaceAll(`{"tracks":[`+strings.Join(tracks, ",")+`]}`, `"initTrack":"`, `"initTrack":"0.mp4","was":"`)
	d = newDecoder()
	d.Decode(object(0, 0, []byte(one)))
	c, err := d.Header("0.mp4", moov)
	if err != nil || len(c.Tracks) != 16 || len(c.Skipped) != 4 {
		t.Errorf("%v: one header makes %d of %d", err, len(c.Tracks), len(tracks))
	}
}

// moq-pub 0.10 writes a namespace as an absolute path.
func TestANamespaceMayBeAnAbsolutePath(t *testing.T) {
	for written, want := range map[string]string{"/cf/one": "cf one", "/cf/two": "cf two", "cf/two": "cf two"} {
		d := catalog.NewDecoder(catalog.Config{Namespace: []string{"cf", "one"}, Track: ".catalog"})
		c, err := d.Decode(object(0, 0, []byte(`{"version":1,"streamingFormat":1,"commonTrackFields":{"namespace":"`+written+`","packaging":"cmaf"},
			"tracks":[{"name":"1.m4s","selectionParams":{"codec":"avc1.42c00c"}}]}`)))
		if err != nil || len(c.Tracks) != 1 || strings.Join(c.Tracks[0].Namespace, " ") != want {
			t.Errorf("%s: %+v, %v", written, c, err)
		}
	}
}

func TestNamesHaveTheBoundsOfTheTransport(t *testing.T) {
	for namespace, want := range map[string]int{
		`["a"]`: 1, `["a"` + strings.Repeat(`,"a"`, 31) + `]`: 1, `["a"` + strings.Repeat(`,"a"`, 32) + `]`: 0, `["a",""]`: 0,
		`["` + strings.Repeat("a", 4096) + `"]`: 0,
	} {
		c, err := newDecoder().Decode(object(0, 0, []byte(`{"tracks":[{"name":"v","packaging":"cmaf","role":"video","namespace":`+namespace+`}]}`)))
		if err != nil || len(c.Tracks) != want {
			t.Errorf("%.40s: %v, %v, want %d tracks", namespace, c, err, want)
		}
	}
}

func TestACompressedTrackIsReadFromTheGroupsStart(t *testing.T) {
	frames := deflate(hang, hangPatch)
	d := newCompressed()
	if _, err := d.Decode(object(7, 1, frames[1])); !errors.Is(err, catalog.ErrNoBase) {
		t.Errorf("got %v, want ErrNoBase", err)
	}
	if _, err := d.Decode(object(7, 0, frames[0][:10])); !errors.Is(err, catalog.ErrSyntax) {
		t.Errorf("a frame that is cut off: %v, want ErrSyntax", err)
	}
	if _, err := d.Decode(object(8, 0, deflate(strings.Repeat(" ", 9<<20))[0])); !errors.Is(err, catalog.ErrTooLarge) {
		t.Errorf("a bomb: %v, want ErrTooLarge", err)
	}
}

func TestAPatchCannotGrowWithoutBound(t *testing.T) {
	d := newDecoder()
	d.Decode(object(0, 0, []byte(hang)))
	for i := range 20 {
		patch := fmt.Appendf(nil, `{"x%d":%q}`, i, strings.Repeat("x", 900_000))
		if _, err := d.Decode(object(0, uint64(i)+1, patch)); err != nil {
			if !errors.Is(err, catalog.ErrTooLarge) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("18 MB are kept")
}

func TestDeepPatchesAreCheap(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000)
	d := newDecoder()
	d.Decode(object(0, 0, []byte(`{"video":`+deep+`}`)))
	if c, err := d.Decode(object(0, 1, []byte(`{"video":`+deep+`}`))); err != nil || len(c.Tracks) != 0 {
		t.Errorf("%v, %v", c, err)
	}
}

func TestCompressionIsSaidByAProperty(t *testing.T) {
	for value, want := range map[uint64]error{0: nil, 1: catalog.ErrSyntax, 2: catalog.ErrCompression} {
		o := object(0, 0, []byte(base))
		o.Properties = []media.Property{{Type: 0x78, Value: value}}
		if _, err := newDecoder().Decode(o); !errors.Is(err, want) {
			t.Errorf("plain JSON with compression %d: %v, want %v", value, err, want)
		}
	}
}

func TestVariablesHaveTheValuesOfTheURL(t *testing.T) {
	d := catalog.NewDecoder(catalog.Config{Namespace: []string{"ns"}, Track: "catalog", Variables: map[string]string{"a": "x", "b": "y"}})
	c, err := d.Decode(object(0, 0, []byte(`{"tracks":[{"name":"%a%%b%","packaging":"cmaf","role":"video","label":"50% of %c%"}]}`)))
	if err != nil || len(c.Tracks) != 0 || len(c.Skipped) != 1 || !strings.Contains(c.Skipped[0].Reason, "label") {
		t.Errorf("%v, %v: want a track skipped for the variable in its label", c, err)
	}
	c, err = d.Decode(object(1, 0, []byte(`{"tracks":[{"name":"%a%-%b","packaging":"cmaf","role":"video","label":"50% off"}]}`)))
	if err != nil || names(c) != "x-%b" || c.Tracks[0].Label != "50% off" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestVariablesCannotMakeADocumentGrowWithoutBound(t *testing.T) {
	d := catalog.NewDecoder(catalog.Config{Namespace: []string{"ns"}, Track: "catalog", Variables: map[string]string{"a": strings.Repeat("x", 1024)}})
	text := []byte(`{"tracks":[],"more":"` + strings.Repeat("%a%", 300_000) + `"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := d.Decode(object(0, 0, text))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, catalog.ErrTooLarge) || used > 100<<20 {
		t.Errorf("%v, with %d bytes", err, used)
	}
}

func TestAllTracksNotLiveAnyMoreIsTheEnd(t *testing.T) {
	const dead = `{"tracks":[{"name":"v","packaging":"cmaf","role":"video","isLive":false},{"name":"t","packaging":"mediatimeline"}]}`
	d := newDecoder()
	if c, err := d.Decode(object(0, 0, []byte(dead))); err != nil || c.Complete {
		t.Errorf("%v, %v: a recording has not just ended", c, err)
	}
	d.Decode(object(1, 0, []byte(base)))
	if c, err := d.Decode(object(1, 1, []byte(`{"deltaUpdate":[{"op":"update","tracks":[{"name":"v","isLive":"false"}]}]}`))); err != nil || !c.Complete {
		t.Errorf("%v, %v: want the end", c, err)
	}
}

// FuzzDecode reads three objects of a track of any name, and an init track.
func FuzzDecode(f *testing.F) {
	frames := deflate(hang, hangPatch)
	f.Add("catalog", []byte(base), add("w"), []byte{})
	f.Add("catalog", gz([]byte(base)), []byte(`{"deltaUpdate":true,"cloneTracks":[{"parentName":"v","name":"u"}],"removeTracks":[{"name":"v"}]}`), []byte{})
	f.Add("catalog", []byte(base), []byte(`{"deltaUpdate":[{"op":"update","tracks":[{"parentName":"v","initData":"AA--"}]}]}`), []byte{})
	f.Add("catalog.json", []byte(hang), []byte(hangPatch), []byte{})
	f.Add("catalog.json.z", frames[0], frames[1], []byte{})
	f.Add(".catalog", []byte(`{"version":1,"commonTrackFields":{"packaging":"cmaf"},"tracks":[{"name":"1.m4s","initTrack":"0.mp4","selectionParams":{"codec":"avc1"}}]}`),
		[]byte(`{}`), []byte("\x00\x00\x00\x10ftypiso5\x00\x00\x00\x00\x00\x00\x00\x08moov"))
	inputs, _ := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	for _, input := range inputs {
		s := readScript(f, input)
		for _, o := range s.Objects {
			f.Add(s.Track, []byte(o.Payload), []byte(s.Objects[len(s.Objects)-1].Payload), s.Headers["0.mp4"])
		}
	}
	f.Fuzz(func(t *testing.T, track string, first, second, header []byte) {
		d := catalog.NewDecoder(catalog.Config{Namespace: []string{"ns"}, Track: track, Variables: map[string]string{"id": "bob"}})
		for i, p := range [][]byte{first, second} {
			c, err := d.Decode(object(0, uint64(i), p))
			for _, name := range d.Missing() {
				if h, e := d.Header(name, header); e == nil && err == nil {
					c = h
				}
			}
			var ce *catalog.Error
			if (c == nil) == (err == nil) || err != nil && !errors.As(err, &ce) {
				t.Fatalf("catalog %v, error %v", c, err)
			}
			if err == nil {
				checkTracks(t, c)
			}
		}
	})
}

// checkTracks checks what every reader of a catalog relies on.
func checkTracks(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	seen := map[string]bool{}
	for _, track := range c.Tracks {
		if track.Name == "" || len(track.Namespace) == 0 || track.Kind == 0 || track.Packaging == "" || seen[track.Name] {
			t.Fatalf("bad track %+v", track)
		}
		seen[track.Name] = true
	}
}

package vod_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"path"
	"strings"
	"testing"

	hls "github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/google/go-cmp/cmp"
	"github.com/grafov/m3u8"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/vod"
)

// clip makes one and fails if that does.
func (w *world) clip(name, start, end string) *vod.Report {
	w.t.Helper()
	r := w.open()
	rep, err := r.Clip(w.t.Context(), w.store, name, w.cutOut(r, start, end), false)
	if err != nil {
		w.t.Fatal(err)
	}
	return rep
}

func (w *world) text(key string) string {
	w.t.Helper()
	return string(bytes.Join(w.get(key), nil))
}

// keys of what the store has under a prefix.
func (w *world) keys(prefix string) (keys []string) {
	w.t.Helper()
	for key, err := range w.store.List(w.t.Context(), prefix) {
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// there fails unless the store has what the URI leads to from the document.
func (w *world) there(doc, uri string) {
	w.t.Helper()
	if _, err := w.store.Get(w.t.Context(), path.Join(path.Dir(doc), uri)); err != nil {
		w.t.Errorf("%s names %s: %v", doc, uri, err)
	}
}

func TestAClipNamesMediaThatIsThere(t *testing.T) {
	w := broadcast(t, 20)
	rep := w.clip("cut/1", "10:00:07.2", "10:00:13")
	want := []string{
		"asked to begin at 2026-11-21T10:00:07.200Z, the clip begins at 2026-11-21T10:00:06.000Z, 1.200 s earlier, with segment 897627603",
		"asked to end at 2026-11-21T10:00:13.000Z, the clip ends at 2026-11-21T10:00:14.000Z, 1.000 s later, with segment 897627606",
		"players that know EXT-X-START begin 1.200 s into the clip, where it was asked for; elsewhere add #t=1.200 to the URL",
		`the media stays that of "demo", and is kept from retention by demo/hold-vod-cut~2f1.json: delete that with the clip`,
	}
	if d := cmp.Diff(want, rep.Lines); d != "" || rep.Duration != 8e9 {
		t.Errorf("it lasts %d ns: %s", rep.Duration, d)
	}
	list, _, err := m3u8.DecodeFrom(strings.NewReader(w.text("cut~2f1/legacy.m3u8")), true)
	if err != nil {
		t.Fatal(err)
	}
	variants := list.(*m3u8.MasterPlaylist).Variants
	if len(variants) != 3 {
		t.Fatalf("%d variants", len(variants))
	}
	for _, v := range variants {
		doc := path.Join("cut~2f1", v.URI)
		if n := w.playlist(doc); n != 4 {
			t.Errorf("%s lists %d segments", doc, n)
		}
		for _, a := range v.Alternatives {
			w.playlist(path.Join("cut~2f1", a.URI))
		}
	}
	w.mpd("cut~2f1/legacy.mpd")
}

// playlist reads a media playlist with both readers, follows what it names, and returns the number of its segments.
func (w *world) playlist(doc string) int {
	w.t.Helper()
	strict, err := hls.NewMediaPlaylist(0, 1<<10)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := strict.DecodeFrom(strings.NewReader(w.text(doc)), true); err != nil {
		w.t.Fatalf("%s: %v", doc, err)
	}
	list, _, err := m3u8.DecodeFrom(strings.NewReader(w.text(doc)), true)
	if err != nil {
		w.t.Fatalf("%s: %v", doc, err)
	}
	m := list.(*m3u8.MediaPlaylist)
	if !m.Closed || m.MediaType != m3u8.VOD || strict.Count() != m.Count() {
		w.t.Errorf("%s is no VOD:\n%s", doc, w.text(doc))
	}
	w.there(doc, m.Segments[0].Map.URI)
	for _, s := range m.Segments[:m.Count()] {
		w.there(doc, s.URI)
	}
	return int(m.Count())
}

// mpd follows what an MPD names.
func (w *world) mpd(doc string) {
	w.t.Helper()
	var m struct {
		Type     string   `xml:"type,attr"`
		Duration string   `xml:"mediaPresentationDuration,attr"`
		BaseURL  string   `xml:"BaseURL"`
		Inits    []string `xml:"-"`
		Reps     []struct {
			ID       string `xml:"id,attr"`
			Template struct {
				Media  string `xml:"media,attr"`
				Init   string `xml:"initialization,attr"`
				Number string `xml:"startNumber,attr"`
			} `xml:"SegmentTemplate"`
		} `xml:"Period>AdaptationSet>Representation"`
	}
	if err := xml.Unmarshal([]byte(w.text(doc)), &m); err != nil {
		w.t.Fatal(err)
	}
	// The sound of the last segment goes on for 16 ms after its picture.
	if m.Type != "static" || m.Duration != "PT8.016S" && m.Duration != "PT8S" || len(m.Reps) != 5 {
		w.t.Errorf("%s MPD of %s with %d representations", m.Type, m.Duration, len(m.Reps))
	}
	for _, r := range m.Reps {
		w.there(doc, m.BaseURL+r.Template.Init)
		w.there(doc, m.BaseURL+strings.NewReplacer("$RepresentationID$", r.ID, "$Number$", r.Template.Number).Replace(r.Template.Media))
	}
}

func TestAClipShowsGapsAndDiscontinuities(t *testing.T) {
	w := broadcast(t, 20)
	w.lose("video-360", 3)
	w.entries["audio-sv"] = append(w.entries["audio-sv"][:5], w.entries["audio-sv"][6:]...) // as if no instance had known of it
	init := w.head.Tracks[0].Epochs[0].Init
	w.renew(7, init.Digest)
	rep := w.clip("c", "", "")
	for _, line := range []string{
		"video-360 is missing from 2026-11-21T10:00:08.000Z to 2026-11-21T10:00:10.000Z: 1 segments",
		"audio-sv is missing from 2026-11-21T10:00:12.000Z to 2026-11-21T10:00:14.000Z: 1 segments",
		"discontinuous at 2026-11-21T10:00:16.000Z, segment 897627608: players are told",
	} {
		if !strings.Contains(strings.Join(rep.Lines, "\n")+"\n", line+"\n") {
			t.Errorf("%q is not among %q", line, rep.Lines)
		}
	}
	for track, gaps := range map[string]int{"video-360": 1, "video-180": 0, "audio-sv": 1} {
		text := w.text("c/" + track + "/legacy.m3u8")
		if strings.Count(text, "#EXT-X-GAP") != gaps || strings.Count(text, "#EXT-X-DISCONTINUITY\n") != 1 || strings.Count(text, "#EXTINF") != 10 {
			t.Errorf("%s:\n%s", track, text)
		}
	}
	if text := w.text("c/legacy.mpd"); strings.Count(text, "<Period ") != 2 || !strings.Contains(text, `start="PT0S"`) {
		t.Errorf("no two periods:\n%s", text)
	}
}

func TestAClipKeepsItsMediaAndReplacesNobody(t *testing.T) {
	w := broadcast(t, 20)
	w.clip("c", "10:00:08", "10:00:12")
	var hold struct {
		From, To uint64
		Reason   string
	}
	if err := json.Unmarshal([]byte(w.text("demo/hold-vod-c.json")), &hold); err != nil || hold.From != 897627604 || hold.To != 897627605 || hold.Reason == "" {
		t.Errorf("%+v, %v", hold, err)
	}
	r := w.open()
	before := w.text("c/legacy.mpd")
	g := w.cutOut(r, "", "10:00:06")
	for _, name := range []string{"c", "demo", ""} {
		if _, err := r.Clip(t.Context(), w.store, name, g, false); err == nil {
			t.Errorf("the name %q was free", name)
		}
	}
	w.write(manifest.PrivateKey("other", "record.json"), w.head)
	if _, err := r.Clip(t.Context(), w.store, "other", g, true); !errors.Is(err, vod.ErrExists) {
		t.Errorf("a channel with a record was replaced: %v", err)
	}
	if w.text("c/legacy.mpd") != before {
		t.Error("what was refused has changed the clip")
	}
	w.head.Tracks = w.head.Tracks[:1] // so that the next one has fewer documents
	w.save()
	r = w.open()
	if _, err := r.Clip(t.Context(), w.store, "c", g, true); err != nil {
		t.Fatal(err)
	}
	want := []string{"c/clip.json", "c/legacy.m3u8", "c/legacy.mpd", "c/video-360/legacy.m3u8"}
	if d := cmp.Diff(want, w.keys("c/")); d != "" || w.text("c/legacy.mpd") == before {
		t.Errorf("replaced: %s", d)
	}
	if err := json.Unmarshal([]byte(w.text("demo/hold-vod-c.json")), &hold); err != nil || hold.From != 897627601 {
		t.Errorf("%+v, %v", hold, err)
	}
}

func TestAClipReplacesClipsOnly(t *testing.T) {
	w := broadcast(t, 10)
	r := w.open()
	g := w.cutOut(r, "", "")
	w.write("claimed/plan.json", struct{}{}) // a channel that has recorded nothing yet
	if _, err := r.Clip(t.Context(), w.store, "claimed", g, true); !errors.Is(err, vod.ErrExists) {
		t.Errorf("%v", err)
	}
	if keys := append(w.keys("claimed/"), w.keys("demo/hold")...); len(keys) != 1 {
		t.Errorf("it left %v", keys)
	}
}

func TestAClipOfWhatRetentionTakesIsRefused(t *testing.T) {
	w := broadcast(t, 20)
	r := w.open()
	g := w.cutOut(r, "", "")
	w.head.First = w.entries["video-360"][2].N
	w.save()
	if _, err := r.Clip(t.Context(), w.store, "c", g, false); !errors.Is(err, vod.ErrRange) {
		t.Errorf("%v", err)
	}
	if keys := append(w.keys("c/"), w.keys("demo/hold")...); len(keys) > 0 {
		t.Errorf("it left %v", keys)
	}
	if r = w.open(); r.First != 1795255206e9 {
		t.Errorf("the record begins at %d", r.First)
	}
}

func TestWhatIsHeldCanBeAskedFor(t *testing.T) {
	w := broadcast(t, 20)
	line := w.entries["video-360"]
	hold := archive.Hold{From: line[1].N, To: line[3].N}
	if err := archive.PutHold(t.Context(), w.store, "demo", "court", hold); err != nil {
		t.Fatal(err)
	}
	w.head.First = line[6].N
	w.save()
	r := w.open()
	if r.First != 1795255214e9 {
		t.Errorf("the record begins at %d", r.First)
	}
	ask := func(first, last uint64) (vod.Range, error) {
		from, err := vod.ParseWhen(vod.Stamp(int64(first) * 2e9))
		if err != nil {
			t.Fatal(err)
		}
		to, err := vod.ParseWhen(vod.Stamp(int64(last+1) * 2e9))
		if err != nil {
			t.Fatal(err)
		}
		return r.Range(from, to)
	}
	if _, err := ask(line[3].N, line[4].N); !errors.Is(err, vod.ErrRange) {
		t.Errorf("half held: %v", err)
	}
	g, err := ask(hold.From, hold.To)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := r.Clip(t.Context(), w.store, "evidence", g, false)
	if err != nil || rep.Duration != 6e9 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if err := archive.ReleaseHold(t.Context(), w.store, "demo", "court"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open().Clip(t.Context(), w.store, "evidence", g, true); !errors.Is(err, vod.ErrRange) {
		t.Errorf("made anew of what only it holds: %v", err)
	}
	if keys := w.keys("demo/hold"); len(keys) != 1 {
		t.Errorf("the clip is held by %v", keys)
	}
}

func TestAHoleOfYearsIsNotFilled(t *testing.T) {
	w := broadcast(t, 20)
	for track := range w.entries {
		old := w.entries[track][0]
		old.N -= old.N%256 + 1<<28 // 17 years
		old.Start -= int64(w.entries[track][0].N-old.N) * 2 * int64(w.head.Track(track).Epochs[0].Init.Timescale)
		for i := range w.entries[track] { // so that the chunk begins where the range does
			e := &w.entries[track][i]
			to := e.N + 256 - e.N%256 + uint64(i)
			e.Start += int64(to-e.N) * 2 * int64(w.head.Track(track).Epochs[0].Init.Timescale)
			e.N, e.Digest = to, ""
		}
		w.entries[track] = append([]archive.Entry{old}, w.entries[track]...)
	}
	w.store = storage.NewMemory(0)
	w.save()
	r := w.open()
	from := w.entries["video-360"][1].N * 2e9
	g := vod.Range{Start: int64(from), End: r.Last, AskedStart: true}
	if rep, err := r.Clip(t.Context(), w.store, "c", g, false); err != nil || rep.Duration > 60e9 {
		t.Fatalf("%v, %v", rep, err)
	}
	if _, err := r.Movie(t.Context(), g, nil); !errors.Is(err, storage.ErrNotFound) { // the media has other names
		t.Errorf("%v", err)
	}
	g.Start, g.AskedStart = r.First, false
	if _, err := r.Clip(t.Context(), w.store, "d", g, false); err == nil || !strings.Contains(err.Error(), "make several") {
		t.Errorf("a clip of 17 years: %v", err)
	}
}

func TestListing(t *testing.T) {
	w := broadcast(t, 20)
	w.lose("video-360", 3)
	w.clip("c", "", "")
	var channels []string
	for c, err := range vod.Channels(t.Context(), w.store) {
		if err != nil {
			t.Fatal(err)
		}
		channels = append(channels, c)
	}
	if d := cmp.Diff([]string{"demo"}, channels); d != "" {
		t.Error(d)
	}
	s := vod.Summarize(t.Context(), w.store, "demo")
	if s.Err != nil || !s.Ended || len(s.Renditions) != 5 || s.Last-s.First != 18_680e6 {
		t.Errorf("%+v", s)
	}
	if v := s.Renditions[0]; v.Track != "video-360" || v.Segments != 9 || v.Missing != 1 || v.Bytes == 0 {
		t.Errorf("%+v", v)
	}
	if s := vod.Summarize(t.Context(), storage.NewMemory(0), "x"); s.Err == nil {
		t.Error("a channel that does not exist has a summary")
	}
}

func TestAClipHasTheEventsOfItsTime(t *testing.T) {
	w := broadcast(t, 20)
	day := int64(897627600) * 2000 // 10:00:00
	type event map[string]any
	at := func(ms int64, name string) event {
		return event{"t": day + ms, "d": 500, "id": name, "scheme": "com.example", "data": []byte(name)}
	}
	w.write("demo/events-897627392.json", map[string]any{
		"from": 897627392, "events": []event{at(1_000, "before"), at(7_000, "in"), at(13_999, "last"), at(14_050, "after")},
	})
	w.clip("cut", "10:00:07.2", "10:00:13")
	for _, doc := range []string{"cut/video-360/legacy.m3u8", "cut/legacy.mpd"} {
		text := w.text(doc)
		for name, is := range map[string]bool{"before": false, "in": true, "last": true, "after": false} {
			want := `ID="` + name + `"`
			if strings.HasSuffix(doc, "mpd") {
				want = ">" + name + "</Event>"
			}
			if strings.Contains(text, want) != is {
				t.Errorf("%s, %s: %v is wrong in %s", doc, name, !is, text)
			}
		}
	}
}

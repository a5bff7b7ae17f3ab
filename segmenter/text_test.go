package segmenter_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// spoken is something that is to be shown, in milliseconds since unix.
type spoken struct {
	from, to int64
	text     string // empty: nothing is shown
}

// textHeader is a publisher's header of text.
func textHeader(t testing.TB, codec, config string) []byte {
	t.Helper()
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(1000, codec, "en")
	var err error
	if codec == "wvtt" {
		err = trak.SetWvttDescriptor(config)
	} else {
		err = trak.SetStppDescriptor("http://www.w3.org/ns/ttml", "", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := init.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func textTrack(t testing.TB, codec string) media.Track {
	return media.Track{
		Name: "s", Kind: media.Text, Packaging: media.CMAF, Codec: codec, Init: textHeader(t, codec, "WEBVTT"), Namespace: []string{"x"},
	}
}

// said are the objects of a track of text, one for each. They are sent at the times of at, in milliseconds since unix.
func said(t testing.TB, codec string, at func(s spoken) int64, all ...spoken) (objects []object) {
	t.Helper()
	for i, s := range all {
		data := mux.Blank(codec)
		switch {
		case s.text != "" && codec == "wvtt":
			data = demux.CueSample(demux.Cue{Text: s.text})
		case s.text != "":
			data = []byte("<tt>" + s.text + "</tt>")
		}
		payload, err := mux.Fragment(1, []media.Sample{{DTS: unix*1000 + s.from, Dur: uint32(s.to - s.from), Sync: true, Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object{"s", (unix*1000 + at(s)) * 1000, media.Object{Location: media.Location{Group: uint64(i)}, Payload: payload}})
	}
	return objects
}

func early(s spoken) int64 { return s.from }

// subtitled publishes so many seconds with text.
func subtitled(t testing.TB, codec string, seconds int64, text ...object) *channel {
	t.Helper()
	v, a := plain()
	c := newChannel(t, cfg())
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), a.track(t), textTrack(t, codec)}); err != nil {
		t.Fatal(err)
	}
	c.send(interleave(text, v.seconds(t, seconds), a.seconds(t, seconds))...)
	return c
}

// reads is what a segment of text shows, as mp4ff reads it: "0-900 hello" in milliseconds since the slot began.
func (c *channel) reads(slot int64) string {
	c.t.Helper()
	data, ok := c.store.data[fmt.Sprintf("s/%d", zero+slot)]
	if !ok {
		return "nothing"
	}
	if !bytes.Equal(data, c.store.data[fmt.Sprintf("s/%d.0", zero+slot)]) {
		c.t.Errorf("segment %d is not the concatenation of its parts", slot)
	}
	f, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	samples, err := f.Segments[0].Fragments[0].GetFullSamples(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	at := int64(unix*1000) + slot*2000
	for _, s := range samples {
		if int64(s.DecodeTime) != at {
			c.t.Errorf("slot %d: sample at %d, want %d", slot, s.DecodeTime, at)
		}
		from := at - int64(unix*1000) - slot*2000
		at += int64(s.Dur)
		text := string(s.Data)
		if cues, err := demux.Cues(s.Data); err == nil {
			text = ""
			for _, cue := range cues {
				text += "+" + cue.Text
			}
		}
		if text = strings.TrimPrefix(text, "+"); text != "" {
			all = append(all, fmt.Sprintf("%d-%d %s", from, from+int64(s.Dur), text))
		}
	}
	if at != int64(unix*1000)+slot*2000+2000 {
		c.t.Errorf("slot %d ends at %d", slot, at)
	}
	return strings.Join(all, ", ")
}

func (c *channel) wantText(want ...string) {
	c.t.Helper()
	var got []string
	for i := range want {
		got = append(got, c.reads(int64(i)))
	}
	if d := cmp.Diff(want, got); d != "" {
		c.t.Errorf("text (-want +got):\n%s", d)
	}
}

func TestTextIsCutWhereItsSlotsAre(t *testing.T) {
	for _, codec := range []string{"wvtt", "stpp"} {
		t.Run(codec, func(t *testing.T) {
			show := func(text string) string {
				if codec == "stpp" {
					return "<tt>" + text + "</tt>"
				}
				return text
			}
			c := subtitled(t, codec, 9, said(t, codec, early,
				spoken{0, 900, "a"}, spoken{900, 1000, ""}, spoken{1000, 1900, "b"}, spoken{1900, 2000, ""},
				spoken{2000, 2500, "c"}, spoken{2500, 7250, "long"}, spoken{7250, 8000, ""})...)
			blank := func(s string) string { return s }
			if codec == "stpp" { // a blank document is one, too
				blank = func(s string) string { return s + string(mux.Blank("stpp")) }
			}
			want := []string{
				"0-900 " + show("a") + blank(sep(codec, ", 900-1000 ")) + ", 1000-1900 " + show("b") + blank(sep(codec, ", 1900-2000 ")),
				"0-500 " + show("c") + ", 500-2000 " + show("long"),
				"0-2000 " + show("long"),
				"0-1250 " + show("long") + blank(sep(codec, ", 1250-2000 ")),
			}
			c.wantText(want...)
			c.want("s", "0 1 2 3")
			c.want("v", "0 1 2 3 4.3")
		})
	}
}

// sep is what separates a blank document from others; of WebVTT, blanks are not shown.
func sep(codec, s string) string {
	if codec == "stpp" {
		return s
	}
	return ""
}

func TestSilentSlotsAreFilledHalfASlotLater(t *testing.T) {
	v, a := plain()
	c := subtitled(t, "wvtt", 4)
	c.want("v", "0 1.6")
	c.want("s", "0") // slot 1 ended just now
	c.send(interleave(v.objects(t, 100, 124), a.objects(t, 200, 248))...)
	c.want("s", "0")
	c.send(interleave(v.objects(t, 124, 125), a.objects(t, 248, 250))...)
	c.want("s", "0 1")
	c.wantText("", "")
	if err := c.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want("v", "0 1 2 end")
	c.want("s", "0 1 2 end")
	c.wantText("", "", "")
}

func TestALaterSampleProvesTheSilence(t *testing.T) {
	c := subtitled(t, "wvtt", 4, said(t, "wvtt", early, spoken{0, 200, "a"}, spoken{3900, 4100, "b"})...)
	c.want("s", "0 1")
	c.wantText("0-200 a", "1900-2000 b")
}

func TestLateTextIsDroppedAndCounted(t *testing.T) {
	late := func(spoken) int64 { return 5500 } // slots 0 and 1 are published
	c := subtitled(t, "wvtt", 8, said(t, "wvtt", late, spoken{100, 1900, "late"}, spoken{3000, 4500, "partly"}, spoken{5000, 5900, "in time"})...)
	c.wantText("", "", "0-500 partly, 1000-1900 in time")
	if e := c.Events(); e.LateText != 1 || e.Gaps != 0 {
		t.Errorf("%+v", e)
	}
}

func TestLostTextMakesGaps(t *testing.T) {
	text := said(t, "wvtt", early, spoken{0, 2000, "a"}, spoken{2000, 4000, "lost"}, spoken{4000, 6000, "c"}, spoken{6000, 8000, "d"})
	text[2].Lost = true
	c := subtitled(t, "wvtt", 9, slices.Delete(text, 1, 2)...)
	c.want("s", "0 (1) 2 3")
	c.wantText("0-2000 a", "nothing", "0-2000 c", "0-2000 d")
}

func TestTextOfAnotherTimeIsRefused(t *testing.T) {
	c := subtitled(t, "wvtt", 4, said(t, "wvtt", func(spoken) int64 { return 1000 }, spoken{900_000, 901_000, "future"})...)
	if len(c.bad) != 1 || !strings.Contains(c.bad[0].Error(), "time of the text") {
		t.Errorf("%v", c.bad)
	}
	c.want("s", "0")
}

func TestTextFollowsIntoNewEpochs(t *testing.T) {
	v, a := plain()
	c := subtitled(t, "wvtt", 6, said(t, "wvtt", early, spoken{0, 6000, "before"})...)
	jump := int64(-3600) // media time goes back by an hour
	v.start, a.start = v.start+jump*12800, a.start+jump*48000
	text := said(t, "wvtt", early, spoken{jump*1000 + 6500, jump*1000 + 9000, "after"})
	var all []object
	for _, o := range interleave(v.objects(t, 150, 275), a.objects(t, 300, 550), text) {
		o.at -= jump * 1e6
		o.Group += 1000
		all = append(all, o)
	}
	c.send(all...)
	line := c.line("s").Timeline.Load()
	if got, want := show(line, zero), "0 1 2 | 3 4"; got != want {
		t.Fatalf("text is %q, want %q; video is %q, %v", got, want, show(c.line("v").Timeline.Load(), zero), c.bad)
	}
	for i := range line.Segments {
		g := &line.Segments[i]
		if at := g.Start + line.Epoch(g.Epoch).Origin; at != int64(g.N)*2000 {
			t.Errorf("segment %d is at %d", g.N, at)
		}
	}
	video := c.line("v").Timeline.Load()
	if a, b := line.Current(), video.Current(); a.Index != b.Index || a.First != b.First {
		t.Errorf("text is in epoch %d from %d, video in %d from %d", a.Index, a.First, b.Index, b.First)
	}
}

func TestANewHeaderOfTextBeginsAnEpoch(t *testing.T) {
	text := said(t, "wvtt", early, spoken{0, 4000, "plain"}, spoken{4000, 8000, "styled"})
	text[1].Payload = slices.Concat(textHeader(t, "wvtt", "WEBVTT\n\nSTYLE\n::cue { color: lime }"), text[1].Payload)
	c := subtitled(t, "wvtt", 9, text...)
	c.want("s", "0 1 | 2 3")
	c.want("v", "0 1 | 2 3 4.3")
	c.wantText("0-2000 plain", "0-2000 plain", "0-2000 styled", "0-2000 styled")
}

// TestInstancesMakeTheSameText: one hears all from the start, the other joins later; neither hears both tracks in the same order.
func TestInstancesMakeTheSameText(t *testing.T) {
	var all []spoken
	for i := range int64(40) {
		all = append(all, spoken{i * 500, i*500 + 100 + i*37%401, fmt.Sprint("cue ", i)})
	}
	one := subtitled(t, "wvtt", 20, said(t, "wvtt", early, all...)...)
	v, a := plain()
	two := newChannel(t, cfg())
	if err := two.Catalog(t.Context(), time.Unix(unix+7, 0), []media.Track{v.track(t), a.track(t), textTrack(t, "wvtt")}); err != nil {
		t.Fatal(err)
	}
	text := said(t, "wvtt", func(s spoken) int64 { return s.to + 400 }, all...)
	from := slices.IndexFunc(text, func(o object) bool { return o.at > (unix+7)*1e6 })
	two.send(interleave(text[from:], v.objects(t, 175, 500), a.objects(t, 350, 1000))...)
	shared := 0
	for key, data := range one.store.data {
		if other, ok := two.store.data[key]; ok && strings.HasPrefix(key, "s/") {
			shared++
			if !bytes.Equal(data, other) {
				t.Errorf("%s differs", key)
			}
		}
	}
	if shared < 8 {
		t.Errorf("only %d names in common: %v", shared, slices.Sorted(maps.Keys(two.store.data)))
	}
}

func TestTextGoesOnAfterARestart(t *testing.T) {
	c := subtitled(t, "wvtt", 9, said(t, "wvtt", early, spoken{0, 1500, "a"})...)
	past := &segmenter.Past{Plan: c.Output().Plan}
	for _, r := range c.Output().Renditions {
		s := r.Timeline.Load()
		p := segmenter.PastRendition{Track: *r.Track, Epochs: s.Epochs}
		for _, g := range s.Segments {
			g.Parts = nil
			p.Segments = append(p.Segments, g)
		}
		past.Renditions = append(past.Renditions, p)
	}
	v, a := plain()
	again := &channel{t: t, store: c.store}
	var err error
	if again.Segmenter, err = segmenter.New(cfg(), c.store, nil, past); err != nil {
		t.Fatal(err)
	}
	if err := again.Catalog(t.Context(), time.Unix(unix+9, 0), []media.Track{v.track(t), a.track(t), textTrack(t, "wvtt")}); err != nil {
		t.Fatal(err)
	}
	again.send(interleave(v.objects(t, 225, 400), a.objects(t, 450, 800))...)
	again.want("v", "0 1 2 3 (4) 5 6 7.6")
	again.want("s", "0 1 2 3 (4) 5 6")
}

// events are objects of an event timeline: each a group of its own that says all that was said before, too.
func events(at func(s spoken) int64, all ...spoken) (objects []object) {
	document := "["
	for i, s := range all {
		if i > 0 {
			document += ","
		}
		document += fmt.Sprintf(`{"m": %d, "data": {"start": %d, "end": %d, "text": %q}}`, unix*1000+s.from, unix*1000+s.from, unix*1000+s.to, s.text)
		objects = append(objects, object{"s", (unix*1000 + at(s)) * 1000, media.Object{Location: media.Location{Group: uint64(i)}, Payload: []byte(document + "]")}})
	}
	return objects
}

func TestTextComesAsEventsToo(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg())
	s := media.Track{Name: "s", Kind: media.Text, Packaging: media.EventTimeline, Codec: "wvtt", Namespace: []string{"x"}}
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{v.track(t), a.track(t), s}); err != nil {
		t.Fatal(err)
	}
	text := events(early, spoken{0, 3000, "a"}, spoken{1000, 2500, "b"}, spoken{4500, 4700, "c"}, spoken{7000, 7100, "d"})
	text = append(text, events(func(spoken) int64 { return 7500 }, spoken{100, 200, "too late"})...)
	text[len(text)-1].Group, text[len(text)-1].Object.Location.Object = 3, 1
	c.send(interleave(text, v.seconds(t, 12), a.seconds(t, 12))...)
	for _, bad := range c.bad {
		t.Error(bad)
	}
	c.want("s", "0 1 2 3 4")
	c.wantText("0-1000 a, 1000-2000 a+b", "0-500 a+b, 500-1000 a", "500-700 c", "1000-1100 d", "")
	if e := c.Events(); e.LateText != 1 {
		t.Errorf("%d cues were late, want 1", e.LateText)
	}
}

package segmenter_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// section is a splice_insert with a time in 90 kHz; a negative time is none, and then it is immediate.
func section(event uint32, out bool, pts int64, dur uint32) []byte {
	flags := byte(0x4f)
	if out {
		flags |= 0x80
	}
	command := binary.BigEndian.AppendUint32(nil, event)
	command = append(command, 0x7f)
	if dur > 0 {
		flags |= 0x20
	}
	if pts < 0 {
		command = append(command, flags|0x10)
	} else {
		command = append(command, flags, 0xfe|byte(pts>>32&1), byte(pts>>24), byte(pts>>16), byte(pts>>8), byte(pts))
	}
	if dur > 0 {
		command = binary.BigEndian.AppendUint32(append(command, 0xfe), dur)
	}
	command = append(command, 0, 1, 0, 0)
	b := []byte{0xfc, 0x30, byte(17 + len(command)), 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, byte(len(command)), 0x05}
	return append(append(b, command...), 0, 0, 1, 2, 3, 4)
}

// record is an entry of an event timeline about a splice.
func record(ms int64, section []byte) string {
	return fmt.Sprintf(`{"m":%d,"data":{"scte35_payload":%q,"t":"pts"}}`, ms, base64.StdEncoding.EncodeToString(section))
}

// noted is object n of group g of the event timeline, sent so many milliseconds after unix.
func noted(g, n uint64, ms int64, records ...string) object {
	return object{"cues", (unix*1000 + ms) * 1000, media.Object{
		Location: media.Location{Group: g, Object: n}, Payload: []byte("[" + strings.Join(records, ",") + "]"),
	}}
}

func eventTrack(eventType string) media.Track {
	return media.Track{Name: "cues", Kind: media.Events, Packaging: media.EventTimeline, EventType: eventType, Depends: []string{"v"}, Namespace: []string{"x"}}
}

// eventful is a channel of the sources with an event timeline.
func eventful(t *testing.T, eventType string, sources ...source) *channel {
	t.Helper()
	c := newChannel(t, cfg())
	tracks := []media.Track{eventTrack(eventType)}
	for _, s := range sources {
		tracks = append(tracks, s.track(t))
	}
	if err := c.Catalog(t.Context(), time.Unix(unix, 0), tracks); err != nil {
		t.Fatal(err)
	}
	return c
}

// happens shows events as their time after unix, duration, and what they are about.
func (c *channel) happens() (list []string) {
	c.t.Helper()
	for _, e := range c.Output().Events {
		line := fmt.Sprintf("%d+%d ", e.Start-unix*1000, e.Dur)
		if e.Splice == nil {
			line += fmt.Sprintf("%s %s", e.Scheme, e.Data)
		} else {
			line += fmt.Sprintf("splice %d %s", e.Splice.Event, []string{"cmd", "out", "in"}[e.Splice.Cue])
		}
		list = append(list, line)
	}
	return list
}

func (c *channel) wantEvents(want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.happens()); diff != "" {
		c.t.Errorf("-want +got\n%s", diff)
	}
}

func TestAnEventTimelineHappensInTheOrderOfItsTimes(t *testing.T) {
	v, a := plain()
	c := eventful(t, "urn:scte:scte35:2013:bin", v, a)
	at := int64(unix * 1000)
	out, in := record(at+6000, section(7, true, -1, 90*2500)), record(at+8500, section(7, false, -1, 0))
	c.send(interleave(v.objects(t, 0, 200), a.objects(t, 0, 400), []object{
		noted(1, 0, 100, in), noted(1, 1, 200, out), noted(2, 0, 4000, in, out), noted(2, 1, 5000, out),
	})...)
	c.wantEvents("6000+2500 splice 7 out", "8500+0 splice 7 in")
}

func TestTheClockOfATransportStreamIsUnwrapped(t *testing.T) {
	const period = int64(1 << 33)
	for name, m := range map[string]func(media int64) int64{
		"media time":  func(ms int64) int64 { return ms },
		"modulo 2^33": func(ms int64) int64 { return ms * 90 % period / 90 },
	} {
		// Once around the clock every 26.5 hours: before, at and after the turn.
		turn := (unix*90000/period + 1) * period / 90
		for _, offset := range []int64{-3000, 0, 5000} {
			begin := (turn+offset)/2000*2000/1000 - 2 // a slot just before the splice
			v := video("v", 12800, 512, 25, begin*12800)
			c := eventful(t, "urn:scte:scte35:2022:bin", v)
			for i, o := range v.objects(t, 0, 100) {
				if c.send(o); i == 10 {
					c.send(noted(1, 0, 0, record(m(turn+offset), section(7, true, (turn+offset)*90%period, 0))))
				}
			}
			if got := c.Output().Events; len(got) != 1 || got[0].Start < turn+offset-1 || got[0].Start > turn+offset {
				t.Errorf("%s, %d ms after the turn: %+v, bad input %v", name, offset, got, c.bad)
			}
		}
	}
}

// inBand puts an event message before object i of the track.
func inBand(t testing.TB, objects []object, i int, e *mp4.EmsgBox) {
	t.Helper()
	var b bytes.Buffer
	if err := e.Encode(&b); err != nil {
		t.Fatal(err)
	}
	objects[i].Payload = append(b.Bytes(), objects[i].Payload...)
}

func TestWhatEveryRenditionRepeatsHappensOnce(t *testing.T) {
	v, a := plain()
	w := video("w", 90000, 3600, 25, unix*90000)
	c := eventful(t, "urn:scte:scte35:2013:bin", v, w, a)
	vs, ws := v.objects(t, 0, 200), w.objects(t, 0, 200)
	s := section(9, true, (unix+8)*90000%(1<<33), 90000)
	splice := &mp4.EmsgBox{Version: 1, TimeScale: 12800, PresentationTime: (unix + 8) * 12800, ID: 1, SchemeIDURI: demux.SchemeSplice, MessageData: s}
	inBand(t, vs, 60, splice)
	inBand(t, vs, 75, splice)
	delta := *splice // a second before, in another rendition and another version
	delta.Version, delta.TimeScale, delta.PresentationTimeDelta = 0, 90000, 90000
	inBand(t, ws, 175, &delta)
	score := &mp4.EmsgBox{Version: 1, TimeScale: 1000, PresentationTime: unix*1000 + 5000, EventDuration: 500, ID: 1, SchemeIDURI: "com.example.score", MessageData: []byte("1:0")}
	inBand(t, vs, 100, score)
	inBand(t, ws, 100, score)
	inBand(t, ws, 101, score)
	inBand(t, vs, 110, &mp4.EmsgBox{Version: 1, TimeScale: 1, PresentationTime: unix + 5, SchemeIDURI: "urn:mpeg:dash:event:2012", Value: "1"})
	c.send(interleave(vs, ws, a.objects(t, 0, 400), []object{noted(1, 0, 3000, record(unix*1000+8001, s))})...)
	c.wantEvents("5000+500 com.example.score 1:0", "8000+1000 splice 9 out")
	if len(c.bad) > 0 {
		t.Errorf("%v", c.bad)
	}
}

// The time of an old message counts from the sample that is shown first, which is not always the one that is decoded first (ISO/IEC
// 23009-1, 5.10.3.3).
func TestATimeDeltaCountsFromWhatIsShownFirst(t *testing.T) {
	v, a := plain()
	v.batch = 2
	vs := v.objects(t, 0, 200)
	dur := int32(v.dur)
	late, early := v.sample(52), v.sample(53)
	late.CTO, early.CTO = 2*dur, -dur
	payload, err := mux.Fragment(1, []media.Sample{late, early})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(vs, func(o object) bool { return o.Group == 2 && o.Object.Object == 1 }) // samples 52 and 53
	vs[i].Payload = payload
	inBand(t, vs, i, &mp4.EmsgBox{TimeScale: 1000, PresentationTimeDelta: 500, SchemeIDURI: "com.example", MessageData: []byte("x")})
	c := newChannel(t, cfg(), v, a)
	c.send(interleave(vs, a.objects(t, 0, 400))...)
	c.wantEvents(fmt.Sprintf("%d+0 com.example x", 52*40+500))
}

// An event that happens with an object waits for that, whichever of the tracks brings it, and is told of once.
func TestAnEventHappensWithItsObject(t *testing.T) {
	v, a := plain()
	c := eventful(t, "com.example", v, a)
	at := func(group, object int) string {
		return fmt.Sprintf(`{"L":[%d,%d],"data":"%d-%d"}`, group, object, group, object)
	}
	c.send(interleave(v.objects(t, 0, 200), a.objects(t, 0, 400), []object{
		noted(1, 0, 3050, at(6, 3), at(2, 24), at(2, 25), at(1, 0)), noted(1, 1, 6500, at(6, 3), at(0, 0)),
	})...)
	c.wantEvents(`0+0 com.example "0-0"`, `1000+0 com.example "1-0"`, `2960+0 com.example "2-24"`, `6120+0 com.example "6-3"`)
}

// A message that has the time at which it was sent says itself when its splice is, if the media has the clock of the stream.
func TestASpliceIsWhenItsSectionSays(t *testing.T) {
	v, a := plain()
	c := newChannel(t, cfg(), v, a)
	vs := v.objects(t, 0, 200)
	for i, pts := range []int64{(unix + 11) * 90000, (unix + 500) * 90000} { // the other clock is not that of the media
		inBand(t, vs, 60+i, &mp4.EmsgBox{
			Version: 1, TimeScale: 1000, PresentationTime: unix*1000 + 3000, ID: uint32(i), SchemeIDURI: demux.SchemeSplice,
			MessageData: section(uint32(i+1), true, pts%(1<<33), 0),
		})
	}
	c.send(interleave(vs, a.objects(t, 0, 400))...)
	c.wantEvents("3000+0 splice 2 out", "11000+0 splice 1 out")
}

func TestWhereverOneJoinsTheSameHappens(t *testing.T) {
	v, a := plain()
	at := int64(unix * 1000)
	history := []string{record(at+3000, section(1, true, -1, 0)), record(at+5000, section(1, false, -1, 0)), record(at+21000, section(2, true, -1, 0))}
	cues := []object{noted(1, 0, 100, history[0]), noted(1, 1, 3100, history[1]), noted(2, 0, 9000, history[:2]...), noted(3, 0, 12_100, history...)}
	all := interleave(v.objects(t, 0, 500), a.objects(t, 0, 1000), cues)
	early, late := eventful(t, "urn:scte:scte35:2013:bin", v, a), eventful(t, "urn:scte:scte35:2013:bin", v, a)
	early.send(all...)
	for _, o := range all {
		if o.at >= (unix+12)*1e6 {
			late.send(o)
		}
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Known" }, cmp.Ignore())
	if diff := cmp.Diff(early.Output().Events, late.Output().Events, ignore); diff != "" || len(early.Output().Events) != 3 {
		t.Errorf("%s", diff)
	}
}

func TestEventsFollowTheMediaOntoItsTimeBase(t *testing.T) {
	v, a := video("v", 12800, 512, 25, 0), audio("a", 48000, 960, 0) // media time begins at zero
	c := eventful(t, "com.example", v, a)
	media := interleave(v.objects(t, 0, 200), a.objects(t, 0, 400))
	for i := range media {
		media[i].at += unix * 1e6
	}
	c.send(media[:30]...)
	c.send(noted(1, 0, 0, `{"M":6500,"data":"media"}`, `{"L":[3,5],"data":"place"}`, fmt.Sprintf(`{"T":%d,"data":"wall"}`, unix*1000+4321)))
	c.send(media[30:]...)
	start := c.line("v").Timeline.Load().Epochs[0].Origin * 1000 / 12800
	c.wantEvents(fmt.Sprintf(`%d+0 com.example "place"`, start+3200-unix*1000), `4321+0 com.example "wall"`,
		fmt.Sprintf(`%d+0 com.example "media"`, start+6500-unix*1000))
}

func TestEventsThatLieAreRefusedWithTheirPlace(t *testing.T) {
	v, a := plain()
	c := eventful(t, "urn:scte:scte35:2013:bin", v, a)
	far := record(unix*1000+2*3600_000, section(3, true, -1, 0))
	bad := section(4, true, -1, 0)
	bad[2]++
	good := record(unix*1000+6000, section(5, true, -1, 0))
	c.send(interleave(v.objects(t, 0, 100), a.objects(t, 0, 200), []object{
		noted(1, 0, 1000, `{"m":1}`), noted(1, 1, 1100, far), noted(1, 2, 1200, record(unix*1000+1000, bad)), noted(1, 3, 1300, good, good), noted(1, 4, 1400, "}"),
	})...)
	c.wantEvents("6000+0 splice 5 out")
	var all []string
	for _, b := range c.bad {
		all = append(all, b.Error())
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{`track "cues" group 1 object 0: demux: event timeline: record 0: it has no scte35_payload`, "the time of the event", "section_length is", "object 4: demux"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	c.want("v", "0 1.6")
	if n := c.Events().BadInput; n < 4 {
		t.Errorf("%d counted", n)
	}
}

func TestTheDataOfEventsIsBounded(t *testing.T) {
	v, a := plain()
	c := eventful(t, "urn:example", v, a)
	c.send(interleave(v.objects(t, 0, 100), a.objects(t, 0, 200))...)
	for i := range 300 {
		at := unix*1000 + 3000 + i
		c.send(noted(uint64(i), 0, 4000, fmt.Sprintf(`{"m":%d,"data":"%08d%s"}`, at, i, strings.Repeat("x", 8000))))
	}
	size, list := 0, c.Output().Events
	for i := range list {
		size += len(list[i].Data)
	}
	if size < 1<<20-8192 || size > 1<<20 || list[len(list)-1].Start != unix*1000+3299 {
		t.Errorf("%d events with %d bytes, up to %d", len(list), size, list[len(list)-1].Start-unix*1000)
	}
}

func TestARestartForgetsNoEvent(t *testing.T) {
	v, a := plain()
	c := eventful(t, "urn:scte:scte35:2013:bin", v, a)
	vs, as := v.objects(t, 0, 300), a.objects(t, 0, 600)
	r := record(unix*1000+9000, section(5, true, -1, 90000))
	c.send(interleave(vs[:100], as[:200], []object{noted(1, 0, 1000, r)})...)
	next := c.again(eventTrack("urn:scte:scte35:2013:bin"), v.track(t), a.track(t))
	if diff := cmp.Diff(c.Output().Events, next.Output().Events); diff != "" || len(c.Output().Events) != 1 {
		t.Errorf("at once: %s", diff)
	}
	next.send(interleave(vs[125:], as[250:], []object{noted(2, 0, 6000, r, record(unix*1000+10_000, section(5, false, -1, 0)))})...)
	next.wantEvents("9000+1000 splice 5 out", "10000+0 splice 5 in")
}

func TestOneSectionMayTellOfSeveralThings(t *testing.T) {
	const programme = "/DBIAAAAAAAA///wBQb+ek233wAyAhdDVUVJSAAAGH+fCAgAAAAALMvDRBEAAAIXQ1VFSUgAABl/nwgIAAAAACyk26AQAACZcuND"
	v, a := plain()
	c := eventful(t, "urn:scte:scte35:2013:bin", v, a)
	r := fmt.Sprintf(`{"M":%d,"data":{"scte35_payload":%q}}`, unix*1000+2000, programme)
	c.send(interleave(v.objects(t, 0, 100), a.objects(t, 0, 200), []object{noted(1, 0, 1000, r)})...)
	c.wantEvents("2000+0 splice 1207959576 cmd", "2000+0 splice 1207959577 cmd")
}

// What is written of events and read again is the same.
func TestEventsAreWritten(t *testing.T) {
	v, a := plain()
	c := eventful(t, "urn:scte:scte35:2013:bin", v, a)
	c.send(interleave(v.objects(t, 0, 100), a.objects(t, 0, 200), []object{noted(1, 0, 1000, record(unix*1000+2000, section(5, true, -1, 90000)))})...)
	body, err := json.Marshal(c.Output().Events)
	var back []timeline.Event
	if err != nil || json.Unmarshal(body, &back) != nil || !cmp.Equal(c.Output().Events, back) || len(back) != 1 {
		t.Errorf("%s %v", body, err)
	}
}

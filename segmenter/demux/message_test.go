package demux_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/demux"
)

func emsg(t testing.TB, e *mp4.EmsgBox) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// boxed are the messages in front of the first object of a clip, and its samples.
func boxed(t testing.TB, head ...byte) ([]demux.Message, int) {
	t.Helper()
	s := clip(t, "h264-2997.mp4", live.Packing{})
	r, _, err := demux.NewChunks(&media.Track{Kind: media.Video, Packaging: media.CMAF, Init: s.Init()})
	if err != nil {
		t.Fatal(err)
	}
	o := clipObject(t, s, 0)
	o.Payload = append(head, o.Payload...)
	u := r.Read(nil, &o)[0]
	if u.Err != nil {
		t.Fatal(u.Err)
	}
	return u.Messages, len(u.Samples)
}

func TestEventMessagesComeWithTheMedia(t *testing.T) {
	old := &mp4.EmsgBox{TimeScale: 1000, PresentationTimeDelta: 250, EventDuration: 0xFFFFFFFF, ID: 7, SchemeIDURI: "urn:x", Value: "1", MessageData: []byte("data")}
	young := &mp4.EmsgBox{Version: 1, TimeScale: 90000, PresentationTime: 1 << 40, EventDuration: 90000, ID: 8, SchemeIDURI: demux.SchemeSplice}
	got, samples := boxed(t, append(emsg(t, old), emsg(t, young)...)...)
	want := []demux.Message{
		{Scheme: "urn:x", Value: "1", ID: 7, Index: demux.ByDelta, At: 250, Timescale: 1000, Data: []byte("data")},
		{Scheme: demux.SchemeSplice, ID: 8, At: 1 << 40, Timescale: 90000, Dur: 90000, Data: []byte{}},
	}
	if diff := cmp.Diff(want, got); diff != "" || samples == 0 {
		t.Errorf("%d samples %s", samples, diff)
	}
}

func TestAMessageThatLiesCostsNoMedia(t *testing.T) {
	good := &mp4.EmsgBox{Version: 1, TimeScale: 1000, SchemeIDURI: "urn:x", Value: "1"}
	edit := func(change func(*mp4.EmsgBox)) []byte {
		e := *good
		change(&e)
		return emsg(t, &e)
	}
	cut := emsg(t, good)
	for i, c := range cut[32:] {
		if c == 0 {
			cut[32+i] = 'x'
		}
	}
	for name, tt := range map[string]struct {
		box  []byte
		want string
	}{
		"no timescale":       {edit(func(e *mp4.EmsgBox) { e.TimeScale = 0 }), "timescale is 0"},
		"a wild time":        {edit(func(e *mp4.EmsgBox) { e.PresentationTime = 1 << 63 }), "out of range"},
		"a time in 10^9 s":   {edit(func(e *mp4.EmsgBox) { e.PresentationTime = 1 << 60 }), "out of range"},
		"a string endlessly": {cut, "does not end"},
	} {
		got, samples := boxed(t, tt.box...)
		if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), tt.want) || samples == 0 {
			t.Errorf("%s: %+v and %d samples, want %q", name, got, samples, tt.want)
		}
	}
}

func records(t testing.TB, eventType string, payloads ...string) (list []demux.Message, err error) {
	t.Helper()
	r := demux.NewRecords(&media.Track{Kind: media.Events, Packaging: media.EventTimeline, EventType: eventType})
	for i, p := range payloads {
		more, e := r.Read(&media.Object{Location: media.Location{Group: 1, Object: uint64(i)}, Payload: []byte(p)})
		if e != nil {
			return nil, e
		}
		list = append(list, more...)
	}
	return list, nil
}

func TestRecordsAreGivenOnceInEverySpelling(t *testing.T) {
	splice := fmt.Sprintf(`{"m": 480500.9, "data": {"scte35_payload": "%s", "t": "pts"}}`, strings.TrimRight(insertOut, "="))
	inHex := fmt.Sprintf(`{"T": 1756885678361, "data": {"scte35_payload": "0x%X"}}`, decoded(t, insertOut))
	for _, eventType := range []string{"urn:scte:scte35:2013:bin", "urn:scte:scte35:2022:bin"} {
		got, err := records(t, eventType, "["+splice+"]", "["+splice+","+inHex+"]", "["+splice+"]")
		want := []demux.Message{
			{Scheme: demux.SchemeSplice, At: 480500, Timescale: 1000, Data: decoded(t, insertOut)},
			{Scheme: demux.SchemeSplice, Index: demux.ByWall, At: 1756885678361, Timescale: 1000, Data: decoded(t, insertOut)},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
	got, err := records(t, "com.example.drone", `[{"L":[7,1],"data":[47.1812, 8.4592]}]`)
	want := []demux.Message{
		{Scheme: "com.example.drone", Index: demux.ByPlace, Place: media.Location{Group: 7, Object: 1}, Timescale: 1000, Data: []byte("[47.1812,8.4592]")},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAnOddRecordCostsItselfOnly(t *testing.T) {
	got, err := records(t, "urn:scte:scte35:2013:bin",
		`[7, {"data":{}}, {"m":-1,"data":{"scte35_payload":"/w=="}}, {"m":1}, {"m":1,"data":{"scte35_payload":"%%"}}, {"m":1,"data":{"scte35_payload":"/w=="}}]`)
	if err != nil || len(got) != 6 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, m := range got {
		if (m.Err == nil) != (i == 5) {
			t.Errorf("record %d: %+v", i, m)
		}
	}
	if _, err := records(t, "x", `{"m":1}`); err == nil {
		t.Error("an object is no list")
	}
}

func TestTheSectionInXMLIsFound(t *testing.T) {
	text := `<Signal xmlns="http://www.scte.org/schemas/35/2016"><Binary>` + insertOut + `</Binary></Signal>`
	b, ok, err := demux.SpliceOf(&demux.Message{Scheme: "urn:scte:scte35:2014:xml+bin", Data: []byte(text)})
	if !ok || err != nil || !bytes.Equal(b, decoded(t, insertOut)) {
		t.Errorf("%x %v %v", b, ok, err)
	}
	for _, text := range []string{"", "<Signal/>", "<Signal><Binary>&e;</Binary></Signal>", "<Signal><Binary>"} {
		if _, _, err := demux.SpliceOf(&demux.Message{Scheme: "urn:scte:scte35:2014:xml+bin", Data: []byte(text)}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestAnEventTimelineMayHaveTheSectionInXML(t *testing.T) {
	signal := `<Signal xmlns='http://www.scte.org/schemas/35/2016'><Binary>` + insertOut + `</Binary></Signal>`
	for _, eventType := range []string{"urn:scte:scte35:2014:xml+bin", "urn:scte:scte35:2013:xml", "urn:scte:scte35:2022:xml"} {
		got, err := records(t, eventType, `[{"m":5,"data":{"scte35_payload":"`+signal+`"}}]`)
		if err != nil || len(got) != 1 || got[0].Err != nil {
			t.Fatalf("%s: %v %v", eventType, got, err)
		}
		if b, ok, err := demux.SpliceOf(&got[0]); !ok || err != nil || !bytes.Equal(b, decoded(t, insertOut)) {
			t.Errorf("%s: %x %v %v", eventType, b, ok, err)
		}
	}
	m := demux.Message{Scheme: "urn:scte:scte35:2013:xml", Data: []byte("<SpliceInfoSection><SpliceInsert/></SpliceInfoSection>")}
	if _, ok, err := demux.SpliceOf(&m); ok || err != nil {
		t.Errorf("without a section: %v, %v", ok, err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add("urn:scte:scte35:2013:bin", []byte(`[{"m":1,"data":{"scte35_payload":"`+insertOut+`"}},{"L":[1,2],"data":1}]`))
	f.Add("com.example", []byte(`[{"T":1,"data":{"a":"b"}}]`))
	f.Fuzz(func(t *testing.T, eventType string, payload []byte) {
		got, err := records(t, eventType, string(payload))
		for _, m := range got {
			if err != nil || m.Err == nil && (m.Timescale == 0 || m.At < 0) {
				t.Fatalf("%+v %v", m, err)
			}
		}
	})
}

func FuzzEventMessage(f *testing.F) {
	f.Add(emsg(f, &mp4.EmsgBox{Version: 1, TimeScale: 1000, SchemeIDURI: "urn:x", Value: "1", MessageData: []byte("x")})[8:])
	f.Add(emsg(f, &mp4.EmsgBox{TimeScale: 1000, SchemeIDURI: "urn:x", Value: "1"})[8:])
	s := clip(f, "h264-2997.mp4", live.Packing{})
	o := clipObject(f, s, 0)
	track := media.Track{Kind: media.Video, Packaging: media.CMAF, Init: s.Init()}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 {
			return
		}
		r, _, err := demux.NewChunks(&track)
		if err != nil {
			t.Fatal(err)
		}
		p := o
		p.Payload = append(append([]byte{0, byte((len(body) + 8) >> 16), byte((len(body) + 8) >> 8), byte(len(body) + 8)}, "emsg"...), append(body, o.Payload...)...)
		u := r.Read(nil, &p)[0]
		if u.Err != nil || len(u.Messages) != 1 {
			t.Fatalf("%v and %d messages", u.Err, len(u.Messages))
		}
		if m := u.Messages[0]; m.Err == nil && (m.Timescale == 0 || m.At < 0 || m.Dur < 0) {
			t.Fatalf("%+v", m)
		}
	})
}

func TestAnObjectOfLOCMAFHasABoundedNumberOfMessages(t *testing.T) {
	s := clip(t, "h264-2997.mp4", live.Packing{As: media.LOCMAF})
	r, _, err := demux.NewLOCMAF(&media.Track{Kind: media.Video, Packaging: media.LOCMAF, Init: s.Init()})
	if err != nil {
		t.Fatal(err)
	}
	box := emsg(t, &mp4.EmsgBox{Version: 1, TimeScale: 1000, SchemeIDURI: "urn:x", Value: "1"})
	o := clipObject(t, s, 0)
	o.Payload = append(bytes.Repeat(append([]byte{1, byte(len(box))}, box...), 1000), o.Payload...)
	u := r.Read(nil, &o)[0]
	if u.Err != nil || len(u.Samples) == 0 || len(u.Messages) != 64 {
		t.Errorf("%d messages and %d samples, %v", len(u.Messages), len(u.Samples), u.Err)
	}
}

package dialect

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// The vectors were written by hand from the drafts.

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// place is where a message stands: what comes before it says how it is read and written.
type place struct {
	append func(d *Dialect, b []byte, m Message) []byte
	read   func(d *Dialect, r *wire.Reader) (Message, error)
}

var places = map[string]place{
	"request": {
		func(d *Dialect, b []byte, m Message) []byte { return d.AppendRequest(b, m.(Request)) },
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadRequest(r); return m, err },
	},
	"stream": {(*Dialect).AppendStream, (*Dialect).ReadStream},
	"answer": {(*Dialect).AppendAnswer, (*Dialect).ReadAnswer},
	"announce ok": {(*Dialect).AppendMessage,
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadAnnounceOK(r); return &m, err }},
	"announce": {(*Dialect).AppendMessage,
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadAnnounce(r); return m, err }},
	"update": {(*Dialect).AppendMessage,
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadUpdate(r); return m, err }},
	"track info": {(*Dialect).AppendMessage,
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadTrackInfo(r); return &m, err }},
	"probe": {(*Dialect).AppendMessage,
		func(d *Dialect, r *wire.Reader) (Message, error) { m, err := d.ReadProbe(r); return &m, err }},
}

type vector struct {
	drafts string // their last digits
	place  string
	hex    string
	m      Message
}

func vectors() []vector {
	ab := Track{Broadcast: "a/b", Name: "v"}
	live := Delivery{Priority: 128, Ordered: true, MaxLatency: 30 * time.Second}
	ranged := live
	ranged.Start, ranged.End = new(uint64(5)), new(uint64(0))
	return []vector{
		{"345", "request", "02 0f 01 03612f62 0176 80 01 80007530 00 00", &Subscribe{ID: 1, Track: ab, Delivery: live}},
		{"345", "request", "02 0f 01 03612f62 0176 80 01 80007530 06 01", &Subscribe{ID: 1, Track: ab, Delivery: ranged}},
		{"345", "update", "08 80 01 80007530 06 01", &ranged},
		{"34", "answer", "00 05 05 00 00 2b 00", &SubscribeOK{Delivery: Delivery{Priority: 5, Start: new(uint64(42))}}},
		{"5", "answer", "00 01 2a", &SubscribeOK{Group: 42}},
		{"5", "answer", "01 01 2a", &SubscribeEnd{Group: 42}},
		{"34", "answer", "01 03 0a 0c 00", &SubscribeDrop{Start: 10, End: 12}},
		{"5", "answer", "02 03 0a 0c 07", &SubscribeDrop{Start: 10, End: 12, Code: 7}},
		{"345", "request", "03 08 03612f62 0176 80 0a", &Fetch{Track: ab, Priority: 128, Group: 10}},
		{"5", "request", "06 06 03612f62 0176", &TrackRequest{Track: ab}},
		{"5", "track info", "08 80 01 6710 80015f90",
			&TrackInfo{Priority: 128, Ordered: true, MaxLatency: 10 * time.Second, Timescale: 90000}},
		{"3", "request", "01 03 026c2f", &AnnounceRequest{Prefix: "l/"}},
		{"45", "request", "01 04 026c2f 07", &AnnounceRequest{Prefix: "l/", ExcludeHop: 7}},
		{"5", "announce ok", "02 09 01", &AnnounceOK{Hop: 9, Active: 1}},
		{"3", "announce", "04 01 0178 02", &Announce{Status: Active, Suffix: "x", HopCount: 2}},
		{"45", "announce", "07 01 0178 02 05 4100", &Announce{Status: Active, Suffix: "x", Hops: []uint64{5, 256}}},
		{"45", "announce", "04 00 0178 00", &Announce{Suffix: "x"}},
		{"3", "request", "04 04 800f4240", &Probe{Bitrate: 1e6}},
		{"45", "request", "04 05 800f4240 14", &Probe{Bitrate: 1e6, RTT: 20}},
		{"45", "probe", "05 800f4240 14", &Probe{Bitrate: 1e6, RTT: 20}},
		{"45", "request", "05 0b 0a 68747470733a2f2f622f", &Goaway{URI: "https://b/"}},
		{"345", "stream", "00 03 01 4100", &Group{Subscribe: 1, Sequence: 256}},
		{"5", "stream", "01 08 02 02022f6d 030102", &Setup{Path: new("/m"), Role: SubscriberRole}},
		{"5", "stream", "01 04 01 010101", &Setup{Probe: 1}},
		{"5", "stream", "01 01 00", &Setup{}},
	}
}

func (v vector) of(d *Dialect) bool { return strings.Contains(v.drafts, d.ALPN[len(d.ALPN)-1:]) }

func TestMessages(t *testing.T) {
	for _, d := range All() {
		for _, v := range vectors() {
			if !v.of(d) {
				continue
			}
			t.Run(d.ALPN+" "+v.hex, func(t *testing.T) {
				b := unhex(t, v.hex)
				if got := places[v.place].append(d, nil, v.m); !bytes.Equal(got, b) {
					t.Errorf("append: %x", got)
				}
				m, err := places[v.place].read(d, d.NewReader(bytes.NewReader(b)))
				if diff := cmp.Diff(v.m, m); diff != "" || err != nil {
					t.Error(err, diff)
				}
			})
		}
	}
}

func TestWhatADraftDoesNotHaveIsUnknownOnItsStreamOnly(t *testing.T) {
	for _, d := range All() {
		for _, v := range vectors() {
			if v.of(d) || v.place != "request" && v.place != "stream" || strings.Contains(v.drafts, "3") {
				continue
			}
			if _, ok := v.m.(*AnnounceRequest); ok {
				continue
			}
			if _, ok := v.m.(*Probe); ok {
				continue
			}
			_, err := places[v.place].read(d, d.NewReader(bytes.NewReader(unhex(t, v.hex))))
			if !errorIs(err, wire.ErrUnknown) {
				t.Errorf("%s %s: %v", d.ALPN, v.hex, err)
			}
		}
	}
}

func errorIs(err, kind error) bool {
	e, ok := err.(*wire.Error)
	return ok && e.Err == kind
}

func TestMalformedMessages(t *testing.T) {
	d := Draft05()
	for _, c := range []struct {
		name, place, hex string
		want             error
	}{
		{"timescale of nothing", "track info", "05 80 01 6710 00", wire.ErrValue},
		{"a parameter twice", "stream", "01 07 02 010101 010102", wire.ErrDuplicate},
		{"65 parameters", "stream", "01 02 4041", wire.ErrTooLong},
		{"a parameter longer than its value", "stream", "01 05 01 01 02 01 01", wire.ErrTrailing},
		{"more hops than there are", "announce", "05 01 0178 02 05", wire.ErrTruncated},
		{"an unknown status", "announce", "04 03 0178 00", wire.ErrValue},
		{"bytes behind the last field", "answer", "00 02 2a 00", wire.ErrTrailing},
		{"an unknown answer", "answer", "03 01 2a", wire.ErrValue},
		{"a message of 64 KiB", "request", "03 80010000", wire.ErrTooLong},
		{"an unknown request", "request", "07 00", wire.ErrUnknown},
	} {
		_, err := places[c.place].read(d, d.NewReader(bytes.NewReader(unhex(t, c.hex))))
		if !errorIs(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFrames(t *testing.T) {
	untimed := []Frame{{Payload: []byte("hi")}, {}}
	timed := []Frame{{Timestamp: 1000, Payload: []byte("hi")}, {Timestamp: 967}}
	for _, c := range []struct {
		d      *Dialect
		hex    string
		frames []Frame
	}{
		{Draft03(), "02 6869 00", untimed},
		{Draft04(), "02 6869 00", untimed},
		{Draft05(), "47d0 02 6869 4041 00", timed},
		{Draft05(), "03 00 04 00", []Frame{{Timestamp: -2}, {}}},
	} {
		b := unhex(t, c.hex)
		got, err := readFrames(c.d, b)
		if diff := cmp.Diff(c.frames, got); diff != "" || err != nil {
			t.Error(c.d.ALPN, err, diff)
		}
		if again := appendFrames(c.d, c.frames); !bytes.Equal(b, again) {
			t.Errorf("%s: appended %x", c.d.ALPN, again)
		}
	}
}

func readFrames(d *Dialect, b []byte) (all []Frame, err error) {
	r := d.NewReader(bytes.NewReader(b))
	frames := d.Frames(r, 1<<20)
	for f, ok := frames.Next(); ok; f, ok = frames.Next() {
		all = append(all, f)
	}
	return all, r.Err()
}

func appendFrames(d *Dialect, all []Frame) (b []byte) {
	w := d.NewFrameWriter()
	for _, f := range all {
		b = w.Append(b, f)
	}
	return b
}

func TestLargeFrameIsOnlyALimit(t *testing.T) {
	_, err := readFrames(Draft03(), unhex(t, "80100001"))
	if !errorIs(err, wire.ErrLimit) {
		t.Error(err)
	}
}

func TestDatagram(t *testing.T) {
	d, b := Draft05(), unhex(t, "01 4100 43e8 6869")
	want := Datagram{Subscribe: 1, Sequence: 256, Timestamp: 1000, Payload: []byte("hi")}
	g, err := d.ParseDatagram(b)
	if diff := cmp.Diff(want, g); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if again := d.AppendDatagram(nil, want); !bytes.Equal(b, again) {
		t.Errorf("appended %x", again)
	}
	if _, err := d.ParseDatagram(append(b, make([]byte, MaxDatagram)...)); !errorIs(err, wire.ErrLimit) {
		t.Error(err)
	}
}

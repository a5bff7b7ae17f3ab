package demux

import (
	"bytes"

	"github.com/moqpack/moqpack/internal/media"
)

// Index says what the time of a Message counts.
type Index uint8

// The ways in which publishers tell when something happens.
const (
	ByMedia Index = iota // At is a media time
	ByDelta              // At counts from the first sample shown of the object
	ByWall               // At is Unix time
	ByPlace              // it happens with the object Place of one of the tracks that the timeline is about
)

// Message is an event as its publisher wrote it. It owns its bytes.
type Message struct {
	Scheme, Value string
	ID            uint32
	Index         Index
	At            int64  // ticks
	Timescale     uint32 // ticks per second of At and Dur, never 0
	Place         media.Location
	Dur           int64 // ticks; 0 none or unknown
	Data          []byte
	Err           error // why it cannot be read: then it says nothing else
}

// Bounds on messages.
const (
	maxMessages = 64 // in an object of media
	unknownDur  = 0xFFFFFFFF
)

// inBand appends the event messages of a payload, which must consist of whole boxes, to those of its object.
func inBand(list []Message, payload []byte) []Message {
	r := boxes{data: payload}
	for b, ok := r.next(); ok && len(list) < maxMessages; b, ok = r.next() {
		if string(b.kind[:]) == "emsg" {
			list = append(list, emsg(&b))
		}
	}
	return list
}

// emsg reads a DASHEventMessageBox (ISO/IEC 23009-1, 5.10.3.3).
func emsg(b *box) (m Message) {
	in := fields{box: *b}
	version, _ := in.full()
	switch version {
	case 0:
		m.Scheme, m.Value = in.text(), in.text()
		m.Timescale, m.Index, m.At = in.u32(), ByDelta, int64(in.u32())
	case 1:
		m.Timescale = in.u32()
		at := in.u64()
		if in.err == nil && at > maxTime {
			in.err = b.fail("time %d is out of range", at)
		}
		m.At = int64(at)
	default:
		return Message{Err: b.fail("version %d is not known", version)}
	}
	if m.Dur = int64(in.u32()); m.Dur == unknownDur {
		m.Dur = 0
	}
	m.ID = in.u32()
	if version == 1 {
		m.Scheme, m.Value = in.text(), in.text()
	}
	if in.err != nil {
		return Message{Err: in.err}
	}
	m.Data = bytes.Clone(b.data[in.pos:])
	if err := m.check(); err != "" {
		return Message{Err: b.fail("%s", err)}
	}
	return m
}

// check is what is wrong with the message, if anything.
func (m *Message) check() string {
	switch {
	case m.Timescale == 0:
		return "its timescale is 0"
	case m.At/int64(m.Timescale) > maxTime/1_000_000_000:
		return "its time is out of range"
	}
	return ""
}

// text reads a string that ends with a zero.
func (f *fields) text() string {
	if f.err != nil {
		return ""
	}
	n := bytes.IndexByte(f.box.data[f.pos:], 0)
	if n < 0 {
		f.err = f.box.fail("a string at %d does not end", f.pos)
		return ""
	}
	s := string(f.box.data[f.pos : f.pos+n])
	f.pos += n + 1
	return s
}

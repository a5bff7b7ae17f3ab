package dialect

import (
	"fmt"

	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// The types of unidirectional streams.
const (
	groupStream = 0x0
	setupStream = 0x1 // 05
)

// Group begins a stream of one group's frames.
type Group struct {
	Subscribe uint64 // the subscription's id
	Sequence  uint64
}

func (m *Group) code(c *coder) {
	c.uint("subscribe id", &m.Subscribe)
	c.uint("group sequence", &m.Sequence)
}

// AppendStream appends the beginning of a unidirectional stream: a Group or a Setup.
func (d *Dialect) AppendStream(b []byte, m Message) []byte {
	typ := uint64(groupStream)
	if _, ok := m.(*Setup); ok {
		typ = setupStream
	}
	return d.append(wire.QUIC.Append(b, typ), m)
}

// ReadStream reads the beginning of a unidirectional stream: a Group or a Setup. An error that is wire.ErrUnknown concerns
// that stream only.
func (d *Dialect) ReadStream(r *wire.Reader) (Message, error) {
	var m Message
	var name string
	switch typ := r.Varint("type"); {
	case typ == groupStream:
		m, name = &Group{}, "GROUP"
	case typ == setupStream && d.Setup:
		m, name = &Setup{}, "SETUP"
	default:
		r.Fail(fmt.Sprintf("type %#x", typ), wire.ErrUnknown)
		return nil, r.Err()
	}
	if err := d.read(r, name, m); err != nil {
		return nil, err
	}
	return m, nil
}

// Frame is one frame of a group.
type Frame struct {
	Timestamp int64 // in the track's timescale; 0 unless the dialect is Timed
	Payload   []byte
}

// maxTime keeps the sum of a timestamp and a difference from overflowing: both fit 63 bits.
const maxTime = 1<<62 - 1

// FrameReader reads the frames of a group.
type FrameReader struct {
	d     *Dialect
	r     *wire.Reader
	limit int // bytes of a payload
	last  int64
}

// Frames reads what follows on a group's or a fetch's stream; payloads longer than limit are wire.ErrLimit.
func (d *Dialect) Frames(r *wire.Reader, limit int) *FrameReader {
	r.In("FRAME")
	return &FrameReader{d: d, r: r, limit: limit}
}

// Next reads a frame. False is the end of the stream, or an error of the wire.Reader's.
func (f *FrameReader) Next() (o Frame, ok bool) {
	if !f.r.More() {
		return o, false
	}
	if f.d.Timed {
		zigzag := f.r.Varint("timestamp delta")
		if f.last += int64(zigzag>>1) ^ -int64(zigzag&1); f.last > maxTime || f.last < -maxTime {
			f.r.Fail("timestamp delta", wire.ErrOverflow)
		}
		o.Timestamp = f.last
	}
	n := f.r.Varint("length")
	if n > uint64(f.limit) {
		f.r.Fail("length", wire.ErrLimit)
	}
	if n > 0 && f.r.Err() == nil {
		o.Payload = f.r.Payload("payload", int(n))
	}
	return o, f.r.Err() == nil
}

// FrameWriter appends the frames of a group.
type FrameWriter struct {
	d    *Dialect
	last int64
}

// NewFrameWriter appends what follows the beginning of a group's stream, or what answers a Fetch.
func (d *Dialect) NewFrameWriter() *FrameWriter { return &FrameWriter{d: d} }

// Append appends o.
func (w *FrameWriter) Append(b []byte, o Frame) []byte {
	if w.d.Timed {
		delta := o.Timestamp - w.last
		w.last = o.Timestamp
		b = wire.QUIC.Append(b, uint64(delta<<1^delta>>63))
	}
	return wire.QUIC.AppendBytes(b, o.Payload)
}

// Datagram is a group of one frame. 05.
type Datagram struct {
	Subscribe, Sequence uint64
	Timestamp           uint64
	Payload             []byte
}

// MaxDatagram is the length of a datagram above which it is dropped.
const MaxDatagram = 1200

// AppendDatagram appends g.
func (d *Dialect) AppendDatagram(b []byte, g Datagram) []byte {
	b = wire.QUIC.Append(b, g.Subscribe)
	b = wire.QUIC.Append(b, g.Sequence)
	b = wire.QUIC.Append(b, g.Timestamp)
	return append(b, g.Payload...)
}

// ParseDatagram parses b, whose memory the payload shares.
func (d *Dialect) ParseDatagram(b []byte) (g Datagram, err error) {
	c := wire.NewCursor("datagram", wire.QUIC, b)
	if len(b) > MaxDatagram {
		c.Fail("length", wire.ErrLimit)
	}
	g.Subscribe, g.Sequence = c.Varint("subscribe id"), c.Varint("group sequence")
	g.Timestamp = c.Varint("timestamp")
	g.Payload = c.Rest()
	return g, c.Close()
}

package dialect

import (
	"math"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// StreamKind is what a unidirectional stream carries.
type StreamKind uint8

// The kinds of unidirectional stream.
const (
	UnknownStream StreamKind = iota
	SubgroupStream
	FetchStream
	ControlStream
	PaddingStream
)

const fetchHeader = 0x05

// Kind is the kind of a stream that begins with typ. Unknown ones are a protocol violation.
func (d *Dialect) Kind(typ uint64) StreamKind {
	switch {
	case typ == fetchHeader:
		return FetchStream
	case typ&^d.subgroupBits == 0 && typ&subgroupMark != 0 && typ&subgroupMode != subgroupMode:
		return SubgroupStream
	case typ == d.SetupStream && typ != 0:
		return ControlStream
	case typ == d.PaddingStream && typ != 0:
		return PaddingStream
	}
	return UnknownStream
}

// The bits of a subgroup header's type (moq-transport, "Subgroup Header").
const (
	subgroupProperties = 0x01
	subgroupMode       = 0x06
	subgroupEndOfGroup = 0x08
	subgroupMark       = 0x10
	subgroupNoPriority = 0x20
	subgroupFirst      = 0x40 // 18 and later
)

// SubgroupID is how a subgroup header says its id.
type SubgroupID uint8

// The ways to say a subgroup's id.
const (
	SubgroupZero    SubgroupID = 0 // it is 0
	SubgroupOfFirst SubgroupID = 1 // it is the id of the stream's first object
	SubgroupStated  SubgroupID = 2
)

// SubgroupHeader begins a stream of one subgroup's objects.
type SubgroupHeader struct {
	Alias, Group uint64
	ID           SubgroupID
	Subgroup     uint64 // for SubgroupStated
	Priority     *uint8 // nil: the track's
	Properties   bool   // objects have properties
	EndOfGroup   bool   // the group's largest object is in this subgroup
	First        bool   // the stream begins with the subgroup's first object; 18 and later
}

// AppendSubgroupHeader appends h with its type. What the draft cannot say is left out.
func (d *Dialect) AppendSubgroupHeader(b []byte, h SubgroupHeader) []byte {
	typ := uint64(subgroupMark) | uint64(h.ID)<<1 | bit(h.Properties, subgroupProperties) |
		bit(h.EndOfGroup, subgroupEndOfGroup) | bit(h.Priority == nil, subgroupNoPriority) | bit(h.First, subgroupFirst)
	typ &= d.subgroupBits
	b = d.Varint.Append(b, typ)
	b = d.Varint.Append(b, h.Alias)
	b = d.Varint.Append(b, h.Group)
	if h.ID == SubgroupStated {
		b = d.Varint.Append(b, h.Subgroup)
	}
	return d.appendPriority(b, h.Priority, typ&subgroupNoPriority == 0)
}

// appendPriority appends a priority where the type has one. 14 always has: that of nobody else is the middle.
func (d *Dialect) appendPriority(b []byte, p *uint8, stated bool) []byte {
	switch {
	case !stated:
		return b
	case p == nil:
		return append(b, 128)
	}
	return append(b, *p)
}

func bit(on bool, mask uint64) uint64 {
	if on {
		return mask
	}
	return 0
}

// ReadSubgroupHeader reads the header whose type was typ; errors are r's.
func (d *Dialect) ReadSubgroupHeader(r *wire.Reader, typ uint64) SubgroupHeader {
	r.In("subgroup header")
	h := SubgroupHeader{
		ID:         SubgroupID(typ & subgroupMode >> 1),
		Properties: typ&subgroupProperties != 0,
		EndOfGroup: typ&subgroupEndOfGroup != 0,
		First:      typ&subgroupFirst != 0,
		Alias:      r.Varint("track alias"),
		Group:      r.Varint("group id"),
	}
	if h.ID == SubgroupStated {
		h.Subgroup = r.Varint("subgroup id")
	}
	if typ&subgroupNoPriority == 0 {
		h.Priority = new(r.Byte("publisher priority"))
	}
	return h
}

// SubgroupReader reads the objects of a subgroup stream.
type SubgroupReader struct {
	d      *Dialect
	r      *wire.Reader
	h      SubgroupHeader
	limit  int // bytes of a payload
	next   uint64
	begun  bool
	closed bool // no id is left
}

// Objects reads what follows h; payloads longer than limit are wire.ErrLimit.
func (d *Dialect) Objects(r *wire.Reader, h SubgroupHeader, limit int) *SubgroupReader {
	r.In("subgroup object")
	return &SubgroupReader{d: d, r: r, h: h, limit: limit}
}

// Header is the stream's header. The subgroup's id is known after the first object at the latest.
func (s *SubgroupReader) Header() SubgroupHeader { return s.h }

// Next reads an object. False is the end of the stream, or an error of the wire.Reader's.
//
// The status is as on the wire, 255 if it is larger: it is for the caller to refuse those it does not know.
func (s *SubgroupReader) Next() (o media.Object, ok bool) {
	if !s.r.More() {
		return o, false
	}
	o.Group, o.Object = s.h.Group, s.id()
	o.Subgroup = s.h.Subgroup
	if s.h.Properties {
		o.Properties = s.d.readProperties(s.r)
	}
	n := s.r.Varint("payload length")
	if n == 0 {
		o.Status = media.Status(min(s.r.Varint("object status"), 255))
	}
	if len(o.Properties) > 0 && s.d.bare(o.Status) {
		s.r.Fail("properties of a status", wire.ErrValue)
	}
	o.Payload = readPayload(s.r, n, s.limit)
	return o, s.r.Err() == nil
}

// id reads an object's id: the difference from the one before, less one.
func (s *SubgroupReader) id() uint64 {
	delta := s.r.Varint("object id delta")
	id := s.next + delta
	if id < delta || s.closed {
		s.r.Fail("object id delta", wire.ErrOverflow)
	}
	if !s.begun && s.h.ID == SubgroupOfFirst {
		s.h.Subgroup = id
	}
	s.begun, s.next, s.closed = true, id+1, id == math.MaxUint64
	return id
}

func readPayload(r *wire.Reader, n uint64, limit int) []byte {
	if n > uint64(limit) {
		r.Fail("payload length", wire.ErrLimit)
	}
	if n == 0 || r.Err() != nil {
		return nil
	}
	return r.Payload("payload", int(n))
}

const maxProperties = 64 << 10 // bytes of an object's properties

// readProperties reads a block of properties behind its length.
func (d *Dialect) readProperties(r *wire.Reader) []media.Property {
	n := r.Varint("properties length")
	if n > maxProperties {
		r.Fail("properties length", wire.ErrLimit)
	}
	block := r.Block("properties", int(min(n, maxProperties)))
	if n == 0 || r.Err() != nil {
		return nil
	}
	c := wire.NewCursor("object properties", d.Varint, block)
	all := d.objectPairs().Decode(c, "property")
	r.Adopt(c)
	return all
}

// SubgroupWriter appends the objects of a subgroup stream.
type SubgroupWriter struct {
	d    *Dialect
	h    SubgroupHeader
	next uint64
}

// NewSubgroupWriter appends what follows h on a stream.
func (d *Dialect) NewSubgroupWriter(h SubgroupHeader) *SubgroupWriter {
	return &SubgroupWriter{d: d, h: h}
}

// Append appends o. Ids must ascend; properties are left out unless the header has Properties.
func (s *SubgroupWriter) Append(b []byte, o media.Object) []byte {
	v := s.d.Varint
	b = v.Append(b, o.Object-s.next)
	s.next = o.Object + 1
	if s.h.Properties {
		b = v.AppendBytes(b, s.d.objectPairs().Append(nil, o.Properties))
	}
	b = v.AppendBytes(b, o.Payload)
	if len(o.Payload) == 0 {
		b = v.Append(b, uint64(o.Status))
	}
	return b
}

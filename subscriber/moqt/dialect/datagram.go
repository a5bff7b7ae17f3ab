package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Datagram is one object in a datagram. Object.Last is its END_OF_GROUP bit.
type Datagram struct {
	Alias    uint64
	Object   media.Object
	Priority *uint8 // nil: the track's
}

// The bits of a datagram's type (moq-transport, "Object Datagram").
const (
	datagramProperties = 0x01
	datagramEndOfGroup = 0x02
	datagramZeroID     = 0x04
	datagramNoPriority = 0x08
	datagramStatus     = 0x20
)

// ParseDatagram parses b, whose memory the payload shares. False without an error is padding.
func (d *Dialect) ParseDatagram(b []byte) (g Datagram, ok bool, err error) {
	c := wire.NewCursor("datagram", d.Varint, b)
	typ := c.Varint("type")
	if typ == d.PaddingDatagram && typ != 0 {
		return g, false, nil
	}
	if typ&^d.datagramBits != 0 || typ&datagramStatus != 0 && typ&^(d.statusBits|datagramStatus) != 0 {
		c.Fail("type", wire.ErrUnknown)
	}
	if c.Err() != nil {
		return g, false, c.Err()
	}
	id := typ&datagramZeroID == 0
	g, err = d.datagram(b, typ, id || d.statusWithID && typ&datagramStatus != 0)
	if err != nil && !id {
		g, err = d.datagram(b, typ, false)
	}
	return g, err == nil, err
}

// datagram parses b, whose type is typ. Whether there is an object id should follow from that, but the table of 15 and the
// sentence under it do not agree.
func (d *Dialect) datagram(b []byte, typ uint64, id bool) (g Datagram, err error) {
	c := wire.NewCursor("datagram", d.Varint, b)
	c.Varint("type")
	g.Alias = c.Varint("track alias")
	o := &g.Object
	o.Group = c.Varint("group id")
	if id {
		o.Location.Object = c.Varint("object id")
	}
	if typ&datagramNoPriority == 0 {
		g.Priority = new(c.Byte("publisher priority"))
	}
	if typ&datagramProperties != 0 {
		o.Properties = d.datagramProperties(c)
	}
	o.Last = typ&datagramEndOfGroup != 0
	if typ&datagramStatus != 0 {
		o.Status = media.Status(min(c.Varint("object status"), 255))
		if len(o.Properties) > 0 && d.bare(o.Status) {
			c.Fail("properties of a status", wire.ErrValue)
		}
	} else {
		o.Payload = c.Rest()
	}
	return g, c.Close()
}

func (d *Dialect) datagramProperties(c *wire.Cursor) []media.Property {
	sub := c.Sub("properties length")
	if c.Err() == nil && sub.Len() == 0 {
		c.Fail("properties length", wire.ErrValue)
	}
	all := d.objectPairs().Decode(sub, "property")
	c.Adopt(sub)
	return all
}

// AppendDatagram appends g. A payload goes without a status and the other way round.
func (d *Dialect) AppendDatagram(b []byte, g Datagram) []byte {
	o := g.Object
	status := o.Status != media.Normal
	zero := o.Location.Object == 0 && !(status && (d.statusWithID || d.statusBits&datagramZeroID == 0))
	typ := bit(len(o.Properties) > 0, datagramProperties) | bit(status, datagramStatus) |
		bit(o.Last && !status, datagramEndOfGroup) | bit(zero, datagramZeroID) |
		bit(g.Priority == nil, datagramNoPriority)
	typ &= d.datagramBits
	v := d.Varint
	b = v.Append(b, typ)
	b = v.Append(b, g.Alias)
	b = v.Append(b, o.Group)
	if !zero {
		b = v.Append(b, o.Location.Object)
	}
	b = d.appendPriority(b, g.Priority, typ&datagramNoPriority == 0)
	if len(o.Properties) > 0 {
		b = v.AppendBytes(b, d.objectPairs().Append(nil, o.Properties))
	}
	if status {
		return v.Append(b, uint64(o.Status))
	}
	return append(b, o.Payload...)
}

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
	datagramBits       = 0x2F
)

// ParseDatagram parses b, whose memory the payload shares. False without an error is padding.
func (d *Dialect) ParseDatagram(b []byte) (g Datagram, ok bool, err error) {
	c := wire.NewCursor("datagram", d.Varint, b)
	typ := c.Varint("type")
	if typ == d.PaddingDatagram && typ != 0 {
		return g, false, nil
	}
	if typ&^datagramBits != 0 || typ&datagramStatus != 0 && typ&datagramEndOfGroup != 0 {
		c.Fail("type", wire.ErrUnknown)
	}
	g.Alias = c.Varint("track alias")
	o := &g.Object
	o.Group = c.Varint("group id")
	if typ&datagramZeroID == 0 {
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
		if o.Status != media.Normal && len(o.Properties) > 0 {
			c.Fail("properties of a status", wire.ErrValue)
		}
	} else {
		o.Payload = c.Rest()
	}
	err = c.Close()
	return g, err == nil, err
}

func (d *Dialect) datagramProperties(c *wire.Cursor) []media.Property {
	sub := c.Sub("properties length")
	if c.Err() == nil && sub.Len() == 0 {
		c.Fail("properties length", wire.ErrValue)
	}
	all := d.pairs().Decode(sub, "property")
	c.Adopt(sub)
	return all
}

// AppendDatagram appends g. A payload goes without a status and the other way round.
func (d *Dialect) AppendDatagram(b []byte, g Datagram) []byte {
	o := g.Object
	typ := bit(len(o.Properties) > 0, datagramProperties) | bit(o.Status != media.Normal, datagramStatus) |
		bit(o.Last && o.Status == media.Normal, datagramEndOfGroup) | bit(o.Location.Object == 0, datagramZeroID) |
		bit(g.Priority == nil, datagramNoPriority)
	v := d.Varint
	b = v.Append(b, typ)
	b = v.Append(b, g.Alias)
	b = v.Append(b, o.Group)
	if typ&datagramZeroID == 0 {
		b = v.Append(b, o.Location.Object)
	}
	if g.Priority != nil {
		b = append(b, *g.Priority)
	}
	if len(o.Properties) > 0 {
		b = v.AppendBytes(b, d.pairs().Append(nil, o.Properties))
	}
	if typ&datagramStatus != 0 {
		return v.Append(b, uint64(o.Status))
	}
	return append(b, o.Payload...)
}

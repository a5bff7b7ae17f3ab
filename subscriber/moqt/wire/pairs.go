package wire

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// Pairs is a way to code key-value pairs (moq-transport, "Key-Value-Pair"): an even type has a varint, an odd one bytes.
type Pairs struct {
	Varint   Varint
	Absolute bool // types are written as they are, and not as the difference from the type before (drafts up to 15)
}

// Decode reads pairs until c ends. Bytes are copied out of c.
func (p Pairs) Decode(c *Cursor, field string) []media.Property {
	var all []media.Property
	for prev := uint64(0); c.Len() > 0; {
		kv := p.Next(c, field, &prev)
		if c.Err() != nil {
			return nil
		}
		all = append(all, kv)
	}
	return all
}

// Next reads one pair; prev is the type before it, at first 0, and is moved on.
func (p Pairs) Next(c *Cursor, field string, prev *uint64) media.Property {
	typ := p.Type(c, field, prev)
	if typ%2 == 0 {
		return media.Property{Type: typ, Value: c.Varint(field)}
	}
	return media.Property{Type: typ, Bytes: bytes.Clone(c.Bytes(field, MaxValue))}
}

// Type reads one pair's type; prev is the type before it, at first 0, and is moved on.
func (p Pairs) Type(c *Cursor, field string, prev *uint64) uint64 {
	typ := c.Varint(field)
	if !p.Absolute {
		if typ += *prev; typ < *prev {
			c.Fail(field, ErrOverflow)
			return 0
		}
	}
	*prev = typ
	return typ
}

// Append appends pairs, in ascending order of their types unless they are Absolute.
func (p Pairs) Append(b []byte, all []media.Property) []byte {
	byType := func(x, y media.Property) int { return cmp.Compare(x.Type, y.Type) }
	if !p.Absolute && !slices.IsSortedFunc(all, byType) {
		all = slices.SortedStableFunc(slices.Values(all), byType)
	}
	prev := uint64(0)
	for _, kv := range all {
		b = p.AppendType(b, kv.Type, &prev)
		if kv.Type%2 == 0 {
			b = p.Varint.Append(b, kv.Value)
		} else {
			b = p.Varint.AppendBytes(b, kv.Bytes)
		}
	}
	return b
}

// AppendType appends one pair's type; prev is the type before it, at first 0, and is moved on.
func (p Pairs) AppendType(b []byte, typ uint64, prev *uint64) []byte {
	d := typ
	if !p.Absolute {
		d -= *prev
	}
	*prev = typ
	return p.Varint.Append(b, d)
}

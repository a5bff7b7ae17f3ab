package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Params are the parameters of messages. Nil and zero: absent.
type Params struct {
	DeliveryTimeout         *uint64 // ms, of an object
	SubgroupDeliveryTimeout *uint64 // ms; 18 and later
	Tokens                  []Token
	Rendezvous              *uint64 // ms to wait for a publisher; 17 and later
	Expires                 *uint64 // ms; 0 never
	Largest                 *media.Location
	FillTimeout             *uint64 // ms; 18 and later
	Forward                 *bool   // absent: true
	Priority                *uint8  // absent: 128; lower is more urgent
	Filter                  *Filter
	Order                   Order
	NewGroup                *uint64  // largest group known, plus one
	Prefix                  []string // 18 and later, in a RequestUpdate
	Fill                    *Params  // what to fetch besides; 20 and later
	Properties              *uint8   // whether to include properties; 20 and later
}

// Order is the order of groups.
type Order uint8

// The group orders. Without one it is the publisher's, and ascending in a fetch.
const (
	Ascending  Order = 1
	Descending Order = 2
)

// param is one parameter of a draft.
type param struct {
	typ  uint64
	name string
	n    func(p *Params) int              // how often it is present
	code func(c *coder, p *Params, i int) // walks over occurrence i; when reading, over a new one
}

// params walks over a counted list of parameters.
func (c *coder) params(p *Params) { c.listed(c.d.params, p) }

// listed walks over a counted list of the parameters that are defined, in ascending order of their types. From 16 on an unknown
// one cannot be skipped.
func (c *coder) listed(defined []param, p *Params) {
	pairs := c.d.pairs()
	if c.reading() {
		count, prev := c.in.Varint("number of parameters"), uint64(0)
		for ; count > 0 && c.in.Err() == nil; count-- {
			c.param(defined, p, pairs.Type(c.in, "parameter type", &prev))
		}
		return
	}
	count := uint64(0)
	for _, def := range defined {
		count += uint64(def.n(p))
	}
	c.out = c.d.Varint.Append(c.out, count)
	prev := uint64(0)
	for _, def := range defined {
		for i := range def.n(p) {
			c.out = pairs.AppendType(c.out, def.typ, &prev)
			def.code(c, p, i)
		}
	}
}

func (c *coder) param(defined []param, p *Params, typ uint64) {
	for _, def := range defined {
		if def.typ != typ {
			continue
		}
		if def.n(p) > 0 && def.typ != authorizationToken {
			c.in.Fail(def.name, wire.ErrDuplicate)
		}
		def.code(c, p, def.n(p))
		return
	}
	switch {
	case !c.d.skipParams:
		c.in.Fail("parameter type", wire.ErrUnknown)
	case typ%2 == 0:
		c.in.Varint("unknown parameter")
	default:
		c.in.Bytes("unknown parameter", wire.MaxValue)
	}
}

const authorizationToken = 0x03 // the only parameter, and set-up option, that may be repeated

// integer describes an integer parameter. Its width is that of walk: c.uint, or a byte.
func integer[T uint8 | uint64](typ uint64, name string, at func(*Params) **T, walk func(c *coder, field string, v *T)) param {
	return param{typ, name,
		func(p *Params) int { return present(*at(p) != nil) },
		func(c *coder, p *Params, _ int) {
			if c.reading() {
				*at(p) = new(T)
			}
			walk(c, name, *at(p))
		}}
}

// asByte codes a small number in one byte; asVarint in a varint that must not exceed 255.
func asByte(c *coder, field string, v *uint8) { c.byte(field, v) }

func asVarint(c *coder, field string, v *uint8) {
	x := uint64(*v)
	c.uint(field, &x)
	if x > 255 {
		c.in.Fail(field, wire.ErrValue)
	}
	*v = uint8(x)
}

func milliseconds(typ uint64, name string, at func(*Params) **uint64) param {
	return integer(typ, name, at, (*coder).uint)
}

func present(b bool) int {
	if b {
		return 1
	}
	return 0
}

func tokens() param {
	return param{authorizationToken, "AUTHORIZATION_TOKEN",
		func(p *Params) int { return len(p.Tokens) },
		func(c *coder, p *Params, i int) {
			if c.reading() {
				p.Tokens = append(p.Tokens, Token{})
			}
			c.pair("AUTHORIZATION_TOKEN", func(c *coder) { c.token(&p.Tokens[i]) })
		}}
}

// largest is LARGEST_OBJECT: a location, behind its length in 16.
func largest(lengthPrefixed bool) param {
	const name = "LARGEST_OBJECT"
	return param{0x09, name,
		func(p *Params) int { return present(p.Largest != nil) },
		func(c *coder, p *Params, _ int) {
			if c.reading() {
				p.Largest = new(media.Location)
			}
			walk := func(c *coder) { c.location(name, p.Largest) }
			if lengthPrefixed {
				c.pair(name, walk)
				return
			}
			walk(c)
		}}
}

func forward(walk func(*coder, string, *uint8)) param {
	const name = "FORWARD"
	return param{0x10, name,
		func(p *Params) int { return present(p.Forward != nil) },
		func(c *coder, p *Params, _ int) {
			v := uint8(present(p.Forward != nil && *p.Forward))
			walk(c, name, &v)
			if c.reading() && v > 1 {
				c.in.Fail(name, wire.ErrValue)
			}
			p.Forward = new(v == 1)
		}}
}

func groupOrder(walk func(*coder, string, *uint8)) param {
	const name = "GROUP_ORDER"
	return param{0x22, name,
		func(p *Params) int { return present(p.Order != 0) },
		func(c *coder, p *Params, _ int) {
			v := uint8(p.Order)
			walk(c, name, &v)
			p.Order = Order(v)
			if c.reading() && p.Order != Ascending && p.Order != Descending {
				c.in.Fail(name, wire.ErrValue)
			}
		}}
}

func namespacePrefix() param {
	return param{0x34, "TRACK_NAMESPACE_PREFIX",
		func(p *Params) int { return present(p.Prefix != nil) },
		func(c *coder, p *Params, _ int) { c.tuple("TRACK_NAMESPACE_PREFIX", &p.Prefix) }}
}

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
}

// Order is the order of groups.
type Order uint8

// The group orders. Without one it is the publisher's, and ascending in a fetch.
const (
	Ascending  Order = 1
	Descending Order = 2
)

// FilterType says where a subscription begins.
type FilterType uint64

// The filters of drafts 14 to 19.
const (
	NextGroupStart FilterType = 1
	LargestObject  FilterType = 2 // from behind the largest object
	AbsoluteStart  FilterType = 3
	AbsoluteRange  FilterType = 4
)

// Filter is a subscription filter (19: location filter).
type Filter struct {
	Type     FilterType
	Start    media.Location // AbsoluteStart, AbsoluteRange
	EndGroup uint64         // AbsoluteRange: the last group, absolute in every draft
}

// param is one parameter of a draft.
type param struct {
	typ  uint64
	name string
	n    func(p *Params) int              // how often it is present
	code func(c *coder, p *Params, i int) // walks over occurrence i; when reading, over a new one
}

// params walks over a counted list of parameters in ascending order of their types. An unknown one cannot be skipped.
func (c *coder) params(p *Params) {
	pairs := c.d.pairs()
	if c.reading() {
		count, prev := c.in.Varint("number of parameters"), uint64(0)
		for ; count > 0 && c.in.Err() == nil; count-- {
			c.param(p, pairs.Type(c.in, "parameter type", &prev))
		}
		return
	}
	count := uint64(0)
	for _, def := range c.d.params {
		count += uint64(def.n(p))
	}
	c.out = c.d.Varint.Append(c.out, count)
	prev := uint64(0)
	for _, def := range c.d.params {
		for i := range def.n(p) {
			c.out = pairs.AppendType(c.out, def.typ, &prev)
			def.code(c, p, i)
		}
	}
}

func (c *coder) param(p *Params, typ uint64) {
	for _, def := range c.d.params {
		if def.typ != typ {
			continue
		}
		if def.n(p) > 0 && def.typ != authorizationToken {
			c.in.Fail(def.name, wire.ErrDuplicate)
		}
		def.code(c, p, def.n(p))
		return
	}
	c.in.Fail("parameter type", wire.ErrUnknown)
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
			c.prefixed("AUTHORIZATION_TOKEN", func(c *coder) { c.token(&p.Tokens[i]) })
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
				c.prefixed(name, walk)
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

func filter() param {
	const name = "SUBSCRIPTION_FILTER"
	return param{0x21, name,
		func(p *Params) int { return present(p.Filter != nil) },
		func(c *coder, p *Params, _ int) {
			if c.reading() {
				p.Filter = new(Filter)
			}
			c.prefixed(name, func(c *coder) { c.filter(p.Filter) })
		}}
}

func (c *coder) filter(f *Filter) {
	c.uint("filter type", (*uint64)(&f.Type))
	switch f.Type {
	case NextGroupStart, LargestObject:
	case AbsoluteStart:
		c.location("start location", &f.Start)
	case AbsoluteRange:
		c.location("start location", &f.Start)
		c.endGroup(f)
	default:
		c.invalid("filter type")
	}
}

func (c *coder) endGroup(f *Filter) {
	if !c.d.endGroupDelta {
		c.uint("end group", &f.EndGroup)
		if c.reading() && f.EndGroup < f.Start.Group {
			c.in.Fail("end group", wire.ErrValue)
		}
		return
	}
	delta := f.EndGroup - f.Start.Group
	c.uint("end group delta", &delta)
	if f.EndGroup = f.Start.Group + delta; c.reading() && f.EndGroup < f.Start.Group {
		c.in.Fail("end group delta", wire.ErrOverflow)
	}
}

func namespacePrefix() param {
	return param{0x34, "TRACK_NAMESPACE_PREFIX",
		func(p *Params) int { return present(p.Prefix != nil) },
		func(c *coder, p *Params, _ int) { c.tuple("TRACK_NAMESPACE_PREFIX", &p.Prefix) }}
}

// params16 are the parameters of draft 16: all are key-value pairs, so that small numbers are varints too.
func params16() []param {
	return []param{
		milliseconds(0x02, "DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
		largest(true),
		forward(asVarint),
		integer(0x20, "SUBSCRIBER_PRIORITY", func(p *Params) **uint8 { return &p.Priority }, asVarint),
		filter(),
		groupOrder(asVarint),
		integer(0x32, "NEW_GROUP_REQUEST", func(p *Params) **uint64 { return &p.NewGroup }, (*coder).uint),
	}
}

// params18 are the parameters of drafts 18 and 19.
func params18() []param {
	return []param{
		milliseconds(0x02, "OBJECT_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.DeliveryTimeout }),
		tokens(),
		milliseconds(0x04, "RENDEZVOUS_TIMEOUT", func(p *Params) **uint64 { return &p.Rendezvous }),
		milliseconds(0x06, "SUBGROUP_DELIVERY_TIMEOUT", func(p *Params) **uint64 { return &p.SubgroupDeliveryTimeout }),
		milliseconds(0x08, "EXPIRES", func(p *Params) **uint64 { return &p.Expires }),
		largest(false),
		milliseconds(0x0A, "FILL_TIMEOUT", func(p *Params) **uint64 { return &p.FillTimeout }),
		forward(asByte),
		integer(0x20, "SUBSCRIBER_PRIORITY", func(p *Params) **uint8 { return &p.Priority }, asByte),
		filter(),
		groupOrder(asByte),
		integer(0x32, "NEW_GROUP_REQUEST", func(p *Params) **uint64 { return &p.NewGroup }, (*coder).uint),
		namespacePrefix(),
	}
}

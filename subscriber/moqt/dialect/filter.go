package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// FilterType says where a subscription begins, and ends.
type FilterType uint64

// The filters. Those of drafts 14 to 19 have the numbers that these drafts gave them.
const (
	Unfiltered     FilterType = 0 // spelled out; 20 and later
	NextGroupStart FilterType = 1
	LargestObject  FilterType = 2 // from behind the largest object
	AbsoluteStart  FilterType = 3
	AbsoluteRange  FilterType = 4
	ObjectRange    FilterType = 5 // AbsoluteRange that ends within its last group; 20 and later
	LastGroups     FilterType = 6 // from the beginning of the Back newest groups; 20 and later
)

// Filter is a subscription filter (19: location filter).
type Filter struct {
	Type      FilterType
	Start     media.Location // AbsoluteStart, the ranges
	EndGroup  uint64         // the ranges: the last group, absolute in every draft
	EndObject uint64         // ObjectRange: the last object
	Back      uint64         // LastGroups: 1 is the newest group
}

// filterCoding is how a filter lies on the wire.
type filterCoding uint8

const (
	filterTyped  filterCoding = iota // a type and its fields, behind their length (up to 19)
	filterFields                     // behind its length as many fields as its type has (20, 21)
	filterBare                       // another type and its fields, without a length (22)
)

func filter() param {
	const name = "SUBSCRIPTION_FILTER"
	return param{0x21, name,
		func(p *Params) int { return present(p.Filter != nil) },
		func(c *coder, p *Params, _ int) {
			if c.reading() {
				p.Filter = new(Filter)
			}
			switch c.d.filters {
			case filterTyped:
				c.prefixed(name, func(c *coder) { c.filter(p.Filter) })
			case filterFields:
				c.prefixed(name, func(c *coder) { c.filterFields(p.Filter) })
			case filterBare:
				c.filterBare(p.Filter)
			}
		}}
}

// filter walks over a filter of drafts up to 19.
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

// The types of a filter in 22. In 20 and 21 the first five say how many fields there are.
const (
	typeNone = iota
	typeLastGroups
	typeStart
	typeRange
	typeObjectRange
	typeNextObject
)

// numbers are a filter's type and fields from 20 on.
func (f *Filter) numbers() (typ uint64, fields []uint64) {
	delta := f.EndGroup - f.Start.Group
	switch f.Type {
	case NextGroupStart:
		return typeLastGroups, []uint64{0}
	case LastGroups:
		return typeLastGroups, []uint64{f.Back}
	case LargestObject:
		return typeNextObject, nil
	case AbsoluteStart:
		return typeStart, []uint64{f.Start.Group, f.Start.Object}
	case AbsoluteRange:
		return typeRange, []uint64{f.Start.Group, f.Start.Object, delta}
	case ObjectRange:
		return typeObjectRange, []uint64{f.Start.Group, f.Start.Object, delta, f.EndObject}
	}
	return typeNone, nil
}

// filterOf is the filter with these numbers.
func (c *coder) filterOf(typ uint64, n [4]uint64) (f Filter) {
	if typ >= typeStart && typ <= typeObjectRange {
		f.Start, f.EndGroup, f.EndObject = media.Location{Group: n[0], Object: n[1]}, n[0]+n[2], n[3]
		if f.EndGroup < n[0] {
			c.in.Fail("end group delta", wire.ErrOverflow)
		}
	}
	switch typ {
	case typeNone:
		f.Type = Unfiltered
	case typeLastGroups:
		if f.Type, f.Back = LastGroups, n[0]; n[0] == 0 {
			f.Type = NextGroupStart
		}
	case typeStart:
		f.Type, f.EndGroup = AbsoluteStart, 0
	case typeRange:
		f.Type = AbsoluteRange
	case typeObjectRange:
		f.Type = ObjectRange
	case typeNextObject:
		f.Type = LargestObject
	}
	return f
}

// filterFields walks over a filter of drafts 20 and 21. The start {0, 0} means the next object: who wants all from the first one
// on gets that too, or sends no filter.
func (c *coder) filterFields(f *Filter) {
	if !c.reading() {
		typ, fields := f.numbers()
		if typ == typeNextObject {
			fields = []uint64{0, 0}
		}
		for _, x := range fields {
			c.uint("filter field", &x)
		}
		return
	}
	var n [4]uint64
	typ := uint64(0)
	for ; c.in.Len() > 0 && typ < 4; typ++ {
		n[typ] = c.in.Varint("filter field")
	}
	if typ == typeStart && n[0] == 0 && n[1] == 0 {
		typ = typeNextObject
	}
	*f = c.filterOf(typ, n)
}

// filterBare walks over a filter of draft 22. That type 3 has the end group as a difference, as before, is an assumption: the
// change log speaks of types only.
func (c *coder) filterBare(f *Filter) {
	typ, fields := f.numbers()
	c.uint("filter type", &typ)
	if !c.reading() {
		for _, x := range fields {
			c.uint("filter field", &x)
		}
		return
	}
	if typ > typeNextObject {
		c.invalid("filter type")
		return
	}
	var n [4]uint64
	for i := range typ % typeNextObject {
		n[i] = c.in.Varint("filter field")
	}
	*f = c.filterOf(typ, n)
}

package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Gap says that a FetchObject is no object but the end of a range without any.
type Gap uint8

// The gaps.
const (
	NoGap       Gap = iota // an object
	Nonexistent            // what lies between the location before and this one, inclusive, does not exist
	Unknown                // ... may exist, but not at the publisher
)

// FetchObject is what follows a fetch header. Group order is ascending: we ask for no other.
type FetchObject struct {
	media.Object
	Gap      Gap
	Priority uint8
}

// The bits of a fetch object's flags (moq-transport, "Fetch Header").
const (
	fetchSubgroup   = 0x03 // 0: id 0; 1: the one before; 2: the one before plus one; 3: stated
	fetchObjectID   = 0x04
	fetchGroupID    = 0x08
	fetchPriority   = 0x10
	fetchProperties = 0x20
	fetchDatagram   = 0x40 // the object has no subgroup

	fetchNonexistent = 0x8C
	fetchUnknown     = 0x10C
	fetchTimedOut    = 0x20C // 20 and later; nobody sends it before
)

// AppendFetchHeader appends the beginning of the stream that answers a Fetch.
func (d *Dialect) AppendFetchHeader(b []byte, requestID uint64) []byte {
	return d.Varint.Append(d.Varint.Append(b, fetchHeader), requestID)
}

// ReadFetchHeader reads what follows the type of a fetch stream; errors are r's.
func (d *Dialect) ReadFetchHeader(r *wire.Reader) (requestID uint64) {
	r.In("fetch header")
	return r.Varint("request id")
}

// FetchReader reads the objects of a fetch stream.
type FetchReader struct {
	d     *Dialect
	r     *wire.Reader
	limit int
	prev  FetchObject // location of the item before, the rest of the object before
	begun bool        // there was an item
	real  bool        // there was an object
}

// Fetched reads what follows a fetch header; payloads longer than limit are wire.ErrLimit.
func (d *Dialect) Fetched(r *wire.Reader, limit int) *FetchReader {
	r.In("fetch object")
	return &FetchReader{d: d, r: r, limit: limit}
}

// Next reads an item. False is the end of the stream, or an error of the wire.Reader's.
func (f *FetchReader) Next() (o FetchObject, ok bool) {
	if !f.r.More() {
		return o, false
	}
	if f.d.fullFetch {
		o = f.full()
		return o, f.r.Err() == nil
	}
	switch flags := f.r.Varint("serialization flags"); {
	case flags&^f.d.fetchBits == 0:
		o = f.object(flags)
	case f.d.fetchGaps && flags == fetchNonexistent:
		o = f.gap(Nonexistent)
	case f.d.fetchGaps && (flags == fetchUnknown || flags == fetchTimedOut):
		o = f.gap(Unknown)
	default:
		f.r.Fail("serialization flags", wire.ErrValue)
	}
	return o, f.r.Err() == nil
}

// full reads an object that has all its fields (14).
func (f *FetchReader) full() (o FetchObject) {
	o.Group, o.Subgroup, o.Location.Object = f.r.Varint("group id"), f.r.Varint("subgroup id"), f.r.Varint("object id")
	o.Priority = f.r.Byte("publisher priority")
	o.Properties = f.d.readProperties(f.r)
	f.payload(&o)
	return o
}

func (f *FetchReader) payload(o *FetchObject) {
	n := f.r.Varint("payload length")
	if n == 0 && f.d.fetchStatus {
		o.Status = media.Status(min(f.r.Varint("object status"), 255))
	}
	if len(o.Properties) > 0 && f.d.bare(o.Status) {
		f.r.Fail("properties of a status", wire.ErrValue)
	}
	o.Payload = readPayload(f.r, n, f.limit)
}

func (f *FetchReader) object(flags uint64) (o FetchObject) {
	if !f.begun && flags&(fetchGroupID|fetchObjectID) != fetchGroupID|fetchObjectID {
		f.r.Fail("location of the first object", wire.ErrValue)
	}
	o.Group = f.group(flags)
	o.Subgroup = f.subgroup(flags)
	o.Location.Object = f.id(flags)
	o.Priority = f.priority(flags)
	if flags&fetchProperties != 0 {
		o.Properties = f.d.readProperties(f.r)
	}
	f.prev, f.begun, f.real = o, true, true
	f.payload(&o)
	return o
}

func (f *FetchReader) group(flags uint64) uint64 {
	if flags&fetchGroupID == 0 {
		return f.prev.Group
	}
	g := f.r.Varint("group id")
	if f.d.absoluteFetch || !f.begun {
		return g
	}
	if g += f.prev.Group + 1; g <= f.prev.Group {
		f.r.Fail("group id delta", wire.ErrOverflow)
	}
	return g
}

// id is the object's id. Without a field it goes on from the object before, whatever its group.
func (f *FetchReader) id(flags uint64) uint64 {
	base := f.prev.Location.Object
	x := uint64(1)
	if flags&fetchObjectID != 0 {
		x = f.r.Varint("object id")
		if f.d.absoluteFetch || !f.begun || flags&fetchGroupID != 0 {
			return x
		}
	}
	if x += base; x < base {
		f.r.Fail("object id delta", wire.ErrOverflow)
	}
	return x
}

func (f *FetchReader) subgroup(flags uint64) uint64 {
	if flags&fetchDatagram != 0 || flags&fetchSubgroup == 0 {
		return 0
	}
	if flags&fetchSubgroup == 3 {
		return f.r.Varint("subgroup id")
	}
	if !f.real {
		f.r.Fail("subgroup id", wire.ErrValue)
	}
	return f.prev.Subgroup + flags&fetchSubgroup - 1
}

func (f *FetchReader) priority(flags uint64) uint8 {
	if flags&fetchPriority != 0 {
		return f.r.Byte("publisher priority")
	}
	if !f.real {
		f.r.Fail("publisher priority", wire.ErrValue)
	}
	return f.prev.Priority
}

// gap reads an end of range. From 18 on the text leaves open whether its ids are deltas: most peers write absolute ones, so
// they are taken for that unless they would go backwards.
func (f *FetchReader) gap(g Gap) (o FetchObject) {
	o.Gap = g
	o.Group, o.Location.Object = f.r.Varint("group id"), f.r.Varint("object id")
	if f.begun && !f.d.absoluteFetch && o.Before(f.prev.Location) {
		o.Group += f.prev.Group + 1
	}
	f.prev.Location, f.begun = o.Location, true
	return o
}

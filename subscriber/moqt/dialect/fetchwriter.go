package dialect

// FetchWriter appends the objects of a fetch stream.
type FetchWriter struct {
	d     *Dialect
	prev  FetchObject
	begun bool
	real  bool
}

// NewFetchWriter appends what follows a fetch header.
func (d *Dialect) NewFetchWriter() *FetchWriter { return &FetchWriter{d: d} }

// Append appends o. Locations must ascend, and from 16 on an object's status must be normal. A gap is left out where the draft
// has none (14, 15).
func (f *FetchWriter) Append(b []byte, o FetchObject) []byte {
	switch {
	case o.Gap != NoGap && !f.d.fetchGaps:
		return b
	case o.Gap != NoGap:
		return f.appendGap(b, o)
	case f.d.fullFetch:
		return f.appendFull(b, o)
	}
	v, flags := f.d.Varint, f.flags(o)
	b = v.Append(b, flags)
	if flags&fetchGroupID != 0 {
		b = v.Append(b, f.groupField(o))
	}
	if flags&fetchSubgroup == 3 {
		b = v.Append(b, o.Subgroup)
	}
	if flags&fetchObjectID != 0 {
		b = v.Append(b, f.idField(o, flags))
	}
	if flags&fetchPriority != 0 {
		b = append(b, o.Priority)
	}
	if flags&fetchProperties != 0 {
		b = v.AppendBytes(b, f.d.objectPairs().Append(nil, o.Properties))
	}
	f.prev, f.begun, f.real = o, true, true
	return f.appendPayload(b, o)
}

func (f *FetchWriter) appendFull(b []byte, o FetchObject) []byte {
	v := f.d.Varint
	b = v.Append(v.Append(v.Append(b, o.Group), o.Subgroup), o.Location.Object)
	b = v.AppendBytes(append(b, o.Priority), f.d.objectPairs().Append(nil, o.Properties))
	return f.appendPayload(b, o)
}

func (f *FetchWriter) appendPayload(b []byte, o FetchObject) []byte {
	b = f.d.Varint.AppendBytes(b, o.Payload)
	if len(o.Payload) == 0 && f.d.fetchStatus {
		b = f.d.Varint.Append(b, uint64(o.Status))
	}
	return b
}

func (f *FetchWriter) flags(o FetchObject) (flags uint64) {
	if !f.begun || o.Group != f.prev.Group {
		flags |= fetchGroupID | fetchObjectID
	} else if o.Location.Object != f.prev.Location.Object+1 {
		flags |= fetchObjectID
	}
	switch {
	case o.Subgroup == 0:
	case f.real && o.Subgroup == f.prev.Subgroup:
		flags |= 1
	default:
		flags |= 3
	}
	if !f.real || o.Priority != f.prev.Priority {
		flags |= fetchPriority
	}
	if len(o.Properties) > 0 {
		flags |= fetchProperties
	}
	return flags
}

func (f *FetchWriter) groupField(o FetchObject) uint64 {
	if f.d.absoluteFetch || !f.begun {
		return o.Group
	}
	return o.Group - f.prev.Group - 1
}

func (f *FetchWriter) idField(o FetchObject, flags uint64) uint64 {
	if f.d.absoluteFetch || flags&fetchGroupID != 0 {
		return o.Location.Object
	}
	return o.Location.Object - f.prev.Location.Object
}

func (f *FetchWriter) appendGap(b []byte, o FetchObject) []byte {
	flags := uint64(fetchNonexistent)
	if o.Gap == Unknown {
		flags = fetchUnknown
	}
	b = f.d.Varint.Append(b, flags)
	b = f.d.Varint.Append(b, o.Group)
	b = f.d.Varint.Append(b, o.Location.Object)
	f.prev.Location, f.begun = o.Location, true
	return b
}

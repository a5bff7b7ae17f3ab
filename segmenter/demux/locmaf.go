package demux

import (
	"fmt"
	"math"

	"github.com/moqpack/moqpack/internal/media"
)

// LOCMAF reads the objects of a LOCMAF track (draft-einarsson-moq-locmaf, wire version 0.3). Its header is that of CMAF, and so is
// what an object means; a moof is written as fields, or as what changes in them since the object before it in the group. So a
// lost object takes the rest of its group with it.
type LOCMAF struct {
	Chunks
	fields map[uint64]int64 // of the newest object in the group, by id; nil: what comes next needs a full header
	lists  map[uint64][]int64
	ivs    []byte         // initialization vectors of its samples, one behind the other
	next   media.Location // of the object that the fields are the reference of
	heard  []Message      // in the newest object
	clocks []byte         // the boxes of that which may tell the time
}

// NewLOCMAF returns the reader for a track as the catalog describes it, and its header if that is known already.
func NewLOCMAF(t *media.Track) (*LOCMAF, *Header, error) {
	c, h, err := NewChunks(t)
	if err != nil {
		return nil, nil, err
	}
	return &LOCMAF{Chunks: *c}, h, nil
}

// Elements of an object.
const (
	elementBox   = 1
	elementFull  = 2
	elementDelta = 3
	elementRaw   = 4
)

// Read returns what the object holds. Where the reference of its fields is missing it holds nothing.
func (l *LOCMAF) Read(dst []Unit, o *media.Object) []Unit {
	if o.Lost || o.Group != l.next.Group || o.Doubt && o.Object != l.next.Object {
		l.fields = nil
	}
	u := begin(o)
	if init := content(o.Properties, propInit); len(init) > 0 {
		l.take(init)
	}
	if o.Status == media.Normal && len(o.Payload) > 0 {
		l.heard, l.clocks = nil, nil
		u.Samples, u.Err = l.read(o)
		u.Messages, u.Wall = l.heard, l.clock(l.clocks, u.Samples)
		if u.Err != nil {
			l.fields = nil
		}
		l.next = media.Location{Group: o.Group, Object: o.Object + 1}
	}
	u.Header = l.header()
	return append(dst, u)
}

// read takes the elements of an object apart.
func (l *LOCMAF) read(o *media.Object) ([]media.Sample, error) {
	at := 0
	number := func() uint64 {
		v, n := vi64(o.Payload[at:])
		if n == 0 {
			at = len(o.Payload)
			return math.MaxUint64
		}
		at += n
		return v
	}
	for at < len(o.Payload) {
		start := at
		switch kind := number(); kind {
		case elementRaw:
			if l.fields = nil; start > 0 {
				return nil, fail(start, "raw boxes behind another element")
			}
			raw := *o
			raw.Payload = o.Payload[at:]
			l.heard, l.clocks = inBand(nil, raw.Payload), raw.Payload
			return l.Chunks.read(&raw)
		case elementBox, elementFull, elementDelta:
			size := number()
			if size > uint64(len(o.Payload)-at) {
				return nil, fail(start, "an element is longer than the object")
			}
			body := o.Payload[at : at+int(size)]
			at += int(size)
			if kind == elementBox {
				l.heard = inBand(l.heard, body)
				if r := (boxes{data: body}); l.clocks == nil {
					if _, ok := r.find("prft"); ok {
						l.clocks = body
					}
				}
				continue
			}
			return l.chunk(o, kind, body, at)
		default:
			return nil, fail(start, fmt.Sprintf("element %d is not known", kind))
		}
	}
	return nil, fail(at, "no header element in the object")
}

// chunk reads a header, and the samples that begin at an offset of the payload.
func (l *LOCMAF) chunk(o *media.Object, kind uint64, header []byte, at int) ([]media.Sample, error) {
	switch {
	case l.err != nil:
		return nil, l.err
	case l.cmaf == nil && o.Object == 0:
		return nil, errNoHeader
	case kind == elementDelta && l.fields == nil && o.Object == 0:
		return nil, fail(0, "the group begins with a delta header")
	case l.cmaf == nil, kind == elementDelta && l.fields == nil:
		return nil, nil // joined within the group, or its reference is lost
	}
	if kind == elementFull {
		l.fields, l.lists, l.ivs = map[uint64]int64{}, map[uint64][]int64{}, nil
	}
	if err := l.apply(header, kind == elementDelta); err != nil {
		return nil, err
	}
	return l.expand(o.Payload, at)
}

// expand makes samples of the fields and the bytes from at on.
func (l *LOCMAF) expand(payload []byte, at int) ([]media.Sample, error) {
	b := box{kind: [4]byte([]byte("moof"))} // what the fields stand for
	count := l.fields[fieldCount]
	if count == 0 || count > maxSamples || count > int64(len(payload)-at) {
		return nil, b.fail("%d samples do not fit into %d bytes", count, len(payload)-at)
	}
	if err := l.resize(&b, count); err != nil {
		return nil, err
	}
	f := fragment{CMAF: l.cmaf, payload: payload, next: at, to: len(payload), dst: l.samples[:0], time: l.fields[fieldTime]}
	if f.Kind != media.Video {
		f.time -= f.edit
	}
	var err error
	if f.aux, err = l.auxiliary(&b, int(count)); err != nil {
		return nil, err
	}
	for i := range int(count) {
		s := defaults{duration: uint32(l.at(fieldDurations, i, l.field(fieldDuration, f.duration)))}
		s.flags = uint32(l.at(fieldFlagList, i, l.field(fieldFlags, f.CMAF.flags)))
		if first, ok := l.fields[fieldFirstFlags]; ok && i == 0 && l.lists[fieldFlagList] == nil {
			s.flags = uint32(first)
		}
		s.size = uint32(l.at(fieldSizes, i, l.field(fieldSize, f.CMAF.size)))
		if i == int(count)-1 && (i == 0 || l.lists[fieldSizes] != nil) {
			s.size = uint32(f.to - f.next) // what is left
		}
		if err := f.sample(&b, s, uint32(l.at(fieldOffsets, i, 0)), 1); err != nil {
			return nil, err
		}
	}
	if f.next != f.to {
		return nil, b.fail("%d bytes are left behind the samples", f.to-f.next)
	}
	l.samples = f.dst
	return f.dst, nil
}

// at is entry i of a list, or a default if there is no list.
func (l *LOCMAF) at(id uint64, i int, def int64) int64 {
	if list := l.lists[id]; i < len(list) {
		return list[i]
	}
	return def
}

// resize makes lists fit the number of samples: those of the chunk before may be longer.
func (l *LOCMAF) resize(b *box, count int64) error {
	for id, list := range l.lists {
		want := count
		switch id {
		case fieldSizes:
			want--
		case fieldClear, fieldProtected:
			continue
		}
		if int64(len(list)) < want {
			return b.fail("list %d has %d entries for %d samples", id, len(list), count)
		}
		l.lists[id] = list[:want]
	}
	return nil
}

// auxiliary is what the samples' encryption needs, as a senc box has it (ISO/IEC 23001-7, 7.2.2).
func (l *LOCMAF) auxiliary(b *box, count int) (aux, error) {
	a := aux{tenc: l.cmaf.tenc, subsamples: l.lists[fieldSubsamples] != nil}
	size := int(l.field(fieldIVSize, uint32(a.iv)))
	a.found = a.subsamples || len(l.ivs) > 0
	switch {
	case !a.sealed && a.found:
		return a, b.fail("samples are encrypted, but the header says that they are not")
	case size != a.iv || len(l.ivs) != count*a.iv:
		return a, b.fail("%d bytes of initialization vectors for %d samples with %d each", len(l.ivs), count, a.iv)
	case !a.found:
		return a, nil
	}
	a.left = uint32(count)
	var w writer
	entries := 0
	for i := range count {
		w.u8(l.ivs[i*size : (i+1)*size]...)
		if !a.subsamples {
			continue
		}
		n := int(l.lists[fieldSubsamples][i])
		if n > maxAux || entries+n > len(l.lists[fieldClear]) || entries+n > len(l.lists[fieldProtected]) {
			return a, b.fail("sample %d has %d subsamples: more than are described", i, n)
		}
		w.u16(n)
		for ; n > 0; n, entries = n-1, entries+1 {
			w.u16(int(min(l.lists[fieldClear][entries], math.MaxUint16)))
			w.u32(uint32(l.lists[fieldProtected][entries]))
		}
	}
	a.in = fields{box: box{kind: [4]byte([]byte("senc")), data: w}}
	return a, nil
}

package demux

import (
	"encoding/binary"
	"math/bits"

	"github.com/moqpack/moqpack/internal/media"
)

// Object properties. Numbers that drafts have used for different things are told apart where they are read.
const (
	propTimestamp02 = 0x02 // LOC-00 and -01: capture timestamp
	propTimestamp06 = 0x06 // LOC-02 and -03; audio level in LOC-00 and -01
	propTimestamp0A = 0x0A // LOC-03 in its text
	propTimestamp   = 0x10 // LOC-04
	propTimescale   = 0x08
	propVideoConfig = 0x0D // LOC and moq-mi
	propAudioConfig = 0x0F // LOC

	propFrameMarking = 0x09
	propAudioLevel   = 0x0C
	propPrivate      = 0x0A // LOC-04, within the payload: a block of others

	propInit = 0x79 // MSF "Initialization property": what an initRef stands for
)

// value is the number under an even property type.
func value(properties []media.Property, kind uint64) (uint64, bool) {
	for i := range properties {
		if properties[i].Type == kind {
			return properties[i].Value, true
		}
	}
	return 0, false
}

// content is the bytes under an odd property type; nil if there are none.
func content(properties []media.Property, kind uint64) []byte {
	for i := range properties {
		if properties[i].Type == kind {
			return properties[i].Bytes
		}
	}
	return nil
}

// quicVarint reads an integer of RFC 9000, 16; size is 0 if b is too short.
func quicVarint(b []byte) (v uint64, size int) {
	if len(b) == 0 || len(b) < 1<<(b[0]>>6) {
		return 0, 0
	}
	size = 1 << (b[0] >> 6)
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, size
}

// vi64 reads an integer of draft-ietf-moq-transport-18, 1.4.1: as many ones lead as bytes follow. size is 0 if b is too short.
func vi64(b []byte) (v uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	size = 1 + bits.LeadingZeros8(^b[0])
	if len(b) < size {
		return 0, 0
	}
	if size < 8 {
		v = uint64(b[0] & (0xff >> size))
	}
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, size
}

// zigzag is the signed number that LOCMAF writes as v.
func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// varints takes integers off a payload.
type varints struct {
	data []byte
	vi   bool // of moq-transport-18; else of RFC 9000
	bad  bool
}

func (r *varints) next() uint64 {
	v, n := quicVarint(r.data)
	if r.vi {
		v, n = vi64(r.data)
	}
	if n == 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// pair reads one property whose type is written as kind.
func (r *varints) pair(kind uint64) (p media.Property) {
	p.Type = kind
	v := r.next()
	if kind%2 == 0 {
		p.Value = v
		return p
	}
	if v > uint64(len(r.data)) {
		r.bad = true
		return p
	}
	p.Bytes, r.data = r.data[:v:v], r.data[v:]
	return p
}

// bitReader reads bits from the first on. Beyond the end it reads zeros and is over.
type bitReader struct {
	data []byte
	pos  int // bits
	over bool
}

func (r *bitReader) read(n int) (v uint64) {
	for range n {
		v <<= 1
		if i := r.pos / 8; i < len(r.data) {
			v |= uint64(r.data[i]>>(7-r.pos%8)) & 1
		} else {
			r.over = true
		}
		r.pos++
	}
	return v
}

func (r *bitReader) flag() bool { return r.read(1) == 1 }

func (r *bitReader) skip(n int) {
	r.pos += n
	r.over = r.over || r.pos > 8*len(r.data)
}

// ue is an Exp-Golomb code (ISO/IEC 14496-10, 9.1); also AV1's uvlc.
func (r *bitReader) ue() uint64 {
	zeros := 0
	for !r.over && zeros < 32 && !r.flag() {
		zeros++
	}
	return 1<<zeros - 1 + r.read(zeros)
}

// counts is a ue that says how often something follows: more than limit ends the reading.
func (r *bitReader) counts(limit uint64) int {
	n := r.ue()
	if n > limit {
		r.over = true
		return 0
	}
	return int(n)
}

func (r *bitReader) ues(n int) {
	for range n {
		r.ue()
	}
}

// rbsp is a NAL unit without its emulation prevention (ISO/IEC 14496-10, 7.3.1).
func rbsp(nal []byte) []byte {
	out := make([]byte, 0, len(nal))
	zeros := 0
	for _, b := range nal {
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if zeros++; b != 0 {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

// writer makes boxes.
type writer []byte

func (w *writer) u8(values ...byte) { *w = append(*w, values...) }
func (w *writer) u16(v int)         { *w = binary.BigEndian.AppendUint16(*w, uint16(v)) }
func (w *writer) u32(v uint32)      { *w = binary.BigEndian.AppendUint32(*w, v) }

// box writes a box around what fill writes.
func (w *writer) box(kind string, fill func()) {
	at := len(*w)
	w.u32(0)
	*w = append(*w, kind...)
	fill()
	binary.BigEndian.PutUint32((*w)[at:], uint32(len(*w)-at))
}

// se is a signed Exp-Golomb code (ISO/IEC 14496-10, 9.1.1).
func (r *bitReader) se() int64 {
	v := int64(r.ue())
	if v%2 == 0 {
		return -v / 2
	}
	return (v + 1) / 2
}

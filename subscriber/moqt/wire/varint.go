package wire

import (
	"encoding/binary"
	"math/bits"
)

// Varint is a way to code integers in as many bytes as they need.
type Varint uint8

// The varints of MoQ Transport.
const (
	QUIC        Varint = iota // RFC 9000 section 16: up to 62 bits in 1, 2, 4 or 8 bytes; drafts up to 16
	LeadingOnes               // draft 18 and later: the leading one bits count the bytes that follow the first; 64 bits
	EvenOnes                  // draft 17: LeadingOnes, without a form of seven bytes
)

// Max is the largest value.
func (v Varint) Max() uint64 {
	if v == QUIC {
		return 1<<62 - 1
	}
	return 1<<64 - 1
}

// Len is the length in bytes of the varint that begins with b; 0 if none does.
func (v Varint) Len(b byte) int {
	if v == QUIC {
		return 1 << (b >> 6)
	}
	n := bits.LeadingZeros8(^b) + 1
	if v == EvenOnes && n == 7 {
		return 0
	}
	return n
}

// Decode returns the value at the beginning of b and its length, or 0, 0 if b ends before it or begins with none. Any length
// that holds the value is accepted: only the encoder has to be minimal.
func (v Varint) Decode(b []byte) (x uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = v.Len(b[0])
	if n == 0 || len(b) < n {
		return 0, 0
	}
	mask := byte(0x3f)
	if v != QUIC {
		mask = byte(0xff >> n) // 0 for n == 8 and 9
	}
	x = uint64(b[0] & mask)
	for _, c := range b[1:n] {
		x = x<<8 | uint64(c)
	}
	return x, n
}

// Append appends x in its shortest form. A value above Max is a programmer's error and panics.
func (v Varint) Append(b []byte, x uint64) []byte {
	if v == QUIC {
		return appendQUIC(b, x)
	}
	n := max(1, (bits.Len64(x)+6)/7) // bytes, were there no limit
	if n >= 9 {
		return binary.BigEndian.AppendUint64(append(b, 0xff), x)
	}
	if v == EvenOnes && n == 7 {
		n = 8
	}
	var tmp [8]byte
	binary.BigEndian.PutUint64(tmp[:], x)
	tmp[8-n] |= ^byte(0xff >> (n - 1))
	return append(b, tmp[8-n:]...)
}

func appendQUIC(b []byte, x uint64) []byte {
	switch {
	case x < 1<<6:
		return append(b, byte(x))
	case x < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(x)|1<<14)
	case x < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(x)|2<<30)
	case x < 1<<62:
		return binary.BigEndian.AppendUint64(b, x|3<<62)
	}
	panic("wire: value does not fit a QUIC varint")
}

// AppendBytes appends p behind its length.
func (v Varint) AppendBytes(b, p []byte) []byte { return append(v.Append(b, uint64(len(p))), p...) }

// AppendString appends s behind its length.
func (v Varint) AppendString(b []byte, s string) []byte {
	return append(v.Append(b, uint64(len(s))), s...)
}

// AppendTuple appends the fields of a namespace behind their count.
func (v Varint) AppendTuple(b []byte, fields []string) []byte {
	b = v.Append(b, uint64(len(fields)))
	for _, f := range fields {
		b = v.AppendString(b, f)
	}
	return b
}

package demux

import (
	"encoding/binary"
	"fmt"
)

// Error says where and why a payload is not what it should be.
type Error struct {
	Box    string // four-character code of the innermost box; empty outside of any
	Offset int    // of the first byte of that box in the payload
	Reason string
}

func (e *Error) Error() string {
	if e.Box == "" {
		return fmt.Sprintf("demux: offset %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("demux: box %s at offset %d: %s", e.Box, e.Offset, e.Reason)
}

// box is one ISO box (ISO/IEC 14496-12, 4.2).
type box struct {
	kind [4]byte
	at   int    // offset of the first byte of the header in the payload
	body int    // offset of the first byte after the header
	data []byte // what follows the header
}

func (b *box) fail(format string, args ...any) error {
	return &Error{Box: string(b.kind[:]), Offset: b.at, Reason: fmt.Sprintf(format, args...)}
}

// boxes reads the boxes of data one after the other.
type boxes struct {
	data []byte
	at   int // offset of data in the payload
	err  error
}

// inside reads the boxes in b that begin skip bytes after its header.
func (b *box) inside(skip int) boxes {
	if skip > len(b.data) {
		return boxes{err: b.fail("%d bytes are too few", len(b.data))}
	}
	return boxes{data: b.data[skip:], at: b.body + skip}
}

// next is false after the last box and after an error.
func (r *boxes) next() (b box, ok bool) {
	if r.err != nil || len(r.data) == 0 {
		return box{}, false
	}
	if len(r.data) < 8 {
		r.err = &Error{Offset: r.at, Reason: fmt.Sprintf("%d bytes are too few for a box", len(r.data))}
		return box{}, false
	}
	b = box{kind: [4]byte(r.data[4:8]), at: r.at}
	head, size := 8, uint64(binary.BigEndian.Uint32(r.data))
	switch {
	case size == 1 && len(r.data) >= 16:
		head, size = 16, binary.BigEndian.Uint64(r.data[8:])
	case size == 1:
		head = 16
	case size == 0: // to the end
		size = uint64(len(r.data))
	}
	switch {
	case size < uint64(head):
		r.err = b.fail("size %d is smaller than the header", size)
		return box{}, false
	case size > uint64(len(r.data)):
		r.err = b.fail("size is %d, but %d bytes are left", size, len(r.data))
		return box{}, false
	}
	b.body, b.data = r.at+head, r.data[head:size]
	r.data, r.at = r.data[size:], r.at+int(size)
	return b, true
}

// find is the first box of the kind, and the position after it.
func (r *boxes) find(kind string) (b box, ok bool) {
	for {
		if b, ok = r.next(); !ok || string(b.kind[:]) == kind {
			return b, ok
		}
	}
}

// fields reads the fields of a box. After the first failure it returns zeros, and err says what failed.
type fields struct {
	box box
	pos int
	err error
}

func (f *fields) take(n int) []byte {
	if f.err != nil {
		return nil
	}
	if n > len(f.box.data)-f.pos {
		f.err = f.box.fail("truncated: %d bytes wanted at %d of %d", n, f.pos, len(f.box.data))
		return nil
	}
	f.pos += n
	return f.box.data[f.pos-n : f.pos]
}

func (f *fields) u32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (f *fields) u64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// full reads the version and flags of a full box.
func (f *fields) full() (version byte, flags uint32) {
	v := f.u32()
	return byte(v >> 24), v & 0xffffff
}

// word is a field of 64 bits in version 1 and of 32 in version 0.
func (f *fields) word(version byte) uint64 {
	if version == 0 {
		return uint64(f.u32())
	}
	return f.u64()
}

package wire

import (
	"encoding/binary"

	"github.com/moqpack/moqpack/internal/media"
)

// Limits of moq-transport that hold in all drafts.
const (
	MaxTuple = 32        // fields of a namespace
	MaxName  = 4096      // bytes of a full track name
	MaxValue = 1<<16 - 1 // bytes of a key-value pair's value, and of a control message
)

// Cursor reads a message that is whole in memory. After the first error it returns zero values only.
type Cursor struct {
	in  string
	vi  Varint
	b   []byte
	off int
	err error
}

// NewCursor reads b; in names it in errors. What the cursor returns shares b's memory.
func NewCursor(in string, vi Varint, b []byte) *Cursor { return &Cursor{in: in, vi: vi, b: b} }

// Err is the first error.
func (c *Cursor) Err() error { return c.err }

// Len is the number of bytes left; 0 after an error.
func (c *Cursor) Len() int {
	if c.err != nil {
		return 0
	}
	return len(c.b) - c.off
}

// Fail makes err the cursor's error, unless it has one.
func (c *Cursor) Fail(field string, err error) {
	if c.err == nil {
		c.err = &Error{In: c.in, Field: field, Offset: int64(c.off), Err: err}
	}
}

// Close fails if bytes are left, and returns the first error.
func (c *Cursor) Close() error {
	if c.Len() > 0 {
		c.Fail("end", ErrTrailing)
	}
	return c.err
}

// Varint reads an integer.
func (c *Cursor) Varint(field string) uint64 {
	if c.err != nil {
		return 0
	}
	x, n := c.vi.Decode(c.b[c.off:])
	switch {
	case n > 0:
	case c.off < len(c.b) && c.vi.Len(c.b[c.off]) == 0:
		c.Fail(field, ErrValue)
	default:
		c.Fail(field, ErrTruncated)
	}
	c.off += n
	return x
}

// Byte reads one byte.
func (c *Cursor) Byte(field string) byte {
	if b := c.Take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// Take reads n bytes.
func (c *Cursor) Take(field string, n int) []byte {
	if c.err != nil {
		return nil
	}
	if n > c.Len() {
		c.Fail(field, ErrTruncated)
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off : c.off]
}

// Rest reads what is left.
func (c *Cursor) Rest() []byte { return c.Take("rest", c.Len()) }

// Bytes reads at most limit bytes behind their length.
func (c *Cursor) Bytes(field string, limit int) []byte {
	n := c.Varint(field)
	if n > uint64(limit) {
		c.Fail(field, ErrTooLong)
		return nil
	}
	return c.Take(field, int(n))
}

// Sub reads bytes behind their length and returns a cursor over them. Its errors are not c's: the caller closes it.
func (c *Cursor) Sub(field string) *Cursor {
	n := len(c.Bytes(field, MaxValue))
	return &Cursor{in: c.in, vi: c.vi, b: c.b[:c.off], off: c.off - n, err: c.err}
}

// Adopt closes sub and takes its error over.
func (c *Cursor) Adopt(sub *Cursor) {
	if err := sub.Close(); err != nil && c.err == nil {
		c.err = err
	}
}

// Tuple reads a namespace: at most MaxTuple fields, none of them empty, MaxName bytes in all.
func (c *Cursor) Tuple(field string) []string {
	n := c.Varint(field)
	if n > MaxTuple {
		c.Fail(field, ErrTooLong)
		return nil
	}
	t, size := make([]string, 0, n), 0
	for range n {
		f := c.Bytes(field, MaxName)
		if c.err != nil {
			return nil
		}
		if size += len(f); size > MaxName {
			c.Fail(field, ErrTooLong)
			return nil
		}
		if len(f) == 0 {
			c.Fail(field, ErrValue)
			return nil
		}
		t = append(t, string(f))
	}
	return t
}

// Location reads a group and an object id.
func (c *Cursor) Location(field string) media.Location {
	return media.Location{Group: c.Varint(field), Object: c.Varint(field)}
}

// Uint16 reads two bytes, most significant first.
func (c *Cursor) Uint16(field string) uint16 {
	if b := c.Take(field, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

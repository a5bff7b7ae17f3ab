package dialect

import (
	"fmt"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// coder walks over a message's fields: it fills them from in, or, without in, appends them to out. One walk describes both
// directions.
type coder struct {
	d   *Dialect
	in  *wire.Cursor
	out []byte
}

func (c *coder) reading() bool { return c.in != nil }

// invalid fails on a value that was read, and panics on one that a programmer asked to write.
func (c *coder) invalid(field string) {
	if !c.reading() {
		panic("dialect: invalid " + field)
	}
	c.in.Fail(field, wire.ErrValue)
}

func (c *coder) uint(field string, v *uint64) {
	if c.reading() {
		*v = c.in.Varint(field)
		return
	}
	c.out = wire.QUIC.Append(c.out, *v)
}

func (c *coder) byte(field string, v *uint8) {
	if c.reading() {
		*v = c.in.Byte(field)
		return
	}
	c.out = append(c.out, *v)
}

func (c *coder) flag(field string, v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	c.byte(field, &b)
	*v = b != 0
}

func (c *coder) text(field string, v *string) {
	if c.reading() {
		*v = string(c.in.Bytes(field, wire.MaxName))
		return
	}
	c.out = wire.QUIC.AppendString(c.out, *v)
}

func (c *coder) milliseconds(field string, v *time.Duration) {
	ms := uint64(max(0, v.Milliseconds()))
	c.uint(field, &ms)
	*v = time.Duration(min(ms, uint64(24*365*time.Hour/time.Millisecond))) * time.Millisecond
}

// optional is a group that may be absent: 0, or one more than its sequence.
func (c *coder) optional(field string, v **uint64) {
	var n uint64
	if *v != nil {
		n = **v + 1
	}
	if c.uint(field, &n); !c.reading() {
		return
	}
	if *v = nil; n > 0 {
		*v = new(n - 1)
	}
}

// list is integers behind their number.
func (c *coder) list(field string, v *[]uint64) {
	n := uint64(len(*v))
	if c.uint(field, &n); !c.reading() {
		for i := range *v {
			c.uint(field, &(*v)[i])
		}
		return
	}
	for ; n > 0 && c.in.Err() == nil; n-- {
		*v = append(*v, c.in.Varint(field))
	}
}

// append appends m behind its length. What does not fit 64 KiB is a programmer's error and panics.
func (d *Dialect) append(b []byte, m Message) []byte {
	body := coder{d: d}
	m.code(&body)
	if len(body.out) > wire.MaxValue {
		panic(fmt.Sprintf("dialect: %T is too long", m))
	}
	return wire.QUIC.AppendBytes(b, body.out)
}

// read fills m. The error is r's.
func (d *Dialect) read(r *wire.Reader, name string, m Message) error {
	r.In(name)
	n := r.Varint("length")
	if n > wire.MaxValue {
		r.Fail("length", wire.ErrTooLong)
	}
	body := r.Block("body", int(min(n, wire.MaxValue)))
	if r.Err() != nil {
		return r.Err()
	}
	c := coder{d: d, in: wire.NewCursor(name, wire.QUIC, body)}
	m.code(&c)
	r.Adopt(c.in)
	return r.Err()
}

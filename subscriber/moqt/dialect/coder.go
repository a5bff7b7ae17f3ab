package dialect

import (
	"bytes"
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/media"
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
	c.out = c.d.Varint.Append(c.out, *v)
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
	if c.reading() && b > 1 {
		c.in.Fail(field, wire.ErrValue)
	}
	*v = b == 1
}

func (c *coder) text(field string, v *string, limit int) {
	if c.reading() {
		*v = string(c.in.Bytes(field, limit))
		return
	}
	c.out = c.d.Varint.AppendString(c.out, *v)
}

// reason is a reason phrase: at most 1024 bytes.
func (c *coder) reason(v *string) {
	if !c.reading() && len(*v) > 1024 {
		*v = (*v)[:1024]
	}
	c.text("reason", v, 1024)
}

func (c *coder) milliseconds(field string, v *time.Duration) {
	ms := uint64(max(0, v.Milliseconds()))
	c.uint(field, &ms)
	*v = time.Duration(min(ms, uint64(24*365*time.Hour/time.Millisecond))) * time.Millisecond
}

func (c *coder) location(field string, v *media.Location) {
	c.uint(field, &v.Group)
	c.uint(field, &v.Object)
}

func (c *coder) tuple(field string, v *[]string) {
	if c.reading() {
		*v = c.in.Tuple(field)
		return
	}
	c.out = c.d.Varint.AppendTuple(c.out, *v)
}

func (c *coder) track(v *TrackName) {
	c.tuple("track namespace", &v.Namespace)
	c.text("track name", &v.Name, wire.MaxName)
	if !c.reading() {
		return
	}
	size := len(v.Name)
	for _, f := range v.Namespace {
		size += len(f)
	}
	if size > wire.MaxName {
		c.in.Fail("track name", wire.ErrTooLong)
	}
}

// rest are all bytes up to the end of the message.
func (c *coder) rest(v *[]byte) {
	if c.reading() {
		*v = bytes.Clone(c.in.Rest())
		return
	}
	c.out = append(c.out, *v...)
}

// properties are key-value pairs up to the end of the message.
func (c *coder) properties(v *[]media.Property) {
	if c.reading() {
		*v = c.d.pairs().Decode(c.in, "track properties")
		return
	}
	c.out = c.d.pairs().Append(c.out, *v)
}

// prefixed walks f behind f's length in bytes.
func (c *coder) prefixed(field string, f func(c *coder)) {
	if !c.reading() {
		body := coder{d: c.d}
		f(&body)
		c.out = c.d.Varint.AppendBytes(c.out, body.out)
		return
	}
	body := coder{d: c.d, in: c.in.Sub(field)}
	f(&body)
	c.in.Adopt(body.in)
}

// pair is prefixed for the value of a key-value pair. That it is not what its type says has a code of its own; that it is longer than
// values may be has not (moq-transport, "Key-Value-Pair").
func (c *coder) pair(field string, f func(c *coder)) {
	c.prefixed(field, f)
	if !c.reading() {
		return
	}
	if e, ok := c.in.Err().(*wire.Error); ok && e.Err != wire.ErrTooLong {
		e.Pair = true
	}
}

// token is a Token structure of alias type USE_VALUE. REGISTER is taken for one, as the drafts ask of who has no cache.
func (c *coder) token(v *Token) {
	const register, useValue = 1, 3
	kind, alias := uint64(useValue), uint64(0)
	c.uint("token alias type", &kind)
	switch kind {
	case useValue:
	case register:
		c.uint("token alias", &alias)
	default:
		c.invalid("token alias type")
	}
	c.uint("token type", &v.Type)
	c.rest(&v.Value)
}

// layout is one message's place on the wire.
type layout struct {
	typ  uint64
	name string
	// fits says whether m is this message; make makes an empty one; code walks over its fields.
	fits func(m Message) bool
	make func() Message
	code func(c *coder, m Message)
}

// is describes the message M.
func is[M any](typ uint64, name string, code func(c *coder, m *M)) layout {
	return layout{
		typ: typ, name: name,
		fits: func(m Message) bool { _, ok := m.(*M); return ok },
		make: func() Message { return new(M) },
		code: func(c *coder, m Message) { code(c, m.(*M)) },
	}
}

// Append appends m with its type and length. A message that the draft does not have, or that does not fit 64 KiB, is a
// programmer's error and panics.
func (d *Dialect) Append(b []byte, m Message) []byte {
	for _, l := range d.layouts {
		if !l.fits(m) {
			continue
		}
		body := coder{d: d}
		l.code(&body, m)
		if len(body.out) > wire.MaxValue {
			panic("dialect: " + l.name + " is too long")
		}
		b = d.Varint.Append(b, l.typ)
		b = append(b, byte(len(body.out)>>8), byte(len(body.out)))
		return append(b, body.out...)
	}
	panic(fmt.Sprintf("dialect: %s has no %T", d.ALPN, m))
}

// Parse parses a message's body. One of an unknown type is an *Unrecognized: see the table of tolerances.
func (d *Dialect) Parse(typ uint64, body []byte) (Message, error) {
	for _, l := range d.layouts {
		if l.typ != typ {
			continue
		}
		c := coder{d: d, in: wire.NewCursor(l.name, d.Varint, body)}
		m := l.make()
		l.code(&c, m)
		if err := c.in.Close(); err != nil {
			return nil, err
		}
		return m, nil
	}
	return &Unrecognized{Type: typ}, nil
}

// Read reads the next message from a control or request stream; it returns nil, nil at the end of the stream.
func (d *Dialect) Read(r *wire.Reader) (Message, error) {
	r.In("control message")
	if !r.More() {
		return nil, r.Err()
	}
	return d.ReadBody(r, r.Varint("type"))
}

// ReadBody reads the rest of a message whose type was read already.
func (d *Dialect) ReadBody(r *wire.Reader, typ uint64) (Message, error) {
	body := r.Block("body", int(r.Uint16("length")))
	if r.Err() != nil {
		return nil, r.Err()
	}
	return d.Parse(typ, body)
}

package wire

import (
	"errors"
	"io"
)

// Reader reads a stream through one small buffer. After the first error it returns zero values only.
//
// The source's own errors (a reset, a deadline) are kept as they are; its end in the middle of something is an *Error that
// wraps io.ErrUnexpectedEOF.
type Reader struct {
	src io.Reader
	vi  Varint
	in  string
	buf []byte
	r   int   // buf[r:w] is read ahead
	w   int   //
	off int64 // bytes handed out
	err error
}

const (
	bufferSize = 2 << 10  // headers fit; long payloads bypass the buffer
	growStep   = 64 << 10 // a longer length is believed only as far as bytes have come
)

// NewReader reads src; in names the stream in errors.
func NewReader(src io.Reader, vi Varint, in string) *Reader {
	return &Reader{src: src, vi: vi, in: in, buf: make([]byte, bufferSize)}
}

// In renames what is being read, for errors.
func (r *Reader) In(in string) { r.in = in }

// Err is the first error. The end of the stream between two items, which More reports, is none.
func (r *Reader) Err() error { return r.err }

// Fail makes err, as an *Error that names field, the reader's error, unless it has one.
func (r *Reader) Fail(field string, err error) {
	if r.err == nil {
		r.err = &Error{In: r.in, Field: field, Offset: r.off, Err: err}
	}
}

// Adopt closes c, a cursor over a block, and takes its error over.
func (r *Reader) Adopt(c *Cursor) {
	if err := c.Close(); err != nil && r.err == nil {
		r.err = err
	}
}

// More waits for another byte and reports whether there is one. False is the stream's end or an error: see Err.
func (r *Reader) More() bool {
	if r.r < r.w {
		return r.err == nil
	}
	err := r.fill(1)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return err == nil
}

// Varint reads an integer.
func (r *Reader) Varint(field string) uint64 {
	if !r.need(field, 1) {
		return 0
	}
	switch n := r.vi.Len(r.buf[r.r]); {
	case n == 0:
		r.Fail(field, ErrValue)
		return 0
	case !r.need(field, n):
		return 0
	}
	x, n := r.vi.Decode(r.buf[r.r:r.w])
	r.skip(n)
	return x
}

// Byte reads one byte.
func (r *Reader) Byte(field string) byte {
	if !r.need(field, 1) {
		return 0
	}
	r.skip(1)
	return r.buf[r.r-1]
}

// Uint16 reads two bytes, most significant first.
func (r *Reader) Uint16(field string) uint16 {
	if !r.need(field, 2) {
		return 0
	}
	r.skip(2)
	return uint16(r.buf[r.r-2])<<8 | uint16(r.buf[r.r-1])
}

// Block reads n bytes that are valid until the next call: in place if they fit the buffer. The caller has bounded n.
func (r *Reader) Block(field string, n int) []byte {
	if n > len(r.buf) {
		return r.Payload(field, n)
	}
	if !r.need(field, n) {
		return nil
	}
	r.skip(n)
	return r.buf[r.r-n : r.r : r.r]
}

// Payload reads n bytes into a slice of their own. The caller has bounded n; beyond 64 KiB memory grows only with what
// has really come, so that a length alone reserves nothing.
func (r *Reader) Payload(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	p := make([]byte, min(n, growStep))
	r.full(field, p)
	for len(p) < n && r.err == nil {
		q := make([]byte, min(n, 2*len(p)))
		r.full(field, q[copy(q, p):])
		p = q
	}
	if r.err != nil {
		return nil
	}
	return p
}

// Discard reads the stream to its end and returns the source's error, if that is not io.EOF.
func (r *Reader) Discard() error {
	r.r, r.w = 0, 0
	for {
		if _, err := r.src.Read(r.buf); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// full fills p: what is read ahead first, the rest straight from the source.
func (r *Reader) full(field string, p []byte) {
	n := copy(p, r.buf[r.r:r.w])
	r.skip(n)
	m, err := io.ReadFull(r.src, p[n:])
	r.off += int64(m)
	r.stop(field, err)
}

// need makes n bytes, at most the buffer's size, available at buf[r:w].
func (r *Reader) need(field string, n int) bool {
	if r.err == nil && r.w-r.r < n {
		r.stop(field, r.fill(n))
	}
	return r.err == nil
}

func (r *Reader) fill(n int) error {
	if r.err != nil {
		return r.err
	}
	r.w, r.r = copy(r.buf, r.buf[r.r:r.w]), 0
	m, err := io.ReadAtLeast(r.src, r.buf[r.w:], n-r.w)
	r.w += m
	return err
}

func (r *Reader) stop(field string, err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.Fail(field, io.ErrUnexpectedEOF)
	case err != nil && r.err == nil:
		r.err = err
	}
}

func (r *Reader) skip(n int) {
	r.r += n
	r.off += int64(n)
}

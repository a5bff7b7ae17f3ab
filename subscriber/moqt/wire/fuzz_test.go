package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
)

func TestPairsCodeDeltas(t *testing.T) {
	all := []media.Property{{Type: 2, Value: 300}, {Type: 3, Bytes: []byte("x")}, {Type: 3, Bytes: []byte("y")}, {Type: 1 << 40, Value: 1}}
	for _, p := range []Pairs{{Varint: QUIC}, {Varint: LeadingOnes}, {Varint: EvenOnes}, {Varint: QUIC, Absolute: true}} {
		b := p.Append(nil, all)
		c := NewCursor("test", p.Varint, b)
		got := p.Decode(c, "pair")
		if diff := cmp.Diff(all, got); diff != "" || c.Close() != nil {
			t.Error(c.Err(), diff)
		}
	}
}

func TestPairsAreSortedWhenWritten(t *testing.T) {
	p := Pairs{Varint: LeadingOnes}
	c := NewCursor("test", p.Varint, p.Append(nil, []media.Property{{Type: 8, Value: 1}, {Type: 2, Value: 2}}))
	want := []media.Property{{Type: 2, Value: 2}, {Type: 8, Value: 1}}
	if diff := cmp.Diff(want, p.Decode(c, "pair")); diff != "" {
		t.Error(diff)
	}
}

func TestPairTypesDoNotOverflow(t *testing.T) {
	v := LeadingOnes
	b := v.Append(v.Append(v.Append(v.Append(nil, 1<<64-2), 0), 4), 0)
	c := NewCursor("test", v, b)
	if (Pairs{Varint: v}).Decode(c, "pair"); !errors.Is(c.Err(), ErrOverflow) {
		t.Error(c.Err())
	}
}

func TestCursorKeepsItsFirstError(t *testing.T) {
	c := NewCursor("TEST", QUIC, []byte{1})
	c.Varint("a")
	c.Varint("b")
	c.Bytes("c", 1)
	var e *Error
	if !errors.As(c.Close(), &e) || e.Field != "b" || e.Offset != 1 || c.Len() != 0 {
		t.Error(c.Err())
	}
}

func TestReaderBlocksAreInPlace(t *testing.T) {
	r := NewReader(bytes.NewReader(make([]byte, 1000)), QUIC, "test")
	r.Byte("first")
	if n := testing.AllocsPerRun(10, func() { r.Block("block", 50) }); n != 0 || r.Err() != nil {
		t.Errorf("%v allocations, %v", n, r.Err())
	}
}

func TestDiscardReadsToTheEnd(t *testing.T) {
	broken := errors.New("broken")
	if err := NewReader(bytes.NewReader(make([]byte, 10_000)), QUIC, "test").Discard(); err != nil {
		t.Error(err)
	}
	if err := NewReader(iotest.ErrReader(broken), QUIC, "test").Discard(); err != broken {
		t.Error(err)
	}
}

// FuzzReader checks that a Reader reads what a Cursor does, however the bytes come.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5}, []byte{0x40, 1, 7, 3, 'a', 'b', 'c'}, true)
	f.Fuzz(func(t *testing.T, ops, b []byte, quic bool) {
		vi := LeadingOnes
		if quic {
			vi = QUIC
		} else if len(b)%2 == 1 {
			vi = EvenOnes
		}
		r := NewReader(iotest.HalfReader(bytes.NewReader(b)), vi, "test")
		c := NewCursor("test", vi, b)
		for _, op := range ops {
			same := true
			switch n := int(op >> 2); op & 3 {
			case 0:
				same = r.Varint("f") == c.Varint("f")
			case 1:
				same = r.Byte("f") == c.Byte("f")
			case 2:
				same = bytes.Equal(r.Block("f", n), c.Take("f", n))
			case 3:
				same = bytes.Equal(r.Payload("f", n), c.Take("f", n))
			}
			if (r.Err() == nil) != (c.Err() == nil) || r.Err() == nil && !same {
				t.Fatalf("op %d: %v, %v", op, r.Err(), c.Err())
			}
		}
		if r.Err() != nil && !errors.Is(r.Err(), io.ErrUnexpectedEOF) && !(vi == EvenOnes && errors.Is(r.Err(), ErrValue)) {
			t.Fatal(r.Err())
		}
	})
}

func FuzzTuple(f *testing.F) {
	f.Add([]byte{2, 1, 'a', 1, 'b'})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewCursor("test", LeadingOnes, b)
		fields := c.Tuple("tuple")
		if c.Err() != nil {
			return
		}
		again := NewCursor("test", LeadingOnes, LeadingOnes.AppendTuple(nil, fields))
		if diff := cmp.Diff(fields, again.Tuple("tuple")); diff != "" || again.Close() != nil {
			t.Fatal(again.Err(), diff)
		}
	})
}

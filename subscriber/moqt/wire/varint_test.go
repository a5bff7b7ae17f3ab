package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVarintCodesTheDraftsExamples(t *testing.T) {
	for _, c := range []struct {
		hex     string
		vi      Varint
		want    uint64
		minimal bool
	}{
		{"25", LeadingOnes, 37, true},
		{"8025", LeadingOnes, 37, false},
		{"bbbd", LeadingOnes, 15293, true},
		{"ed7f3e7d", LeadingOnes, 226442877, true},
		{"faa1a0e403d8", LeadingOnes, 2893212287960, true},
		{"fc8998abc66bc0", LeadingOnes, 151288809941952, true},
		{"fefa318fa8e3ca11", LeadingOnes, 70423237261249041, true},
		{"ffffffffffffffffff", LeadingOnes, 1<<64 - 1, true},
		{"fe008998abc66bc0", EvenOnes, 151288809941952, true},
		{"fefa318fa8e3ca11", EvenOnes, 70423237261249041, true},
		{"25", QUIC, 37, true},
		{"4025", QUIC, 37, false},
		{"7bbd", QUIC, 15293, true},
		{"9d7f3e7d", QUIC, 494878333, true},
		{"c2197c5eff14e88c", QUIC, 151288809941952652, true},
	} {
		b := unhex(t, c.hex)
		if x, n := c.vi.Decode(b); x != c.want || n != len(b) {
			t.Errorf("%s: decoded %d in %d bytes, want %d in %d", c.hex, x, n, c.want, len(b))
		}
		if got := hex.EncodeToString(c.vi.Append(nil, c.want)); c.minimal && got != c.hex {
			t.Errorf("%d: encoded %s, want %s", c.want, got, c.hex)
		}
	}
}

func TestVarintIsMinimalAtEveryBoundary(t *testing.T) {
	for _, c := range []struct {
		x          uint64
		quic, ones string
	}{
		{0, "00", "00"},
		{63, "3f", "3f"},
		{64, "4040", "40"},
		{127, "407f", "7f"},
		{128, "4080", "8080"},
		{16383, "7fff", "bfff"},
		{16384, "80004000", "c04000"},
		{2097151, "801fffff", "dfffff"},
		{2097152, "80200000", "e0200000"},
		{268435455, "8fffffff", "efffffff"},
		{268435456, "90000000", "f010000000"},
		{1<<62 - 1, "ffffffffffffffff", "ff3fffffffffffffff"},
	} {
		if got := hex.EncodeToString(QUIC.Append(nil, c.x)); got != c.quic {
			t.Errorf("QUIC %d: %s, want %s", c.x, got, c.quic)
		}
		if got := hex.EncodeToString(LeadingOnes.Append(nil, c.x)); got != c.ones {
			t.Errorf("LeadingOnes %d: %s, want %s", c.x, got, c.ones)
		}
	}
}

func TestVarintNeedsAllItsBytes(t *testing.T) {
	for _, vi := range []Varint{QUIC, LeadingOnes, EvenOnes} {
		b := vi.Append(nil, vi.Max())
		for i := range b {
			if x, n := vi.Decode(b[:i]); n != 0 || x != 0 {
				t.Errorf("%d of %d bytes gave %d, %d", i, len(b), x, n)
			}
		}
	}
}

func TestVarintOfSevenBytesIsMissingIn17(t *testing.T) {
	b := unhex(t, "fc8998abc66bc0")
	if x, n := EvenOnes.Decode(b); n != 0 {
		t.Errorf("decoded %d in %d bytes", x, n)
	}
	c := NewCursor("test", EvenOnes, b)
	if c.Varint("x"); !errors.Is(c.Err(), ErrValue) {
		t.Error(c.Err())
	}
	r := NewReader(bytes.NewReader(b), EvenOnes, "test")
	if r.Varint("x"); !errors.Is(r.Err(), ErrValue) {
		t.Error(r.Err())
	}
}

func FuzzVarint(f *testing.F) {
	f.Add([]byte{0xff, 1, 2, 3, 4, 5, 6, 7, 8}, false)
	f.Fuzz(func(t *testing.T, b []byte, quic bool) {
		vi := LeadingOnes
		if quic {
			vi = QUIC
		} else if len(b)%2 == 1 {
			vi = EvenOnes
		}
		x, n := vi.Decode(b)
		if n > len(b) || x > vi.Max() {
			t.Fatalf("decoded %d from %d of %d bytes", x, n, len(b))
		}
		if n == 0 {
			return
		}
		again := vi.Append(nil, x)
		if y, m := vi.Decode(again); y != x || m != len(again) || m > n {
			t.Fatalf("%d in %d bytes was encoded as %x", x, n, again)
		}
	})
}

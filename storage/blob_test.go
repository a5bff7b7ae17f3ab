package storage_test

import (
	"bytes"
	"testing"

	"github.com/moqpack/moqpack/storage"
)

func TestRangesOfABlobAreThoseOfItsContent(t *testing.T) {
	b := storage.Blob{Pieces: [][]byte{[]byte("abc"), nil, []byte("d"), []byte("efgh")}}
	const content = "abcdefgh"
	for from := range len(content) + 1 {
		for to := from; to <= len(content); to++ {
			var got bytes.Buffer
			n, err := b.WriteRange(&got, int64(from), int64(to-from))
			if err != nil || n != int64(to-from) || got.String() != content[from:to] {
				t.Errorf("range [%d,%d) = %q, %d, %v, want %q", from, to, got.String(), n, err, content[from:to])
			}
		}
	}
}

func TestBlobsAreEqualByContentNotByPieces(t *testing.T) {
	of := func(pieces ...string) (b storage.Blob) {
		for _, p := range pieces {
			b.Pieces = append(b.Pieces, []byte(p))
		}
		return b
	}
	for _, tt := range []struct {
		a, b storage.Blob
		want bool
	}{
		{of(), of(""), true},
		{of("abc"), of("a", "", "bc"), true},
		{of("ab", "c"), of("a", "bc", ""), true},
		{of("abc"), of("abd"), false},
		{of("abc"), of("ab"), false},
		{storage.Blob{ContentType: "video/mp4"}, storage.Blob{}, false},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want || tt.b.Equal(tt.a) != got {
			t.Errorf("%q = %q: %v, want %v both ways", tt.a.Pieces, tt.b.Pieces, got, tt.want)
		}
	}
}

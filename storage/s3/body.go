package s3

import (
	"errors"
	"io"

	"github.com/moqpack/moqpack/storage"
)

// body reads a blob from any place, again and again, without copying it.
type body struct {
	blob storage.Blob
	size int64
	at   int64
}

func newBody(b storage.Blob) *body { return &body{blob: b, size: b.Size()} }

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	skip := b.at
	for _, piece := range b.blob.Pieces {
		if skip >= int64(len(piece)) {
			skip -= int64(len(piece))
			continue
		}
		k := copy(p[n:], piece[skip:])
		skip, n = 0, n+k
		if n == len(p) {
			break
		}
	}
	b.at += int64(n)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return b.at, errors.New("s3: seek before the beginning")
	}
	b.at = offset
	return offset, nil
}

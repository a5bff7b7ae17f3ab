package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Blob is immutable content in pieces. Blobs may share pieces.
type Blob struct {
	Pieces      [][]byte
	ContentType string
	// CacheControl is what HTTP shall say to caches. Empty for media, whose names never have other content: Immutable.
	CacheControl string
	// Digest is Digest(Pieces), where whoever made the blob has computed it; otherwise empty.
	Digest string
}

// Immutable is the Cache-Control of a name that never has other content.
const Immutable = "public, max-age=31536000, immutable"

// Digest is the first 16 hex digits of the SHA-256 of the content.
func Digest(pieces [][]byte) string {
	h := sha256.New()
	for _, p := range pieces {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Size of the content in bytes.
func (b Blob) Size() int64 {
	var n int64
	for _, p := range b.Pieces {
		n += int64(len(p))
	}
	return n
}

// Equal reports whether both blobs hold the same content of the same type, however it is cut into pieces.
func (b Blob) Equal(c Blob) bool {
	if b.ContentType != c.ContentType || b.Size() != c.Size() {
		return false
	}
	x, y := b.Pieces, c.Pieces
	var p, q []byte
	for {
		for len(p) == 0 && len(x) > 0 {
			p, x = x[0], x[1:]
		}
		for len(q) == 0 && len(y) > 0 {
			q, y = y[0], y[1:]
		}
		n := min(len(p), len(q))
		if n == 0 {
			return true
		}
		if !bytes.Equal(p[:n], q[:n]) {
			return false
		}
		p, q = p[n:], q[n:]
	}
}

// WriteRange writes the length bytes from offset on to w, piece by piece and without copying. Both must lie in the content.
func (b Blob) WriteRange(w io.Writer, offset, length int64) (int64, error) {
	var written int64
	for _, p := range b.Pieces {
		if offset >= int64(len(p)) {
			offset -= int64(len(p))
			continue
		}
		p = p[offset:]
		offset = 0
		p = p[:min(int64(len(p)), length-written)]
		if len(p) == 0 {
			break
		}
		n, err := w.Write(p)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// WriteTo writes the whole content to w.
func (b Blob) WriteTo(w io.Writer) (int64, error) { return b.WriteRange(w, 0, b.Size()) }

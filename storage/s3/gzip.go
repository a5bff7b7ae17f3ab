package s3

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

const (
	worth    = 8 << 10  // bytes from which on a document is compressed
	maxPlain = 64 << 20 // bytes that a compressed object may turn out to have: a playlist of a month has less
	encoding = "gzip"
)

// compressed is what is sent for a document: players know what to do with a Content-Encoding, for which a bucket does not ask. The same
// document gives the same bytes. The record stays readable by eye, and small documents are not worth it: among these are those
// that players read first.
func (s *Store) compressed(b storage.Blob) (sent storage.Blob, is bool) {
	document := b.ContentType == manifest.TypeHLS || b.ContentType == manifest.TypeDASH
	if !s.cfg.Gzip || !document || b.Size() < worth {
		return b, false
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed) // without a time and a name
	_, _ = b.WriteTo(z)          // a Buffer does not fail
	_ = z.Close()
	b.Pieces = [][]byte{packed.Bytes()}
	return b, true
}

// unpacked is what was compressed.
func unpacked(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("it is said to be compressed: %w: %w", storage.ErrCorrupt, err)
	}
	body, err := io.ReadAll(io.LimitReader(z, maxPlain+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is said to be compressed: %w: %w", storage.ErrCorrupt, err)
	case len(body) > maxPlain:
		return nil, fmt.Errorf("it unpacks to more bytes than anything of ours: %w", storage.ErrCorrupt)
	}
	return body, nil
}

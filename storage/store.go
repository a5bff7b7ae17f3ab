package storage

import (
	"context"
	"errors"
	"iter"
)

// Errors that every Store returns, wrapped with the operation and the key.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("other content exists under this key")
)

// Blob is immutable content in pieces.
type Blob struct {
	Pieces      [][]byte
	ContentType string
}

// Store keeps immutable blobs. All methods may be called concurrently.
type Store interface {
	// Put stores b under key. Putting the same content again succeeds; other content is ErrConflict and changes nothing.
	Put(ctx context.Context, key string, b Blob) error
	// Get returns the blob under key or ErrNotFound.
	Get(ctx context.Context, key string) (Blob, error)
	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Delete removes keys. A key that does not exist is no error.
	Delete(ctx context.Context, keys ...string) error
}

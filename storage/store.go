package storage

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Errors that every Store, and Tiers, return, wrapped with the operation and the key.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("other content exists under this key")
	ErrFull     = errors.New("store is full")
	ErrStale    = errors.New("the document has changed meanwhile")
	ErrCorrupt  = errors.New("the content is not what was put")

	// ErrUnavailable says that the store does not answer, or has no time: the same may work later.
	ErrUnavailable = errors.New("store is not available")
)

// FullError says by how much a Put exceeded a store that is bounded. It is an ErrFull.
type FullError struct {
	Key               string
	Size, Used, Limit int64 // bytes
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%s: %d bytes do not fit, %d of %d are used: delete something or raise the limit", e.Key, e.Size, e.Used, e.Limit)
}

// Unwrap makes the error an ErrFull.
func (e *FullError) Unwrap() error { return ErrFull }

// Getter is the part of a Store that those who serve it need.
type Getter interface {
	// Get returns the blob under key or ErrNotFound. Its Digest, if any, is that of the bytes that were read, and not what it
	// was when they were put.
	Get(ctx context.Context, key string) (Blob, error)
}

// Store keeps immutable blobs. All methods may be called concurrently. A key is elements with slashes between them, as package
// manifest makes them: letters, digits, '-', '_', '~', and in the last element, and there alone, at least one dot in the midst.
type Store interface {
	// Put stores b under key. Putting the same content again succeeds; other content is ErrConflict and changes nothing.
	// A store that is bounded refuses with ErrFull: it never forgets on its own what it has accepted.
	Put(ctx context.Context, key string, b Blob) error
	Getter
	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Delete removes keys. A key that does not exist is no error.
	Delete(ctx context.Context, keys ...string) error
}

// Version names one state of a document. Only the Documents that gave it can read it. The empty Version stands for a document
// that does not exist.
type Version string

// Documents keeps what is replaced as a broadcast goes on. All methods may be called concurrently. A key is either a document's
// or a blob's.
type Documents interface {
	// Load returns the document under key and its version, or ErrNotFound.
	Load(ctx context.Context, key string) (Blob, Version, error)
	// Swap replaces the document if its version is still old, and otherwise changes nothing and returns ErrStale. When an
	// acknowledgement was lost, the next Swap is ErrStale, and Load tells whether what is there is one's own. Of two writers of the
	// same content, both may succeed.
	Swap(ctx context.Context, key string, b Blob, old Version) (Version, error)
}

// Durable is a store that survives the process: a disk, or a bucket. Get, List and Delete see documents too.
type Durable interface {
	Store
	Documents
}

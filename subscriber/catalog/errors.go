package catalog

import (
	"errors"
	"fmt"
)

// Why a catalog object was not applied. Every error of Decode is an *Error that wraps one of these.
var (
	ErrNoBase      = errors.New("a delta update without the catalog it changes: fetch its group from object 0")
	ErrSyntax      = errors.New("malformed")
	ErrVersion     = errors.New("unknown catalog version")
	ErrTooLarge    = errors.New("too large")
	ErrConflict    = errors.New("does not fit the catalog it changes")
	ErrCompression = errors.New("unknown compression")
)

// Error says what is wrong with a catalog object, and where.
type Error struct {
	Path   string // JSON path, "deltaUpdate[1].tracks[0].name"; empty: the whole document
	Offset int64  // bytes into the inflated document, of a JSON syntax error; 0 otherwise
	Detail string // may be empty
	Err    error  // one of the sentinels
}

func (e *Error) Error() string {
	where := "catalog"
	if e.Path != "" {
		where += ": " + e.Path
	}
	if e.Offset > 0 {
		where += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Detail == "" {
		return fmt.Sprintf("%s: %v", where, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", where, e.Err, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

package wire

import (
	"errors"
	"fmt"
)

// What can be wrong with bytes from the wire.
var (
	ErrTruncated = errors.New("ends too early")
	ErrTrailing  = errors.New("bytes after the end")
	ErrTooLong   = errors.New("longer than allowed")
	ErrOverflow  = errors.New("number too large")
	ErrValue     = errors.New("value not allowed")
	ErrDuplicate = errors.New("appears twice")
	ErrUnknown   = errors.New("unknown type")
	ErrLimit     = errors.New("larger than we accept") // no fault of the peer's: only this object is lost
)

// Error says what is malformed, and where.
type Error struct {
	In     string // the message, header or object: "SUBSCRIBE_OK"
	Field  string // "track alias"
	Offset int64  // bytes read of the message body, the datagram or the stream when it was noticed
	Err    error  // one of the sentinels above, or io.ErrUnexpectedEOF: the stream ended
	Pair   bool   // it is in the value of a key-value pair, which is not what its type says
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s at byte %d: %v", e.In, e.Field, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

package segmenter

import (
	"errors"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
)

// Errors of what a channel shares with its past and with other instances.
var (
	// ErrPast is returned by New: the channel cannot go on from what is recorded of it.
	ErrPast = errors.New("segmenter: the channel cannot go on from its past")
	// ErrLedger says that the instances of the channel may disagree from here on. The channel goes on.
	ErrLedger = errors.New("segmenter: instances may not agree")
)

// BadInput says which object of which track was dropped, or which track is refused, and why. The channel goes on.
type BadInput struct {
	Track    string
	Location media.Location // zero for an error in the catalog
	Err      error
}

func (e *BadInput) Error() string {
	return fmt.Sprintf("segmenter: track %q group %d object %d: %v", e.Track, e.Location.Group, e.Location.Object, e.Err)
}

func (e *BadInput) Unwrap() error { return e.Err }

// join is errors.Join that keeps a single error as it is.
func join(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

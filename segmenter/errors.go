package segmenter

import (
	"errors"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
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

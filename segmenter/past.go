package segmenter

import (
	"context"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Epoch is a stretch of the presentation as the instances of a channel agree on it.
type Epoch struct {
	Index int    `json:"index"`
	First uint64 `json:"first"` // its first slot, the same for all renditions
	// Shift is added to the slot of media time, were it Unix time, to get the slot.
	Shift int64 `json:"shift,omitempty"`
	// Arrival says that Shift was taken from a clock of ours, for want of anything better in the stream.
	Arrival bool `json:"arrival,omitempty"`
	// Inits are the digests of the tracks' headers with which the epoch began, by track name, as far as they were known.
	Inits map[string]string `json:"inits,omitempty"`
}

// Ledger is where the instances of a channel settle what a late joiner cannot derive from the stream. Its methods may take as
// long as a store takes to answer, and not longer than the live edge can wait: then they fail, and the instance goes on alone.
type Ledger interface {
	// Plan returns the plan in force: p, or the one that was fixed before.
	Plan(ctx context.Context, p Plan) (Plan, error)
	// Begin returns the epoch that has e.Index: e, or the one that was claimed before.
	Begin(ctx context.Context, e Epoch) (Epoch, error)
	// Turn returns the change that has c.Index: c, or the one that was claimed before.
	Turn(ctx context.Context, c Change) (Change, error)
	// Published returns the segments of slots from, ..., to-1 that another instance has published of a track, as far as they
	// follow each other without a hole from slot from on. It may wait a moment for an instance that is known to be at it.
	Published(ctx context.Context, track string, from, to uint64) []timeline.Segment
}

// Past is what was published before this run of the channel, by this instance or by others.
type Past struct {
	Plan       Plan
	Epochs     []Epoch // ascending Index; the newest is the last
	Renditions []PastRendition
	Events     []timeline.Event // in their order
	Changes    []Change         // ascending Index, the newest ones
}

// PastRendition is what was published of one track.
type PastRendition struct {
	Track    media.Track
	Epochs   []timeline.Epoch   // those that Segments refer to, and the newest
	Segments []timeline.Segment // contiguous in N, each Full or Gap, without parts
	Ended    bool
}

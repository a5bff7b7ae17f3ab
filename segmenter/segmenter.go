package segmenter

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// Segmenter is the fold of one channel. One goroutine drives it; only Output may be called from elsewhere.
type Segmenter struct {
	cfg    Config
	sink   Sink
	events Events
	output atomic.Pointer[Output]
}

// Events counts what went otherwise than planned.
type Events struct {
	BadInput   uint64 // objects dropped
	Losses     uint64 // holes in a track that the transport reported
	Gaps       uint64 // slots published as gaps
	ForcedCuts uint64 // segments that begin without a stream access point because a group outlived its slot
	Epochs     uint64 // discontinuities
}

// New returns a Segmenter that puts what it makes into sink. cfg must be valid.
func New(cfg Config, sink Sink) *Segmenter { return &Segmenter{cfg: cfg, sink: sink} }

// Catalog says what the broadcast consists of, at first and after every change. Tracks that cannot be packaged (encrypted,
// malformed init) are left out and reported, each by a *BadInput joined into the error; the others go on.
func (s *Segmenter) Catalog(ctx context.Context, now time.Time, tracks []media.Track) error {
	return nil
}

// Object takes the next object of a track, in location order. An error that is a *BadInput means that the object was dropped;
// the channel goes on after any error. now serves the plan's patience and, where the stream says nothing about wall clock, its
// origin.
func (s *Segmenter) Object(ctx context.Context, now time.Time, track string, o media.Object) error {
	return nil
}

// Tick lets time pass while no object comes, so that the plan does not wait for ever. Once a second is often enough; after
// Output is not nil it does nothing.
func (s *Segmenter) Tick(ctx context.Context, now time.Time) error { return nil }

// End says that the broadcast is complete: open segments are closed and the timelines end.
func (s *Segmenter) End(ctx context.Context) error { return nil }

// Output is what the channel publishes: nil until the plan is fixed, and a new value whenever the set of renditions changes.
// It may be called by anyone.
func (s *Segmenter) Output() *Output { return s.output.Load() }

// Events may be called by the driving goroutine only.
func (s *Segmenter) Events() Events { return s.events }

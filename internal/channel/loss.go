package channel

import (
	"context"
	"errors"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// losses hears of segments that could not be had where they should be, and finds out whether they are gone for good: then the records
// and the timelines have gaps in their place. Whoever asks finds out: nobody looks through a disk for what it has lost.
type losses struct {
	missed chan manifest.Name // never closed; what does not fit is heard of when it is asked for again
}

// hearing is a Getter that tells of what it did not find.
type hearing struct {
	storage.Getter
	losses *losses
}

func newLosses() *losses { return &losses{missed: make(chan manifest.Name, 256)} }

// hear returns what reads from media and tells of what is not there.
func (l *losses) hear(media storage.Getter) storage.Getter { return &hearing{media, l} }

// Get implements storage.Getter.
func (h *hearing) Get(ctx context.Context, key string) (storage.Blob, error) {
	b, err := h.Getter.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
		if name, perr := manifest.Parse(key); perr == nil && name.Kind == manifest.Segment {
			select {
			case h.losses.missed <- name:
			default:
			}
		}
	}
	return b, err
}

// mourn looks after what was missed until ctx ends. What is gone becomes a gap in every record that names it, and then, by the
// goroutine that drives the fold, in the timeline.
func (c *Channel) mourn(ctx context.Context) {
	for {
		select {
		case name := <-c.losses.missed:
			if !c.gone(ctx, name) {
				continue
			}
			c.log.Error("a segment is in no store any more: it becomes a gap", "track", name.Track, "slot", name.N)
			for _, k := range c.keeps {
				k.archive.Forget(name.Track, name.N)
			}
			if c.send(ctx, event{lost: &name}) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// gone reports whether a segment that is listed, and that an archive should have, is in no store. When one does not say, it is not.
func (c *Channel) gone(ctx context.Context, name manifest.Name) bool {
	digest := want(c.keeps, name.Key())
	if digest == "" || !c.floor.full(name.Track, name.N) {
		return false
	}
	if _, err := c.memory.Get(ctx, name.Key()); err == nil {
		return false
	}
	for _, k := range c.keeps {
		if gone, err := k.archive.Gone(ctx, name.Track, name.N, digest); err != nil || !gone {
			return false
		}
	}
	return true
}

package archive

import (
	"context"
	"maps"
	"slices"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Gone reports whether the store does not have segment n of the track, or has other content under its name than that of the digest.
// That it does not say is an error.
func (a *Archive) Gone(ctx context.Context, track string, n uint64, digest string) (bool, error) {
	e := Entry{Segment: timeline.Segment{N: n, State: timeline.Full}, Digest: digest}
	return a.books.torn(ctx, track, &e)
}

// Forget has the record say that segment n of the track is a gap, and the documents with it, because the store has lost it. If another
// instance brings it, it is there again. Forget does not wait.
func (a *Archive) Forget(track string, n uint64) {
	e, known := a.entry(track, n)
	if !known || e.State != timeline.Full {
		return
	}
	a.metrics.lose(a.cfg)
	a.mu.Lock()
	a.lost++
	a.forgotten = append(a.forgotten, record{track, e})
	a.mu.Unlock()
	a.Refresh()
}

// takeForgotten are the segments of which the record shall make gaps.
func (a *Archive) takeForgotten() []record {
	a.mu.Lock()
	defer a.mu.Unlock()
	lost := a.forgotten
	a.forgotten = nil
	return lost
}

// forget makes gaps of segments in the record.
func (a *Archive) forget(ctx context.Context, lost []record, window int) error {
	chunks := map[uint64]map[string][]Entry{}
	for _, l := range lost {
		from := chunkOf(l.entry.N)
		if chunks[from] == nil {
			chunks[from] = map[string][]Entry{}
		}
		chunks[from][l.track] = append(chunks[from][l.track], l.entry)
	}
	for _, from := range slices.Sorted(maps.Keys(chunks)) {
		c, err := a.books.forget(ctx, from, chunks[from])
		if err != nil {
			return err
		}
		if err := a.note(ctx, &c, window); err != nil {
			return err
		}
	}
	return nil
}

// revise tells other instances that the record says of slots from long ago what it did not say before.
func (a *Archive) revise(ctx context.Context, plan *segmenter.Plan) error {
	h, err := a.books.updateHead(ctx, func(h *Head) bool {
		h.Revised++
		return h.Format != 0
	})
	if err == nil {
		err = h.sound()
	}
	if err != nil {
		return err
	}
	if h.Revised == a.revised+1 {
		a.revised++
	}
	a.setHead(h, plan.Window)
	return nil
}

package archive

import (
	"context"
	"errors"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// begin finds the slot that f starts with: where the record ends, or, if there is none, where the media begins that can be had.
func (r *run) begin(ctx context.Context, f *feed) bool {
	_, s := f.newest()
	end, recorded := r.a.end(f.track)
	if !recorded {
		return r.beginNew(ctx, f, s)
	}
	h := r.a.heading()
	t := h.Track(f.track)
	f.begin, f.next, f.begun = t.Begin, end, true
	f.epochs = append(f.epochs, t.Epochs...)
	if closed := closedBefore(s); closed > end && r.a.cfg.Nearer == nil {
		f.since = r.reachable(ctx, f.track, s, end, closed)
		if _, more := r.a.hole(f.track); f.since-end > patience && !more {
			r.a.log.Warn("archive begins anew: what lies between is in a farther store", "track", f.track, "from", end, "to", f.since)
			f.begin, f.next, r.dirty = f.since, f.since, true
		}
	}
	return true
}

// beginNew starts a track that the record does not know. Where the timeline goes on with what a farther store knows, its media is not
// here, nor is it fetched: it would cost as much as the window is long, each time a machine with an empty disk begins. What the
// nearer archive has from before the timeline comes too, as far as reach or the window goes: the store may have been away when the
// channel began.
func (r *run) beginNew(ctx context.Context, f *feed, s *timeline.Snapshot) bool {
	if len(s.Segments) == 0 {
		return false
	}
	first := s.Segments[0].N
	if near := r.a.cfg.Nearer; near != nil && !near.over() {
		earlier, ok := near.start(f.track)
		if !ok && len(s.Segments) < established {
			return false // it says so soon, unless it is not well
		}
		if ok && earlier < first {
			first = max(earlier, first-min(first, uint64(max(r.plan.Window, reach))))
		}
	} else if closed := closedBefore(s); !s.Ended {
		if first = r.reachable(ctx, f.track, s, first, closed); first == closed {
			return false // all of it is restored
		}
	}
	f.begin, f.next, f.begun, r.dirty = first, first, true, true
	return true
}

// reachable is the first slot in [from, closed) from which on all the media of s can be had; closed if there is none.
func (r *run) reachable(ctx context.Context, track string, s *timeline.Snapshot, from, closed uint64) uint64 {
	first := closed
	for i := len(s.Segments) - 1; i >= 0 && s.Segments[i].N >= from; i-- {
		seg := &s.Segments[i]
		if seg.State != timeline.Full {
			continue
		}
		name := manifest.Name{Kind: manifest.Segment, Channel: r.a.cfg.Channel, Track: track, N: seg.N}
		_, err := r.a.cfg.Media.Get(ctx, name.Key())
		if errors.Is(err, storage.ErrNotFound) {
			_, err = r.a.cfg.Store.Get(ctx, name.Key()) // put before a crash, and not recorded
		}
		if errors.Is(err, storage.ErrNotFound) {
			break
		}
		first = seg.N
	}
	return first
}

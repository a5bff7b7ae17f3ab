package archive

import (
	"context"
	"slices"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// recent is how far back of the nearer archive's end is looked for what this one lacks, in slots: a day of segments of 2 s.
const recent = 170 * chunkSlots

// found is media that the store got late.
type found struct {
	record
	epoch timeline.Epoch
}

// fill brings what the nearer archive has and the record has as gaps: this instance died before all that was on its disk was here, and
// the others, who had not seen it, went on without. The newest comes first, a chunk at a time. The cursors of the feeds do not go back.
func (r *run) fill(ctx context.Context) {
	near := r.a.cfg.Nearer
	if near == nil {
		return
	}
	r.do(func() func() {
		for _, read := near.Kept(); !read && rest(ctx, poll); {
			_, read = near.Kept()
		}
		var froms []uint64
		_ = r.a.insist(ctx, "spool", func() (err error) {
			froms, err = ChunkNumbers(ctx, near.cfg.Store, near.cfg.Channel)
			return err
		}) // without an answer, ctx has ended
		slices.Reverse(froms)
		return func() { r.fillFrom(ctx, near, froms[:min(len(froms), max(recent, r.plan.Window)/chunkSlots+1)]) }
	})
}

// fillFrom does so for the chunks that begin with the slots.
func (r *run) fillFrom(ctx context.Context, near *Archive, froms []uint64) {
	if len(froms) == 0 {
		return
	}
	r.do(func() func() {
		all := r.a.missing(ctx, near, froms[0])
		return func() {
			for _, m := range all {
				f := r.feeds[m.track]
				if f == nil || !f.begun {
					continue // a track that left: nobody writes documents of it
				}
				r.dirty = f.learn(m.epoch) || r.dirty
				r.add(m.track, m.entry)
			}
			r.fillFrom(ctx, near, froms[1:])
		}
	})
}

// missing puts the media of a chunk that the nearer archive has and the record has as gaps, and returns the entries of it.
func (a *Archive) missing(ctx context.Context, near *Archive, from uint64) (all []found) {
	var theirs, ours Chunk
	err := a.insist(ctx, "spool", func() (err error) {
		if theirs, _, err = near.books.chunk(ctx, from); err == nil {
			ours, _, err = a.books.chunk(ctx, from)
		}
		return err
	})
	if err != nil {
		return nil
	}
	h, nearest, inits := a.heading(), near.heading(), map[string]bool{}
	for track, entries := range ours.Tracks {
		t := nearest.Track(track)
		for i := range entries {
			at, there := slices.BinarySearchFunc(theirs.Tracks[track], entries[i].N, byN)
			if t == nil || !there || entries[i].State != timeline.Gap || entries[i].N < h.First {
				continue
			}
			e := theirs.Tracks[track][at]
			epoch := t.epoch(e.Epoch)
			if e.State != timeline.Full || !e.sound() || epoch == nil || !ascending(entries, i, e.Epoch) {
				continue
			}
			if d := epoch.Init.Digest; !inits[d] {
				if a.putInit(ctx, &t.Track, epoch.Init) != nil {
					return all // ctx has ended
				}
				inits[d] = true
			}
			if e, err := a.putSegment(ctx, &t.Track, epoch.Init, e); err == nil {
				entries[i] = e
				all = append(all, found{record{track, e}, *epoch})
			}
		}
	}
	return all
}

// ascending reports whether entry i may be of the epoch, so that epochs do not go back.
func ascending(entries []Entry, i, epoch int) bool {
	return (i == 0 || entries[i-1].Epoch <= epoch) && (i+1 == len(entries) || epoch <= entries[i+1].Epoch)
}

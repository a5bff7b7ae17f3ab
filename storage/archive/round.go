package archive

import (
	"context"
	"maps"
	"slices"

	"github.com/moqpack/moqpack/manifest"
)

// stage is how far a round came.
type stage int

const (
	nothing stage = iota
	headWritten
	recorded
)

// round writes the record and then the documents that change with it. It can be repeated after any error.
func (r *run) round(ctx context.Context, w *work) (done stage, err error) {
	a := r.a
	if err := r.writeHead(ctx, w); err != nil {
		return nothing, err
	}
	if a.head.Revised != a.revised {
		if err := a.reload(ctx, r.plan.Window, w.edge); err != nil {
			return headWritten, err
		}
	}
	if err := a.forget(ctx, w.lost, r.plan.Window); err != nil {
		return headWritten, err
	}
	adds := map[uint64]*Chunk{}
	for _, e := range w.batch {
		from := chunkOf(e.entry.N)
		if adds[from] == nil {
			adds[from] = &Chunk{From: from, Tracks: map[string][]Entry{}}
		}
		adds[from].Tracks[e.track] = append(adds[from].Tracks[e.track], e.entry)
	}
	for _, from := range slices.Sorted(maps.Keys(adds)) {
		c, conflicts, err := a.books.updateChunk(ctx, *adds[from])
		if err != nil {
			return headWritten, err
		}
		for _, conflict := range conflicts {
			a.diverged(conflict)
		}
		if err := a.note(ctx, &c, r.plan.Window); err != nil {
			return headWritten, err
		}
	}
	if err := r.recordEvents(ctx, w.events); err != nil {
		return headWritten, err
	}
	if w.late || len(w.lost) > 0 {
		if err := a.revise(ctx, &r.plan); err != nil {
			return headWritten, err
		}
	}
	return recorded, r.publish(ctx, w)
}

// writeHead writes what is new to the head.
func (r *run) writeHead(ctx context.Context, w *work) error {
	a := r.a
	known := a.heading()
	next := known
	next.take(r.plan, w.tracks, w.ended)
	if known.Format != 0 && same(&known, &next) && !w.refresh {
		return nil
	}
	var diverged []string
	var other error
	h, err := a.books.updateHead(ctx, func(h *Head) bool {
		if h.Format != 0 && h.Plan.Grid != r.plan.Grid {
			other = otherGrid(a.cfg.Channel, h.Plan.Grid, r.plan.Grid)
			return false
		}
		before := *h
		diverged = h.take(r.plan, w.tracks, w.ended)
		return before.Format == 0 || !same(&before, h)
	})
	if other != nil {
		return other
	}
	if err == nil {
		err = h.sound()
	}
	if err != nil {
		return err
	}
	for _, track := range diverged {
		if !slices.Contains(r.warned, track) {
			r.warned = append(r.warned, track)
			a.log.Error("the record has another header or time base for an epoch than this instance: "+
				"give instances of one channel one shared store for their claims", "track", track)
		}
	}
	a.setHead(h, r.plan.Window)
	return nil
}

// established is how many segments a track has when the others of its channel are no longer waited for.
const established = 3

// publish writes the documents that are out of date: media playlists, and then those that name them. Reading what other
// instances wrote may put others out of date.
func (r *run) publish(ctx context.Context, w *work) error {
	for range swaps {
		stale := r.stale(w)
		if err := r.write(ctx, w, stale); err != nil {
			return err
		}
		if err := r.publishOverview(ctx, w); err != nil {
			return err
		}
		if len(r.stale(w)) == 0 {
			return nil
		}
	}
	return errBusy
}

// stale are the media playlists that do not show what there is.
func (r *run) stale(w *work) (names []manifest.Name) {
	for _, track := range w.all {
		if l := r.a.lines[track]; l != nil && l.stale && len(l.run) > 0 {
			names = append(names, r.name(manifest.LegacyPlaylist, track))
		}
	}
	return names
}

// publishOverview writes the multivariant playlist and the MPD. Players read these once and would never learn of a track that
// comes a moment later.
func (r *run) publishOverview(ctx context.Context, w *work) error {
	overview := *w
	overview.all, overview.ever = nil, w.all
	ready := false
	for _, track := range w.current {
		p, l := r.pages[r.name(manifest.LegacyPlaylist, track).Key()], r.a.lines[track]
		if p != nil && p.there && l != nil {
			overview.all = append(overview.all, track)
			ready = ready || len(l.run) >= established
		}
	}
	if len(overview.all) == 0 || !ready && len(overview.all) < len(w.current) {
		return nil
	}
	return r.write(ctx, &overview, []manifest.Name{r.name(manifest.LegacyMultivariant, ""), r.name(manifest.LegacyMPD, "")})
}

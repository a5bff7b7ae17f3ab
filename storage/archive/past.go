package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// Past is what the store has of a channel: its plan, its epochs and the last window segments of every track. It is nil if there is
// nothing. What the record says is there is trusted: media is durable before the record names it.
//
// A chunk of the record that cannot be read costs its slots, which count as gaps. A head or a claim that cannot be read is an
// error that says what to do.
func Past(ctx context.Context, store storage.Durable, channel string, window int, log *slog.Logger) (*segmenter.Past, error) {
	r := newReader(store, channel, log)
	head, recorded, err := r.readHead(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := claimedPlan(ctx, store, channel)
	if err != nil {
		return nil, err
	}
	if !recorded && plan == nil {
		return nil, nil
	}
	past := &segmenter.Past{Plan: head.Plan}
	if plan != nil {
		if past.Plan = *plan; recorded && plan.Grid != head.Plan.Grid {
			return nil, fmt.Errorf("archive: %s and %s have other segment durations: one of them is of another broadcast, move it away",
				planKey(channel), headKey(channel))
		}
	}
	if past.Renditions, err = r.renditions(ctx, &head, min(max(window, 1), maxWindow)); err != nil {
		return nil, err
	}
	oldest, slot := 0, uint64(math.MaxUint64)
	for i, p := range past.Renditions {
		if first := p.Segments[0].Epoch; i == 0 || first < oldest {
			oldest = first
		}
		slot = min(slot, p.Segments[0].N)
	}
	if len(past.Renditions) > 0 {
		past.Events, err = ReadEvents(ctx, store, channel, slot, math.MaxUint64, func(err error) {
			log.Error("events of the record cannot be read: they are left out", "err", err)
		})
		if err != nil {
			return nil, err
		}
	}
	if past.Changes, err = claimedChanges(ctx, store, channel); errors.Is(err, errClaim) {
		log.Error("with which slots renditions came and went cannot be read: it is left out", "err", err)
	} else if err != nil {
		return nil, err
	}
	claimed, err := claimedEpochs(ctx, store, channel, oldest)
	if err != nil {
		return nil, err
	}
	past.Epochs = union(claimed, recordedEpochs(&head, oldest), func(e *segmenter.Epoch) int { return e.Index })
	return past, nil
}

// claimedPlan is the plan that was fixed, or nil.
func claimedPlan(ctx context.Context, store storage.Store, channel string) (*segmenter.Plan, error) {
	key := planKey(channel)
	b, err := store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("archive: plan: %w", err)
	}
	p, err := decodePlan(key, b)
	return &p, err
}

// recordedEpochs are the epochs from index from on as the tracks of the record have begun them: what remains of those that were
// never claimed because the store was away.
func recordedEpochs(h *Head, from int) []segmenter.Epoch {
	var epochs []segmenter.Epoch
	for i := range h.Tracks {
		for _, e := range h.Tracks[i].Epochs {
			if e.Index < from {
				continue
			}
			shift := int64(h.Plan.Grid.Slot(max(e.Origin, -e.Origin), e.Init.Timescale))
			if e.Origin < 0 {
				shift = -shift
			}
			at, found := slices.BinarySearchFunc(epochs, e.Index, func(e segmenter.Epoch, i int) int { return e.Index - i })
			switch {
			case !found:
				epochs = slices.Insert(epochs, at, segmenter.Epoch{Index: e.Index, First: e.First, Shift: shift, Arrival: e.Arrival})
			case e.First < epochs[at].First: // tracks that joined later began it later
				epochs[at].First = e.First
			}
		}
	}
	return epochs
}

// union is a and what b has beyond it, ascending by index.
func union[E any](a, b []E, index func(*E) int) []E {
	all := slices.Clone(a)
	for i := range b {
		at, found := slices.BinarySearchFunc(all, index(&b[i]), func(e E, i int) int { return index(&e) - i })
		if !found {
			all = slices.Insert(all, at, b[i])
		}
	}
	return all
}

// renditions are the tracks that have anything in the last window slots.
func (r *reader) renditions(ctx context.Context, h *Head, window int) ([]segmenter.PastRendition, error) {
	froms, err := r.listChunks(ctx)
	if err != nil || len(froms) == 0 {
		return nil, err
	}
	last := froms[len(froms)-1]
	least := max(chunkOf(last-min(last, uint64(window))), chunkOf(h.First))
	froms = slices.DeleteFunc(froms, func(from uint64) bool { return from < least })
	chunks, err := r.readChunks(ctx, froms)
	if err != nil {
		return nil, err
	}
	newest := uint64(0)
	for i := range chunks {
		for _, entries := range chunks[i].Tracks {
			if n := len(entries); n > 0 {
				newest = max(newest, entries[n-1].N)
			}
		}
	}
	least = max(h.First, newest+1-min(newest+1, uint64(window)))
	var out []segmenter.PastRendition
	for i := range h.Tracks {
		t := &h.Tracks[i]
		var segments []timeline.Segment
		for j := range chunks {
			for _, e := range chunks[j].Tracks[t.Name] {
				if e.N >= max(least, t.Begin) {
					segments = append(segments, e.Segment)
				}
			}
		}
		if segments = contiguous(segments, t.Epochs, h.Plan.Grid, window); len(segments) > 0 {
			out = append(out, segmenter.PastRendition{
				Track: t.Track, Epochs: since(t.Epochs, segments[0].Epoch), Segments: segments, Ended: t.Ended,
			})
		}
	}
	return out, nil
}

// since are the epochs from an index on.
func since(epochs []timeline.Epoch, index int) []timeline.Epoch {
	i := slices.IndexFunc(epochs, func(e timeline.Epoch) bool { return e.Index >= index })
	return slices.Clone(epochs[i:])
}

// contiguous is the last window of segments, which ascend in N. Slots between them that are missing are gaps, and so are segments
// of epochs that do not ascend or are not known.
func contiguous(segments []timeline.Segment, epochs []timeline.Epoch, g timeline.Grid, window int) []timeline.Segment {
	kept := segments[:0]
	for _, s := range segments {
		known := slices.ContainsFunc(epochs, func(e timeline.Epoch) bool { return e.Index == s.Epoch })
		if known && (len(kept) == 0 || s.Epoch >= kept[len(kept)-1].Epoch) {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	last := kept[len(kept)-1].N
	kept = slices.DeleteFunc(kept, func(s timeline.Segment) bool { return last-s.N >= uint64(window) })
	f := filler{epochs: epochs, grid: g}
	out := make([]timeline.Segment, 0, last-kept[0].N+1)
	for i, s := range kept {
		if i > 0 {
			for n := kept[i-1].N + 1; n < s.N; n++ {
				out = append(out, f.gap(n, s.Epoch))
			}
		}
		f.pass(&s)
		out = append(out, s)
	}
	return out
}

// filler makes gaps as the segmenter makes them: where the slot lies, shifted by how far segments lie from where their slots do.
type filler struct {
	epochs []timeline.Epoch
	grid   timeline.Grid
	at     int   // index in epochs of the segment that was passed last
	phase  int64 // ticks, of that epoch
}

// pass notes a segment that is there.
func (f *filler) pass(s *timeline.Segment) {
	for f.epochs[f.at].Index < s.Epoch {
		f.at, f.phase = f.at+1, 0
	}
	if start, dur := f.nominal(s.N); s.State == timeline.Full && max(s.Start-start, start-s.Start) < dur {
		f.phase = s.Start - start
	}
}

// gap is slot n without media. Epoch most is the one in which the next segment lies.
func (f *filler) gap(n uint64, most int) timeline.Segment {
	for f.at+1 < len(f.epochs) && f.epochs[f.at+1].Index <= most && f.epochs[f.at+1].First <= n {
		f.at, f.phase = f.at+1, 0
	}
	start, dur := f.nominal(n)
	return timeline.Segment{N: n, Epoch: f.epochs[f.at].Index, State: timeline.Gap, Start: start + f.phase, Dur: dur}
}

func (f *filler) nominal(n uint64) (start, dur int64) {
	e := &f.epochs[f.at]
	const most = 1 << 61 // whatever the record says: sums do not overflow
	start = min(f.grid.Start(n, e.Init.Timescale), most)
	return start - e.Origin, max(1, min(f.grid.Start(n+1, e.Init.Timescale), most)-start)
}

package archive

import (
	"log/slog"
	"slices"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// MergePast is what two stores know together: one of this instance, near, and one that instances share, far. Either may be nil.
// Media that one of them has wins over a gap, and the later edge over the earlier one. Where they contradict each other, far is
// right, and that is logged: it must never happen.
func MergePast(near, far *segmenter.Past, log *slog.Logger) *segmenter.Past {
	switch {
	case near == nil:
		return far
	case far == nil:
		return near
	case near.Plan.Grid != far.Plan.Grid:
		log.Error("the archive of this instance and the shared one have other segment durations: only the shared one is continued")
		return far
	}
	index := func(e *segmenter.Epoch) int { return e.Index }
	merged := &segmenter.Past{Plan: far.Plan, Epochs: union(far.Epochs, near.Epochs, index)}
	merged.Events, _ = timeline.Merge(far.Events, near.Events)
	merged.Changes = union(far.Changes, near.Changes, func(c *segmenter.Change) int { return c.Index })
	for _, e := range near.Epochs {
		i := slices.IndexFunc(far.Epochs, func(f segmenter.Epoch) bool { return f.Index == e.Index })
		if i >= 0 && (far.Epochs[i].First != e.First || far.Epochs[i].Shift != e.Shift) {
			log.Error("the archive of this instance and the shared one disagree about an epoch: the shared one is right", "epoch", e.Index)
		}
	}
	for i := range far.Renditions {
		f := &far.Renditions[i]
		if n := rendition(near, f.Track.Name); n != nil {
			merged.Renditions = append(merged.Renditions, mergeRendition(n, f, &far.Plan, log))
		} else {
			merged.Renditions = append(merged.Renditions, *f)
		}
	}
	for i := range near.Renditions {
		if n := &near.Renditions[i]; rendition(far, n.Track.Name) == nil {
			merged.Renditions = append(merged.Renditions, *n)
		}
	}
	return merged
}

func rendition(p *segmenter.Past, track string) *segmenter.PastRendition {
	for i := range p.Renditions {
		if p.Renditions[i].Track.Name == track {
			return &p.Renditions[i]
		}
	}
	return nil
}

// mergeRendition is what both know of one track. Both have segments.
func mergeRendition(near, far *segmenter.PastRendition, p *segmenter.Plan, log *slog.Logger) segmenter.PastRendition {
	index := func(e *timeline.Epoch) int { return e.Index }
	epochs := union(far.Epochs, near.Epochs, index)
	mine := slices.DeleteFunc(slices.Clone(near.Segments), func(s timeline.Segment) bool {
		return !agreed(near.Epochs, epochs, s.Epoch)
	})
	if len(mine) < len(near.Segments) {
		log.Error("the archive of this instance and the shared one disagree about an epoch of a track: the shared one is right", "track", far.Track.Name)
	}
	segments, differ := mergeSegments(mine, far.Segments)
	if differ > 0 {
		log.Error("the archive of this instance and the shared one have other segments under the same names: the shared ones are right",
			"track", far.Track.Name, "segments", differ)
	}
	window := max(p.Window, len(near.Segments), len(far.Segments))
	segments = contiguous(segments, epochs, p.Grid, window)
	newer, edge := far, far.Segments[len(far.Segments)-1].N
	ended := far.Ended
	switch own := near.Segments[len(near.Segments)-1].N; {
	case own > edge:
		newer, ended = near, near.Ended
	case own == edge:
		ended = ended || near.Ended
	}
	return segmenter.PastRendition{Track: newer.Track, Epochs: since(epochs, segments[0].Epoch), Segments: segments, Ended: ended}
}

// agreed reports whether the epoch with the index means the same in both lists.
func agreed(a, b []timeline.Epoch, index int) bool {
	is := func(e timeline.Epoch) bool { return e.Index == index }
	i, j := slices.IndexFunc(a, is), slices.IndexFunc(b, is)
	return i >= 0 && j >= 0 && a[i].Origin == b[j].Origin && a[i].Init.Timescale == b[j].Init.Timescale && a[i].Init.Digest == b[j].Init.Digest
}

// mergeSegments is a and b in the order of their slots. Of two for one slot, that of b stays, unless only a's has media. differ
// counts those that have other media.
func mergeSegments(a, b []timeline.Segment) (all []timeline.Segment, differ int) {
	all = make([]timeline.Segment, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		x, y := &a[0], &b[0]
		switch {
		case x.N < y.N:
			all, a = append(all, *x), a[1:]
			continue
		case y.N < x.N:
			all, b = append(all, *y), b[1:]
			continue
		case x.State == timeline.Full && y.State == timeline.Gap:
			all = append(all, *x)
		default:
			all = append(all, *y)
			if x.State == timeline.Full && (x.Epoch != y.Epoch || x.Start != y.Start || x.Dur != y.Dur || x.Size != y.Size) {
				differ++
			}
		}
		a, b = a[1:], b[1:]
	}
	return append(append(all, a...), b...), differ
}

package vod

import (
	"context"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/archive"
)

// maxSegments is how many slots may be chosen at once: 24 days of segments of 2 s.
const maxSegments = 1 << 20

// selection is the segments that a Range touches.
type selection struct {
	Range
	from, to uint64 // slots, to included
	lines    []line // in catalog order
	main     int    // index of the main track's line
}

// line is what is selected of one track. What is missing within is a gap.
type line struct {
	track    *archive.Track
	segments []segment // contiguous in N
}

// choose selects the segments of a Range: those that the main track shows it with, and those with the same numbers of the others.
func (r *Recording) choose(ctx context.Context, g Range) (*selection, error) {
	grid := r.Head.Plan.Grid
	all, err := r.between(ctx, grid.Slot(g.Start, 1e9), grid.Slot(g.End, 1e9))
	if err != nil {
		return nil, fmt.Errorf("channel %q: %w", r.channel, err)
	}
	c := &selection{Range: g}
	found := false
	for _, s := range all[r.Main] {
		if s.State != timeline.Full || s.end() <= g.Start || s.start() >= g.End {
			continue
		}
		if !found {
			c.from, found = s.N, true
		}
		c.to = s.N
	}
	if !found {
		return nil, fmt.Errorf("channel %q: %s to %s: %w: all of it is missing", r.channel, Stamp(g.Start), Stamp(g.End), ErrRange)
	}
	if c.to-c.from >= maxSegments {
		return nil, fmt.Errorf("channel %q: %s to %s are %d segments, more than the %d that can be made into one: make several",
			r.channel, Stamp(g.Start), Stamp(g.End), c.to-c.from+1, maxSegments)
	}
	for i := range r.Head.Tracks {
		t := &r.Head.Tracks[i]
		segments := slices.DeleteFunc(all[t.Name], func(s segment) bool { return s.N < c.from || s.N > c.to })
		if t.Name == r.Main {
			c.main = len(c.lines)
		}
		if slices.ContainsFunc(segments, func(s segment) bool { return s.State == timeline.Full }) {
			c.lines = append(c.lines, line{t, fill(grid, segments)})
		}
	}
	return c, nil
}

// fill puts a gap where nothing is recorded, as for a segment that no instance had.
func fill(grid timeline.Grid, segments []segment) []segment {
	filled := make([]segment, 0, len(segments))
	for _, s := range segments {
		for n := len(filled); n > 0 && filled[n-1].N+1 < s.N; n++ {
			before := filled[n-1]
			scale := before.epoch.Init.Timescale
			missing := segment{epoch: before.epoch}
			missing.N, missing.Epoch, missing.State = before.N+1, before.Epoch, timeline.Gap
			missing.Start = grid.Start(missing.N, scale) - before.epoch.Origin
			missing.Dur = grid.Start(missing.N+1, scale) - before.epoch.Origin - missing.Start
			filled = append(filled, missing)
		}
		filled = append(filled, s)
	}
	return filled
}

// bytes of the line.
func (l *line) bytes() (n int64) {
	for i := range l.segments {
		n += l.segments[i].Size
	}
	return n
}

// first and last segment that are there.
func (l *line) first() *segment {
	return &l.segments[slices.IndexFunc(l.segments, func(s segment) bool { return s.State == timeline.Full })]
}

func (l *line) last() *segment {
	for i := len(l.segments) - 1; ; i-- {
		if l.segments[i].State == timeline.Full {
			return &l.segments[i]
		}
	}
}

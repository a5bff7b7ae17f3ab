package vod

import (
	"context"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// cut is which samples of a source are taken and presented, in ticks of Unix time.
type cut struct {
	from, to    int   // segments, to included
	first, last int64 // decode times of the samples with which the track begins, and ends: what is between is taken, too
	start, end  int64 // presentation times: of the first frame that is shown, and the end of the last one
	late, early bool  // the track begins, or ends, more than a frame away from what was asked for
}

// cut takes the frames that begin within start, ..., end-1, and those that they need.
func (s *source) cut(ctx context.Context, start, end int64) (*cut, error) {
	c := &cut{from: -1}
	for i := range s.segments {
		if e := &s.segments[i]; e.State == timeline.Full && e.unixStart() < end && e.unixEnd() > start {
			if c.from < 0 {
				c.from = i
			}
			c.to = i
		}
	}
	if c.from < 0 {
		return nil, s.nothing(start, end)
	}
	if err := s.breakBetween(c.from, c.to); err != nil {
		return nil, err
	}
	if err := s.cutStart(ctx, c, start, end); err != nil {
		return nil, err
	}
	if err := s.cutEnd(ctx, c, end); err != nil {
		return nil, err
	}
	if c.last < c.first || c.end <= c.start {
		return nil, s.nothing(start, end)
	}
	return c, nil
}

func (s *source) nothing(start, end int64) error {
	return fmt.Errorf("%s has no frame from %s to %s: %w", s.track.Name, Stamp(toNanos(start, uint32(s.scale))), Stamp(toNanos(end, uint32(s.scale))), ErrRange)
}

// cutStart finds the first frame that begins at start or later, and the sync sample from which it can be decoded.
func (s *source) cutStart(ctx context.Context, c *cut, start, end int64) error {
	var samples []media.Sample // without data
	shown := -1
	for i := c.from; i <= c.to+1; i++ {
		if s.there(i) {
			more, err := s.table(ctx, i)
			if err != nil {
				return err
			}
			samples = append(samples, more...)
			shown = earliest(samples, start)
		}
		// Frames that are shown before a group's first one may be decoded after it: they lie in the segment after theirs.
		if shown >= 0 && (i > c.from || s.init.Kind != media.Video || !s.follows(i+1)) {
			break
		}
	}
	if shown < 0 || samples[shown].PTS() >= end {
		return s.nothing(start, end)
	}
	sync := lastSync(samples[:shown+1])
	for i := c.from - 1; sync < 0 && s.follows(i+1); i-- {
		more, err := s.table(ctx, i)
		if err != nil {
			return err
		}
		shown += len(more)
		samples = append(more, samples...)
		c.from = i
		sync = lastSync(more)
	}
	if sync < 0 { // recording began, or went on after a gap, within a group
		if sync = firstSync(samples); sync < 0 {
			return fmt.Errorf("%s cannot be decoded from %s on: no frame stands for itself: begin later", s.track.Name, Stamp(toNanos(start, uint32(s.scale))))
		}
		shown = sync
	}
	c.first, c.start = samples[sync].DTS, samples[shown].PTS()
	c.late = c.start-start > int64(samples[shown].Dur)*3/2
	return nil
}

// cutEnd finds the last sample that is needed.
func (s *source) cutEnd(ctx context.Context, c *cut, end int64) error {
	to := c.to
	if s.init.Kind == media.Video && s.follows(to+1) {
		to++
	}
	for ; to >= c.from; to-- {
		if !s.there(to) {
			continue
		}
		samples, err := s.table(ctx, to)
		if err != nil {
			return err
		}
		found := false
		for _, m := range samples {
			if m.PTS() < end {
				c.last, c.end, found = m.DTS, max(c.end, m.PTS()+int64(m.Dur)), true
				c.early = end-c.end > int64(m.Dur)
			}
		}
		if found {
			break
		}
	}
	c.to = to
	return nil
}

// follows reports whether the segment with index i goes on where the one before it ended.
func (s *source) follows(i int) bool {
	return s.there(i-1) && s.there(i) && s.segments[i].Epoch == s.segments[i-1].Epoch
}

// earliest is the index of the sample that is presented first of those from start on, -1 if there is none.
func earliest(samples []media.Sample, start int64) int {
	best := -1
	for i, m := range samples {
		if m.PTS() >= start && (best < 0 || m.PTS() < samples[best].PTS()) {
			best = i
		}
	}
	return best
}

func lastSync(samples []media.Sample) int {
	for i := len(samples) - 1; i >= 0; i-- {
		if samples[i].Sync {
			return i
		}
	}
	return -1
}

func firstSync(samples []media.Sample) int {
	for i, m := range samples {
		if m.Sync {
			return i
		}
	}
	return -1
}

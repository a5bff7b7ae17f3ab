package manifest

import (
	"errors"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Errors of the writers. Both are a 404 that may be asked again.
var (
	// ErrNotYet says that there is nothing to write yet: the broadcast, or the track, has published nothing.
	ErrNotYet = errors.New("manifest: nothing published yet")
	// ErrNoTrack says that the channel has no such track.
	ErrNoTrack = errors.New("manifest: no such track")
)

// Presentation is one channel at one instant: the fixed plan and a snapshot of every rendition.
type Presentation struct {
	Channel    string
	Plan       segmenter.Plan
	From       uint64      // slots before this one are not listed: their media may be gone
	Renditions []Rendition // in catalog order; those without an init yet are left out
	Former     []Rendition // that are not in the broadcast any more
	Changes    []uint64    // slots with which others came and went
	Events     []timeline.Event

	// Media is the channel whose media the documents list. Empty: it is their own. Otherwise they are those of a clip, which
	// nobody has watched live: they begin at zero and never change.
	Media string
	// Zero says that a recording is watched live by nobody any more (see Over): its MPD may begin anew, at zero.
	Zero bool
	// Start is where players of a clip are asked to begin, in milliseconds of Unix time. 0: with the first segment.
	Start int64
}

// Rendition is one track and what it had published at the instant of the Presentation.
type Rendition struct {
	Track *media.Track
	*timeline.Snapshot
	segmenter.Life
}

// Present takes the snapshots of out's renditions. Slots before from are not listed.
func Present(channel string, out *segmenter.Output, from uint64) Presentation {
	return Presentation{
		Channel: channel, Plan: out.Plan, From: from, Events: out.Events,
		Renditions: snapshots(out.Renditions), Former: snapshots(out.Former), Changes: Slots(out.Changes),
	}
}

// Slots are those of changes, as a Presentation has them.
func Slots(changes []segmenter.Change) (slots []uint64) {
	for i := range changes {
		slots = append(slots, changes[i].First)
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

func snapshots(lines []segmenter.Rendition) (all []Rendition) {
	for _, r := range lines {
		if s := r.Timeline.Load(); s.Current() != nil {
			all = append(all, Rendition{r.Track, s, r.Life})
		}
	}
	return all
}

// Rendition is the one of the named track, or nil.
func (p *Presentation) Rendition(track string) *Rendition {
	for i := range p.Renditions {
		if p.Renditions[i].Track.Name == track {
			return &p.Renditions[i]
		}
	}
	return nil
}

// Ended reports whether every rendition has ended: the presentation is a recording from now on.
func (p *Presentation) Ended() bool {
	for i := range p.Renditions {
		if !p.Renditions[i].Ended {
			return false
		}
	}
	return len(p.Renditions) > 0
}

// goodbye is how long after the end of its media a broadcast may still be watched live.
const goodbye = time.Minute

// Over reports whether the presentation has ended and everybody has seen the last of it. Until then times stay what they were for
// those who watch, counted from 1970 on, and the low-latency MPD stays dynamic: when that becomes static, Shaka Player makes a list of
// all segments since then, and the page dies. Who comes later gets a recording that begins at its beginning.
func (p *Presentation) Over(now time.Time) bool {
	if !p.Ended() {
		return false
	}
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if k := len(r.Segments); k > 0 {
			last := &r.Segments[k-1]
			e := r.Epoch(last.Epoch)
			if now.Sub(UnixMilli(e, p.End(e, last))) < goodbye {
				return false
			}
		}
	}
	return true
}

// Listed is what documents list of r: its last full or missing segments, as many as the plan's window holds, from slot From on.
func (p *Presentation) Listed(r *Rendition) []timeline.Segment {
	listed := r.Segments[max(0, len(r.Segments)-p.Plan.Window):]
	if len(listed) == 0 || listed[0].N >= p.From {
		return listed
	}
	return listed[min(p.From-listed[0].N, uint64(len(listed))):]
}

// End is the tick of media time at which documents say that segment s of epoch e ends. A gap that lost its tail ends with its
// slot: what was there of it is no measure.
func (p *Presentation) End(e *timeline.Epoch, s *timeline.Segment) int64 {
	if s.State == timeline.Gap && len(s.Parts) > 0 {
		return max(s.End(), p.Plan.Grid.Start(s.N+1, e.Init.Timescale)-e.Origin)
	}
	return s.End()
}

// Discontinuities are the number of discontinuity tags that stand before segment s of epoch e, when the segment listed before
// it is of epoch last; last is nil for the first listed one. That one keeps its tag until it leaves the list (rfc8216bis
// 6.2.1, 6.2.2); the tags of epochs that passed without a segment leave earlier.
func Discontinuities(last, e *timeline.Epoch, s *timeline.Segment) int {
	switch {
	case last != nil:
		return e.Index - last.Index
	case e.Index > 0 && e.First == s.N:
		return 1
	}
	return 0
}

// Next is the part that r will publish next, for hints. When the open segment is as long as segments are, that is the next
// segment's first part: whether the open one is complete can be known only when the next one begins.
func (p *Presentation) Next(r *Rendition) timeline.Position {
	next, open := r.Position(), r.Open
	if open == nil {
		return next
	}
	e := r.Epoch(open.Epoch)
	scale := e.Init.Timescale
	full := open.Dur+r.Frame/2 >= p.Plan.Grid.Start(1, scale)
	if r.Track.Kind != media.Video {
		full = p.Plan.Grid.Slot(open.End()+e.Origin+1, scale) > open.N
	}
	if full {
		return timeline.Position{N: open.N + 1}
	}
	return next
}

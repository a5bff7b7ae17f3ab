package manifest

import (
	"math"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// openEnded is for how long a break that has no end is taken to go on, in milliseconds.
const openEnded = 3600_000

// Happening are the events that are not over at an instant, in milliseconds of Unix time; of a clip, only those that it contains.
func (p *Presentation) Happening(from int64) []timeline.Event {
	until := int64(math.MaxInt64)
	if p.Media != "" {
		until = p.until()
	}
	var list []timeline.Event
	for i := range p.Events {
		if e := &p.Events[i]; p.over(i) >= from && e.Start < until {
			list = append(list, *e)
		}
	}
	return list
}

// over is when event i is over: a break, when the programme is back.
func (p *Presentation) over(i int) int64 {
	e := &p.Events[i]
	if e.Splice == nil || e.Splice.Cue != timeline.Out {
		return e.End()
	}
	for j := i + 1; j < len(p.Events); j++ {
		if o := &p.Events[j]; o.Splice != nil && o.Splice.Ends(e.Splice) {
			return max(e.End(), o.Start)
		}
	}
	if e.Dur == 0 {
		return e.Start + openEnded
	}
	return e.End()
}

// opening is the break that a splice ends, or nil: it was not heard of, or has ended already.
func (p *Presentation) opening(in *timeline.Event) (out *timeline.Event) {
	for i := range p.Events {
		switch o := &p.Events[i]; {
		case o.Start > in.Start || o.Splice == nil || o.ID == in.ID:
		case in.Splice.Ends(o.Splice):
			out = o
		case out != nil && o.Splice.Ends(out.Splice):
			out = nil
		}
	}
	return out
}

// until is when the last segment of any rendition ends, in milliseconds of Unix time.
func (p *Presentation) until() (end int64) {
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if n := len(r.Segments); n > 0 {
			s := &r.Segments[n-1]
			e := r.Epoch(s.Epoch)
			end = max(end, UnixMilli(e, p.End(e, s)).UnixMilli())
		}
	}
	return end
}

// Oldest is when the first listed segment of any rendition begins, in milliseconds of Unix time.
func (p *Presentation) Oldest() int64 {
	oldest := int64(math.MaxInt64)
	for i := range p.Renditions {
		if s := p.first(&p.Renditions[i]); s != nil {
			oldest = min(oldest, UnixMilli(p.Renditions[i].Epoch(s.Epoch), s.Start).UnixMilli())
		}
	}
	return oldest
}

// first is the first segment that documents list of r, or nil.
func (p *Presentation) first(r *Rendition) *timeline.Segment {
	if listed := p.Listed(r); len(listed) > 0 {
		return &listed[0]
	}
	return r.Open
}

package manifest

import (
	"math"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// openEnded is for how long a break that has no end is taken to go on, in milliseconds.
const openEnded = 3600_000

// Happening are the events that are not over at an instant, in milliseconds of Unix time; of a clip, only those that it contains.
func (p *Presentation) Happening(from int64) (list []timeline.Event) {
	until := int64(math.MaxInt64)
	if p.Media != "" {
		until = p.until()
	}
	b := p.breaks()
	for i := range p.Events {
		if e := &p.Events[i]; b.over(e) >= from && e.Start < until {
			list = append(list, *e)
		}
	}
	return list
}

// Passed is when the last event was over that is not Happening any more; 0 if there is none.
func (p *Presentation) Passed(from int64) (ms int64) {
	b := p.breaks()
	for i := range p.Events {
		if at := b.over(&p.Events[i]); at < from {
			ms = max(ms, at)
		}
	}
	return ms
}

// breaks are the splices that belong to each other, by the ID of the one and of the other.
type breaks struct {
	ends  map[string]*timeline.Event // of one that leaves the programme
	opens map[string]*timeline.Event // of one that comes back: the last that left, if several did
}

// breaks pairs the splices. One that comes back ends what has begun before, if anything has: else it may end what begins with it.
func (p *Presentation) breaks() breaks {
	b := breaks{map[string]*timeline.Event{}, map[string]*timeline.Event{}}
	open := map[timeline.Splice][]*timeline.Event{}
	for i := 0; i < len(p.Events); {
		same := i
		for same < len(p.Events) && p.Events[same].Start == p.Events[i].Start {
			same++
		}
		now := p.Events[i:same]
		b.close(open, now)
		for j := range now {
			if s := now[j].Splice; s != nil && s.Cue == timeline.Out {
				open[*s] = append(open[*s], &now[j])
			}
		}
		b.close(open, now)
		i = same
	}
	return b
}

// close ends what is open with those of the splices that come back and have ended nothing yet.
func (b breaks) close(open map[timeline.Splice][]*timeline.Event, now []timeline.Event) {
	for i := range now {
		in := &now[i]
		if in.Splice == nil || in.Splice.Cue != timeline.In || b.opens[in.ID] != nil {
			continue
		}
		key := in.Splice.Opening()
		for _, out := range open[key] {
			b.ends[out.ID], b.opens[in.ID] = in, out
		}
		delete(open, key)
	}
}

// over is when an event is over: a break, when the programme is back.
func (b breaks) over(e *timeline.Event) int64 {
	switch in := b.ends[e.ID]; {
	case in != nil:
		return max(e.End(), in.Start)
	case e.Splice != nil && e.Splice.Cue == timeline.Out && e.Dur == 0:
		return e.Start + openEnded
	}
	return e.End()
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

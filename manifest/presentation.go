package manifest

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Presentation is one channel at one instant: the fixed plan and a snapshot of every rendition.
type Presentation struct {
	Channel    string
	Plan       segmenter.Plan
	Renditions []Rendition // in catalog order; those without an init yet are left out
}

// Rendition is one track and what it had published at the instant of the Presentation.
type Rendition struct {
	Track *media.Track
	*timeline.Snapshot
}

// Present takes the snapshots of out's renditions.
func Present(channel string, out *segmenter.Output) Presentation {
	p := Presentation{Channel: channel, Plan: out.Plan}
	for _, r := range out.Renditions {
		if s := r.Timeline.Load(); s.Current() != nil {
			p.Renditions = append(p.Renditions, Rendition{r.Track, s})
		}
	}
	return p
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

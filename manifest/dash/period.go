package dash

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// period is one epoch of the presentation.
type period struct {
	index int
	n     uint64 // startNumber of the regular grid
	start int64  // Period@start, in milliseconds of Unix time
	reps  []rep
}

// rep is one rendition in one epoch.
type rep struct {
	*manifest.Rendition
	epoch *timeline.Epoch
}

// periods are the epochs that the window shows, oldest first.
func periods(p *manifest.Presentation) []period {
	var ps []period
	for i := range p.Renditions {
		r := &p.Renditions[i]
		for j := range r.Epochs {
			e := &r.Epochs[j]
			at, found := slices.BinarySearchFunc(ps, e.Index, func(q period, index int) int { return q.index - index })
			if !found {
				ps = slices.Insert(ps, at, period{index: e.Index})
			}
			ps[at].reps = append(ps[at].reps, rep{r, e})
		}
	}
	for i := range ps {
		ps[i].place(p.Plan.Grid)
	}
	return ps
}

// place finds the first slot of the period. It is that of the epoch; but nobody who joined late knows when the first epoch
// began, so that one reaches back to 1970, or to the zero of its media time, which no presentationTimeOffset can precede.
func (p *period) place(g timeline.Grid) {
	if p.index > 0 {
		p.n = math.MaxUint64
		for _, r := range p.reps {
			p.n = min(p.n, r.epoch.First)
		}
	}
	for _, r := range p.reps {
		if o := r.epoch.Origin; o > 0 {
			p.n = max(p.n, g.Slot(o-1, r.epoch.Init.Timescale)+1)
		}
	}
	p.start = g.Start(p.n, 1000)
}

// trim moves the start of the period to its first listed slot, for players of recordings start there. The offset moves along,
// and no segment changes its time.
func (p *period) trim(pr *manifest.Presentation) {
	first := uint64(math.MaxUint64)
	for _, r := range p.reps {
		for _, s := range pr.Listed(r.Rendition) {
			if s.Epoch == p.index {
				first = min(first, s.N)
				break
			}
		}
	}
	if first != math.MaxUint64 && first > p.n {
		p.n, p.start = first, pr.Plan.Grid.Start(first, 1000)
	}
}

// lead moves the start of the first period of a clip to its first picture, or sound where there is no picture: video begins up to a
// group after its slot, and players would begin with the hole.
func (p *period) lead(pr *manifest.Presentation) {
	first, found := int64(math.MaxInt64), media.Text
	for _, r := range p.reps {
		listed := pr.Listed(r.Rendition)
		if len(listed) == 0 || listed[0].Epoch != p.index || r.Track.Kind > found {
			continue
		}
		if r.Track.Kind < found {
			first, found = math.MaxInt64, r.Track.Kind
		}
		first = min(first, manifest.UnixMilli(r.epoch, listed[0].Start).UnixMilli())
	}
	if found != media.Text {
		p.start = first
	}
}

// offset is the presentationTimeOffset of r at the timescale, a multiple of the rendition's.
func (p *period) offset(r rep, timescale uint32) uint64 {
	origin := r.epoch.Origin * int64(timescale/r.epoch.Init.Timescale)
	return uint64(max(manifest.MillisToTicks(p.start, timescale)-origin, 0))
}

// gridTimescale is the least multiple of a rendition's timescale in which the slot duration is an integer, and that integer.
func gridTimescale(g timeline.Grid, timescale uint32) (scale, duration uint32, err error) {
	num := g.Num * uint64(timescale)
	common := gcd(num, g.Den)
	s, d := uint64(timescale)*(g.Den/common), num/common
	if s > math.MaxUint32 || d > math.MaxUint32 {
		return 0, 0, fmt.Errorf("dash: no timescale fits segments of %d/%d s at %d Hz: use a rounder segment duration",
			g.Num, g.Den, timescale)
	}
	return uint32(s), uint32(d), nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// element is the Period without its adaptation sets.
func (p *period) element() *mpd.Period {
	return &mpd.Period{Id: strconv.Itoa(p.index), Start: millis(p.start)}
}

func millis(ms int64) *mpd.Duration { return duration(time.Duration(ms) * time.Millisecond) }

func duration(d time.Duration) *mpd.Duration { return mpd.Ptr(mpd.Duration(d)) }

func dateTime(ms int64) mpd.DateTime { return mpd.ConvertToDateTimeMS(ms) }

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

// period is one epoch of the presentation, or of it what lies between two changes of its renditions: players learn of a rendition with
// the period that it begins with, and go on with another one in the period that it is not in.
type period struct {
	index int
	n     uint64 // startNumber of the regular grid
	until uint64 // slot of the change that it ends with
	start int64  // Period@start, in milliseconds of Unix time
	reps  []rep

	change uint64 // that it begins with; 0: it begins with the epoch
}

// rep is one rendition in one epoch.
type rep struct {
	*manifest.Rendition
	epoch *timeline.Epoch
}

// periods are what the window shows, oldest first.
func periods(p *manifest.Presentation) []period {
	all := epochs(p)
	if len(p.Changes) == 0 {
		return all
	}
	var split []period
	for i := range all {
		end := uint64(math.MaxUint64)
		if i+1 < len(all) {
			end = all[i+1].n
		}
		split = append(split, all[i].split(p, end)...)
	}
	return split
}

// split makes a period of every stretch of an epoch, which lasts until slot end, that has no changes and has not left the window.
func (p *period) split(pr *manifest.Presentation, end uint64) (all []period) {
	oldest := uint64(math.MaxUint64)
	for i := range pr.Renditions {
		if listed := pr.Listed(&pr.Renditions[i]); len(listed) > 0 {
			oldest = min(oldest, listed[0].N)
		}
	}
	changes := slices.DeleteFunc(slices.Clone(pr.Changes), func(n uint64) bool { return n <= p.n || n >= end })
	rest := *p
	for _, n := range append(changes, math.MaxUint64) {
		one := rest
		one.until = n
		one.reps = slices.DeleteFunc(slices.Clone(p.reps), func(r rep) bool { return r.From > one.n || r.Until > 0 && r.Until <= one.n })
		if n > oldest && len(one.reps) > 0 {
			all = append(all, one)
		}
		rest.n, rest.change, rest.start = n, n, pr.Plan.Grid.Start(n, 1000)
	}
	return all
}

// epochs are those that the window shows of what is in the broadcast, oldest first, with all their renditions.
func epochs(p *manifest.Presentation) []period {
	var ps []period
	find := func(e *timeline.Epoch) (int, bool) {
		return slices.BinarySearchFunc(ps, e.Index, func(q period, index int) int { return q.index - index })
	}
	for _, r := range p.Renditions {
		for j := range r.Epochs {
			if at, found := find(&r.Epochs[j]); !found {
				ps = slices.Insert(ps, at, period{index: r.Epochs[j].Index, until: math.MaxUint64})
			}
		}
	}
	for _, r := range ever(p) {
		for j := range r.Epochs {
			if at, found := find(&r.Epochs[j]); found {
				ps[at].reps = append(ps[at].reps, rep{&r, &r.Epochs[j]})
			}
		}
	}
	for i := range ps {
		ps[i].place(p.Plan.Grid)
	}
	return ps
}

// ever are all renditions, former ones where they were: what is said of a period must not move when another one begins.
func ever(p *manifest.Presentation) []manifest.Rendition {
	all := slices.Clone(p.Renditions)
	for _, r := range slices.Backward(p.Former) {
		all = slices.Insert(all, min(r.Place, len(all)), r)
	}
	return all
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
			if s.Epoch == p.index && s.N >= p.n && s.N < p.until {
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
	id := strconv.Itoa(p.index)
	if p.change > 0 {
		id = fmt.Sprintf("%s.%d", id, p.change)
	}
	return &mpd.Period{Id: id, Start: millis(p.start)}
}

func millis(ms int64) *mpd.Duration { return duration(time.Duration(ms) * time.Millisecond) }

func duration(d time.Duration) *mpd.Duration { return mpd.Ptr(mpd.Duration(d)) }

func dateTime(ms int64) mpd.DateTime { return mpd.ConvertToDateTimeMS(ms) }

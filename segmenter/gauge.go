package segmenter

import (
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// gauge measures a track before the plan is fixed.
type gauge struct {
	kind      media.Kind
	timescale uint32
	promised  time.Duration // the longest group, by the catalog; 0 unknown

	samples, ticks, bytes int64 // of everything seen
	shortest, longest     int64 // sample, ticks
	object                int64 // longest object, ticks
	group, frames         int64 // longest complete group, ticks and samples; 0 unknown
	rounded               bool  // samples do not last equally long, or not as long as they say
	peak                  int64 // bits/s of the busiest complete group

	in struct { // the group being received
		id    uint64
		whole bool // seen from its start
		start int64
		end   int64
		bytes int64
		count int64
	}
}

func (g *gauge) add(u *unit) {
	if u.lost || u.loc.Group != g.in.id {
		// Groups in between may be missing although nobody says so: then the group was not this long.
		if !u.lost && len(u.samples) > 0 && absolute(u.samples[0].DTS-g.in.end) <= g.longest {
			g.in.end = u.samples[0].DTS
			g.complete()
		}
		g.in.whole = false
	}
	if len(u.samples) > 0 {
		first, last := &u.samples[0], &u.samples[len(u.samples)-1]
		if u.loc.Object == 0 {
			g.in.whole, g.in.start, g.in.bytes, g.in.count = true, first.DTS, 0, 0
		} else if g.in.id == u.loc.Group {
			g.rounded = g.rounded || first.DTS != g.in.end
		}
		g.in.id, g.in.end = u.loc.Group, last.DTS+int64(last.Dur)
		for i := range u.samples {
			dur := int64(u.samples[i].Dur)
			if g.samples == 0 {
				g.shortest = dur
			}
			g.shortest, g.longest = min(g.shortest, dur), max(g.longest, dur)
			g.samples++
			g.ticks += dur
			g.bytes += int64(len(u.samples[i].Data))
			g.in.bytes += int64(len(u.samples[i].Data))
			g.in.count++
		}
		g.rounded = g.rounded || g.shortest != g.longest
		g.object = max(g.object, g.in.end-first.DTS)
	}
	if u.last && u.loc.Group == g.in.id {
		g.complete()
	}
}

// complete takes note of the group that has just ended.
func (g *gauge) complete() {
	dur := g.in.end - g.in.start
	if g.in.whole && dur > 0 && dur <= maxGroup*int64(g.timescale) {
		if dur > g.group {
			g.group, g.frames = dur, g.in.count
		}
		g.peak = max(g.peak, rate(g.in.bytes, dur, g.timescale))
	}
	g.in.whole = false
}

// fine reports whether the nominal frame duration is known. Where a frame is no whole number of ticks (59.94 fps at 90 kHz, or any
// at milliseconds), single samples are rounded, which a few of them show, and only a whole group gives the mean.
func (g *gauge) fine() bool {
	const few = 8
	return g.group > 0 || g.samples > 0 && (g.kind != media.Video || g.samples >= few && !g.rounded)
}

// regular reports whether all samples last equally long, but for rounding.
func (g *gauge) regular() bool { return g.longest-g.shortest <= 1 || g.kind != media.Video }

// bitrate is the peak and the mean in bits/s, rounded up to two digits so that instances that saw different groups agree more
// often than not.
func (g *gauge) bitrate() (peak, mean int64) {
	mean = rate(g.bytes, g.ticks, g.timescale)
	return roundUp(max(g.peak, mean)), roundUp(mean)
}

func rate(bytes, ticks int64, timescale uint32) int64 {
	if ticks <= 0 {
		return 0
	}
	milliseconds := max(ticks*1000/int64(timescale), 1)
	return bytes * 8000 / milliseconds
}

func roundUp(v int64) int64 {
	unit := int64(1)
	for v/unit >= 100 {
		unit *= 10
	}
	return (v + unit - 1) / unit * unit
}

package segmenter

import (
	"math/big"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// maxWindow bounds the segments of a timeline.
const maxWindow = 1 << 20

// maxGroup is the longest group that a segment is made to hold, in seconds. Longer ones are cut.
const maxGroup = 10

// frame is the nominal sample duration: ticks/samples. It is a mean, because publishers round 1/30 s to 33, 33, 34 ms.
type frame struct {
	ticks, samples int64
	jitter         int64 // ticks by which some number of samples may last longer, beyond rounding
}

func (f frame) seconds(timescale uint32) *big.Rat {
	return new(big.Rat).Quo(big.NewRat(f.ticks, f.samples), big.NewRat(int64(timescale), 1))
}

// nominal is the frame in whole ticks.
func (f frame) nominal() int64 { return max(1, (2*f.ticks+f.samples)/(2*f.samples)) }

// plan is Plan with its rational number at hand.
type plan struct {
	Plan
	group *big.Rat // seconds: Group; 0 if unknown
}

// makePlan fixes the constants of a channel from what was measured of its tracks, in catalog order.
func makePlan(cfg Config, tracks []*gauge) plan {
	p := plan{Plan: Plan{Target: cfg.Target, Part: cfg.Part}, group: groupOf(tracks)}
	target := seconds(cfg.Target)
	duration := target
	if p.group.Sign() > 0 {
		k := floor(new(big.Rat).Add(new(big.Rat).Quo(target, p.group), big.NewRat(1, 2)))
		duration = new(big.Rat).Mul(p.group, big.NewRat(max(k, 1), 1))
	}
	p.Grid = gridOf(duration)
	if p.Grid.Valid() != nil { // a timescale beyond all reason
		duration, p.group = target, new(big.Rat)
		p.Grid = gridOf(duration)
	}
	longest := new(big.Rat)
	video := false
	for _, g := range tracks {
		video = video || g.kind == media.Video
		longest = larger(longest, g.frame().seconds(g.timescale))
	}
	p.Independent = !video || p.group.Sign() > 0
	p.TargetDuration = int(max(1, floor(new(big.Rat).Add(new(big.Rat).Add(duration, longest), big.NewRat(1, 2)))))
	if p.Parts, p.PartTarget = evenParts(seconds(cfg.Part), duration, tracks); p.Parts == 0 {
		p.PartTarget = partTarget(seconds(cfg.Part), duration, tracks)
	}
	if p.group.Sign() > 0 {
		p.Group = gridOf(p.group)
	}
	p.Window = windowOf(cfg, duration)
	return p
}

// windowOf is the number of segments that cfg asks for, when they last so many seconds.
func windowOf(cfg Config, duration *big.Rat) int {
	slots := ceil(new(big.Rat).Quo(seconds(cfg.DVR), duration))
	return int(min(max(int64(cfg.Window), slots), maxWindow))
}

// frame is reduced, and if that is not enough halved, until products of it fit into 64 bits.
func (g *gauge) frame() frame {
	r := big.NewRat(g.ticks, g.samples)
	if g.kind == media.Video && g.frames > 0 && g.regular() {
		r = big.NewRat(g.group, g.frames)
	}
	f := frame{ticks: r.Num().Int64(), samples: r.Denom().Int64()}
	for f.ticks > 1<<31 || f.samples > 1<<20 {
		f = frame{ticks: max(f.ticks/2, 1), samples: max(f.samples/2, 1)}
	}
	if !g.regular() {
		f.jitter = min(g.longest-f.nominal(), f.nominal())
	}
	return f
}

// groupOf is the longest group known: the catalog's promise, or what was seen of the first track that completed one.
func groupOf(tracks []*gauge) *big.Rat {
	promised, seen := new(big.Rat), new(big.Rat)
	for _, g := range tracks {
		if g.kind != media.Video {
			continue
		}
		if g.promised > 0 && g.promised <= maxGroup*time.Second {
			// Catalogs count in milliseconds; groups are whole frames.
			f := g.frame().seconds(g.timescale)
			frames := floor(new(big.Rat).Add(new(big.Rat).Quo(seconds(g.promised), f), big.NewRat(1, 2)))
			promised = larger(promised, new(big.Rat).Mul(f, big.NewRat(max(frames, 1), 1)))
		}
		if g.group > 0 && seen.Sign() == 0 {
			seen = big.NewRat(g.group, int64(g.timescale))
			if !g.regular() {
				// The times are those of a capture: the next group will last a little more or less. A grid that is a little too
				// wide would now and then hold a group too many, and no two instances would have the same.
				tenths := floor(new(big.Rat).Add(new(big.Rat).Mul(seen, big.NewRat(10, 1)), big.NewRat(1, 2)))
				seen = big.NewRat(max(tenths, 1), 10)
			}
		}
	}
	if promised.Sign() > 0 {
		return promised
	}
	return seen
}

func seconds(d time.Duration) *big.Rat { return big.NewRat(int64(d), int64(time.Second)) }

func gridOf(duration *big.Rat) timeline.Grid {
	if !duration.Num().IsUint64() || !duration.Denom().IsUint64() {
		return timeline.Grid{}
	}
	return timeline.Grid{Num: duration.Num().Uint64(), Den: duration.Denom().Uint64()}
}

func larger(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func floor(r *big.Rat) int64 { return new(big.Int).Div(r.Num(), r.Denom()).Int64() }

func ceil(r *big.Rat) int64 { return -floor(new(big.Rat).Neg(r)) }

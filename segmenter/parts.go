package segmenter

import (
	"math/big"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// evenParts looks for the fewest parts of nearly equal length that a slot can be cut into in every rendition, at the frames that
// are nearest: none longer than want by a frame, none shorter than 85 % of the longest (rfc8216bis 4.4.4.9). It returns no parts
// if there is no such number. What remains at the end of a slot that is cut into parts of the same number of frames may be very short, and
// players that look for a part with more tolerance than that stumble over it (hls.js does).
func evenParts(want, duration *big.Rat, tracks []*gauge) (parts int64, target time.Duration) {
	const attempts = 4
	fewest := max(1, ceil(new(big.Rat).Quo(duration, want)))
	for parts = fewest; parts < fewest+attempts; parts++ {
		target, even := time.Duration(0), true
		for _, g := range tracks {
			_, longest := share(duration, parts, g.frame(), g.timescale)
			target = max(target, milliseconds(longest))
			even = even && longest.Cmp(new(big.Rat).Add(want, g.frame().seconds(g.timescale))) <= 0
		}
		for _, g := range tracks {
			shortest, _ := share(duration, parts, g.frame(), g.timescale)
			even = even && g.regular() && isPart(shortest, target) && big.NewRat(g.object, int64(g.timescale)).Cmp(want) <= 0
		}
		if even {
			return parts, target
		}
	}
	return 0, 0
}

// share is the shortest and the longest of the parts that a slot is cut into at the nearest frames.
func share(duration *big.Rat, parts int64, f frame, timescale uint32) (shortest, longest *big.Rat) {
	one := f.seconds(timescale)
	frames := new(big.Rat).Quo(duration, big.NewRat(parts, 1))
	frames.Quo(frames, one)
	return new(big.Rat).Mul(one, big.NewRat(floor(frames), 1)), new(big.Rat).Mul(one, big.NewRat(ceil(frames), 1))
}

// isPart reports whether a part may be so short.
func isPart(duration *big.Rat, target time.Duration) bool {
	return duration.Cmp(new(big.Rat).Mul(seconds(target), big.NewRat(85, 100))) >= 0
}

// milliseconds rounds up.
func milliseconds(seconds *big.Rat) time.Duration {
	return time.Duration(ceil(new(big.Rat).Mul(seconds, big.NewRat(1000, 1)))) * time.Millisecond
}

// partGrid cuts a segment into even parts, from its start; ok is false if a track with such frames cannot have them.
func (p *plan) partGrid(f frame, timescale uint32) (g timeline.Grid, ok bool) {
	if p.Parts == 0 {
		return g, false
	}
	g = timeline.Grid{Num: p.Grid.Num, Den: p.Grid.Den * uint64(p.Parts)}
	shortest, longest := share(big.NewRat(int64(p.Grid.Num), int64(p.Grid.Den)), p.Parts, f, timescale)
	return g, g.Valid() == nil && f.jitter == 0 && milliseconds(longest) <= p.PartTarget && isPart(shortest, p.PartTarget)
}

// partTarget is the longest part of any rendition, when parts are the whole frames that fit into want. Beside it, the parts of
// the others must not be shorter than 85 % (rfc8216bis 4.4.4.9), and a part is never shorter than a frame or an object.
func partTarget(want, duration *big.Rat, tracks []*gauge) (target time.Duration) {
	part := want
	for _, g := range tracks {
		part = larger(part, g.frame().seconds(g.timescale))
		if object := big.NewRat(g.object, int64(g.timescale)); object.Cmp(duration) <= 0 {
			part = larger(part, object)
		}
	}
	const attempts = 8
	for range attempts {
		target = 0
		for _, g := range tracks {
			target = max(target, longestPart(part, g.frame(), g.timescale))
		}
		next := part
		for _, g := range tracks {
			f := g.frame().seconds(g.timescale)
			k := framesIn(part, g.frame(), g.timescale)
			whole := new(big.Rat).Mul(f, big.NewRat(k, 1))
			if least := new(big.Rat).Mul(seconds(target), big.NewRat(85, 100)); whole.Cmp(least) < 0 {
				next = larger(next, new(big.Rat).Mul(f, big.NewRat(k+1, 1)))
			}
		}
		if next.Cmp(part) == 0 || next.Cmp(duration) > 0 {
			break
		}
		part = next
	}
	return target
}

// framesIn is the number of whole frames in a part, at least one.
func framesIn(part *big.Rat, f frame, timescale uint32) int64 {
	steady := new(big.Rat).Sub(part, big.NewRat(f.jitter, int64(timescale)))
	return min(max(1, floor(steady.Quo(steady, f.seconds(timescale)))), maxPartSamples)
}

// longestPart is the longest part of a rendition, rounded up to the tick (frames may be rounded) and to the millisecond.
func longestPart(part *big.Rat, f frame, timescale uint32) time.Duration {
	ticks := ceil(new(big.Rat).Mul(big.NewRat(framesIn(part, f, timescale), 1), big.NewRat(f.ticks, f.samples)))
	ticks += f.jitter
	return time.Duration(ceil(big.NewRat(ticks*1000, int64(timescale)))) * time.Millisecond
}

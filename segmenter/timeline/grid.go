package timeline

import (
	"fmt"
	"math/bits"
)

// Grid cuts Unix time into slots of an exact rational duration, D = Num/Den seconds. Slot numbers are the segment numbers
// of every rendition, so that all renditions and all instances number alike without talking.
type Grid struct {
	Num uint64 `json:"num"`
	Den uint64 `json:"den"`
}

// Slot is floor(t/D) for t ticks of Unix time at the timescale. Times before 1970 are slot 0.
func (g Grid) Slot(t int64, timescale uint32) uint64 {
	if t < 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(t), g.Den)
	div := g.Num * uint64(timescale)
	if hi >= div { // beyond 2^64 slots: no clock that anyone has
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, div)
	return q
}

// Start is the first tick of slot n at the timescale: ceil(n*D).
func (g Grid) Start(n uint64, timescale uint32) int64 {
	hi, lo := bits.Mul64(n, g.Num*uint64(timescale))
	lo, carry := bits.Add64(lo, g.Den-1, 0)
	hi += carry
	if hi >= g.Den {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, g.Den)
	return int64(q)
}

// Valid reports what is wrong with the grid, if anything.
func (g Grid) Valid() error {
	if g.Num == 0 || g.Den == 0 || g.Num > 1<<31 || g.Den > 1<<31 {
		return fmt.Errorf("timeline: segment duration %d/%d s is out of range", g.Num, g.Den)
	}
	return nil
}

package manifest

import (
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// UnixMicros is tick t of epoch e's media time in microseconds of Unix time, rounded down. Durations in documents are
// differences of such instants: each is within a microsecond of the truth, and any number of them adds up to it.
func UnixMicros(e *timeline.Epoch, t int64) int64 {
	return floorScale(t+e.Origin, int64(e.Init.Timescale), 1e6)
}

// UnixMilli is tick t of epoch e's media time as an instant, rounded down to the millisecond.
func UnixMilli(e *timeline.Epoch, t int64) time.Time {
	return time.UnixMilli(floorScale(t+e.Origin, int64(e.Init.Timescale), 1e3)).UTC()
}

// MillisToTicks is ms milliseconds in ticks, rounded down.
func MillisToTicks(ms int64, timescale uint32) int64 { return floorScale(ms, 1e3, int64(timescale)) }

// floorScale is floor(t*to/from) without overflow of the product for any time within 200,000 years.
func floorScale(t, from, to int64) int64 {
	whole, rest := t/from, t%from
	if rest < 0 {
		whole, rest = whole-1, rest+from
	}
	return whole*to + rest*to/from
}

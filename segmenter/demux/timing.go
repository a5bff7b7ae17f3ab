package demux

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// timing gives video frames what their packaging does not say: decode times and durations.
//
// The decode time of frame i of a group is the i-th smallest of the group's presentation times, less the delay of reordering. So a
// frame waits for as many others as reordering may take; without B-frames it does not wait, and is decoded when it is shown. A
// frame lasts until the next is decoded. If the frame rate is known and the group has kept to it so far, it need not wait for that
// one: what it lasts by the frame rate is near enough, and is made exact where the next one stands in the same fragment.
//
// Nothing is carried over from one group to the next but the frame that waits for its successor, so that who joins later makes
// the same of a group.
type timing struct {
	rate      ratio // frames per second; the catalog's, or else the bitstream's
	timescale int64
	nominal   int64 // ticks of a frame; 0 unknown
	depth     int   // of reordering; -1: the bitstream does not say
	learnt    int   // and this is what groups have shown

	pending []Unit  // in decode order
	timed   int     // how many of them have their decode time
	waiting []int64 // presentation times of the group that have not become a decode time, sorted

	group    uint64
	inGroup  bool
	shift    int64 // of the group's decode times
	shifted  bool
	shown    int64 // presentation time of the group's newest frame
	last     int64 // decode time of the group's newest timed frame
	begun    bool
	steps    int  // between decode times of the group
	steady   bool // all of them as the frame rate says
	step     int64
	newest   []int64 // the group's latest presentation times, sorted, for learnt
	reorders int     // in force in the group

	dst []Unit
}

// maxPending bounds what waits: no codec reorders more frames.
const maxPending = 32

// parseRate reads a frame rate as catalogs write it: "29.97".
func parseRate(text string) (r ratio) {
	whole, fraction, _ := strings.Cut(text, ".")
	r.den = 1
	for _, c := range whole + fraction {
		if c < '0' || c > '9' || r.num > 1<<40 {
			return ratio{}
		}
		r.num = r.num*10 + uint64(c-'0')
	}
	for range fraction {
		r.den *= 10
	}
	if r.num == 0 || r.num > 1000*r.den {
		return ratio{}
	}
	return r
}

// header begins a stream. Nothing may be pending.
func (t *timing) header(timescale uint32, s *stream) {
	t.timescale, t.depth, t.inGroup = int64(timescale), s.reorder, false
	t.learnt = 0
	rate := t.rate
	if rate.num == 0 {
		rate = s.rate
	}
	t.nominal = 0
	if n, ok := ticks(uint64(timescale), rate.num, rate.den); ok && n <= maxSample*t.timescale {
		t.nominal = n
	}
}

// pass hands over a unit that needs nothing.
func (t *timing) pass(u Unit) {
	t.settle()
	t.dst = append(t.dst, u)
}

// mark hands over a unit without samples, behind those that came before it.
func (t *timing) mark(u Unit) {
	if len(t.pending) >= maxPending {
		t.settle()
	}
	if len(t.pending) == 0 {
		t.dst = append(t.dst, u)
		return
	}
	if u.Last || u.Status != media.Normal {
		t.close()
	}
	t.pending = append(t.pending, u)
	t.emit()
}

// add takes a frame whose decode time is its presentation time as yet.
func (t *timing) add(u *Unit) error {
	s := &u.Samples[0]
	if t.inGroup && u.Group == t.group && absolute(s.DTS-t.shown) > t.limit() {
		t.settle() // the clock jumps: nothing before it tells of what comes behind it
	}
	t.shown = s.DTS
	if !t.inGroup || u.Group != t.group {
		t.close()
		t.group, t.inGroup = u.Group, true
		t.shifted, t.begun, t.steps, t.steady, t.step = false, false, 0, t.nominal > 0, 0
		t.newest, t.reorders = t.newest[:0], max(t.depth, t.learnt)
	}
	at := s.DTS
	if later := t.overtaken(at); later > t.reorders {
		if t.depth < 0 {
			t.learnt = min(later, maxPending/2)
		}
		u.Samples = nil
		return fail(0, fmt.Sprintf("the frame is shown before %d that came before it, but the bitstream reorders %d", later, t.reorders))
	}
	i, _ := slices.BinarySearch(t.waiting, at)
	t.waiting = slices.Insert(t.waiting, i, at)
	t.pending = append(t.pending, *u)
	for len(t.waiting) > t.reorders {
		t.assign()
	}
	if u.Last {
		t.close()
	}
	t.emit()
	return nil
}

// overtaken is how many of the group's latest frames are shown after one that is shown at this time.
func (t *timing) overtaken(at int64) int {
	i, _ := slices.BinarySearch(t.newest, at+1)
	n := len(t.newest) - i
	t.newest = slices.Insert(t.newest, i, at)
	if len(t.newest) > maxPending {
		t.newest = slices.Delete(t.newest, 0, 1)
	}
	return n
}

// assign makes the smallest of the waiting presentation times a decode time.
func (t *timing) assign() {
	for len(t.pending[t.timed].Samples) == 0 {
		t.timed++
	}
	if !t.shifted {
		t.shifted, t.shift = true, int64(t.reorders)*t.nominal
		if t.nominal == 0 && t.reorders > 0 && len(t.waiting) > 1 {
			t.shift = int64(t.reorders) * min(t.waiting[1]-t.waiting[0], t.timescale)
		}
		t.shift = min(t.shift, t.waiting[0]) // media time begins at 0
	}
	s := &t.pending[t.timed].Samples[0]
	shown := s.DTS
	s.DTS = max(0, t.waiting[0]-t.shift)
	s.CTO = int32(max(math.MinInt32, min(shown-s.DTS, math.MaxInt32)))
	t.waiting = slices.Delete(t.waiting, 0, 1)
	if t.begun {
		t.step = s.DTS - t.last
		t.steps++
		t.steady = t.steady && t.step-t.nominal < t.timescale/1000+1 && t.nominal-t.step < t.timescale/1000+1
	}
	t.last, t.begun = s.DTS, true
	t.timed++
}

// close gives all frames of the group their decode time: no more will come.
func (t *timing) close() {
	for len(t.waiting) > 0 {
		t.assign()
	}
}

// emit hands over what is complete.
func (t *timing) emit() {
	for len(t.pending) > 0 {
		u := &t.pending[0]
		if len(u.Samples) > 0 {
			if t.timed == 0 {
				return
			}
			s := &u.Samples[0]
			next, ok := t.successor()
			switch {
			case ok:
				s.Dur = t.lasting(next - s.DTS)
			case t.steady && t.steps > 0 && u.Group == t.group:
				s.Dur = uint32(t.nominal)
			default:
				return
			}
		}
		t.pop()
	}
}

func (t *timing) pop() {
	t.dst = append(t.dst, t.pending[0])
	t.pending = slices.Delete(t.pending, 0, 1)
	t.timed = max(0, t.timed-1)
}

// successor is the decode time of the frame after the first pending one.
func (t *timing) successor() (int64, bool) {
	for i := 1; i < t.timed; i++ {
		if p := t.pending[i].Samples; len(p) > 0 {
			return p[0].DTS, true
		}
	}
	return 0, false
}

// lasting is how long a frame lasts if the next one is decoded so much later. A jump of the clock is no duration.
func (t *timing) lasting(step int64) uint32 {
	if step > 0 && step <= t.limit() {
		return uint32(step)
	}
	return t.guess()
}

// limit is the longest that a frame may last: more is a jump of the clock.
func (t *timing) limit() int64 {
	if t.nominal > 0 {
		return max(t.timescale, 2*t.nominal)
	}
	return maxSample * t.timescale
}

// guess is how long a frame lasts that nothing is known to follow: by the frame rate if the group keeps to it, or as long as the
// one before it.
func (t *timing) guess() uint32 {
	switch {
	case t.nominal > 0 && (t.steady || t.step <= 0):
		return uint32(t.nominal)
	case t.step > 0 && t.step <= t.timescale:
		return uint32(t.step)
	}
	return uint32(max(1, t.timescale/25))
}

// settle hands over all that is pending: what comes next is not known to follow.
func (t *timing) settle() {
	t.close()
	t.timed = 0
	for i := range t.pending {
		if len(t.pending[i].Samples) > 0 {
			t.timed = i + 1
		}
	}
	for len(t.pending) > 0 {
		if u := &t.pending[0]; len(u.Samples) > 0 {
			if next, ok := t.successor(); ok {
				u.Samples[0].Dur = t.lasting(next - u.Samples[0].DTS)
			} else {
				u.Samples[0].Dur = t.guess()
			}
		}
		t.pop()
	}
	t.timed, t.inGroup = 0, false
}

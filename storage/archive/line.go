package archive

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// line is what the archive remembers of the record of one track: the newest slots.
type line struct {
	window int
	begin  uint64 // run starts there or later
	// run is settled: the record has every one of these slots, and contiguous in N. Documents list its end.
	run []timeline.Segment
	// ahead is what the record has behind a hole that somebody is about to fill.
	ahead map[uint64]Entry
	// sums are the digests of run, slot by slot: 8 bytes each, as a window may be days long. 0 is none.
	sums []uint64
	// stale says that documents do not show what there is.
	stale bool
}

// recall is how many slots of run another instance may still change: two are not further apart when they are well.
const recall = 64

func newLine(window int, begin uint64) *line {
	return &line{window: window, begin: begin, ahead: map[uint64]Entry{}}
}

// end is the first slot that is not settled.
func (l *line) end() uint64 {
	if k := len(l.run); k > 0 {
		return l.run[k-1].N + 1
	}
	return l.begin
}

// at is what the record is known to have for slot n, with its digest if that is remembered.
func (l *line) at(n uint64) (e Entry, ok bool) {
	if n >= l.end() {
		e, ok = l.ahead[n]
		return e, ok
	}
	if len(l.run) == 0 || n < l.run[0].N {
		return Entry{}, false
	}
	i := n - l.run[0].N
	return Entry{l.run[i], digestOf(l.sums[i])}, true
}

// hole is the first slot after the hole at the end of run, as far as that is known.
func (l *line) hole() uint64 {
	to := never
	for n := range l.ahead {
		to = min(to, n)
	}
	return to
}

// take notes entries of the record, ascending in N.
func (l *line) take(entries []Entry) {
	for _, e := range entries {
		e.Parts = nil
		switch end := l.end(); {
		case e.N == end:
			l.push(e)
		case e.N > end:
			l.ahead[e.N] = e
		case len(l.run) > 0 && e.N >= l.run[0].N:
			i := e.N - l.run[0].N
			if s := &l.run[i]; s.State != e.State {
				*s, l.sums[i], l.stale = e.Segment, sumOf(e.Digest), true
			}
		}
	}
	l.close()
}

// close moves what follows on run from ahead to run.
func (l *line) close() {
	for len(l.ahead) > 0 {
		e, ok := l.ahead[l.end()]
		if !ok {
			return
		}
		delete(l.ahead, e.N)
		l.push(e)
	}
}

func (l *line) push(e Entry) {
	if slack := l.window/4 + 64; len(l.run) >= l.window+slack {
		l.run, l.sums = append(l.run[:0], l.run[slack:]...), append(l.sums[:0], l.sums[slack:]...)
	}
	l.run, l.sums = append(l.run, e.Segment), append(l.sums, sumOf(e.Digest))
	l.stale = true
}

// from raises the first slot that documents may list.
func (l *line) from(begin uint64) {
	if begin <= l.begin {
		return
	}
	l.begin = begin
	if begin >= l.end() {
		l.run, l.sums = nil, nil
	} else if first := l.run[0].N; first < begin {
		l.run, l.sums = slices.Clone(l.run[begin-first:]), slices.Clone(l.sums[begin-first:])
	}
	for n := range l.ahead {
		if n < begin {
			delete(l.ahead, n)
		}
	}
	l.stale = true
	l.close()
}

// sumOf is a storage.Digest as a number; 0 if it is none.
func sumOf(digest string) uint64 {
	sum, err := strconv.ParseUint(digest, 16, 64)
	if err != nil || digestOf(sum) != digest {
		return 0
	}
	return sum
}

// digestOf is what sumOf was given.
func digestOf(sum uint64) string {
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", sum)
}

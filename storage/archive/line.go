package archive

import (
	"slices"

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
	// recent are the digests of the last slots of run.
	recent map[uint64]string
	// stale says that documents do not show what there is.
	stale bool
}

// recall is for how many slots of run the digests are remembered: two instances are not further apart when they are well.
const recall = 64

func newLine(window int, begin uint64) *line {
	return &line{window: window, begin: begin, ahead: map[uint64]Entry{}, recent: map[uint64]string{}}
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
	return Entry{l.run[n-l.run[0].N], l.recent[n]}, true
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
			if s := &l.run[e.N-l.run[0].N]; s.State == timeline.Gap && e.State == timeline.Full {
				*s, l.stale = e.Segment, true
				l.recent[e.N] = e.Digest
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
		l.run = append(l.run[:0], l.run[slack:]...)
	}
	l.run = append(l.run, e.Segment)
	l.recent[e.N] = e.Digest
	if e.N >= recall {
		delete(l.recent, e.N-recall)
	}
	l.stale = true
}

// from raises the first slot that documents may list.
func (l *line) from(begin uint64) {
	if begin <= l.begin {
		return
	}
	l.begin = begin
	if begin >= l.end() {
		clear(l.recent)
		l.run = nil
	} else if first := l.run[0].N; first < begin {
		l.run = slices.Clone(l.run[begin-first:])
	}
	for n := range l.ahead {
		if n < begin {
			delete(l.ahead, n)
		}
	}
	l.stale = true
	l.close()
}

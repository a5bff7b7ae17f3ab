package channel

import (
	"sync"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// floor is the slot before which documents list nothing, as media of it is in no store. It never falls.
//
// Media leaves memory, and then it must be in an archive, or it leaves an archive, because Head.First rises there, and then it
// must be in another one. What documents do not list anyway, gaps above all, does not lift the floor.
type floor struct {
	keeps []*keep
	out   func() *segmenter.Output

	mu    sync.Mutex // guards what follows
	slot  uint64
	first []uint64 // by keep: its First, as far as it was looked at; unread while the record is not known
	past  uint64   // what the past has before this slot is looked for when all archives have read their records
}

// unread is the First of an archive that has not read its record.
const unread = ^uint64(0)

func newFloor(keeps []*keep, out func() *segmenter.Output) *floor {
	f := &floor{keeps: keeps, out: out}
	for range keeps {
		f.first = append(f.first, unread)
	}
	return f
}

// leave is told that a segment is about to leave memory.
func (f *floor) leave(track string, n uint64) {
	if f.kept(track, n) || !f.full(track, n) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slot = max(f.slot, n+1)
}

// at is where the floor is, now that archives may have given up something.
func (f *floor) at() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	reading := false
	for i, k := range f.keeps {
		first, ok := k.archive.Kept()
		switch {
		case !ok:
			reading = true
		case f.first[i] == unread:
			f.first[i], f.past = first, max(f.past, first)
		case first > f.first[i]:
			f.sink(f.first[i], first)
			f.first[i] = first
		}
	}
	if !reading && f.past > 0 {
		f.sink(0, f.past)
		f.past = 0
	}
	return f.slot
}

// sink lifts the floor above what is full in the slots from, ..., to-1 and in no archive. The caller holds mu.
func (f *floor) sink(from, to uint64) {
	out := f.out()
	if out == nil {
		return
	}
	for _, r := range out.Renditions {
		for _, s := range r.Timeline.Load().Segments {
			if from <= s.N && s.N < to && s.N >= f.slot && s.State == timeline.Full && !f.kept(r.Track.Name, s.N) {
				f.slot = s.N + 1
			}
		}
	}
}

// kept reports whether an archive has the segment.
func (f *floor) kept(track string, n uint64) bool {
	for _, k := range f.keeps {
		if k.archive.Has(track, n) {
			return true
		}
	}
	return false
}

// full reports whether documents may list the segment as one that is there.
func (f *floor) full(track string, n uint64) bool {
	out := f.out()
	if out == nil {
		return false
	}
	for _, r := range out.Renditions {
		if r.Track.Name == track {
			s := r.Timeline.Load().Segment(n)
			return s != nil && s.State == timeline.Full
		}
	}
	return false
}

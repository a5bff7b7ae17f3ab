package segmenter

import "slices"

// How many slots after the newest one the others are joined by a rendition that is new, and left by one that is gone. Who watches
// learns of it between two slots, and should do so before it happens; but of what is gone there is no more.
const (
	joinsAfter  = 3
	leavesAfter = 1
)

// established is how many segments a rendition has when there are viewers, who may not see all those that come later.
const established = 3

// joining is the change with which a rendition comes that has just begun; 0 when it is one of those that make the beginning.
func (s *Segmenter) joining() uint64 {
	out := s.output.Load()
	if out == nil || !slices.ContainsFunc(out.Renditions, func(r Rendition) bool { return len(r.Timeline.Load().Segments) >= established }) {
		return 0
	}
	if k := len(s.changes); k > 0 && s.changes[k-1] > uint64(s.newest()+leavesAfter) {
		return s.changes[k-1] // others come, too
	}
	return s.after(joinsAfter)
}

// leave notes that the broadcast has no longer what the others are about to go on without. Their timelines end later: who waits for
// more of them must find that they are gone.
func (s *Segmenter) leave(gone []*track) {
	place := 0
	for _, t := range s.tracks {
		switch {
		case t.line == nil || t.line.Load().Empty():
		case slices.Contains(gone, t):
			s.former = append(slices.Clip(s.former), Rendition{t.info, t.line, t.from, s.after(leavesAfter), place})
		default:
			place++
		}
	}
}

// after notes a change so many slots after the newest one, and returns it.
func (s *Segmenter) after(slots int64) uint64 {
	n := uint64(s.newest() + slots)
	if at, found := slices.BinarySearch(s.changes, n); !found {
		s.changes = slices.Insert(slices.Clone(s.changes), at, n)
	}
	return n
}

// forget drops what the window shows no longer. The newest of the changes before it began what it shows.
func (s *Segmenter) forget() {
	if len(s.changes) == 0 {
		return
	}
	oldest := uint64(max(s.newest()-int64(s.plan.Window)-joinsAfter, 0))
	if at, _ := slices.BinarySearch(s.changes, oldest); at > 1 {
		s.changes = s.changes[at-1:]
	}
	s.former = slices.DeleteFunc(slices.Clone(s.former), func(r Rendition) bool {
		return r.Until < oldest || r.From > r.Until || slices.ContainsFunc(s.tracks, func(t *track) bool { return t.line == r.Timeline })
	})
}

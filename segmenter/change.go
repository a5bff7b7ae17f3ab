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

// joins says with which change a rendition is to come that the catalog lists for the first time; none when it is one of those that make
// the beginning. It is by the catalog, which all instances get at about the same time, and not by the media.
func (s *Segmenter) joins(t *track) {
	out := s.output.Load()
	if out != nil && slices.ContainsFunc(out.Renditions, func(r Rendition) bool { return len(r.Timeline.Load().Segments) >= established }) {
		t.from = uint64(s.newest() + joinsAfter)
	}
}

// come notes the change with which a rendition comes that has just begun, which may have taken its time.
func (s *Segmenter) come(t *track) {
	t.announced = true
	if t.from <= uint64(max(s.newest()+leavesAfter, 0)) {
		s.joins(t)
	}
	if t.from > 0 {
		s.note(t.from)
	}
}

// leave notes that the broadcast has no longer what the others are about to go on without. Their timelines end later: who waits for
// more of them must find that they are gone.
func (s *Segmenter) leave(gone []*track) {
	place := 0
	for _, t := range s.tracks {
		switch {
		case t.line == nil || t.line.Load().Empty():
		case slices.Contains(gone, t):
			until := uint64(s.newest() + leavesAfter)
			s.note(until)
			s.former = append(slices.Clip(s.former), Rendition{t.info, t.line, t.from, until, place})
		default:
			place++
		}
	}
}

func (s *Segmenter) note(change uint64) {
	if at, found := slices.BinarySearch(s.changes, change); !found {
		s.changes = slices.Insert(slices.Clone(s.changes), at, change)
	}
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

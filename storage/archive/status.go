package archive

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// State of an archive, in a word.
type State string

// The states of an archive.
const (
	OK      State = "ok"
	Behind  State = "behind"  // more than a few segments
	Failing State = "failing" // attempts to write fail and are made again
	Full    State = "full"    // as Failing, because the store is full
	Stopped State = "stopped" // Run has returned
)

// behindAfter is by how many slots an archive that is well may be behind.
const behindAfter = 4

// Status says how an archive keeps up.
type Status struct {
	Name      string
	State     State
	Segments  int64         // slots that are published and not in the record of some track
	Lag       time.Duration // the same in media time
	Queued    int64         // bytes of the segments that are published and not in the record, as far as they are remembered
	Err       error         // what goes wrong now, or nil
	Conflicts int64         // names under which the store has other content than this instance made
	Lost      int64         // segments that were gone before they could be stored, or that the store has lost
}

// Status is how the archive keeps up now.
func (a *Archive) Status() Status {
	a.mu.RLock()
	defer a.mu.RUnlock()
	s := Status{
		Name: a.cfg.Name, State: OK, Segments: a.progress.behind, Lag: a.progress.lag, Queued: a.progress.queued,
		Conflicts: a.conflicts, Lost: a.lost,
	}
	if s.Segments > behindAfter {
		s.State = Behind
	}
	for _, what := range slices.Sorted(maps.Keys(a.troubles)) {
		s.Err, s.State = a.troubles[what], Failing
		if errors.Is(s.Err, storage.ErrFull) {
			s.State = Full
			break
		}
	}
	if a.stopped {
		s.State = Stopped
	}
	return s
}

// Has reports whether segment n of the track is known to be in the store.
func (a *Archive) Has(track string, n uint64) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	l := a.lines[track]
	if l == nil || n < a.head.First {
		return false
	}
	e, ok := l.at(n)
	return ok && e.State == timeline.Full
}

// Digest is storage.Digest of segment n of the track if the store has it, as far as that is remembered; else empty.
func (a *Archive) Digest(track string, n uint64) string {
	e, _ := a.entry(track, n)
	return e.Digest
}

// First is the first slot that is kept.
func (a *Archive) First() uint64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.head.First
}

// Kept is First; ok is false while the record has not been read, and may yet be.
func (a *Archive) Kept() (first uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.head.First, a.opened || a.stopped
}

// Edge is the slot after the newest one that the record knows in every live rendition, or, when none is live, in every one. ok is
// false while there is none.
func (a *Archive) Edge() (n uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	tracks := a.progress.live
	if len(tracks) == 0 {
		tracks = a.progress.all
	}
	n = never
	for _, track := range tracks {
		l := a.lines[track]
		if l == nil || len(l.run) == 0 {
			return 0, false
		}
		n = min(n, l.end())
	}
	return n, len(tracks) > 0
}

// Pending reports whether the archive may still need segments of slot n, or later ones, from a nearer one. While it has not read
// its record it may need anything.
func (a *Archive) Pending(n uint64) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return n >= a.progress.pending
}

// end is the first slot of the track that is not settled; known is false when the record has no such track.
func (a *Archive) end(track string) (n uint64, known bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	l := a.lines[track]
	if l == nil {
		return 0, false
	}
	return l.end(), true
}

// entry is what the record is known to have for slot n of the track.
func (a *Archive) entry(track string, n uint64) (Entry, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if l := a.lines[track]; l != nil {
		return l.at(n)
	}
	return Entry{}, false
}

package archive

import (
	"slices"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// feed is where the segments of one track come from. The loop owns it.
type feed struct {
	track   string
	sources []segmenter.Rendition // oldest first: a track that came back has another timeline
	// past are older snapshots, oldest first, which together hold what timelines have forgotten since slot next, as long as memory
	// may have its media.
	past   []*timeline.Snapshot
	epochs []timeline.Epoch // those that entries refer to, ascending Index
	begin  uint64           // Track.Begin, once begun
	begun  bool
	next   uint64          // the slot to take next, once begun
	since  uint64          // what the timeline has of earlier slots is in a farther store, unless it is in this one
	epoch  *timeline.Epoch // of the slot taken last, nil while none was
	flying int             // segments that are being put

	inits  map[string]bool // headers, by digest: true once they are in the store, false while they are being put
	lostAt uint64          // the slot after the one that was lost last

	looked uint64 // the slot after the newest closed one when the timeline was looked at last
	// The newest slots that came and went between two looks, as gaps do when several are made at once.
	unseenFrom, unseenTo uint64

	// From the record of the nearer archive: its entries for slots before spooledTo.
	spooled   []Entry
	spooledTo uint64
	spooling  bool
	alone     bool // it has stopped to come along, and is waited for no more
}

// Limits of what a track may be ahead of its record.
const (
	span     = 32 // slots
	inFlight = 8  // segments of all tracks, but no track less than minFlight
	// A track that is less behind than patience gets gaps for what is nowhere; one that is more behind begins anew.
	minFlight = 2
	patience  = chunkSlots
	// grace is by how many slots a gap stays behind the live edge before it is recorded: another instance may have the segment.
	grace = 2
	// reach is how far back an archive that is new takes what the nearer one has, in slots: an hour of segments of 2 s.
	reach = 1800
)

// candidate is a slot that can be taken.
type candidate struct {
	entry Entry // Full or Gap; the digest is known if it comes from another record
	epoch timeline.Epoch
	lost  bool // a gap because the media is gone
	// unseen: a gap as far as anybody knows, unless memory has the media.
	unseen bool
}

// source is the timeline that has, or will have, slot next. Those that are used up are dropped.
func (f *feed) source() (segmenter.Rendition, *timeline.Snapshot) {
	for {
		s := f.sources[0].Timeline.Load()
		if len(f.sources) == 1 || !s.Ended || len(s.Segments) > 0 && s.Position().N > f.next {
			return f.sources[0], s
		}
		f.sources = f.sources[1:]
	}
}

// pasts is how many snapshots are kept, half a window apart: memory holds the media of 2*window+2 slots.
const pasts = 6

// look keeps the newest snapshot if half a window has passed since the one that was kept last, and notes what it missed.
func (f *feed) look(window int) {
	_, s := f.newest()
	if len(s.Segments) > 0 && s.Segments[0].N > f.looked && f.looked > 0 {
		f.unseenFrom, f.unseenTo = f.looked, s.Segments[0].N
	}
	f.looked = max(f.looked, closedBefore(s))
	f.past = slices.DeleteFunc(f.past, func(s *timeline.Snapshot) bool { return closedBefore(s) <= f.next })
	if end := closedBefore(s); end > f.next && (len(f.past) == 0 || end >= closedBefore(f.past[len(f.past)-1])+uint64(window+1)/2) {
		f.past = append(f.past, s)
	}
	if len(f.past) > pasts {
		f.past = slices.Clone(f.past[1:])
	}
}

// snapshot is one that has slot next, or else the one that will have it or has forgotten it.
func (f *feed) snapshot() *timeline.Snapshot {
	_, s := f.source()
	for _, old := range f.past {
		if seg := old.Segment(f.next); seg != nil && seg.State != timeline.Open {
			return old
		}
	}
	return s
}

// follow adds a timeline, and reports whether it is new.
func (f *feed) follow(r segmenter.Rendition) bool {
	if slices.ContainsFunc(f.sources, func(o segmenter.Rendition) bool { return o.Timeline == r.Timeline }) {
		f.sources[len(f.sources)-1].Track = r.Track
		return false
	}
	f.sources = append(f.sources, r)
	return true
}

// newest is the newest timeline and what it holds.
func (f *feed) newest() (segmenter.Rendition, *timeline.Snapshot) {
	r := f.sources[len(f.sources)-1]
	return r, r.Timeline.Load()
}

// closed is the slot after the newest closed one, 0 while there is none.
func (f *feed) closed() uint64 {
	_, s := f.newest()
	return closedBefore(s)
}

// closedBefore is the slot after the snapshot's newest closed one, 0 while there is none.
func closedBefore(s *timeline.Snapshot) uint64 {
	if len(s.Segments) == 0 {
		return 0
	}
	return s.Segments[len(s.Segments)-1].N + 1
}

// ended reports whether the track has ended, with all that there was of it settled before slot end.
func (f *feed) ended(end uint64) bool {
	_, s := f.newest()
	return s.Ended && f.begun && end >= f.closed() && f.flying == 0
}

// learn notes the epoch of an entry, and reports whether it is new.
func (f *feed) learn(e timeline.Epoch) bool {
	at, found := slices.BinarySearchFunc(f.epochs, e.Index, func(e timeline.Epoch, index int) int { return e.Index - index })
	if !found {
		f.epochs = slices.Insert(f.epochs, at, e)
	}
	return !found
}

// elsewhere reports whether the segment is of an epoch that only a farther store knows.
func (f *feed) elsewhere(seg *timeline.Segment) bool {
	return seg.N < f.since && !slices.ContainsFunc(f.epochs, func(e timeline.Epoch) bool { return e.Index == seg.Epoch })
}

// spool is the entry of the nearer record for slot n.
func (f *feed) spool(n uint64) (Entry, bool) {
	at, found := slices.BinarySearchFunc(f.spooled, n, byN)
	if !found {
		return Entry{}, false
	}
	return f.spooled[at], true
}

// lostSlot is slot n as a gap with its nominal times.
func lostSlot(g timeline.Grid, n uint64, e timeline.Epoch) candidate {
	ts := e.Init.Timescale
	start := g.Start(n, ts)
	seg := timeline.Segment{N: n, Epoch: e.Index, State: timeline.Gap, Start: start - e.Origin, Dur: g.Start(n+1, ts) - start}
	return candidate{entry: Entry{Segment: seg}, epoch: e, lost: true}
}

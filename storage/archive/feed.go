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
	epochs  []timeline.Epoch      // those that entries refer to, ascending Index
	begin   uint64                // Track.Begin, once begun
	begun   bool
	next    uint64 // the slot to take next, once begun
	flying  int    // segments that are being put

	inits   map[string]bool // headers, by digest: true once they are in the store, false while they are being put
	missing bool            // the slot before next was lost

	// From the record of the nearer archive: its entries for slots before spooledTo.
	spooled   []Entry
	spooledTo uint64
	spooling  bool
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
)

// candidate is a slot that can be taken.
type candidate struct {
	entry Entry // Full or Gap; the digest is known if it comes from another record
	epoch timeline.Epoch
	lost  bool // a gap because the media is gone
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

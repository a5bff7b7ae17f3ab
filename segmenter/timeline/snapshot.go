package timeline

import (
	"github.com/moqpack/moqpack/internal/media"
)

// State of a segment.
type State uint8

// A segment is Open while parts are being added, then Full, for ever unless its media is lost; or a Gap: some of its media is missing
// for ever.
const (
	Open State = iota
	Full
	Gap
)

// Part is one CMAF fragment: the smallest thing that is published.
//
// Start is in ticks of media time, on the axis on which a group's presentation begins where its first sample lies: the decode
// time plus the composition offset of the first sample of the group that opened the segment. Without reordered frames that is
// the decode time.
type Part struct {
	Start, Dur  int64 // ticks
	Size        int64 // bytes
	Independent bool  // starts with a stream access point of type 1 or 2
}

// Segment is slot N of the grid.
type Segment struct {
	N     uint64 `json:"n"`
	Epoch int    `json:"e,omitempty"` // Index of one of Snapshot.Epochs
	State State  `json:"s"`
	// Start and Dur are in ticks, on the axis of Part.Start. For a gap they are, or last until, the slot's nominal ones.
	Start int64  `json:"t"`
	Dur   int64  `json:"d"`
	Size  int64  `json:"b,omitempty"` // bytes; 0 for a gap
	Parts []Part `json:"-"`           // nil once nobody remembers them
}

// End is the tick after the segment's last one.
func (s *Segment) End() int64 { return s.Start + s.Dur }

// Independent reports whether the segment starts with an independent part.
func (s *Segment) Independent() bool { return len(s.Parts) > 0 && s.Parts[0].Independent }

// Epoch is a stretch of the timeline with one time base and one init. A new one is a discontinuity.
type Epoch struct {
	Index int    `json:"index"` // counts discontinuities since the channel began
	First uint64 `json:"first"` // first slot of the epoch
	// Origin is added to media time to get ticks of Unix time; 0 when media time is Unix time.
	Origin int64 `json:"origin,omitempty"`
	// Arrival says that Origin was taken from when objects came, or are said to have been made or sent, for want of anything better in
	// the stream.
	Arrival bool        `json:"arrival,omitempty"`
	Init    *media.Init `json:"init"`
	// Frame is the nominal sample duration in ticks of Init.Timescale; 0 leaves that of the timeline as it is.
	Frame int64 `json:"frame"`
}

// Position totally orders the snapshots of a track: Parts complete parts of slot N are published; a full or gap segment N
// is Position{N+1, 0}.
type Position struct {
	N     uint64
	Parts int
}

// Before reports whether p is older than q.
func (p Position) Before(q Position) bool { return p.N < q.N || p.N == q.N && p.Parts < q.Parts }

// Snapshot is what a timeline held at one instant. It and everything it refers to are immutable.
type Snapshot struct {
	Epochs   []Epoch   // those that Segments and Open refer to, and the current one; ascending Index
	Segments []Segment // contiguous in N, each Full or Gap, oldest first
	Open     *Segment  // the segment being written: at least one part; nil between segments
	Ended    bool      // nothing will ever be added
	Lost     int       // how many of Segments, now or earlier, were Full and became a Gap: their media is gone

	// Frame is the nominal sample duration in ticks, of the current epoch.
	Frame int64

	next chan struct{}
}

// Next is closed when the timeline has a newer snapshot.
func (s *Snapshot) Next() <-chan struct{} { return s.next }

// Position of the live edge. An empty timeline is at the zero Position.
func (s *Snapshot) Position() Position {
	if s.Open != nil {
		return Position{s.Open.N, len(s.Open.Parts)}
	}
	if n := len(s.Segments); n > 0 {
		return Position{s.Segments[n-1].N + 1, 0}
	}
	return Position{}
}

// Empty reports whether nothing has been published yet.
func (s *Snapshot) Empty() bool { return s.Open == nil && len(s.Segments) == 0 }

// First is the oldest slot in the window; ok is false while the timeline is empty.
func (s *Snapshot) First() (n uint64, ok bool) {
	if len(s.Segments) > 0 {
		return s.Segments[0].N, true
	}
	if s.Open != nil {
		return s.Open.N, true
	}
	return 0, false
}

// Segment is slot n, or nil if it is not in the window.
func (s *Snapshot) Segment(n uint64) *Segment {
	if s.Open != nil && s.Open.N == n {
		return s.Open
	}
	if len(s.Segments) == 0 || n < s.Segments[0].N || n-s.Segments[0].N >= uint64(len(s.Segments)) {
		return nil
	}
	return &s.Segments[n-s.Segments[0].N]
}

// Epoch is the epoch with the index, or nil.
func (s *Snapshot) Epoch(index int) *Epoch {
	for i := range s.Epochs {
		if s.Epochs[i].Index == index {
			return &s.Epochs[i]
		}
	}
	return nil
}

// Current is the newest epoch, or nil while there is none.
func (s *Snapshot) Current() *Epoch {
	if len(s.Epochs) == 0 {
		return nil
	}
	return &s.Epochs[len(s.Epochs)-1]
}

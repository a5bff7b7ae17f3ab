package segmenter

import (
	"context"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Sink takes what the segmenter made, before any timeline refers to it. It must not keep ctx and must not write to Body.
type Sink interface {
	Put(ctx context.Context, m Media) error
}

// What a Media is.
type What uint8

// An init is named by Digest, a segment by N, a part by N and Part.
const (
	InitSegment What = iota + 1
	MediaSegment
	MediaPart
)

// Media is one immutable thing to store.
type Media struct {
	Track  *media.Track
	What   What
	Digest string // of an init
	N      uint64 // slot of a part or segment
	Part   int    // of a part, from 0
	// Body is the content in pieces. A segment's pieces are the very slices of its parts, in order: a store need not copy.
	Body [][]byte
}

// Plan is what is fixed before the first playlist is served and never changes in the life of a channel.
type Plan struct {
	Grid timeline.Grid `json:"grid"`
	// Group is the duration of the groups that segments are made of; zero if unknown.
	Group timeline.Grid `json:"group"`
	// Parts is how many parts of nearly equal length a slot has; 0 if some rendition cannot have that.
	Parts int64 `json:"parts,omitempty"`
	// TargetDuration bounds the rounded duration of every segment of every rendition, in seconds.
	TargetDuration int `json:"targetDuration"`
	// PartTarget is the longest part of any rendition, rounded up to the millisecond.
	PartTarget time.Duration `json:"partTarget"`
	// Window is the number of full segments that a live playlist lists.
	Window int `json:"window"`
	// Target and Part are what the operator chose (Config).
	Target time.Duration `json:"target"`
	Part   time.Duration `json:"part"`
	// Independent says that every segment is known to start with a stream access point (groups no longer than D).
	Independent bool `json:"independent"`
}

// Rendition is one track and its timeline.
type Rendition struct {
	Track    *media.Track
	Timeline *timeline.Timeline
	Life
}

// Output is everything a channel publishes. It is immutable: a change of the track set, or a new event, makes a new one.
type Output struct {
	Plan       Plan
	Renditions []Rendition // in catalog order
	// Former are those that the broadcast has no longer, until they have left the window: who watches them must learn of it.
	Former []Rendition
	// Changes are those with which renditions came and went while there were viewers, by index, the newest MaxChanges.
	Changes []Change
	// Events are what happens beside the media, by time; the newest, and as many as the window may show.
	Events []timeline.Event

	next chan struct{} // closed when the Segmenter has another Output
}

// Next is closed when the Segmenter has another Output.
func (o *Output) Next() <-chan struct{} { return o.next }

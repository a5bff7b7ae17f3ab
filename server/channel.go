package server

import (
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
)

// Channel is one broadcast as the server needs it. All methods may be called concurrently.
type Channel interface {
	// Output is what the channel publishes, nil while there is nothing.
	Output() *segmenter.Output
	// Store holds the bytes of everything that Output's timelines mention, under the keys of package manifest.
	Store() storage.Getter
	// From is the first slot that documents may list: the media of earlier ones may be gone. It never falls.
	From() uint64
	// Status is for people. Its Name must not change.
	Status() Status
}

// Doubter is a Channel that knows when viewers are better off with another instance of it.
type Doubter interface {
	// Doubt is why, in one word for a header, or empty: Stale or Incomplete.
	Doubt() string
}

// Reasons of doubt.
const (
	Stale      = "stale"      // nothing new, and another instance has more
	Incomplete = "incomplete" // a rendition has nothing new, and another instance has more of it
)

// Redirector is a Channel whose older media has a URL elsewhere, such as a bucket's.
type Redirector interface {
	// Elsewhere is the URL of the media under key if it had better be fetched from there, or empty.
	Elsewhere(key string) string
}

// Status says how a channel is doing, in words for its operator.
type Status struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	Relay     string    `json:"relay,omitempty"`
	Draft     string    `json:"draft,omitempty"` // as negotiated, "draft-18"
	Namespace string    `json:"namespace,omitempty"`
	Clock     string    `json:"clock,omitempty"` // Arrival, if neither media nor catalog says what time it is
	Error     string    `json:"error,omitempty"` // the last one, and what to do about it
	Skipped   []Skipped `json:"skipped,omitempty"`
	Archives  []Archive `json:"archives,omitempty"` // nearest first
	Counters  []Counter `json:"counters,omitempty"` // in the order in which to show them
}

// Arrival is a wall clock that was measured: when the first object came, or when it or a media timeline says that it was sent or made.
// Two instances are sure to agree on it only by a store that they share.
const Arrival = "arrival"

// State is what a channel is doing.
type State string

// The states of a channel.
const (
	Waiting State = "waiting" // connecting, or the broadcast does not exist yet
	Live    State = "live"
	Stalled State = "stalled" // was live; media has stopped coming
	Ended   State = "ended"
	Failed  State = "failed" // given up: the operator must act
)

// Skipped is a track of the catalog that is not packaged, and why.
type Skipped struct {
	Track  string `json:"track"`
	Reason string `json:"reason"`
}

// Archive is how a store that a channel is recorded in keeps up.
type Archive struct {
	Name   string `json:"name"`             // "disk", "s3"
	State  string `json:"state"`            // in a word
	Behind int64  `json:"behind,omitempty"` // ms of media that are live and not in the store yet
	Error  string `json:"error,omitempty"`  // the last one, while it lasts
}

// Counter is a number that somebody may want to watch.
type Counter struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

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
	Store() storage.Store
	// Status is for people. Its Name must not change.
	Status() Status
}

// Status says how a channel is doing, in words for its operator.
type Status struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	Relay     string    `json:"relay,omitempty"`
	Draft     string    `json:"draft,omitempty"` // as negotiated, "draft-18"
	Namespace string    `json:"namespace,omitempty"`
	Error     string    `json:"error,omitempty"` // the last one, and what to do about it
	Skipped   []Skipped `json:"skipped,omitempty"`
	Counters  []Counter `json:"counters,omitempty"` // in the order in which to show them
}

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

// Counter is a number that somebody may want to watch.
type Counter struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

package subscriber

import (
	"context"
	"errors"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Receiver takes what a Source reads. Calls for one track come in order and one at a time; calls for different tracks may
// be concurrent. A call that blocks stops the reading of its track's streams: that is the back-pressure.
type Receiver interface {
	// Catalog says what the broadcast consists of, at first and after every change. It is called before any object of a
	// track that it names, and returns the names of the tracks to subscribe to. That the broadcast is complete it says last.
	Catalog(ctx context.Context, c *catalog.Catalog) (want []string, err error)
	// Object hands over the next object of a track, in location order. Where the end of a group becomes known after its
	// last object was handed over, an object with the status EndOfGroup and no payload says so; it may be ignored.
	//
	// An error is counted and logged, and the track goes on, unless it is ErrEnough. A call that ends with ctx's error has not taken the
	// object: it is handed over again.
	Object(ctx context.Context, track string, o media.Object) error
	// State reports a change of the connection. Calls may come from any goroutine.
	State(ctx context.Context, s State)
}

// ErrEnough is what Object returns for a track of which nothing more is needed: it is not followed any more, until the catalog lists its
// tracks anew or there is another session.
var ErrEnough = errors.New("nothing more of the track is needed")

// State of a Source.
type State struct {
	Phase     Phase
	Draft     string // what was negotiated, "moqt-18"; empty until connected
	Transport string // "quic" or "webtransport"; empty until connected, of a recording, and of who connects to us
	Relay     string // host:port
	Err       error  // why the Source is not Live, if anything is wrong
	Attempts  int    // connection attempts since the last Live
}

// Phase of a Source.
type Phase uint8

// A Source goes from Connecting to Waiting (connected, but there is no such broadcast yet) to Live, and back on any loss.
const (
	Connecting Phase = iota + 1
	Waiting
	Live
	Ended // the broadcast said that it is complete
)

func (p Phase) String() string {
	return [...]string{"unknown", "connecting", "waiting", "live", "ended"}[min(int(p), 4)]
}

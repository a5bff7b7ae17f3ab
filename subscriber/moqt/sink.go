package moqt

import (
	"context"

	"github.com/moqpack/moqpack/internal/media"
)

// Sink takes what one subscription or fetch delivers. It is called from one goroutine per stream, several at once.
type Sink interface {
	// Object takes one object. Within a stream object ids ascend; streams run beside each other and repeat nothing on
	// purpose, but a publisher may. A call that blocks stops the reading of that stream only: this is the back-pressure.
	// An error ends the subscription (or fetch) with it. ctx ends with the subscription.
	//
	// Of a datagram with the END_OF_GROUP bit, o.Last is set. Otherwise o.Last and o.Lost are left to the caller, who
	// learns what they need from Stream and from the statuses of objects.
	Object(ctx context.Context, o media.Object) error
	// Stream reports the end of a data stream, after its last Object. A datagram is a stream of one object.
	Stream(ctx context.Context, e StreamEvent)
}

// StreamEvent is the end of a data stream.
type StreamEvent struct {
	Group, Subgroup uint64 // of the header; of the last object in a fetch
	Fetch           bool   // a fetch stream: a FIN means that what was not sent does not exist
	Datagram        bool   // there was no stream: what is missing beside it will not come

	Objects uint64 // how many objects (statuses included) the stream carried
	Last    uint64 // id of the last one, if Objects > 0

	// EndOfGroup is the header's flag. With a FIN, the stream's last object is the group's last. With Reset it says nothing.
	EndOfGroup bool
	// First is the header's FIRST_OBJECT flag (18 and later): the stream begins with the subgroup's first object.
	First bool
	// Unknown (fetch only) says that the publisher did not know about parts of the range.
	Unknown bool

	Reset bool   // the stream ended early: objects after Last may exist
	Code  uint64 // of a Reset, as on the wire
}

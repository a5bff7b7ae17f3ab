package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// Faults are what a publisher does wrong. The zero value does nothing wrong. The functions are called from many goroutines,
// with the name of a track (the catalog is one) and an object's location; nil: never.
type Faults struct {
	Drop  func(track string, l media.Location) bool          // the object is not sent live; a FETCH has it
	Lose  func(track string, l media.Location) bool          // the object is neither sent nor fetched: nobody has it any more
	Reset func(track string, l media.Location) bool          // the stream is reset in front of the object; not for datagrams
	Delay func(track string, l media.Location) time.Duration // the object is sent so much later than it is due
	// Corrupt is what is sent live instead of the payload; a FETCH has the payload as it is. It must not write to it.
	Corrupt func(track string, l media.Location, payload []byte) []byte

	NoCatalog bool // the catalog can be subscribed to, but nothing comes and nothing can be fetched
	NoFetch   bool // FETCH is refused as not supported
	NoJoin    bool // so is a joining FETCH, as moq-dev does in drafts 18 and 19
	OneGroup  bool // and one of more than one group, as moq-relay-ietf does
	Deaf      bool // a FETCH is not answered, nor anything that is asked after it, as Eyevinn/moqtransport v0.9.0 does in draft 16
	NoParams  bool // a SUBSCRIBE with any parameter closes the session, as MediaMTX does
	GroupHead bool // a live subscription begins at the head of the newest group and does not say where, as moq-dev does
}

// Shuffle is a Delay that puts the objects of a track out of order, if each has a stream of its own (live.Streams): every
// object waits between 0 and limit. The order follows from the seed.
func Shuffle(seed uint64, limit time.Duration) func(string, media.Location) time.Duration {
	return func(track string, l media.Location) time.Duration {
		h := fnv.New64a()
		_, _ = h.Write([]byte(track)) // a hash cannot fail
		return time.Duration(rand.New(rand.NewPCG(seed^h.Sum64(), l.Group<<20^l.Object)).Int64N(int64(limit)))
	}
}

func (f *Faults) drop(track string, l media.Location) bool {
	return f.Drop != nil && f.Drop(track, l) || f.lose(track, l)
}

func (f *Faults) lose(track string, l media.Location) bool {
	return f.Lose != nil && f.Lose(track, l)
}

func (f *Faults) reset(track string, l media.Location) bool {
	return f.Reset != nil && f.Reset(track, l)
}

func (f *Faults) corrupt(track string, l media.Location, payload []byte) []byte {
	if f.Corrupt == nil {
		return payload
	}
	return f.Corrupt(track, l, payload)
}

func (f *Faults) delay(track string, l media.Location) time.Duration {
	if f.Delay == nil {
		return 0
	}
	return f.Delay(track, l)
}

package demux

import (
	"errors"

	"github.com/moqpack/moqpack/internal/media"
)

// Header says what the samples of a track are, whatever they came in. It is immutable: what changes is another Header.
type Header struct {
	Kind      media.Kind
	Timescale uint32   // ticks per second, never 0
	Language  uint16   // as packed in mdhd
	Entry     []byte   // the sample entry, a whole box
	PSSH      [][]byte // pssh boxes, each whole; none of a track that is in the clear
	Codec     string   // as the catalog has it, for what a sample entry may leave open; may be empty
}

// Unit is what one object holds, without its wrapping.
type Unit struct {
	media.Object     // its place and its fate; properties and payload are gone
	Size         int // bytes of the payload
	Header       *Header
	Samples      []media.Sample // valid until the next Read
	Messages     []Message      // events that come with the media
	Wall         int64          // milliseconds of Unix time when the object was made or sent, as it says itself; 0 unknown
	Err          error          // why there are none
}

// begin is the unit of an object.
func begin(o *media.Object) Unit {
	u := Unit{Object: *o, Size: len(o.Payload)}
	u.Properties, u.Payload = nil, nil
	return u
}

// fail makes an error of what is wrong with a payload outside of any box.
func fail(offset int, reason string) error { return &Error{Offset: offset, Reason: reason} }

// errNoHeader is what an object without a known header is refused with.
var errNoHeader = errors.New("demux: nothing describes the media yet: neither the catalog, nor a property, nor parameter sets in the object")

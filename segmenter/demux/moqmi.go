package demux

import (
	"fmt"
	"math"

	"github.com/moqpack/moqpack/internal/media"
)

// Properties of moq-mi (draft-cenzano-moq-media-interop). Its types of media (0x0A) are not the same with all publishers; the
// metadata are.
const (
	miOpus  = 0x0F
	miAAC   = 0x13
	miVideo = 0x15
)

// moqmi unwraps an object of moq-mi. Everything is said with the object: there is no catalog.
func moqmi(_ *media.Track, o *media.Object) (frame, error) {
	f := frame{data: o.Payload}
	var r varints
	if r.data = content(o.Properties, miVideo); r.data != nil {
		r.next() // sequence number
		f.codec, f.config, f.exact = "avc1", content(o.Properties, propVideoConfig), true
		f.time, f.decode, f.scale, f.lasts = r.next(), r.next(), r.next(), r.next()
	} else {
		f.codec, r.data = "mp4a.40.2", content(o.Properties, miAAC)
		if r.data == nil {
			f.codec, r.data = "opus", content(o.Properties, miOpus)
		}
		if r.data == nil {
			return f, fail(0, "no property says what the object holds: moq-mi of video, AAC or Opus has one")
		}
		r.next()
		f.time, f.scale, f.rate, f.channels = r.next(), r.next(), r.next(), r.next()
		if len(r.data) > 0 {
			r.next() // duration
		}
	}
	if len(r.data) > 0 { // nothing depends on it
		f.wall = min(r.next(), math.MaxInt64/2)
	}
	if r.bad || f.scale == 0 || f.scale > 1<<31 || f.rate > 1<<20 || f.channels > 64 {
		return f, fail(0, fmt.Sprintf("the metadata of %s are malformed", f.codec))
	}
	return f, nil
}

package demux

import "github.com/moqpack/moqpack/internal/media"

// legacy unwraps a frame of hang's default container: a timestamp in microseconds, and the bitstream (draft-lcurley-moq-hang,
// "legacy").
func legacy(_ *media.Track, o *media.Object) (frame, error) {
	v, n := quicVarint(o.Payload)
	if n == 0 {
		return frame{}, fail(0, "the payload ends within the timestamp")
	}
	return frame{time: v, scale: microsecond, data: o.Payload[n:]}, nil
}

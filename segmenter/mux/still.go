package mux

import (
	"errors"
	"math"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// ErrNoPicture is returned where there is no picture, or no time, to show one by itself.
var ErrNoPicture = errors.New("mux: no picture that can be shown by itself")

// Still is a fragment that shows one picture from one tick until another: the last one of clip that depends on no other. clip is a
// segment, or some of its parts; init is the canonical header of the track.
func Still(init, clip []byte, sequence uint32, from, until int64) ([]byte, error) {
	c, err := demux.NewCMAF(init)
	if err != nil {
		return nil, err
	}
	if c.Kind != media.Video || until <= from || until-from > math.MaxUint32 || len(clip) == 0 {
		return nil, ErrNoPicture
	}
	samples, err := c.Samples(nil, clip)
	if err != nil {
		return nil, err
	}
	for i := len(samples) - 1; i >= 0; i-- {
		if m := samples[i]; m.Sync {
			m.DTS, m.CTO, m.Dur = from, 0, uint32(until-from)
			return Fragment(sequence, []media.Sample{m})
		}
	}
	return nil, ErrNoPicture
}

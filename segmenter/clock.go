package segmenter

import (
	"math/big"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// clock is a media timeline: a track that tells when the media of others was made.
type clock struct {
	info  *media.Track
	times demux.Times
	heard bool // an object that could be read
}

// clockOf is the first of the tracks that is a media timeline, or nil: media has one clock. Who was one before goes on.
func (s *Segmenter) clockOf(tracks []media.Track) *clock {
	i := slices.IndexFunc(tracks, isClock)
	if i < 0 {
		return nil
	}
	info := tracks[i]
	if s.clock == nil || s.clock.info.Name != info.Name {
		return &clock{info: &info}
	}
	s.clock.info = &info
	return s.clock
}

func isClock(t media.Track) bool {
	return t.Kind == media.Timeline && t.Packaging == media.MediaTimeline
}

// tell takes an object of the media timeline. If it cannot be read, all is as if there were none.
func (s *Segmenter) tell(o *media.Object) error {
	if err := s.clock.times.Read(o); err != nil {
		return s.refuse(s.clock.info.Name, o.Location, err)
	}
	s.clock.heard = s.clock.heard || len(o.Payload) > 0
	return nil
}

// untold reports whether somebody may still tell what time it is.
func (s *Segmenter) untold() bool { return s.clock != nil && !s.clock.heard && s.anchor() == nil }

// wall is the Unix time at media time zero, in seconds, as the stream tells it of the media at some time: the catalog, or else a media
// timeline. nil: neither does. exact is false if instances may differ in it.
func (s *Segmenter) wall(at int64, timescale uint32) (wall *big.Rat, exact bool) {
	if wall := s.anchor(); wall != nil || s.clock == nil {
		return wall, true
	}
	ms, ok := s.clock.times.Began(rescale(at, timescale) / (hertz / 1000))
	if !ok {
		return nil, false
	}
	return big.NewRat(ms, 1000), false
}

// anchor is what the catalog says of that: of the first track of which it does, so that all tracks and all instances go by the same.
func (s *Segmenter) anchor() *big.Rat {
	for _, t := range s.tracks {
		if t.info != nil && !t.info.Anchor.IsZero() {
			return big.NewRat(t.info.Anchor.UnixNano(), int64(time.Second))
		}
	}
	return nil
}

// Enough reports whether the track need not be followed any more, although the catalog lists it: a media timeline that has said what
// time it is. It tells of its whole past with every group.
func (s *Segmenter) Enough(track string) bool {
	return s.clock != nil && s.clock.info.Name == track && s.clock.heard && s.joined
}

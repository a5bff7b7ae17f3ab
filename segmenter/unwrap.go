package segmenter

import (
	"errors"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// reader unwraps the objects of a track, each once and in order. What it returns is of the object, or of objects before it that
// had to wait for this one; the end of a track lets go of all that waits.
type reader interface {
	Read(dst []demux.Unit, o *media.Object) []demux.Unit
}

// open returns the reader for a track as the catalog describes it, and its header if that is known already.
func open(info *media.Track) (r reader, h *demux.Header, err error) {
	switch info.Packaging {
	case media.CMAF:
		r, h, err = demux.NewChunks(info)
	case media.LOCMAF:
		r, h, err = demux.NewLOCMAF(info)
	case media.LOC, media.Legacy, media.MoqMI:
		r, h, err = demux.NewFrames(info)
	case media.EventTimeline:
		r = demux.NewEvents()
	default:
		err = fmt.Errorf("packaging %q is not supported", info.Packaging)
	}
	return r, h, err
}

// header is what a reader says of its track and the canonical header for it, or why there is none.
type header struct {
	of   *demux.Header
	init *media.Init
	err  error
}

// headerOf makes the canonical header of a track that the catalog says is of a kind.
func headerOf(of *demux.Header, kind media.Kind) header {
	init, err := mux.Init(of)
	if err == nil && init.Kind != kind {
		err = fmt.Errorf("the header is of %s, the catalog says %s", init.Kind, kind)
	}
	if err != nil {
		return header{of: of, err: err}
	}
	return header{of: of, init: init}
}

// wrapping is how a track's objects are read from some object on.
type wrapping struct {
	reader reader
	header header
}

// unit is what an object says, without its wrapping.
type unit struct {
	loc     media.Location
	lost    bool // objects before this one are missing
	doubt   bool // or may be: media time decides
	last    bool // the group ends with this one
	ended   bool // so does the track
	init    *media.Init
	samples []media.Sample
	said    []demux.Message
	wall    int64 // milliseconds of Unix time when the object was sent; 0 unknown
	size    int   // bytes of the object
	err     error // why there are none
}

var errOrder = errors.New("decode times of the object's samples do not follow each other")

// unwrap reads an object. It may complete objects before it, or wait for the next one itself. A track without a header yet gives
// no samples and no error in the middle of a group: after a join, the next group brings it.
func (t *track) unwrap(dst []unit, o *media.Object) []unit {
	if t.next != nil && o.Group != t.group {
		dst = t.drain(dst)
		t.wrapping, t.next = *t.next, nil
	}
	t.group = o.Group
	if t.reader == nil {
		return dst
	}
	t.read = t.reader.Read(t.read[:0], o)
	return t.accept(dst, t.read)
}

// drain lets go of what waits for an object that will not come, or not from the same reader.
func (t *track) drain(dst []unit) []unit {
	if t.reader == nil {
		return dst
	}
	t.read = t.reader.Read(t.read[:0], &media.Object{Location: media.Location{Group: t.group}, Status: media.EndOfTrack})
	return t.accept(dst, t.read[:len(t.read)-1])
}

func (t *track) accept(dst []unit, read []demux.Unit) []unit {
	for i := range read {
		r := &read[i]
		u := unit{loc: r.Location, lost: r.Lost, doubt: r.Doubt, samples: r.Samples, said: r.Messages, wall: r.Wall, size: r.Size, err: r.Err}
		u.ended = r.Status == media.EndOfTrack
		u.last = r.Last || r.Status == media.EndOfGroup || u.ended
		if r.Header != nil && r.Header != t.header.of {
			t.header, t.next = headerOf(r.Header, t.info.Kind), nil
		}
		if u.init = t.header.init; u.err == nil && len(u.samples) > 0 {
			u.err = t.header.err
		}
		if u.err == nil && t.text == nil { // text may be silent, and may be repeated
			u.err = u.check()
		}
		dst = append(dst, u)
	}
	return dst
}

// check reports samples whose decode times run back or leave large holes.
func (u *unit) check() error {
	for i := 1; i < len(u.samples); i++ {
		before, s := &u.samples[i-1], &u.samples[i]
		if s.DTS <= before.DTS || s.DTS-before.DTS-int64(before.Dur) > int64(u.init.Timescale) {
			return errOrder
		}
	}
	return nil
}

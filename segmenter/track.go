package segmenter

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// track is one track of the broadcast, from its objects to its timeline.
type track struct {
	info   *media.Track // replaced, never changed: Output refers to it
	header header       // in force
	next   *header      // from a newer catalog, from the next group on
	group  uint64       // of the newest object
	gauge  gauge
	lag    *big.Rat // seconds of clock minus media time at the live edge, from the objects before the plan; nil: none
	done   bool     // ended or stopped: what still comes is ignored,
	again  bool     // unless a newer catalog lists the track again

	line    *timeline.Timeline // nil until the track is planned, unless it has a past
	epoch   int                // index of the epoch that line is in; -1 before the first
	base    base               // of that epoch
	stored  string             // digest of the header that was put last
	started bool               // cut is in use
	cut     cut
	rejoins bool               // line has a past that ends before the first segment to come
	lent    []timeline.Segment // published by another instance meanwhile
	suspect *unit              // a jump in time that the next object must confirm
	landing *landing           // after one that was confirmed
	doubt   bool               // an object was dropped: unless the next one follows on, media is missing
}

// header is a publisher's CMAF header and the canonical one, or why there is none.
type header struct {
	raw   []byte
	demux *demux.CMAF
	init  *media.Init
	err   error
}

func readHeader(raw []byte) (header, error) {
	d, err := demux.NewCMAF(raw)
	if err != nil {
		return header{}, err
	}
	init, err := mux.Init(d)
	if err != nil {
		return header{}, err
	}
	return header{raw: raw, demux: d, init: init}, nil
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
}

var (
	errOrder   = errors.New("decode times of the object's samples do not follow each other")
	errOverlap = errors.New("the object begins before the one before it ends")
	errJump    = errors.New("the object's time is far from that of the objects around it")
)

// describe takes what the catalog says of the track.
func (t *track) describe(info *media.Track) error {
	if len(info.Init) > 0 && !bytes.Equal(info.Init, t.header.raw) {
		h, err := readHeader(info.Init)
		switch {
		case err != nil:
			return err
		case h.init.Kind != info.Kind:
			return fmt.Errorf("the header is of %s, the catalog says %s", h.init.Kind, info.Kind)
		case t.header.demux == nil:
			t.header = h
		default:
			t.next = &h
		}
	}
	if t.info != nil && info.Bitrate == 0 { // what was measured stays
		info.Bitrate, info.AvgBitrate = t.info.Bitrate, t.info.AvgBitrate
	}
	t.info, t.again = info, t.done
	return nil
}

// read unwraps an object. The samples are appended to buf. A track without a header yet gives no samples and no error: after a
// join, the next group brings it.
func (t *track) read(o *media.Object, buf []media.Sample) (unit, error) {
	u := unit{loc: o.Location, lost: o.Lost, doubt: o.Doubt, init: t.header.init}
	u.ended = o.Status == media.EndOfTrack
	u.last = o.Last || o.Status == media.EndOfGroup || u.ended
	newGroup := o.Group != t.group
	t.group = o.Group
	if o.Status != media.Normal || len(o.Payload) == 0 {
		return u, nil
	}
	if t.next != nil && newGroup {
		t.header, t.next = *t.next, nil
	}
	init, rest, err := demux.Head(o.Payload)
	if err != nil {
		return u, err
	}
	if init != nil && !bytes.Equal(init, t.header.raw) {
		// The payload is not kept for the sake of its head. What follows a header that is refused must not be read by the one
		// before.
		raw := bytes.Clone(init)
		h, err := readHeader(raw)
		if err == nil && h.init.Kind != t.info.Kind {
			err = fmt.Errorf("the header is of %s, the catalog says %s", h.init.Kind, t.info.Kind)
		}
		if err != nil {
			h = header{raw: raw, err: err}
		}
		t.header, t.next = h, nil
	}
	u.init = t.header.init
	if t.header.err != nil {
		return u, t.header.err
	}
	if t.header.demux == nil || len(rest) == 0 {
		return u, nil
	}
	if u.samples, err = t.header.demux.Samples(buf, rest); err != nil {
		return u, err
	}
	for i := 1; i < len(u.samples); i++ {
		before, s := &u.samples[i-1], &u.samples[i]
		if s.DTS <= before.DTS || s.DTS-before.DTS-int64(before.Dur) > int64(u.init.Timescale) {
			return u, errOrder
		}
	}
	return u, nil
}

// date notes how far the clock is ahead of media time. Of the objects that come in a burst when a track is joined, the newest is
// the one that tells: it was made just now.
func (t *track) date(now time.Time, u *unit) {
	if len(u.samples) == 0 {
		return
	}
	last := &u.samples[len(u.samples)-1]
	if lag := behind(now, last.DTS+int64(last.Dur), u.init.Timescale); t.lag == nil || lag.Cmp(t.lag) < 0 {
		t.lag = lag
	}
}

// behind is the seconds from at, in ticks, to now.
func behind(now time.Time, at int64, timescale uint32) *big.Rat {
	clock := big.NewRat(now.UnixNano(), int64(time.Second))
	return clock.Sub(clock, big.NewRat(at, int64(timescale)))
}

// dated reports whether media time is Unix time, as far as anyone can tell.
func (t *track) dated() bool {
	return t.lag == nil || new(big.Rat).Abs(t.lag).Cmp(seconds(unixTolerance)) <= 0
}

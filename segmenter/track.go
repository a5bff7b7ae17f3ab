package segmenter

import (
	"bytes"
	"errors"
	"math/big"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// track is one track of the broadcast, from its objects to its timeline.
type track struct {
	info *media.Track // replaced, never changed: Output refers to it
	wrapping
	next  *wrapping    // from a newer catalog, from the next group on
	group uint64       // of the newest object
	read  []demux.Unit // for reuse
	gauge gauge
	lag   *big.Rat // seconds of clock minus media time at the live edge, from the objects before the plan; nil: none
	done  bool     // ended or stopped: what still comes is ignored,
	again bool     // unless a newer catalog lists the track again

	line      *timeline.Timeline // nil until the track is planned, unless it has a past
	from      uint64             // as Rendition.From, once it is
	announced bool               // in an Output
	epoch     int                // index of the epoch that line is in; -1 before the first
	base      base               // of that epoch
	stored    string             // digest of the header that was put last
	started   bool               // cut is in use
	cut       cut
	rejoins   bool               // line has a past that ends before the first segment to come
	lent      []timeline.Segment // published by another instance meanwhile
	text      *text              // of a track of subtitles; nil of others
	suspect   *unit              // a jump in time that the next object must confirm
	landing   *landing           // after one that was confirmed
	doubt     bool               // an object was dropped: unless the next one follows on, media is missing
	places    []place            // where its newest objects lie in time, in order; if there are event timelines
}

func newTrack(kind media.Kind) *track {
	t := &track{epoch: -1}
	if kind == media.Text {
		t.text = &text{}
	}
	return t
}

var (
	errOverlap = errors.New("the object begins before the one before it ends")
	errJump    = errors.New("the object's time is far from that of the objects around it")
)

// describe takes what the catalog says of the track. What it says anew of how to read it holds from the next group on.
func (t *track) describe(info *media.Track) error {
	if t.reader == nil || !sameWrapping(t.info, info) {
		r, h, err := open(info)
		if err != nil {
			return err
		}
		w := wrapping{reader: r}
		if h != nil {
			if w.header = headerOf(h, info.Kind); w.header.err != nil {
				return w.header.err
			}
		}
		if t.reader == nil {
			t.wrapping = w
		} else {
			t.next = &w
		}
	}
	if t.info != nil && info.Bitrate == 0 { // what was measured stays
		info.Bitrate, info.AvgBitrate = t.info.Bitrate, t.info.AvgBitrate
	}
	t.info, t.again = info, t.done
	return nil
}

// sameWrapping reports whether objects that are described by a are read as those described by b are.
func sameWrapping(a, b *media.Track) bool {
	return a.Packaging == b.Packaging && a.Codec == b.Codec && bytes.Equal(a.Init, b.Init) && bytes.Equal(a.Config, b.Config) &&
		a.Timescale == b.Timescale && a.FrameRate == b.FrameRate && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}

// date notes how far the clock is ahead of media time. Of the objects that come in a burst when a track is joined, the newest is
// the one that tells: it was made just now.
func (t *track) date(now time.Time, u *unit) {
	if len(u.samples) == 0 {
		return
	}
	last := &u.samples[len(u.samples)-1]
	if lag := behind(u.clock(now), last.DTS+int64(last.Dur), u.init.Timescale); t.lag == nil || lag.Cmp(t.lag) < 0 {
		t.lag = lag
	}
}

// clock is what time it was when the object was sent, as it says itself, or now.
func (u *unit) clock(now time.Time) time.Time {
	if u.wall > 0 {
		if sent := time.UnixMilli(u.wall); sent.Sub(now).Abs() <= unixTolerance {
			return sent
		}
	}
	return now
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

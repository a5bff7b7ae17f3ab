package demux

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/moqpack/moqpack/internal/media"
)

// videoTimescale is that of video whose packaging has none that all its objects agree on.
const videoTimescale = 90000

// frame is what an object holds in a packaging that leaves the bitstream bare.
type frame struct {
	time   uint64 // of presentation, in units of 1/scale s
	scale  uint64
	config []byte // decoder configuration; nil: none with this object
	data   []byte // the access unit

	// Of moq-mi, which says them with every object.
	codec          string
	exact          bool // decode and lasts are known
	decode, lasts  uint64
	rate, channels uint64 // of audio
	wall           uint64 // milliseconds of Unix time; 0 unknown
}

// Frames reads the objects of a track whose packaging leaves the bitstream bare: LOC, hang's legacy container and moq-mi.
//
// What such a packaging does not say follows from the bitstream and the time of presentation alone, object for object, so that
// all who saw a group from its start make the same of it: header (codec.go), decode times and durations (timing.go).
type Frames struct {
	track  *media.Track
	unwrap func(t *media.Track, o *media.Object) (frame, error)
	codec  codec
	said   frame  // what objects have said of the codec
	config []byte // taken last
	stream *stream
	header *Header
	timing timing
	timed  *media.Track // track in the timescale that an object of the group has said; nil: none has
	group  uint64
}

// NewFrames returns the reader for a track as the catalog describes it, and its header if that is known already.
func NewFrames(t *media.Track) (*Frames, *Header, error) {
	f := &Frames{track: t}
	switch t.Packaging {
	case media.LOC:
		f.unwrap = loc
	case media.Legacy:
		f.unwrap = legacy
	case media.MoqMI:
		f.unwrap = moqmi
		return f, nil, nil
	default:
		return nil, nil, fmt.Errorf("packaging %q is not supported", t.Packaging)
	}
	var err error
	if f.codec, err = codecOf(t); err != nil {
		return nil, nil, err
	}
	f.timing.rate = parseRate(t.FrameRate)
	if len(t.Config) > 0 {
		if err := f.configure(t.Config); err != nil {
			return nil, nil, fmt.Errorf("decoder configuration in the catalog: %w", err)
		}
	}
	return f, f.header, nil
}

// Read returns what an object completes: what it holds, and frames before it that had to wait for their successor.
func (f *Frames) Read(dst []Unit, o *media.Object) []Unit {
	t := &f.timing
	t.dst = dst
	if o.Lost || o.Doubt {
		t.settle()
	}
	u := begin(o)
	if u.Err = f.read(&u, o); u.Err != nil {
		t.settle() // what comes next is not known to follow
	}
	if len(u.Samples) == 0 {
		t.mark(u)
	}
	dst, t.dst = t.dst, nil
	return dst
}

// read takes the object's frame into the timing.
func (f *Frames) read(u *Unit, o *media.Object) error {
	u.Header = f.header
	if config := content(o.Properties, propInit); len(config) > 0 && f.codec != nil {
		if err := f.configure(config); err != nil {
			return err
		}
	}
	if o.Status != media.Normal || len(o.Payload) == 0 {
		if o.Status == media.EndOfTrack {
			f.timing.settle()
		}
		return nil
	}
	fr, err := f.unwrap(f.clock(o), o)
	if err != nil {
		return err
	}
	if err := f.choose(&fr); err != nil {
		return err
	}
	if len(fr.config) > 0 {
		if err := f.configure(fr.config); err != nil {
			return err
		}
	}
	if len(fr.data) == 0 {
		return nil // so moq-dev ends a group of video: it says no more than when the last frame ends
	}
	a, err := f.codec.read(fr.data)
	if err == errNoHeader && o.Object > 0 {
		return nil // joined within a group: the next one begins with it
	}
	if err != nil {
		return err
	}
	f.describe(&fr)
	u.Header, u.Wall = f.header, int64(fr.wall)
	return f.place(u, &fr, &a)
}

// clock is the track in the timescale of the object's group. aiomoqt says it with the first object alone, although without it the
// others' timestamps are microseconds (draft-ietf-moq-loc, "Timescale").
func (f *Frames) clock(o *media.Object) *media.Track {
	if scale, ok := value(o.Properties, propTimescale); ok && scale <= math.MaxUint32 {
		if f.timed == nil || f.timed.Timescale != uint32(scale) {
			t := *f.track
			t.Timescale = uint32(scale)
			f.timed = &t
		}
		f.group = o.Group
	}
	if f.timed == nil || f.group != o.Group {
		return f.track
	}
	return f.timed
}

// configure takes a decoder configuration, unless it is the one that was taken last.
func (f *Frames) configure(config []byte) error {
	if string(config) == string(f.config) {
		return nil
	}
	if err := f.codec.configure(config); err != nil {
		return err
	}
	f.config = append([]byte(nil), config...)
	f.describe(&frame{})
	return nil
}

// choose begins with the codec of an object, where the object says it.
func (f *Frames) choose(fr *frame) (err error) {
	if fr.codec == "" || fr.codec == f.said.codec && fr.rate == f.said.rate && fr.channels == f.said.channels {
		return nil
	}
	t := media.Track{Kind: f.track.Kind, Packaging: f.track.Packaging, Codec: fr.codec, SampleRate: int(fr.rate), Channels: fmt.Sprint(fr.channels)}
	c, err := codecOf(&t)
	if err != nil {
		return err
	}
	f.codec, f.config, f.said = c, nil, frame{codec: fr.codec, rate: fr.rate, channels: fr.channels}
	return nil
}

// describe makes a new header if the stream has changed.
func (f *Frames) describe(fr *frame) {
	s := f.codec.stream()
	if s == nil {
		return
	}
	timescale := s.timescale
	switch {
	case timescale > 0:
	case fr.exact:
		timescale = uint32(fr.scale)
	default:
		timescale = videoTimescale
	}
	if s == f.stream && timescale == f.header.Timescale {
		return
	}
	f.timing.settle()
	f.stream = s
	f.header = &Header{Kind: f.track.Kind, Timescale: timescale, Language: undetermined, Entry: s.entry, Codec: f.track.Codec}
	f.timing.header(timescale, s)
}

// undetermined is the language "und" as packed in mdhd: these packagings have none, and the catalog's goes into manifests.
const undetermined = ('u'-0x60)<<10 | ('n'-0x60)<<5 | 'd' - 0x60

// place gives a frame its time.
func (f *Frames) place(u *Unit, fr *frame, a *access) error {
	scale := uint64(f.header.Timescale)
	at, ok := ticks(fr.time, fr.scale, scale)
	if !ok {
		return fail(0, fmt.Sprintf("timestamp %d in units of 1/%d s is out of range", fr.time, fr.scale))
	}
	u.Samples = []media.Sample{{DTS: at, Sync: a.sync, Data: a.data, Dur: a.dur}} // it may wait
	switch s := &u.Samples[0]; {
	case f.header.Kind != media.Video:
		f.timing.pass(*u)
	case fr.exact:
		decode, ok := ticks(fr.decode, fr.scale, scale)
		lasts, fine := ticks(fr.lasts, fr.scale, scale)
		if offset := at - decode; !ok || !fine || lasts == 0 || max(lasts, absolute(offset)) > min(maxSample*int64(scale), math.MaxInt32) {
			u.Samples = nil
			return fail(0, fmt.Sprintf("decode time %d, presentation time %d and duration %d do not fit together", fr.decode, fr.time, fr.lasts))
		}
		s.CTO, s.DTS, s.Dur = int32(at-decode), decode, uint32(lasts)
		f.timing.pass(*u)
	default:
		return f.timing.add(u)
	}
	return nil
}

func absolute(v int64) int64 { return max(v, -v) }

// ticks converts a time to another timescale, rounded to the nearest: each time for itself, so that errors do not add up.
func ticks(t, from, to uint64) (int64, bool) {
	if from == 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(t, to)
	lo, carry := bits.Add64(lo, from/2, 0)
	hi += carry
	if hi >= from {
		return 0, false
	}
	v, _ := bits.Div64(hi, lo, from)
	return int64(v), v <= maxTime
}

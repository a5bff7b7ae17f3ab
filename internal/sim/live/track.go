package live

import (
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// Track is one track of a broadcast.
type Track struct {
	Name     string
	Label    string
	Language string // BCP 47; empty: the clip's
	Clip     *Clip
	Packing  Packing
	Delivery Delivery
	AltGroup int // tracks of one group may be switched between; 0 none
}

// Delivery says how objects travel.
type Delivery uint8

// The ways that publishers use.
const (
	Groups    Delivery = iota // one stream for each group
	Streams                   // one stream for each object
	Datagrams                 // one datagram for each object, and a stream for those that are too large
)

// Source is a track in time. Its media time 0 is at the epoch; a group lasts as long as the clip's, and a frame belongs to the
// group in which it starts: group g begins with frame ceil(g*Group/Frame).
type Source struct {
	Track
	epoch time.Time
	init  []byte
}

// NewSource places a track in time. The zero epoch is that of Unix, so that media time is Unix time.
func NewSource(t Track, epoch time.Time) (*Source, error) {
	if epoch.IsZero() {
		epoch = time.Unix(0, 0)
	}
	t.Packing.Frames = max(1, t.Packing.Frames)
	if t.Packing.isBare() {
		t.Packing.Frames = 1
	}
	if t.Packing.As == media.MoqMI && t.Clip.Kind == media.Audio { // a group for each frame
		c := *t.Clip
		c.Group = c.Frame
		t.Clip = &c
	}
	init, err := t.Packing.header(t.Clip)
	if err != nil {
		return nil, fmt.Errorf("track %s: %w", t.Name, err)
	}
	return &Source{Track: t, epoch: epoch, init: init}, nil
}

// Init is the CMAF header.
func (s *Source) Init() []byte { return s.init }

// begin is the first frame of a group.
func (s *Source) begin(group uint64) int64 {
	f := int64(s.Clip.Frame)
	return (int64(group)*int64(s.Clip.Group) + f - 1) / f
}

// Objects is the number of objects in a group.
func (s *Source) Objects(group uint64) uint64 {
	frames := s.begin(group+1) - s.begin(group)
	n := int64(s.Packing.Frames)
	return uint64((frames + n - 1) / n)
}

// frames are those of one object: from begin up to, but without, end.
func (s *Source) frames(l media.Location) (begin, end int64) {
	begin = s.begin(l.Group) + int64(l.Object)*int64(s.Packing.Frames)
	return begin, min(begin+int64(s.Packing.Frames), s.begin(l.Group+1))
}

// Has reports whether there is, was or will be an object at this location.
func (s *Source) Has(l media.Location) bool { return l.Object < s.Objects(l.Group) }

// Next is the location of the object after the one at l.
func (s *Source) Next(l media.Location) media.Location {
	if l.Object+1 < s.Objects(l.Group) {
		return media.Location{Group: l.Group, Object: l.Object + 1}
	}
	return media.Location{Group: l.Group + 1}
}

// Due is when an object can first exist: when its last frame ends.
func (s *Source) Due(l media.Location) time.Time {
	_, end := s.frames(l)
	return s.wall(end)
}

// wall is when a frame starts, rounded up.
func (s *Source) wall(k int64) time.Time {
	ticks, scale := k*int64(s.Clip.Frame), int64(s.Clip.Timescale)
	rest := (ticks%scale*int64(time.Second) + scale - 1) / scale
	return time.Unix(s.epoch.Unix()+ticks/scale, int64(s.epoch.Nanosecond())+rest)
}

// Shown is when an object's first frame is shown, as Unix time in microseconds.
func (s *Source) Shown(l media.Location) int64 {
	h := s.chunk(l)
	return int64(h.micros(s.Clip, h.begin*int64(s.Clip.Frame)+int64(s.Clip.at(h.begin).cto)))
}

// Largest is the newest object that is due; ok is false before the first.
func (s *Source) Largest(now time.Time) (l media.Location, ok bool) {
	ended := s.ended(now)
	if ended <= 0 {
		return l, false
	}
	l.Group = uint64((ended - 1) * int64(s.Clip.Frame) / int64(s.Clip.Group))
	have := ended - s.begin(l.Group)
	switch {
	case ended == s.begin(l.Group+1):
		l.Object = s.Objects(l.Group) - 1
	case have >= int64(s.Packing.Frames):
		l.Object = uint64(have/int64(s.Packing.Frames)) - 1
	case l.Group == 0:
		return l, false
	default:
		l.Group--
		l.Object = s.Objects(l.Group) - 1
	}
	return l, true
}

// ended is the number of frames that have ended since the epoch.
func (s *Source) ended(now time.Time) int64 {
	seconds, nanos := now.Unix()-s.epoch.Unix(), int64(now.Nanosecond()-s.epoch.Nanosecond())
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+int64(time.Second)
	}
	if seconds < 0 {
		return 0
	}
	scale := int64(s.Clip.Timescale)
	return (seconds*scale + nanos*scale/int64(time.Second)) / int64(s.Clip.Frame)
}

// Payload is the content of the object at l.
func (s *Source) Payload(l media.Location) ([]byte, error) {
	o, err := s.Object(l)
	return o.Payload, err
}

// Object is the object at l.
func (s *Source) Object(l media.Location) (o media.Object, err error) {
	o.Location = l
	if o.Properties, o.Payload, err = s.content(l); err != nil {
		return o, fmt.Errorf("track %s: object %d of group %d: %w", s.Name, l.Object, l.Group, err)
	}
	return o, nil
}

func (s *Source) content(l media.Location) ([]media.Property, []byte, error) {
	h := s.chunk(l)
	switch {
	case h.begin >= h.end:
		return nil, nil, fmt.Errorf("there is none")
	case s.Packing.isBare():
		return s.Packing.bare(s.Clip, h)
	case s.Packing.As == media.LOCMAF:
		before := h
		if l.Object > 0 {
			before = s.chunk(media.Location{Group: l.Group, Object: l.Object - 1})
		}
		p, err := s.Packing.compact(s.Clip, s.init, before, h)
		return nil, p, err
	}
	p, err := s.Packing.encode(s.Clip, h)
	if err == nil && s.Packing.Init && h.first {
		p = append(append([]byte{}, s.init...), p...)
	}
	return nil, p, err
}

func (s *Source) chunk(l media.Location) chunk {
	begin, end := s.frames(l)
	return chunk{l.Group, l.Object == 0, begin, end, s.wall(begin), s.epoch}
}

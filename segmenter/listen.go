package segmenter

import (
	"cmp"
	"errors"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// listener is an event timeline: a track without media.
type listener struct {
	info    *media.Track
	records *demux.Records
}

// told is a message that waits until somebody can say when it happens.
type told struct {
	from string
	loc  media.Location
	msg  demux.Message
}

// place is where an object of media lies.
type place struct {
	loc media.Location
	at  int64 // milliseconds of Unix time
}

// Bounds of what is remembered for event timelines.
const (
	maxWaiting = 256
	maxPlaces  = 512 // of a track
)

var errNoTime = errors.New("nobody has said yet when that is, and too many others wait for it")

// listenersOf are those of the tracks that are event timelines. Who was one before goes on.
func (s *Segmenter) listenersOf(tracks []media.Track) (list []*listener) {
	for i := range tracks {
		info := tracks[i]
		if info.Kind != media.Events || info.Packaging != media.EventTimeline {
			continue
		}
		l := s.listener(info.Name)
		if l == nil || l.info.EventType != info.EventType {
			l = &listener{records: demux.NewRecords(&info)}
		}
		l.info = &info
		list = append(list, l)
	}
	return list
}

func (s *Segmenter) listener(name string) *listener {
	for _, l := range s.listeners {
		if l.info.Name == name {
			return l
		}
	}
	return nil
}

// listen takes what is new in an object of an event timeline.
func (s *Segmenter) listen(l *listener, o *media.Object) error {
	messages, err := l.records.Read(o)
	if err != nil {
		return s.refuse(l.info.Name, o.Location, err)
	}
	for i := range messages {
		if e := messages[i].Err; e != nil {
			err = join(err, s.refuse(l.info.Name, o.Location, e))
			continue
		}
		if s.waiting = append(s.waiting, told{l.info.Name, o.Location, messages[i]}); len(s.waiting) > maxWaiting {
			err = join(err, s.refuse(l.info.Name, s.waiting[0].loc, errNoTime))
			s.waiting = s.waiting[1:]
		}
	}
	return join(err, s.place())
}

// hear takes what an object says beside its media, and notes where it lies.
func (s *Segmenter) hear(t *track, u *unit) (err error) {
	c := &t.cut
	first := rescale(u.earliest(), c.timescale)
	if len(s.listeners) > 0 {
		t.lies(place{u.loc, s.millis(first, c.base)})
	}
	var news []timeline.Event
	for i := range u.said {
		m := &u.said[i]
		if m.Err != nil {
			err = join(err, s.refuse(t.info.Name, u.loc, m.Err))
			continue
		}
		at := rescale(m.At, m.Timescale)
		if m.Index == demux.ByDelta {
			at += first
		}
		list, e := s.eventsOf(m, s.millis(at, c.base), s.millis(first, c.base), c.base)
		if news = append(news, list...); e != nil {
			err = join(err, s.refuse(t.info.Name, u.loc, e))
		}
	}
	if s.happen(news) && s.output.Load() != nil {
		s.announce()
	}
	return err
}

// earliest is the time of the sample that is shown first: the decoder may get others before it.
func (u *unit) earliest() int64 {
	at := u.samples[0].PTS()
	for i := range u.samples {
		at = min(at, u.samples[i].PTS())
	}
	return at
}

// lies remembers where an object of t lies. What came before a publisher counted from anew is forgotten.
func (t *track) lies(p place) {
	n := len(t.places)
	switch {
	case n > 0 && !t.places[n-1].loc.Before(p.loc):
		t.places = t.places[:0]
	case n == maxPlaces:
		t.places = slices.Delete(t.places, 0, maxPlaces/2)
	}
	t.places = append(t.places, p)
}

// place gives the messages that wait their time, as far as that is known by now.
func (s *Segmenter) place() (err error) {
	if len(s.waiting) == 0 || !s.settled || len(s.epochs) == 0 {
		return nil
	}
	reached, _, ok := s.lead()
	if !ok {
		return nil
	}
	var news []timeline.Event
	s.waiting = slices.DeleteFunc(s.waiting, func(w told) bool {
		at, on, verdict := s.when(&w, reached)
		var e error
		if verdict == nil {
			var list []timeline.Event
			list, e = s.eventsOf(&w.msg, at, s.plan.Grid.Start(uint64(max(reached, 0)), 1000), on)
			news = append(news, list...)
		} else if !errors.Is(verdict, errWait) && !errors.Is(verdict, errOver) {
			e = verdict
		}
		if e != nil {
			err = join(err, s.refuse(w.from, w.loc, e))
		}
		return !errors.Is(verdict, errWait)
	})
	if s.happen(news) {
		s.announce()
	}
	return err
}

// Verdicts on a message that has no time: it is still to come, or long past.
var (
	errWait = errors.New("its object has not come yet")
	errOver = errors.New("its object has been forgotten")
)

// when is the time of a message in milliseconds of Unix time, and the base that media has then.
func (s *Segmenter) when(w *told, reached int64) (at int64, on base, err error) {
	newest := s.epochs[len(s.epochs)-1].base
	switch w.msg.Index {
	case demux.ByWall:
		return w.msg.At, newest, nil
	case demux.ByPlace:
		at, err := s.placeOf(w)
		return at, newest, err
	}
	t := rescale(w.msg.At, w.msg.Timescale)
	if isSCTE(w.msg.Scheme) {
		t = nearest(t, s.plan.Grid.Start(uint64(max(reached, 0)), hertz)-newest.origin(s.plan.Grid, hertz))
	}
	slot := int64(s.plan.Grid.Slot(t, hertz))
	for i := len(s.epochs) - 1; i >= 0; i-- {
		e := &s.epochs[i]
		if n := slot + e.base.shift; (n+1 >= e.from || i == 0) && n <= reached+s.slots(farEvent) {
			return s.millis(t, e.base), e.base, nil
		}
	}
	return 0, newest, errEventTime
}

// placeOf is when the object is shown that a message refers to.
func (s *Segmenter) placeOf(w *told) (int64, error) {
	var about []string
	if l := s.listener(w.from); l != nil {
		about = l.info.Depends
	}
	verdict := errWait
	for _, t := range s.tracks {
		if len(about) > 0 && !slices.Contains(about, t.info.Name) {
			continue
		}
		i, found := slices.BinarySearchFunc(t.places, w.msg.Place, func(p place, at media.Location) int {
			return cmp.Or(cmp.Compare(p.loc.Group, at.Group), cmp.Compare(p.loc.Object, at.Object))
		})
		switch {
		case found:
			return t.places[i].at, nil
		case i < len(t.places): // it was passed over, or came before all that is remembered
			verdict = errOver
		}
	}
	return 0, verdict
}

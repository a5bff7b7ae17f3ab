package segmenter

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// hertz is what times of events are computed in: the clock of SCTE 35.
const hertz = 90000

// Bounds of events.
const (
	maxEvents     = 4096
	maxEventBytes = 1 << 20     // of data, in all: every document lists it
	farEvent      = time.Hour   // how far ahead of the media an event may be announced
	lateEvent     = time.Hour   // how long an event may go on that has no end
	preRoll       = time.Minute // how long before a splice its message may come with the time at which it came
)

var errEventTime = errors.New("the time of the event is not that of the broadcast")

// isSCTE reports whether times of a scheme are those of a transport stream, which begin anew every 26.5 hours.
func isSCTE(scheme string) bool { return strings.HasPrefix(scheme, "urn:scte:scte35:") }

// rescale is t in hertz, rounded down.
func rescale(t int64, timescale uint32) int64 {
	scale := int64(timescale)
	whole, rest := t/scale, t%scale
	if rest < 0 {
		whole, rest = whole-1, rest+scale
	}
	return whole*hertz + rest*hertz/scale
}

// millis is media time in milliseconds of Unix time, rounded down as documents do.
func (s *Segmenter) millis(at int64, on base) int64 {
	const perMilli = hertz / 1000
	t := at + on.origin(s.plan.Grid, hertz)
	if t < 0 {
		t -= perMilli - 1
	}
	return t / perMilli
}

// nearest is the time nearest to edge that the clock of a transport stream shows as t.
func nearest(t, edge int64) int64 {
	d := (t - edge) % demux.PTSPeriod
	switch {
	case d > demux.PTSPeriod/2:
		d -= demux.PTSPeriod
	case d < -demux.PTSPeriod/2:
		d += demux.PTSPeriod
	}
	return edge + d
}

// eventsOf are what a message tells of that is of the time start. on is the base of the media then, and edge is how far the media has
// come. All times are in milliseconds of Unix time.
func (s *Segmenter) eventsOf(m *demux.Message, start, edge int64, on base) (list []timeline.Event, err error) {
	if strings.HasPrefix(m.Scheme, "urn:mpeg:dash:event:") {
		return nil, nil // it is to the players of a DASH presentation that is not ours: to load its MPD anew, or that it has ended
	}
	data, isSplice, err := demux.SpliceOf(m)
	if err != nil {
		return nil, err
	}
	if !isSplice {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", m.Scheme, m.Value, m.ID, m.Data))
		return s.append(nil, timeline.Event{
			Start: start, Dur: rescale(m.Dur, m.Timescale) / (hertz / 1000), ID: fmt.Sprintf("%x-%d", sum[:4], start),
			Scheme: m.Scheme, Value: m.Value, Data: m.Data, Known: edge,
		})
	}
	section, signals, err := demux.Splice(data)
	if err != nil {
		return nil, fmt.Errorf("SCTE 35: %w", err)
	}
	for i := range signals {
		e := s.spliceEvent(&signals[i], start, on)
		e.Data, e.Known = section, edge
		var fault error
		list, fault = s.append(list, e)
		err = join(err, fault)
	}
	return list, err
}

// spliceEvent is a signal as an event. Its own time counts if that is what the message has, or comes shortly after it: then the
// message has the time at which it was sent, and the media the clock of the transport stream.
func (s *Segmenter) spliceEvent(g *demux.Signal, start int64, on base) timeline.Event {
	if g.PTS >= 0 {
		sent := start*(hertz/1000) - on.origin(s.plan.Grid, hertz)
		if at := nearest(g.PTS, sent); at >= sent && at-sent <= int64(preRoll/time.Second)*hertz {
			start = s.millis(at, on)
		}
	}
	p, kind := timeline.Splice{Event: g.Event, Type: g.Type}, "cmd"
	switch {
	case g.Cancels:
		kind = "cancel"
	case g.Out:
		p.Cue, kind = timeline.Out, "out"
	case g.In:
		p.Cue, kind = timeline.In, "in"
	}
	return timeline.Event{
		Start: start, Dur: g.Dur / (hertz / 1000), ID: fmt.Sprintf("scte35-%d-%s-%d-%d", g.Event, kind, g.Type, start),
		Scheme: demux.SchemeSplice, Splice: &p,
	}
}

// append adds an event to a list, unless it is over.
func (s *Segmenter) append(list []timeline.Event, e timeline.Event) ([]timeline.Event, error) {
	if e.Start > e.Known+farEvent.Milliseconds()+s.plan.Grid.Start(1, 1000) {
		return list, errEventTime
	}
	if e.End() < s.oldestEvent(e.Known) {
		return list, nil
	}
	if err := e.Valid(); err != nil {
		return list, err
	}
	return append(list, e), nil
}

// oldestEvent is when events end that no document lists any more, in milliseconds of Unix time, when the media has come as far as edge.
func (s *Segmenter) oldestEvent(edge int64) int64 {
	return edge - s.plan.Grid.Start(uint64(s.plan.Window), 1000) - lateEvent.Milliseconds()
}

// happen takes events in, and reports whether there is anything new.
func (s *Segmenter) happen(news []timeline.Event) bool {
	list, added := timeline.Merge(s.happened, news)
	if len(added) == 0 {
		return false
	}
	edge, size := int64(0), 0
	for i := range added {
		edge = max(edge, added[i].Known)
	}
	for i := range list {
		size += len(list[i].Data)
	}
	oldest := s.oldestEvent(edge)
	for len(list) > maxEvents || size > maxEventBytes || list[0].End() < oldest && len(list) > 1 {
		size -= len(list[0].Data)
		list = list[1:]
	}
	s.happened = list
	return true
}

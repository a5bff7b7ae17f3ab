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

// happens takes a message in that is of the time start, and reports whether there is anything new. on is the base of the media then,
// and edge is how far the media has come. All times are in milliseconds of Unix time.
func (s *Segmenter) happens(m *demux.Message, start, edge int64, on base) (isNew bool, err error) {
	if strings.HasPrefix(m.Scheme, "urn:mpeg:dash:event:") {
		return false, nil // it is to the players of a DASH presentation that is not ours: to load its MPD anew, or that it has ended
	}
	data, isSplice, err := demux.SpliceOf(m)
	if err != nil {
		return false, err
	}
	if !isSplice {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", m.Scheme, m.Value, m.ID, m.Data))
		return s.happen(timeline.Event{
			Start: start, Dur: rescale(m.Dur, m.Timescale) / (hertz / 1000), ID: fmt.Sprintf("%x-%d", sum[:4], start),
			Scheme: m.Scheme, Value: m.Value, Data: m.Data, Known: edge,
		})
	}
	section, signals, err := demux.Splice(data)
	if err != nil {
		return false, fmt.Errorf("SCTE 35: %w", err)
	}
	for i := range signals {
		e := s.spliceEvent(&signals[i], start, on)
		e.Data, e.Known = section, edge
		added, fault := s.happen(e)
		isNew, err = isNew || added, join(err, fault)
	}
	return isNew, err
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

// happen takes an event in, unless it is known or over.
func (s *Segmenter) happen(e timeline.Event) (isNew bool, err error) {
	g := s.plan.Grid
	oldest := e.Known - g.Start(uint64(s.plan.Window), 1000) - lateEvent.Milliseconds()
	switch {
	case e.Start > e.Known+farEvent.Milliseconds()+g.Start(1, 1000):
		return false, errEventTime
	case e.End() < oldest:
		return false, nil
	}
	if err := e.Valid(); err != nil {
		return false, err
	}
	list, isNew := timeline.Insert(s.happened, e)
	if !isNew {
		return false, nil
	}
	size := 0
	for i := range list {
		size += len(list[i].Data)
	}
	for len(list) > maxEvents || size > maxEventBytes || list[0].End() < oldest && len(list) > 1 {
		size -= len(list[0].Data)
		list = list[1:]
	}
	s.happened = list
	return true, nil
}

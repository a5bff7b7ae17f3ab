package dash

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// schemeSignal is that of sections of SCTE 35 in an MPD (ANSI/SCTE 214-1, 6.7).
const (
	schemeSignal = "urn:scte:scte35:2014:xml+bin"
	nameSignal   = "http://www.scte.org/schemas/35/2016"
)

// happenings are the events of the presentation, each in the last of its periods that begins by then, as EventStreams (ISO/IEC 23009-1,
// 5.10.2). They stand in the MPD and not in the media, because media that is published never changes, and an event may be announced
// by several tracks or come late. ps and elements are of the same periods.
func happenings(p *manifest.Presentation, ps []period, elements []*mpd.Period) {
	if len(p.Events) == 0 || len(ps) == 0 {
		return
	}
	list := p.Happening(p.Oldest())
	for i := range ps {
		from, to := ps[i].start, int64(math.MaxInt64)
		if i+1 < len(ps) {
			to = ps[i+1].start
		}
		for j := range list {
			if e := &list[j]; (e.Start >= from || i == 0) && e.Start < to {
				addEvent(elements[i], from, e)
			}
		}
	}
}

// addEvent adds an event to the stream of its scheme and value. One section may announce several things; here it counts once.
func addEvent(period *mpd.Period, start int64, e *timeline.Event) {
	scheme := e.Scheme
	if e.Splice != nil {
		scheme = schemeSignal
	}
	var stream *mpd.EventStreamType
	for _, s := range period.EventStreams {
		if string(s.SchemeIdUri) == scheme && s.Value == e.Value {
			stream = s
		}
	}
	if stream == nil {
		stream = &mpd.EventStreamType{
			SchemeIdUri: mpd.AnyURI(scheme), Value: e.Value, Timescale: mpd.Ptr(uint32(1000)), PresentationTimeOffset: uint64(max(start, 0)),
		}
		period.EventStreams = append(period.EventStreams, stream)
	}
	event := element(e)
	for _, o := range stream.Events {
		if e.Splice != nil && o.Signal != nil && o.PresentationTime == event.PresentationTime && o.Signal.Binary.Value == event.Signal.Binary.Value {
			return
		}
	}
	stream.Events = append(stream.Events, event)
}

func element(e *timeline.Event) *mpd.EventType {
	sum := sha256.Sum256([]byte(e.ID))
	id := uint64(binary.BigEndian.Uint32(sum[:]))
	event := &mpd.EventType{PresentationTime: uint64(max(e.Start, 0)), Duration: uint64(e.Dur), Id: &id}
	switch {
	case e.Splice != nil:
		event.Signal = &mpd.SignalType{Binary: &mpd.BinaryType{Value: base64.StdEncoding.EncodeToString(e.Data)}}
		event.Signal.XMLName.Space, event.Signal.XMLName.Local = nameSignal, "Signal"
		event.Signal.Binary.XMLName.Space, event.Signal.Binary.XMLName.Local = nameSignal, "Binary"
	case isText(e.Data):
		event.Value = string(e.Data)
	default:
		event.ContentEncoding, event.Value = "base64", base64.StdEncoding.EncodeToString(e.Data)
	}
	return event
}

// isText reports whether XML can have the data as it is.
func isText(data []byte) bool {
	for _, c := range string(data) {
		if c < ' ' && c != '\t' && c != '\n' || c == utf8.RuneError || c == '\ufffe' || c == '\uffff' {
			return false
		}
	}
	return true
}

// known is when the newest listed event became known, in milliseconds of Unix time.
func known(p *manifest.Presentation) (ms int64) {
	for i := range p.Events {
		ms = max(ms, p.Events[i].Known)
	}
	return ms
}

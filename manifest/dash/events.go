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
		b := streams{period: elements[i], start: from, known: map[kindOf]*mpd.EventStreamType{}, told: map[section]bool{}}
		for j := range list {
			if e := &list[j]; (e.Start >= from || i == 0) && e.Start < to {
				b.add(e)
			}
		}
	}
}

// streams are the EventStreams of a period that begins at start, one for each scheme and value.
type streams struct {
	period *mpd.Period
	start  int64
	known  map[kindOf]*mpd.EventStreamType
	told   map[section]bool
}

type kindOf struct{ scheme, value string }

// section is one of SCTE 35 and its time. It may announce several things; here it counts once.
type section struct {
	of   kindOf
	at   int64
	data string
}

func (b *streams) add(e *timeline.Event) {
	of := kindOf{e.Scheme, e.Value}
	if e.Splice != nil {
		of.scheme = schemeSignal
		s := section{of, e.Start, string(e.Data)}
		if b.told[s] {
			return
		}
		b.told[s] = true
	}
	stream := b.known[of]
	if stream == nil {
		stream = &mpd.EventStreamType{
			SchemeIdUri: mpd.AnyURI(of.scheme), Value: of.value, Timescale: mpd.Ptr(uint32(1000)), PresentationTimeOffset: uint64(max(b.start, 0)),
		}
		b.known[of] = stream
		b.period.EventStreams = append(b.period.EventStreams, stream)
	}
	stream.Events = append(stream.Events, element(e))
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

// changed is when the events that are listed changed last, in milliseconds of Unix time: the newest became known, or the last one that is
// over left the window.
func changed(p *manifest.Presentation) (ms int64) {
	if over := p.Passed(p.Oldest()); over > 0 {
		ms = min(over+p.Plan.Grid.Start(uint64(p.Plan.Window), 1000), end(p))
	}
	for i := range p.Events {
		ms = max(ms, p.Events[i].Known)
	}
	return ms
}

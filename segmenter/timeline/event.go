package timeline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Event is something that happens at a time of the presentation, beside its media. It never changes.
type Event struct {
	Start int64 `json:"t"`           // milliseconds of Unix time, as segments have it
	Dur   int64 `json:"d,omitempty"` // milliseconds; 0 none or unknown. Of a splice it is what is planned.
	// ID is unique in the channel, and the same for everyone who hears of the event, from whichever track and however often.
	ID     string  `json:"id"`
	Scheme string  `json:"scheme"` // URI: what Data means
	Value  string  `json:"value,omitempty"`
	Data   []byte  `json:"data,omitempty"`
	Splice *Splice `json:"splice,omitempty"` // of a message of SCTE 35
	// Known is how far the media was when the event became known, in milliseconds of Unix time. Instances may differ in it.
	Known int64 `json:"known,omitempty"`
}

// End is the millisecond after the event, as far as the event itself says.
func (e *Event) End() int64 { return e.Start + e.Dur }

// MaxEventData bounds Data, in bytes: documents list it.
const MaxEventData = 1 << 13

// Valid reports what documents cannot be made of, if anything: events may come from a file.
func (e *Event) Valid() error {
	const latest, longest = 1 << 53, 1 << 40
	switch {
	case e.ID == "" || e.Scheme == "" || !plain(e.ID) || !plain(e.Scheme) || !plain(e.Value):
		return fmt.Errorf("%w: event %.64q: its name, scheme or value is missing, too long, or no plain text", ErrMalformed, e.ID)
	case e.Start < 0 || e.Start > latest || e.Dur < 0 || e.Dur > longest || e.Known < 0 || e.Known > latest:
		return fmt.Errorf("%w: event %q: its times are out of range", ErrMalformed, e.ID)
	case len(e.Data) > MaxEventData:
		return fmt.Errorf("%w: event %q: its data has %d bytes", ErrMalformed, e.ID, len(e.Data))
	case e.Splice != nil && e.Splice.Cue > In:
		return fmt.Errorf("%w: event %q: its splice leads nowhere", ErrMalformed, e.ID)
	}
	return nil
}

// plain reports whether a text can stand between quotes, in any document.
func plain(s string) bool {
	const longest = 512
	for _, c := range s {
		if c < ' ' || c == '"' || c == 0x7f || c == '\ufffd' || c == '\ufffe' || c == '\uffff' {
			return false
		}
	}
	return len(s) <= longest
}

// How far apart two that tell of the same event may be, in milliseconds: tracks begin their objects at different times and round their
// clocks differently. A splice that has an id is the same for longer, while what has none may well happen ten times a second.
const (
	near       = 100
	nearSplice = 500
)

// Repeats reports whether both are the same event, told twice: in several tracks, or again and again.
func (e *Event) Repeats(o *Event) bool {
	if e.ID == o.ID {
		return true
	}
	apart := max(e.Start-o.Start, o.Start-e.Start)
	if apart > nearSplice || e.Scheme != o.Scheme || e.Value != o.Value || (e.Splice == nil) != (o.Splice == nil) {
		return false
	}
	if e.Splice != nil && e.Splice.Event != 0 {
		return *e.Splice == *o.Splice // the section may count its repetitions
	}
	return apart <= near && bytes.Equal(e.Data, o.Data) && e.ID[:strings.LastIndexByte(e.ID, '-')+1] == o.ID[:strings.LastIndexByte(o.ID, '-')+1]
}

// Compare orders events by their time.
func (e *Event) Compare(o *Event) int {
	return cmp.Or(cmp.Compare(e.Start, o.Start), strings.Compare(e.ID, o.ID))
}

// Merge adds events to a list in its order, unless they are there, and returns what it has added. Of new ones that are the same the
// first in time is taken. The lists are not changed.
func Merge(list, news []Event) (merged, added []Event) {
	if len(news) == 0 {
		return list, nil
	}
	news = slices.Clone(news)
	slices.SortStableFunc(news, func(a, b Event) int { return a.Compare(&b) })
	merged = make([]Event, 0, len(list)+len(news))
	ahead := list
	for i := range news {
		e := &news[i]
		for len(ahead) > 0 && ahead[0].Compare(e) <= 0 {
			merged, ahead = append(merged, ahead[0]), ahead[1:]
		}
		if !e.amongLast(merged) && !e.amongFirst(ahead) {
			merged, added = append(merged, *e), append(added, *e)
		}
	}
	if len(added) == 0 {
		return list, nil
	}
	return append(merged, ahead...), added
}

// amongLast reports whether e is there already, in a list that ends at its time.
func (e *Event) amongLast(list []Event) bool {
	for i := len(list) - 1; i >= 0 && e.Start-list[i].Start <= nearSplice; i-- {
		if list[i].Repeats(e) {
			return true
		}
	}
	return false
}

// amongFirst reports whether e is there already, in a list that begins at its time.
func (e *Event) amongFirst(list []Event) bool {
	for i := 0; i < len(list) && list[i].Start-e.Start <= nearSplice; i++ {
		if list[i].Repeats(e) {
			return true
		}
	}
	return false
}

// Splice is what a message of SCTE 35 says.
type Splice struct {
	Event uint32 `json:"event"`          // splice_event_id or segmentation_event_id; 0 none
	Type  uint8  `json:"type,omitempty"` // segmentation_type_id; 0 of a splice_insert, and of what is neither
	Cue   Cue    `json:"cue,omitempty"`
}

// Cue says where a splice leads.
type Cue uint8

// Out leaves the programme, In comes back to it. The zero Cue does neither.
const (
	Out Cue = iota + 1
	In
)

// Opening is the splice that left the programme where s comes back.
func (s *Splice) Opening() Splice { return Splice{Event: s.Event, Type: max(s.Type, 1) - 1, Cue: Out} }

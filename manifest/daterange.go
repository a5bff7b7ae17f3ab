package manifest

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// AppendDateRanges writes what happens in the window of r, one EXT-X-DATERANGE a line (rfc8216bis 4.4.5.1). A line never changes: the
// splice that ends a break is another tag with the ID and the start of the one that began it (4.4.5.1.1). Delta updates have all of
// them too, because the skipped ones are only those of version 2.
func (p *Presentation) AppendDateRanges(b []byte, r *Rendition) []byte {
	first := p.first(r)
	if len(p.Events) == 0 || first == nil {
		return b
	}
	list := p.Happening(UnixMilli(r.Epoch(first.Epoch), first.Start).UnixMilli())
	breaks := p.breaks()
	for i := range list {
		b = appendDateRange(b, &list[i], breaks.opens[list[i].ID])
	}
	return b
}

// appendDateRange writes the tag of e. out is the break that it ends, or nil.
func appendDateRange(b []byte, e, out *timeline.Event) []byte {
	id, start, in := e.ID, e.Start, out != nil
	if in {
		id, start = out.ID, out.Start
	}
	b = append(append(append(b, `#EXT-X-DATERANGE:ID="`...), id...), '"')
	if e.Splice == nil {
		b = append(append(append(b, `,CLASS="`...), e.Scheme...), '"')
	}
	b = appendInstant(append(b, `,START-DATE="`...), start)
	switch {
	case in:
		b = appendInstant(append(b, `,END-DATE="`...), e.Start)
		b = appendMillis(append(b, ",DURATION="...), e.Start-start)
	case e.Splice != nil && e.Dur > 0:
		b = appendMillis(append(b, ",PLANNED-DURATION="...), e.Dur)
	case e.Dur > 0:
		b = appendMillis(append(b, ",DURATION="...), e.Dur)
	}
	if e.Value != "" {
		b = append(append(append(b, `,X-VALUE="`...), e.Value...), '"')
	}
	if len(e.Data) > 0 {
		b = append(append(append(b, ','), payload(e)...), "=0x"...)
		b = append(b, strings.ToUpper(hex.EncodeToString(e.Data))...) // rfc8216bis 4.2
	}
	return append(b, '\n')
}

// payload is the attribute that has the data of an event.
func payload(e *timeline.Event) string {
	switch {
	case e.Splice == nil:
		return "X-DATA"
	case e.Splice.Cue == timeline.Out:
		return "SCTE35-OUT"
	case e.Splice.Cue == timeline.In:
		return "SCTE35-IN"
	}
	return "SCTE35-CMD"
}

func appendInstant(b []byte, ms int64) []byte {
	return append(time.UnixMilli(ms).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z"), '"')
}

// appendMillis appends ms in seconds.
func appendMillis(b []byte, ms int64) []byte {
	b = append(strconv.AppendInt(b, ms/1000, 10), '.')
	return append(b, byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}

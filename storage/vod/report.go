package vod

import (
	"fmt"
	"io"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Report says in words what was made, and where it differs from what was asked for.
type Report struct {
	Lines    []string
	Duration int64 // nanoseconds, of the main track
	// Directory is the element of keys under which the documents of a clip are.
	Directory string
}

func (r *Report) add(format string, args ...any) {
	r.Lines = append(r.Lines, fmt.Sprintf(format, args...))
}

// WriteTo writes the report, a line each.
func (r *Report) WriteTo(w io.Writer) (written int64, err error) {
	for _, line := range r.Lines {
		n, err := fmt.Fprintln(w, line)
		if written += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

// boundaries says how far the start and the end are from what was asked for. what begins and ends: "the clip".
func (r *Report) boundaries(what string, g Range, start, end int64, detail [2]string) {
	r.Duration = end - start
	if g.AskedStart {
		r.add("asked to begin at %s, %s begins at %s%s%s", Stamp(g.Start), what, Stamp(start), apart(start-g.Start), detail[0])
	} else {
		r.add("%s begins at %s%s", what, Stamp(start), detail[0])
	}
	if g.AskedEnd {
		r.add("asked to end at %s, %s ends at %s%s%s", Stamp(g.End), what, Stamp(end), apart(end-g.End), detail[1])
	} else {
		r.add("%s ends at %s%s", what, Stamp(end), detail[1])
	}
}

// apart says a difference in time.
func apart(nanos int64) string {
	const ms = 1e6
	switch {
	case nanos <= -ms:
		return ", " + Span(-nanos) + " earlier"
	case nanos >= ms:
		return ", " + Span(nanos) + " later"
	}
	return ", exactly"
}

// reportClip says what the clip of that name is.
func (r *Recording) reportClip(c *selection, name string) *Report {
	rep := &Report{Directory: manifest.Escape(name)}
	main := &c.lines[c.main]
	first, last := main.first(), main.last()
	rep.boundaries("the clip", c.Range, first.start(), last.end(),
		[2]string{fmt.Sprintf(", with segment %d", first.N), fmt.Sprintf(", with segment %d", last.N)})
	if offset := c.Start - first.start(); c.AskedStart && offset >= 1e6 {
		rep.add("players that know EXT-X-START begin %s into the clip, where it was asked for; elsewhere add #t=%d.%03d to the URL",
			Span(offset), offset/1e9, offset/1e6%1e3)
	}
	for i := range c.lines {
		l := &c.lines[i]
		if f := l.first(); f.N > first.N {
			rep.add("%s begins at %s only", l.track.Name, Stamp(f.start()))
		}
		if f := l.last(); f.N < last.N {
			rep.add("%s ends at %s already", l.track.Name, Stamp(f.end()))
		}
		rep.gaps(l)
	}
	rep.breaks(main)
	rep.add("the media stays that of %q, and is kept from retention by %s: delete that with the clip", r.channel,
		manifest.PrivateKey(r.channel, "hold-"+manifest.Escape(holdID(name))+".json"))
	return rep
}

// gaps says which segments of the line are missing, stretch by stretch.
func (r *Report) gaps(l *line) {
	for i := 0; i < len(l.segments); i++ {
		from := i
		for i < len(l.segments) && l.segments[i].State != timeline.Full {
			i++
		}
		if i > from {
			r.add("%s is missing from %s to %s: %d segments", l.track.Name, Stamp(l.segments[from].start()), Stamp(l.segments[i-1].end()), i-from)
		}
	}
}

// breaks says where the line is discontinuous.
func (r *Report) breaks(l *line) {
	for i := 1; i < len(l.segments); i++ {
		if s := &l.segments[i]; s.Epoch != l.segments[i-1].Epoch {
			r.add("discontinuous at %s, segment %d: players are told", Stamp(s.start()), s.N)
		}
	}
}

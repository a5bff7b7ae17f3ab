package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Durations are microseconds.

type part struct {
	uri         string
	dur         int64
	independent bool
	gap         bool
}

// segment is a listed segment, or the open one if uri is empty.
type segment struct {
	msn   uint64
	uri   string
	dur   int64
	pdt   time.Time
	disc  bool
	gap   bool
	mapTo string
	parts []part
}

type hint struct{ kind, uri string }

// playlist is a media playlist as its text says.
type playlist struct {
	lines        []string
	version      int64
	target       int64
	first        uint64 // media sequence number of the first segment, skipped ones included
	discontinity uint64
	partTarget   int64
	control      map[string]string
	skipped      int64
	segments     []segment
	open         *segment // nil unless parts follow the last segment
	hints        []hint
	reports      []map[string]string
	ended        bool
	body         int // index of the first line that belongs to a segment
}

// edge is the next part that will appear: (msn, part).
func (p *playlist) edge() (msn uint64, part int) {
	msn = p.first + uint64(p.skipped) + uint64(len(p.segments))
	if p.open != nil {
		part = len(p.open.parts)
	}
	return msn, part
}

// at is the segment with the number, or nil.
func (p *playlist) at(msn uint64) *segment {
	if p.open != nil && p.open.msn == msn {
		return p.open
	}
	for i := range p.segments {
		if p.segments[i].msn == msn {
			return &p.segments[i]
		}
	}
	return nil
}

func (p *playlist) duration() (total int64) {
	for _, s := range p.segments {
		total += s.dur
	}
	return total
}

// decimal parses a decimal number as millionths, without floats; -1 if it is none.
func decimal(s string) int64 {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" || len(whole) > 12 || strings.Trim(whole+frac, "0123456789") != "" {
		return -1
	}
	frac = (frac + "000000")[:6]
	var v int64
	for _, c := range whole + frac {
		v = v*10 + int64(c-'0')
	}
	return v
}

func number(s string) int64 {
	if strings.Contains(s, ".") {
		return -1
	}
	if v := decimal(s); v >= 0 {
		return v / 1e6
	}
	return -1
}

// attributes parses an attribute list, and reports an error for a name that comes twice or a broken string.
func attributes(s string) (map[string]string, error) {
	out := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out, fmt.Errorf("attribute without a value: %q", s)
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, ok = strings.Cut(rest[1:], `"`)
			if !ok {
				return out, fmt.Errorf("open string: %q", s)
			}
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		if _, twice := out[name]; twice {
			return out, fmt.Errorf("attribute %s twice", name)
		}
		out[name] = value
		s = rest
	}
	return out, nil
}

// once are the tags that a media playlist holds at most once.
var once = []string{"EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE",
	"EXT-X-PART-INF", "EXT-X-SERVER-CONTROL", "EXT-X-SKIP", "EXT-X-ENDLIST", "EXT-X-PLAYLIST-TYPE", "EXT-X-INDEPENDENT-SEGMENTS"}

// parse reads a media playlist and checks its syntax.
func parse(r *report, url string, text []byte) *playlist {
	checkText(r, url, text)
	p := &playlist{partTarget: -1, target: -1, version: 1, body: -1, control: map[string]string{}}
	p.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	seen := map[string]int{}
	next := segment{}
	var mapTo string
	for i, line := range p.lines {
		if line != "" && line[0] != '#' {
			next.uri, next.mapTo = line, mapTo
			r.check("H07 one EXTINF a segment", next.dur > 0, "%s: %s", url, line)
			next.msn = p.first + uint64(p.skipped) + uint64(len(p.segments))
			p.segments = append(p.segments, next)
			next = segment{}
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "#"), ":")
		seen[name]++
		var attrs map[string]string
		if strings.Contains(value, "=") {
			var err error
			attrs, err = attributes(value)
			r.check("H03 attributes", err == nil, "%s: %s: %v", url, line, err)
		}
		if p.body < 0 && belongsToSegment(name) {
			p.body = i
		}
		switch name {
		case "EXT-X-STREAM-INF", "EXT-X-MEDIA":
			r.check("H04 one kind of playlist", false, "%s: %s", url, line)
		case "EXT-X-VERSION":
			p.version = number(value)
		case "EXT-X-TARGETDURATION":
			p.target = number(value)
		case "EXT-X-MEDIA-SEQUENCE":
			r.check("H15 media sequence", len(p.segments) == 0, "%s: after a segment", url)
			p.first = uint64(number(value))
		case "EXT-X-DISCONTINUITY-SEQUENCE":
			r.check("H17 discontinuity sequence", len(p.segments) == 0, "%s: after a segment", url)
			p.discontinity = uint64(number(value))
		case "EXT-X-PART-INF":
			p.partTarget = decimal(attrs["PART-TARGET"])
		case "EXT-X-SERVER-CONTROL":
			p.control = attrs
		case "EXT-X-SKIP":
			p.skipped = number(attrs["SKIPPED-SEGMENTS"])
		case "EXT-X-MAP":
			r.check("H38 tags before parts", len(next.parts) == 0, "%s: MAP after a part", url)
			mapTo = attrs["URI"]
		case "EXT-X-DISCONTINUITY":
			r.check("H38 tags before parts", len(next.parts) == 0, "%s: DISCONTINUITY after a part", url)
			next.disc = true
		case "EXT-X-PROGRAM-DATE-TIME":
			r.check("H38 tags before parts", len(next.parts) == 0, "%s: PROGRAM-DATE-TIME after a part", url)
			t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", value)
			r.check("H29 date has a zone", err == nil, "%s: %s", url, line)
			r.should("H29 date has milliseconds", strings.Contains(value, "."), "%s: %s", url, line)
			next.pdt = t
		case "EXT-X-GAP":
			next.gap = true
		case "EXT-X-PART":
			next.mapTo = mapTo
			next.parts = append(next.parts, part{attrs["URI"], decimal(attrs["DURATION"]), attrs["INDEPENDENT"] == "YES", attrs["GAP"] == "YES"})
		case "EXTINF":
			d, _, _ := strings.Cut(value, ",")
			next.dur = decimal(d)
		case "EXT-X-PRELOAD-HINT":
			p.hints = append(p.hints, hint{attrs["TYPE"], attrs["URI"]})
		case "EXT-X-RENDITION-REPORT":
			p.reports = append(p.reports, attrs)
		case "EXT-X-ENDLIST":
			p.ended = true
		}
	}
	if len(next.parts) > 0 {
		next.msn = p.first + uint64(p.skipped) + uint64(len(p.segments))
		p.open = &next
	}
	for _, name := range once {
		r.check("H05 tags at most once", seen[name] <= 1, "%s: %d of %s", url, seen[name], name)
	}
	return p
}

func belongsToSegment(name string) bool {
	switch name {
	case "EXT-X-MAP", "EXT-X-DISCONTINUITY", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-PART", "EXTINF":
		return true
	}
	return false
}

// checkText checks what holds for every playlist's text.
func checkText(r *report, url string, text []byte) {
	r.check("H01 text", bytes.HasPrefix(text, []byte("#EXTM3U\n")) || bytes.HasPrefix(text, []byte("#EXTM3U\r\n")),
		"%s begins with %.20q", url, text)
	control := bytes.IndexFunc(text, func(c rune) bool { return c < ' ' && c != '\n' && c != '\r' || c == 0xFEFF })
	r.check("H01 text", utf8.Valid(text) && control < 0, "%s is not plain UTF-8", url)
}

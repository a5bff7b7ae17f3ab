package manifest_test

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// playlist is a media playlist as a client that knows only the grammar sees it.
type playlist struct {
	header   []string
	skipped  int
	segments []segment // of which the first skipped are zero
	edge     []string  // what follows the last segment
}

// segment is one entry with the lines that belong to it. Its map is the one in force, written there or before.
type segment struct {
	n             uint64
	uri, initURI  string
	tags          []string // but EXT-X-MAP and EXT-X-PART
	parts         []string
	dur           int64 // microseconds
	time          time.Time
	discontinuity int // its discontinuity sequence number
	gap           bool
	partsMicros   int64
}

func parsePlaylist(t testing.TB, text string) *playlist {
	t.Helper()
	p := &playlist{}
	var s segment
	var n uint64
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "#EXTM3U", "#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF":
			p.header = append(p.header, line)
		case "#EXT-X-MEDIA-SEQUENCE":
			n = uint64(number(t, value))
			p.header = append(p.header, line)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			s.discontinuity = int(number(t, value))
			p.header = append(p.header, line)
		case "#EXT-X-SKIP":
			p.skipped = int(number(t, attribute(value, "SKIPPED-SEGMENTS")))
			p.segments = make([]segment, p.skipped)
			n += uint64(p.skipped)
		case "#EXT-X-MAP":
			s.initURI = attribute(value, "URI")
		case "#EXT-X-PART":
			s.parts = append(s.parts, value)
			s.partsMicros += decimal(t, attribute(value, "DURATION"))
		case "#EXT-X-PRELOAD-HINT", "#EXT-X-RENDITION-REPORT", "#EXT-X-ENDLIST":
			p.edge = append(p.edge, line)
		default:
			if strings.HasPrefix(line, "#") {
				s.tag(t, line, name, value)
				continue
			}
			s.n, s.uri = n, line
			p.segments = append(p.segments, s)
			n++
			s = segment{initURI: s.initURI, discontinuity: s.discontinuity}
		}
	}
	p.edge = append(append(s.tags, s.parts...), p.edge...)
	return p
}

func (s *segment) tag(t testing.TB, line, name, value string) {
	t.Helper()
	s.tags = append(s.tags, line)
	switch name {
	case "#EXTINF":
		s.dur = decimal(t, strings.TrimSuffix(value, ","))
	case "#EXT-X-PROGRAM-DATE-TIME":
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			t.Fatal(err)
		}
		s.time = at
	case "#EXT-X-DISCONTINUITY":
		s.discontinuity++
	case "#EXT-X-GAP":
		s.gap = true
	case "#EXT-X-INDEPENDENT-SEGMENTS":
	default:
		t.Fatalf("unexpected line %q", line)
	}
}

// attribute is the value of an attribute without its quotes.
func attribute(list, name string) string {
	_, after, ok := strings.Cut(","+list, ","+name+"=")
	if !ok {
		return ""
	}
	if strings.HasPrefix(after, `"`) {
		value, _, _ := strings.Cut(after[1:], `"`)
		return value
	}
	value, _, _ := strings.Cut(after, ",")
	return value
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// decimal is a decimal number in millionths.
func decimal(t testing.TB, s string) int64 {
	t.Helper()
	whole, frac, _ := strings.Cut(s, ".")
	return number(t, whole)*1e6 + number(t, (frac + "000000")[:6])
}

// mpd is what the tests read of an MPD.
type mpd struct {
	Type         string `xml:"type,attr"`
	Publish      string `xml:"publishTime,attr"`
	Availability string `xml:"availabilityStartTime,attr"`
	Periods      []struct {
		ID    string `xml:"id,attr"`
		Start string `xml:"start,attr"`
		Sets  []struct {
			Template        template         `xml:"SegmentTemplate"`
			Representations []representation `xml:"Representation"`
		} `xml:"AdaptationSet"`
	} `xml:"Period"`
}

type representation struct {
	ID       string   `xml:"id,attr"`
	Template template `xml:"SegmentTemplate"`
}

type template struct {
	Media          string `xml:"media,attr"`
	Initialization string `xml:"initialization,attr"`
	Timescale      int64  `xml:"timescale,attr"`
	Duration       int64  `xml:"duration,attr"`
	StartNumber    int64  `xml:"startNumber,attr"`
	Offset         int64  `xml:"presentationTimeOffset,attr"`
	S              []struct {
		T *int64 `xml:"t,attr"`
		D int64  `xml:"d,attr"`
		R int64  `xml:"r,attr"`
	} `xml:"SegmentTimeline>S"`
}

// slot is one segment that a SegmentTimeline names.
type slot struct {
	uri, initURI string
	period       string
	time         time.Time // rounded down to the millisecond
	dur          time.Duration
}

// parseTimeline lists the segments of an MPD with SegmentTimelines, by Representation and number.
func parseTimeline(t testing.TB, text string) map[string]map[uint64]slot {
	t.Helper()
	var m mpd
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[uint64]slot)
	for _, p := range m.Periods {
		start := isoDuration(t, p.Start)
		for _, set := range p.Sets {
			for _, r := range set.Representations {
				if all[r.ID] == nil {
					all[r.ID] = make(map[uint64]slot)
				}
				at, n := int64(0), r.Template.StartNumber
				for _, s := range r.Template.S {
					if s.T != nil {
						at = *s.T
					}
					for range s.R + 1 {
						all[r.ID][uint64(n)] = slot{
							uri:     strings.NewReplacer("$RepresentationID$", r.ID, "$Number$", fmt.Sprint(n)).Replace(r.Template.Media),
							initURI: r.Template.Initialization,
							period:  p.ID,
							time:    time.UnixMilli(start + floorDiv((at-r.Template.Offset)*1000, r.Template.Timescale)).UTC(),
							dur:     time.Duration(s.D) * time.Second / time.Duration(r.Template.Timescale),
						}
						at, n = at+s.D, n+1
					}
				}
			}
		}
	}
	return all
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// isoDuration reads PT#H#M#S into milliseconds.
func isoDuration(t testing.TB, s string) int64 {
	t.Helper()
	d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(s, "PT")))
	if err != nil {
		t.Fatal(err)
	}
	return d.Milliseconds()
}

package main

import (
	"cmp"
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mpd is what the checks need of an MPD.
type mpd struct {
	Profiles      string    `xml:"profiles,attr"`
	Type          string    `xml:"type,attr"`
	Start         time.Time `xml:"availabilityStartTime,attr"`
	Published     time.Time `xml:"publishTime,attr"`
	MinBuffer     string    `xml:"minBufferTime,attr"`
	UpdatePeriod  string    `xml:"minimumUpdatePeriod,attr"`
	Depth         string    `xml:"timeShiftBufferDepth,attr"`
	MaxSegment    string    `xml:"maxSegmentDuration,attr"`
	Delay         string    `xml:"suggestedPresentationDelay,attr"`
	UTCTiming     []scheme  `xml:"UTCTiming"`
	Services      []service `xml:"ServiceDescription"`
	Periods       []period  `xml:"Period"`
	PatchLocation []string  `xml:"PatchLocation"`
}

type scheme struct {
	ID    string `xml:"schemeIdUri,attr"`
	Value string `xml:"value,attr"`
}

type service struct {
	Latency []struct {
		Min    int64 `xml:"min,attr"`
		Target int64 `xml:"target,attr"`
		Max    int64 `xml:"max,attr"`
	} `xml:"Latency"`
}

type period struct {
	ID    string          `xml:"id,attr"`
	Start string          `xml:"start,attr"`
	Sets  []adaptationSet `xml:"AdaptationSet"`
}

type adaptationSet struct {
	ContentType string           `xml:"contentType,attr"`
	MimeType    string           `xml:"mimeType,attr"`
	Lang        string           `xml:"lang,attr"`
	Template    *template        `xml:"SegmentTemplate"`
	Reference   []struct{}       `xml:"ProducerReferenceTime"`
	Resync      []struct{}       `xml:"Resync"`
	Reps        []representation `xml:"Representation"`
}

type representation struct {
	ID        string     `xml:"id,attr"`
	MimeType  string     `xml:"mimeType,attr"`
	Codecs    string     `xml:"codecs,attr"`
	Bandwidth int64      `xml:"bandwidth,attr"`
	Template  *template  `xml:"SegmentTemplate"`
	Resync    []struct{} `xml:"Resync"`
}

type template struct {
	Timescale uint64  `xml:"timescale,attr"`
	Duration  uint64  `xml:"duration,attr"`
	Start     *uint64 `xml:"startNumber,attr"`
	Offset    uint64  `xml:"presentationTimeOffset,attr"`
	Media     string  `xml:"media,attr"`
	Init      string  `xml:"initialization,attr"`
	Early     string  `xml:"availabilityTimeOffset,attr"`
	Complete  string  `xml:"availabilityTimeComplete,attr"`
	Timeline  *struct {
		S []struct {
			T *uint64 `xml:"t,attr"`
			D uint64  `xml:"d,attr"`
			R int     `xml:"r,attr"`
			N *uint64 `xml:"n,attr"`
		} `xml:"S"`
	} `xml:"SegmentTimeline"`
}

func parseMPD(text []byte) (*mpd, error) {
	m := &mpd{}
	err := xml.Unmarshal(text, m)
	return m, err
}

// first is the number of the first segment.
func (t *template) first() uint64 {
	if t.Start == nil {
		return 1
	}
	return *t.Start
}

// inherit is the representation's template with what it leaves open taken from the set's (23009-1 5.3.9.1).
func inherit(set, rep *template) *template {
	if set == nil || rep == nil {
		return cmp.Or(rep, set)
	}
	t := *rep
	t.Timescale = cmp.Or(t.Timescale, set.Timescale)
	t.Duration = cmp.Or(t.Duration, set.Duration)
	t.Start = cmp.Or(t.Start, set.Start)
	t.Offset = cmp.Or(t.Offset, set.Offset)
	t.Media = cmp.Or(t.Media, set.Media)
	t.Init = cmp.Or(t.Init, set.Init)
	t.Early = cmp.Or(t.Early, set.Early)
	t.Complete = cmp.Or(t.Complete, set.Complete)
	t.Timeline = cmp.Or(t.Timeline, set.Timeline)
	return &t
}

var iso8601 = regexp.MustCompile(`^P(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$`)

// duration parses an xs:duration; -1 if it is none.
func duration(s string) time.Duration {
	f := iso8601.FindStringSubmatch(s)
	if f == nil {
		return -1
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if f[i+1] != "" {
			d += time.Duration(decimal(f[i+1])) * (unit / 1e6)
		}
	}
	return d
}

// entry is one segment of a representation: its number, and its time relative to the period's start.
type entry struct {
	number    uint64
	time, dur uint64 // ticks of media time
}

// timeline expands the SegmentTimeline.
func (t *template) timeline() []entry {
	var out []entry
	next, n := uint64(0), t.first()
	for _, s := range t.Timeline.S {
		if s.T != nil {
			next = *s.T
		}
		if s.N != nil {
			n = *s.N
		}
		for range s.R + 1 {
			out = append(out, entry{n, next, s.D})
			next += s.D
			n++
		}
	}
	return out
}

// fill fills the template's identifiers in.
func fill(pattern, id string, bandwidth int64, e entry) string {
	return strings.NewReplacer("$RepresentationID$", id, "$Bandwidth$", strconv.FormatInt(bandwidth, 10),
		"$Number$", strconv.FormatUint(e.number, 10), "$Time$", strconv.FormatUint(e.time, 10), "$$", "$").Replace(pattern)
}

package demux

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// Bounds on what an event timeline may say.
const (
	maxDocument = 4 << 20 // bytes, after compression is undone
	maxRecords  = 1 << 14
	maxKnown    = 4096
	maxCue      = 8 << 10 // bytes
	maxStyle    = 1 << 16 // bytes
	history     = 600_000 // ms behind the newest cue; what is older has been shown
)

// Events reads the cues of WebVTT that come as an event timeline (draft-wilaw-moq-webvtt-msf; draft-ietf-moq-msf, "Event Timeline
// track"). The first object of a group says all again, so that each cue is given once.
type Events struct {
	header *Header
	style  string
	known  map[event]struct{}
	newest int64 // ms
	// samples are of the newest object.
	samples []media.Sample
}

// event is a cue and its time in milliseconds of media time.
type event struct {
	Cue
	from, to int64
}

// NewEvents returns the reader for a track as the catalog describes it. Its header comes with the first object.
func NewEvents() *Events { return &Events{known: map[event]struct{}{}} }

// Read returns what is new in the object.
func (e *Events) Read(dst []Unit, o *media.Object) []Unit {
	u := begin(o)
	if o.Status == media.Normal && len(o.Payload) > 0 {
		u.Samples, u.Err = e.read(o.Payload)
	}
	u.Header = e.header
	return append(dst, u)
}

func (e *Events) read(payload []byte) ([]media.Sample, error) {
	payload, err := inflate(payload, maxDocument)
	if err != nil {
		return nil, err
	}
	var records []json.RawMessage
	if err := json.Unmarshal(payload, &records); err != nil {
		return nil, fmt.Errorf("demux: event timeline: %w", err)
	}
	if len(records) > maxRecords {
		return nil, fmt.Errorf("demux: event timeline: %d records are more than %d", len(records), maxRecords)
	}
	e.samples = e.samples[:0]
	for _, raw := range records { // an odd one costs no more than itself
		var r record
		if json.Unmarshal(raw, &r) != nil {
			continue
		}
		if style := r.Data.style(); style != "" {
			e.restyle(style)
		}
		if c, ok := r.Data.event(); ok && e.news(c) {
			e.samples = append(e.samples, media.Sample{DTS: c.from, Dur: uint32(c.to - c.from), Sync: true, Data: CueSample(c.Cue)})
		}
	}
	if e.header == nil {
		e.restyle("")
	}
	return e.samples, nil
}

// news reports whether the cue has not been given yet, and remembers it.
func (e *Events) news(c event) bool {
	if _, known := e.known[c]; known || c.to < e.newest-history {
		return false
	}
	e.newest = max(e.newest, c.to)
	if len(e.known) >= maxKnown {
		maps.DeleteFunc(e.known, func(c event, _ struct{}) bool { return c.to < e.newest-history })
		if len(e.known) >= maxKnown {
			return false
		}
	}
	e.known[c] = struct{}{}
	return true
}

// restyle makes the header for cues of a style.
func (e *Events) restyle(style string) {
	if e.header != nil && e.style == style {
		return
	}
	config := "WEBVTT"
	if style != "" {
		config += "\n\n" + style
	}
	var w writer
	w.box("wvtt", func() {
		w.u8(0, 0, 0, 0, 0, 0, 0, 1)
		w.box("vttC", func() { w.u8([]byte(config)...) })
	})
	e.style, e.header = style, &Header{Kind: media.Text, Timescale: 1000, Language: undetermined, Entry: w, Codec: "wvtt"}
}

// record is one entry. Its index says the same as the times of its cue, which count.
type record struct {
	Data cueData `json:"data"`
}

type cueData struct {
	Start, End json.Number
	ID         string
	Text       string
	Settings   json.RawMessage
	Region     string
	Styles     string
	Regions    []map[string]any
}

// event is the cue of the record, if it is one.
func (d *cueData) event() (c event, ok bool) {
	var from, to bool
	c.from, from = millis(d.Start)
	c.to, to = millis(d.End)
	c.ID, c.Text, c.Settings = d.ID, d.Text, d.settings()
	return c, from && to && c.to > c.from && c.to-c.from <= maxSilence*1000 && c.Text != "" && len(c.Text)+len(c.ID) <= maxCue
}

// millis is a number without its fraction.
func millis(n json.Number) (int64, bool) {
	if strings.ContainsAny(string(n), "eE") { // exact to the millisecond all the same
		v, err := n.Float64()
		return int64(v), err == nil && v >= 0 && v < maxTime/1000
	}
	whole, _, _ := strings.Cut(string(n), ".")
	v, err := strconv.ParseInt(whole, 10, 64)
	return v, err == nil && v >= 0 && v < maxTime/1000
}

// settings are those of WebVTT, in the order of its specification.
func (d *cueData) settings() string {
	var values map[string]any
	if json.Unmarshal(d.Settings, &values) != nil {
		var text string
		_ = json.Unmarshal(d.Settings, &text) // or nothing
		return text[:min(len(text), 256)]
	}
	var list []string
	for _, name := range []string{"vertical", "line", "position", "size", "align"} {
		if v := word(values[name]); v != "" {
			list = append(list, name+":"+v)
		}
	}
	if r := word(d.Region); r != "" {
		list = append(list, "region:"+r)
	}
	return strings.Join(list, " ")
}

// word is a value as it may stand behind a colon.
func word(v any) string {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case float64:
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if len(s) > 64 || strings.ContainsAny(s, " \t\r\n:") || strings.Contains(s, "-->") {
		return ""
	}
	return s
}

// style is what stands before the cues: regions and styles, in WebVTT. Empty: the record has none.
func (d *cueData) style() string {
	var blocks []string
	for _, r := range d.Regions {
		var b strings.Builder
		b.WriteString("REGION")
		for _, name := range []string{"id", "width", "lines", "regionAnchor", "viewportAnchor", "scroll"} {
			if v := word(r[name]); v != "" {
				fmt.Fprintf(&b, "\n%s:%s", strings.ToLower(name), v)
			}
		}
		blocks = append(blocks, b.String())
	}
	if d.Styles != "" && !strings.Contains(d.Styles, "-->") {
		var lines []string
		for line := range strings.Lines(d.Styles) { // an empty one would end the block
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				lines = append(lines, line)
			}
		}
		blocks = append(blocks, "STYLE\n"+strings.Join(lines, "\n"))
	}
	if s := strings.Join(blocks, "\n\n"); len(s) <= maxStyle {
		return s
	}
	return ""
}

// inflate undoes the compression, which its magic number tells (draft-ietf-moq-msf, "Compression Signaling"), of at most so many bytes.
func inflate(payload []byte, most int) ([]byte, error) {
	if bytes.HasPrefix(payload, []byte{0x1f, 0x8b}) {
		r, err := gzip.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, fmt.Errorf("demux: timeline: %w", err)
		}
		if payload, err = io.ReadAll(io.LimitReader(r, int64(most)+1)); err != nil {
			return nil, fmt.Errorf("demux: timeline: %w", err)
		}
	}
	if len(payload) > most {
		return nil, fmt.Errorf("demux: timeline: it has more than %d bytes", most)
	}
	return payload, nil
}

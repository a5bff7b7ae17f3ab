package mux

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/segmenter/demux"
)

// mpegClock is what X-TIMESTAMP-MAP counts in: 90 kHz, in 33 bits (rfc8216bis 3.1.4).
const (
	mpegClock = 90_000
	mpegWrap  = 1 << 33
)

// shownCue is a cue and when it is shown, in ticks.
type shownCue struct {
	demux.Cue
	from, to int64
}

// WebVTT is a segment of a track of WebVTT as HLS has it (rfc8216bis 3.1.4): text, whose times count from the start of the segment,
// which X-TIMESTAMP-MAP places on the time line of the media. init is the canonical header of the track, segment a segment of it.
func WebVTT(init, segment []byte) ([]byte, error) {
	c, err := demux.NewCMAF(init)
	if err != nil {
		return nil, err
	}
	samples, err := c.Samples(nil, segment)
	if err != nil {
		return nil, err
	}
	head, err := webVTTHead(c.Entry)
	if err != nil {
		return nil, err
	}
	var cues []shownCue
	for i := range samples {
		m := &samples[i]
		list, err := demux.Cues(m.Data)
		if err != nil {
			return nil, err
		}
		for _, cue := range list {
			cues = extend(cues, shownCue{cue, m.DTS, m.DTS + int64(m.Dur)})
		}
	}
	start, scale := samples[0].DTS, int64(c.Timescale)
	b := fmt.Appendf(nil, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:%d\n", rescale(start, scale, mpegClock)%mpegWrap)
	if head != "" {
		b = fmt.Appendf(b, "\n%s\n", head)
	}
	for _, cue := range cues {
		from, to := rescale(cue.from-start, scale, 1000), rescale(cue.to-start, scale, 1000)
		if to <= from {
			continue
		}
		b = append(b, '\n')
		if id := line(cue.ID); id != "" {
			b = fmt.Appendf(b, "%s\n", id)
		}
		b = appendClock(append(appendClock(b, from), " --> "...), to)
		if settings := line(cue.Settings); settings != "" {
			b = fmt.Appendf(b, " %s", settings)
		}
		b = fmt.Appendf(b, "\n%s\n", paragraph(cue.Text))
	}
	return b, nil
}

// extend adds a cue, or lets the same one that has just ended go on: samples end wherever another cue begins.
func extend(cues []shownCue, c shownCue) []shownCue {
	at := slices.IndexFunc(cues, func(o shownCue) bool { return o.to == c.from && o.Cue == c.Cue })
	if at < 0 {
		return append(cues, c)
	}
	cues[at].to = c.to
	return cues
}

// webVTTHead is what a sample entry has to say before the first cue, such as styles.
func webVTTHead(entry []byte) (string, error) {
	b, err := decodeEntry(entry)
	if err != nil {
		return "", err
	}
	e, ok := b.(*mp4.WvttBox)
	if !ok || e.VttC == nil {
		return "", fmt.Errorf("mux: %w: no WebVTT", ErrUnsupported)
	}
	text := unixLines(e.VttC.Config)
	_, rest, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(text, "WEBVTT") || strings.Contains(rest, "-->") {
		return "", nil
	}
	return strings.Trim(rest, "\n"), nil
}

// rescale is floor(t*to/from) for t >= 0, without overflow of the product.
func rescale(t, from, to int64) int64 { return t/from*to + t%from*to/from }

// appendClock appends a time in milliseconds (WebVTT, 4.3).
func appendClock(b []byte, ms int64) []byte {
	return fmt.Appendf(b, "%02d:%02d:%02d.%03d", ms/3600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// unixLines has one kind of line end, and no zero bytes (WebVTT, 6.1).
func unixLines(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\ufffd").Replace(strings.ToValidUTF8(s, "\ufffd"))
}

// line is text that may stand in one line.
func line(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(unixLines(s), "\n", " "), "-->", "--"))
}

// paragraph is text that ends where it ends: an empty line would end it, and an arrow make a cue of it.
func paragraph(s string) string {
	lines := strings.Split(strings.ReplaceAll(unixLines(s), "-->", "--&gt;"), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "" }), "\n")
}

package demux

import "strings"

// Cue is one cue of WebVTT (ISO/IEC 14496-30, 5.5.3).
type Cue struct {
	ID       string
	Settings string // "line:0 align:start"
	Text     string
}

// Cues reads the cues of a sample of WebVTT.
func Cues(sample []byte) ([]Cue, error) {
	var cues []Cue
	r := boxes{data: sample}
	for b, ok := r.next(); ok; b, ok = r.next() {
		if string(b.kind[:]) != "vttc" {
			continue
		}
		var c Cue
		in := b.inside(0)
		for f, ok := in.next(); ok; f, ok = in.next() {
			switch text := strings.ToValidUTF8(string(f.data), "\ufffd"); string(f.kind[:]) {
			case "iden":
				c.ID = text
			case "sttg":
				c.Settings = text
			case "payl":
				c.Text = text
			}
		}
		if in.err != nil {
			return nil, in.err
		}
		cues = append(cues, c)
	}
	return cues, r.err
}

// CueSample is a sample of one cue.
func CueSample(c Cue) []byte {
	var w writer
	w.box("vttc", func() {
		for _, f := range [...]struct{ kind, text string }{{"iden", c.ID}, {"sttg", c.Settings}, {"payl", c.Text}} {
			if f.text != "" {
				w.box(f.kind, func() { w.u8([]byte(f.text)...) })
			}
		}
	})
	return w
}

// shown is the part of a sample of WebVTT that is shown: its cues. Nothing is left of a blank, and of comments.
func shown(sample []byte) ([]byte, error) {
	if _, err := Cues(sample); err != nil {
		return nil, err
	}
	var cues []byte
	r := boxes{data: sample}
	for b, ok := r.next(); ok; b, ok = r.next() {
		if string(b.kind[:]) != "vttc" {
			continue
		}
		whole := sample[b.at:r.at]
		if cues == nil {
			cues = whole[:len(whole):len(whole)]
		} else {
			cues = append(cues, whole...)
		}
	}
	return cues, nil
}

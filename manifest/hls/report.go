package hls

import (
	"strconv"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// reports tells where every other rendition is, so that a player that switches to it can ask for the right part at once
// (rfc8216bis 4.4.5.4).
func (w *writer) reports() {
	now := w.now()
	for i := range w.p.Renditions {
		o := &w.p.Renditions[i]
		if o.Track == w.r.Track || o.Track.Kind == media.Text {
			continue
		}
		n, part, ok := edgeAt(o, now)
		if !ok {
			continue
		}
		w.b = append(w.b, `#EXT-X-RENDITION-REPORT:URI="`...)
		w.b = playlist(o).AppendURI(w.b, w.doc)
		w.b = append(w.b, `",LAST-MSN=`...)
		w.b = strconv.AppendUint(w.b, n, 10)
		if part >= 0 {
			w.b = append(w.b, ",LAST-PART="...)
			w.b = strconv.AppendInt(w.b, int64(part), 10)
		}
		w.b = append(w.b, '\n')
	}
}

// now is the end of the playlist in microseconds of Unix time.
func (w *writer) now() int64 {
	last := w.r.Open
	if last == nil {
		last = &w.segments[len(w.segments)-1]
	}
	e := w.r.Epoch(last.Epoch)
	return manifest.UnixMicros(e, w.p.End(e, last))
}

// edgeAt is the last part of r that ends by the instant now, whatever r has published since: so a playlist says the same
// whenever it is written of the same position. part is -1 when the last thing is a gap; ok is false when there is nothing.
func edgeAt(r *manifest.Rendition, now int64) (n uint64, part int, ok bool) {
	if r.Open != nil {
		if i := partsBy(r, r.Open, now); i > 0 {
			return r.Open.N, i - 1, true
		}
	}
	for i := len(r.Segments) - 1; i >= 0; i-- {
		s := &r.Segments[i]
		if s.State == timeline.Gap {
			if e := r.Epoch(s.Epoch); manifest.UnixMicros(e, s.End()) <= now {
				return s.N, -1, true
			}
			continue
		}
		if i := partsBy(r, s, now); i > 0 {
			return s.N, i - 1, true
		}
	}
	return 0, 0, false
}

// partsBy counts the parts of s that end by the instant now.
func partsBy(r *manifest.Rendition, s *timeline.Segment, now int64) int {
	e := r.Epoch(s.Epoch)
	i := len(s.Parts)
	for i > 0 && manifest.UnixMicros(e, s.Parts[i-1].Start+s.Parts[i-1].Dur) > now {
		i--
	}
	return i
}

package hls

import (
	"strconv"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Options are what a request may ask of a media playlist.
type Options struct {
	// Skip asks for a delta update (rfc8216bis 6.2.5.1, _HLS_skip=YES): what lies beyond CAN-SKIP-UNTIL is replaced by its
	// number. It is ignored while nothing does, and after the end.
	Skip bool
}

// Multiples of the target duration and the part target that a playlist promises (rfc8216bis 4.4.3.8, 6.2.2).
const (
	holdBack     = 3 // HOLD-BACK, in target durations
	partHoldBack = 3 // PART-HOLD-BACK, in part targets
	skipUntil    = 6 // CAN-SKIP-UNTIL, in target durations
	partsFor     = 3 // how long parts stay listed, in target durations
)

// Media writes the media playlist of one track.
func Media(p manifest.Presentation, track string, o Options) (manifest.Document, error) {
	r := p.Rendition(track)
	if r == nil {
		return manifest.Document{}, manifest.ErrNoTrack
	}
	if r.Empty() || r.Track.Kind == media.Text && len(r.Segments) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	w := writer{
		p: &p, r: r, doc: playlist(r), segments: p.Listed(r),
		targetDuration: time.Duration(p.Plan.TargetDuration) * time.Second, whole: r.Track.Kind == media.Text,
	}
	from := 0
	if o.Skip && !r.Ended {
		from = w.skippable()
	}
	w.b = make([]byte, 0, 2048+128*(len(w.segments)-from)+512*len(p.Renditions))
	w.header()
	if from > 0 {
		w.b = append(w.b, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
		w.b = strconv.AppendInt(w.b, int64(from), 10)
		w.b = append(w.b, '\n')
	}
	w.b = p.AppendDateRanges(w.b, r)
	w.list(from)
	w.edge()
	return manifest.Document{Body: w.b, ContentType: manifest.TypeHLS, MaxAge: time.Second}, nil
}

// writer writes one media playlist.
type writer struct {
	b              []byte
	p              *manifest.Presentation
	r              *manifest.Rendition
	doc            manifest.Name
	segments       []timeline.Segment // listed
	targetDuration time.Duration
	whole          bool // segments have no parts: text is published slot by slot (rfc8216bis 4.4.4.9 asks for none)

	epoch *timeline.Epoch // of the segment written last, nil before the first
}

func (w *writer) header() {
	b := append(w.b, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:"...)
	b = strconv.AppendInt(b, int64(w.p.Plan.TargetDuration), 10)
	b = append(b, "\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL="...)
	b = appendSeconds(b, skipUntil*w.targetDuration)
	b = append(b, ",HOLD-BACK="...)
	b = appendSeconds(b, holdBack*w.targetDuration)
	if !w.whole {
		b = append(b, ",PART-HOLD-BACK="...)
		b = appendSeconds(b, partHoldBack*w.p.Plan.PartTarget)
		b = append(b, "\n#EXT-X-PART-INF:PART-TARGET="...)
		b = appendSeconds(b, w.p.Plan.PartTarget)
	}
	first := w.r.Open
	if len(w.segments) > 0 {
		first = &w.segments[0]
	}
	b = append(b, "\n#EXT-X-MEDIA-SEQUENCE:"...)
	b = strconv.AppendUint(b, first.N, 10)
	b = append(b, "\n#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	b = strconv.AppendInt(b, int64(first.Epoch-manifest.Discontinuities(nil, w.r.Epoch(first.Epoch), first)), 10)
	w.b = append(b, '\n')
}

// list writes the segments from index from on.
func (w *writer) list(from int) {
	if from > 0 {
		w.epoch = w.r.Epoch(w.segments[from-1].Epoch)
	}
	parts := w.partsFrom()
	for i := from; i < len(w.segments); i++ {
		s := &w.segments[i]
		w.begin(s)
		if i >= parts && !w.whole && s.State == timeline.Full {
			w.parts(s)
		}
		if s.State == timeline.Gap {
			w.b = append(w.b, "#EXT-X-GAP\n"...)
		}
		w.b = append(w.b, "#EXTINF:"...)
		w.b = appendDecimal(w.b, w.micros(s), 6)
		w.b = append(w.b, ",\n"...)
		w.b = w.name(w.r.HLSSegment(), s.N, 0).AppendURI(w.b, w.doc)
		w.b = append(w.b, '\n')
	}
}

// begin writes what stands before a segment, or before its first part (rfc8216bis 4.4.4.9).
func (w *writer) begin(s *timeline.Segment) {
	if w.epoch == nil || w.epoch.Index != s.Epoch {
		last := w.epoch
		w.epoch = w.r.Epoch(s.Epoch)
		for range manifest.Discontinuities(last, w.epoch, s) {
			w.b = append(w.b, "#EXT-X-DISCONTINUITY\n"...)
		}
		if !w.r.IsWebVTT() && (last == nil || last.Init.Digest != w.epoch.Init.Digest) {
			w.b = append(w.b, `#EXT-X-MAP:URI="`...)
			init := manifest.Name{Kind: manifest.Init, Channel: w.p.Media, Track: w.r.Track.Name, Digest: w.epoch.Init.Digest}
			w.b = init.AppendURI(w.b, w.doc)
			w.b = append(w.b, "\"\n"...)
			for _, key := range manifest.HLSKeys(w.r, last, w.epoch) {
				w.b = append(append(append(w.b, "#EXT-X-KEY:"...), key...), '\n')
			}
		}
	}
	w.b = append(w.b, "#EXT-X-PROGRAM-DATE-TIME:"...)
	w.b = manifest.UnixMilli(w.epoch, s.Start).AppendFormat(w.b, "2006-01-02T15:04:05.000Z\n")
}

func (w *writer) parts(s *timeline.Segment) {
	for i, part := range s.Parts {
		w.b = append(w.b, "#EXT-X-PART:DURATION="...)
		end := manifest.UnixMicros(w.epoch, part.Start+part.Dur)
		w.b = appendDecimal(w.b, end-manifest.UnixMicros(w.epoch, part.Start), 6)
		w.b = append(w.b, `,URI="`...)
		w.b = w.name(manifest.Part, s.N, i).AppendURI(w.b, w.doc)
		w.b = append(w.b, '"')
		if part.Independent {
			w.b = append(w.b, ",INDEPENDENT=YES"...)
		}
		w.b = append(w.b, '\n')
	}
}

// edge writes what follows the last full segment.
func (w *writer) edge() {
	if w.r.Ended {
		w.b = append(w.b, "#EXT-X-ENDLIST\n"...)
		return
	}
	if w.whole {
		w.reports()
		return
	}
	if w.r.Open != nil {
		w.begin(w.r.Open)
		w.parts(w.r.Open)
	}
	w.b = append(w.b, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="`...)
	next := w.p.Next(w.r)
	w.b = w.name(manifest.Part, next.N, next.Parts).AppendURI(w.b, w.doc)
	w.b = append(w.b, "\"\n"...)
	w.reports()
}

func (w *writer) name(k manifest.Kind, n uint64, part int) manifest.Name {
	return manifest.Name{Kind: k, Channel: w.p.Media, Track: w.r.Track.Name, N: n, Part: part}
}

// micros is the duration of a segment in microseconds.
func (w *writer) micros(s *timeline.Segment) int64 {
	e := w.r.Epoch(s.Epoch)
	return manifest.UnixMicros(e, w.p.End(e, s)) - manifest.UnixMicros(e, s.Start)
}

// partsFrom is the index of the first segment that is listed with its parts.
func (w *writer) partsFrom() int {
	var listed int64
	i := len(w.segments)
	for ; i > 0 && listed < partsFor*w.targetDuration.Microseconds(); i-- {
		listed += w.micros(&w.segments[i-1])
	}
	return i
}

// skippable is the number of leading segments that lie wholly before the skip boundary.
func (w *writer) skippable() int {
	var after int64
	if w.r.Open != nil {
		after = w.micros(w.r.Open)
	}
	i := len(w.segments)
	for ; i > 0 && after < skipUntil*w.targetDuration.Microseconds(); i-- {
		after += w.micros(&w.segments[i-1])
	}
	return i
}

package legacy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafov/m3u8"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// tag is one or several whole lines that m3u8 cannot write. It orders those of a segment at random, so there is at most one.
type tag string

func (t tag) TagName() string       { return string(t) }
func (t tag) String() string        { return string(t) }
func (t tag) Encode() *bytes.Buffer { return bytes.NewBufferString(string(t)) }

// EXT-X-GAP is younger than protocol version 7. A player that does not know it ignores the line, asks for the segment, gets
// 204 No Content and goes on with the next one. Leaving the slot out instead would shift every later media sequence number.
const gap = "#EXT-X-GAP"

// firstSequence is written because m3u8 leaves a zero out, and a playlist that will ever show a discontinuity must always
// show the number (HLS Authoring Specification 8.17).
const firstSequence tag = "#EXT-X-DISCONTINUITY-SEQUENCE:0"

// Media writes the plain media playlist of one track.
func Media(p manifest.Presentation, track string) (manifest.Document, error) {
	r := p.Rendition(track)
	if r == nil {
		return manifest.Document{}, manifest.ErrNoTrack
	}
	segments := p.Listed(r)
	if len(segments) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	list, err := m3u8.NewMediaPlaylist(uint(len(segments)), uint(len(segments)))
	if err != nil {
		return manifest.Document{}, fmt.Errorf("legacy: playlist of %d segments: %w", len(segments), err)
	}
	list.SetVersion(6) // EXT-X-MAP in a playlist that is not I-frames only (rfc8216 7)
	if err := appendSegments(list, &p, r, segments); err != nil {
		return manifest.Document{}, fmt.Errorf("legacy: %w", err)
	}
	list.SeqNo = segments[0].N
	first := r.Epoch(segments[0].Epoch)
	list.DiscontinuitySeq = uint64(first.Index - manifest.Discontinuities(nil, first, &segments[0]))
	if list.DiscontinuitySeq == 0 {
		list.SetCustomTag(firstSequence)
	}
	list.TargetDuration = float64(p.Plan.TargetDuration) // Append raises it to the longest segment's ceiling
	list.Closed = r.Ended
	if p.Media != "" {
		clip(list, &p, manifest.UnixMilli(first, segments[0].Start))
	}
	return manifest.Document{
		Body:        list.Encode().Bytes(),
		ContentType: manifest.TypeHLS,
		MaxAge:      time.Duration(p.Plan.TargetDuration) * time.Second / 2,
	}, nil
}

// clip says what holds for a recording that never was a live playlist. One that was may not say it: a playlist without a type
// may not get one (rfc8216bis 6.2.1), and retention still takes segments from it.
func clip(list *m3u8.MediaPlaylist, p *manifest.Presentation, first time.Time) {
	list.MediaType = m3u8.VOD
	if offset := p.Start - first.UnixMilli(); p.Start > 0 && offset > 0 {
		list.StartTime, list.StartTimePrecise = float64(offset)/1000, true
	}
}

func appendSegments(list *m3u8.MediaPlaylist, p *manifest.Presentation, r *manifest.Rendition, segments []timeline.Segment) error {
	doc := playlist(r)
	var epoch *timeline.Epoch
	for i := range segments {
		s := &segments[i]
		last := epoch
		epoch = r.Epoch(s.Epoch)
		start, end := manifest.UnixMilli(epoch, s.Start), manifest.UnixMilli(epoch, p.End(epoch, s))
		segment := &m3u8.MediaSegment{
			URI:             manifest.Name{Kind: r.HLSSegment(), Channel: p.Media, Track: r.Track.Name, N: s.N}.URI(doc),
			Duration:        float64(end.Sub(start).Milliseconds()) / 1000,
			ProgramDateTime: start,
		}
		var lines []string
		if i == 0 {
			lines = strings.Split(strings.TrimSuffix(string(p.AppendDateRanges(nil, r)), "\n"), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		}
		if n := manifest.Discontinuities(last, epoch, s); n > 0 {
			segment.Discontinuity = true
			lines = append(lines, slices.Repeat([]string{"#EXT-X-DISCONTINUITY"}, n-1)...)
		}
		if !r.IsWebVTT() && (last == nil || last.Init.Digest != epoch.Init.Digest) {
			init := manifest.Name{Kind: manifest.Init, Channel: p.Media, Track: r.Track.Name, Digest: epoch.Init.Digest}
			segment.Map = &m3u8.Map{URI: init.URI(doc)}
			for _, key := range manifest.HLSKeys(r, last, epoch) {
				lines = append(lines, "#EXT-X-KEY:"+key)
			}
		}
		if s.State == timeline.Gap {
			lines = append(lines, gap)
		}
		if len(lines) > 0 {
			t := tag(strings.Join(lines, "\n"))
			segment.Custom = map[string]m3u8.CustomTag{t.TagName(): t}
		}
		if err := list.AppendSegment(segment); err != nil {
			return fmt.Errorf("segment %d: %w", s.N, err)
		}
	}
	return nil
}

package dash

import (
	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// segmentTimeline lists r's segments of its epoch before slot limit (5.3.9.6): the entries, the number of the first, and the
// tick at which the last ends. It is nil when there are none.
func segmentTimeline(p *manifest.Presentation, pd *period, r rep, limit uint64) (list *mpd.SegmentTimelineType, first uint64, end int64) {
	segments := p.Listed(r.Rendition)
	for i := range segments {
		s := &segments[i]
		if s.Epoch != pd.index || s.N < pd.n || s.N >= min(limit, pd.until) {
			continue
		}
		start, stop := s.Start, p.End(r.epoch, s)
		if s.State == timeline.Gap {
			// Its nominal slot may overlap its neighbours, which keep their times.
			if list != nil {
				start = max(start, end)
			}
			if i+1 < len(segments) && segments[i+1].Epoch == s.Epoch {
				stop = min(stop, segments[i+1].Start)
			}
			stop = max(stop, start+1)
		}
		if list == nil {
			list, first = &mpd.SegmentTimelineType{}, s.N
		}
		appendEntry(list, start, stop-start, end)
		end = stop
	}
	return list, first, end
}

// appendEntry adds a segment, as a repetition of the entry before it where it can be one.
func appendEntry(list *mpd.SegmentTimelineType, start, dur, end int64) {
	d := uint64(dur)
	if len(list.S) == 0 || start != end {
		list.S = append(list.S, &mpd.S{T: mpd.Ptr(uint64(max(start, 0))), D: d})
		return
	}
	if last := list.S[len(list.S)-1]; last.D == d {
		last.R++
		return
	}
	list.S = append(list.S, &mpd.S{D: d})
}

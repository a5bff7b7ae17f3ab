package dash

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
)

const (
	delay      = 3 // suggestedPresentationDelay, in target durations, like HOLD-BACK
	stalledFor = 3 // slots by which a rendition holds the others back at most

	// Whoever serves the MPD, our origin, a bucket or a CDN, has a clock: the Date of the MPD itself. dash.js and Shaka resolve its URL
	// against that of the MPD, and across origins read it only if Access-Control-Expose-Headers lets them.
	schemeDate = "urn:mpeg:dash:utc:http-head:2014"
)

// Legacy writes the MPD for plain clients. A segment appears in it when it is whole in every rendition that is alive.
func Legacy(p manifest.Presentation) (manifest.Document, error) {
	if p.Ended() {
		return recording(p)
	}
	m := dynamic(&p)
	self := manifest.Name{Kind: manifest.LegacyMPD, Channel: p.Channel}
	m.UTCTimings = []*mpd.DescriptorType{mpd.NewDescriptor(schemeDate, self.URI(self), "")}
	target := time.Duration(p.Plan.TargetDuration) * time.Second
	m.MinBufferTime = duration(target)
	m.SuggestedPresentationDelay = duration(delay * target)
	end := timelines(&p, m, periods(&p), wholeBefore(&p))
	if len(m.Periods) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	m.PublishTime = dateTime(end)
	return document(&p, m)
}

// recording is the static MPD of a broadcast that has ended. As long as somebody may watch it live nothing that was promised changes:
// the same segments keep their numbers and times, so that whoever watches sees the last of it. Then times begin at zero, for players
// take the end of a static presentation for its duration.
func recording(p manifest.Presentation) (manifest.Document, error) {
	m := mpd.NewMPD(mpd.STATIC_TYPE)
	m.Profiles = mpd.PROFILE_LIVE
	m.AvailabilityStartTime = dateTime(0)
	m.MinBufferTime = duration(time.Duration(p.Plan.TargetDuration) * time.Second)
	m.MaxSegmentDuration = duration(longest(&p))
	ps := periods(&p)
	for i := range ps {
		ps[i].trim(&p)
	}
	if p.Media != "" && len(ps) > 0 {
		ps[0].lead(&p)
	}
	end := timelines(&p, m, ps, math.MaxUint64)
	if len(m.Periods) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	if p.Media != "" || p.Zero {
		zero(m, end)
	} else {
		finish(m, end)
	}
	return document(&p, m)
}

// zero moves the presentation from Unix time to zero, which availabilityStartTime then tells the wall clock time of. end is in
// milliseconds of Unix time.
func zero(m *mpd.MPD, end int64) {
	zero := time.Duration(*m.Periods[0].Start)
	for _, period := range m.Periods {
		period.Start = duration(time.Duration(*period.Start) - zero)
	}
	finish(m, end-zero.Milliseconds())
	m.PublishTime, m.AvailabilityStartTime = dateTime(end), dateTime(zero.Milliseconds())
}

// finish gives the presentation and its last period their end, in milliseconds of Unix time.
func finish(m *mpd.MPD, end int64) {
	m.PublishTime = dateTime(end)
	m.MediaPresentationDuration = millis(end)
	last := m.Periods[len(m.Periods)-1]
	last.Duration = duration(time.Duration(end)*time.Millisecond - time.Duration(*last.Start))
}

// timelines adds the periods ps of all listed segments before slot limit, and returns the latest end of any, in milliseconds of
// Unix time.
func timelines(p *manifest.Presentation, m *mpd.MPD, ps []period, limit uint64) (end int64) {
	var shown []period
	for _, pd := range ps {
		e := pd.element()
		for i, family := range pd.families() {
			set := adaptationSet(i+1, family, p.Plan.Independent)
			set.Representations = nil
			for _, r := range family {
				entries, first, until := segmentTimeline(p, &pd, r, limit)
				if entries == nil {
					continue
				}
				t := template(r)
				t.Timescale, t.StartNumber, t.SegmentTimeline = &r.epoch.Init.Timescale, mpd.Ptr(uint32(first)), entries
				if o := pd.offset(r, r.epoch.Init.Timescale); o > 0 {
					t.PresentationTimeOffset = &o
				}
				rep := representation(r)
				rep.SegmentTemplate = &t
				set.Representations = append(set.Representations, rep)
				end = max(end, manifest.UnixMilli(r.epoch, until).UnixMilli())
			}
			if len(set.Representations) > 0 {
				e.AdaptationSets = append(e.AdaptationSets, set)
			}
		}
		if len(e.AdaptationSets) > 0 {
			m.Periods, shown = append(m.Periods, e), append(shown, pd)
		}
	}
	happenings(p, shown, m.Periods)
	return end
}

// wholeBefore is the slot after the last one that is whole, or missing for ever, in every rendition; but renditions that are far
// behind hold the others back by a few slots only. So it does not fall when one of them comes back.
func wholeBefore(p *manifest.Presentation) uint64 {
	leader, least := uint64(0), uint64(math.MaxUint64)
	for i := range p.Renditions {
		if n := closedBefore(&p.Renditions[i]); n > 0 && p.Renditions[i].Track.Kind != media.Text {
			leader, least = max(leader, n), min(least, n)
		}
	}
	return max(min(leader, least), leader-min(leader, stalledFor))
}

// closedBefore is the slot after the rendition's last closed one; 0 while there is none.
func closedBefore(r *manifest.Rendition) uint64 {
	if len(r.Segments) == 0 {
		return 0
	}
	return r.Segments[len(r.Segments)-1].N + 1
}

// nothing reports whether no rendition has published anything.
func nothing(p *manifest.Presentation) bool {
	for i := range p.Renditions {
		if !p.Renditions[i].Empty() {
			return false
		}
	}
	return true
}

func document(p *manifest.Presentation, m *mpd.MPD) (manifest.Document, error) {
	if p.Media != "" {
		media := manifest.Name{Kind: manifest.LegacyMPD, Channel: p.Media}.URI(manifest.Name{Kind: manifest.LegacyMPD})
		m.BaseURL = []*mpd.BaseURLType{mpd.NewBaseURL(media[:strings.LastIndexByte(media, '/')+1])}
	}
	var b bytes.Buffer
	if _, err := m.Write(&b, "  ", true); err != nil {
		return manifest.Document{}, fmt.Errorf("dash: encode MPD: %w", err)
	}
	b.WriteByte('\n')
	return manifest.Document{
		Body:        b.Bytes(),
		ContentType: manifest.TypeDASH,
		MaxAge:      time.Duration(p.Plan.TargetDuration) * time.Second / 2,
	}, nil
}

package dash

import (
	"math"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
)

const (
	profileLowLatency = "http://www.dashif.org/guidelines/low-latency-live-v5"

	schemeTime = "urn:mpeg:dash:utc:http-xsdate:2014"
	timeURL    = "/time" // on our own origin

	// How far a player may slow down and speed up to hold its latency.
	slowest, fastest = 0.96, 1.04
)

// Live writes the LL-DASH MPD. Its text changes only when an epoch or an event comes or goes, a track does, or the broadcast ends. Then it
// gets a duration and is not updated any more, but stays dynamic: when segments numbered from 1970 on become static, Shaka Player
// makes a list of all of them, and its page dies.
func Live(p manifest.Presentation) (manifest.Document, error) {
	if nothing(&p) {
		return manifest.Document{}, manifest.ErrNotYet
	}
	m := dynamic(&p)
	m.UTCTimings = []*mpd.DescriptorType{utcTiming()}
	m.Profiles = m.Profiles.AddProfile(profileLowLatency)
	m.MinBufferTime = duration(3 * p.Plan.PartTarget)
	m.MaxSegmentDuration = duration(slotAndFrame(&p))
	// No suggestedPresentationDelay: Shaka Player adds it to the latency that it aims at, the others prefer that one.
	m.ServiceDescription = []*mpd.ServiceDescriptionType{serviceDescription(&p, latency(&p))}
	newest := changed(&p)
	ps := periods(&p)
	for _, pd := range ps {
		e, err := livePeriod(&p, &pd)
		if err != nil {
			return manifest.Document{}, err
		}
		m.Periods = append(m.Periods, e)
		if pd.change > 0 {
			newest = max(newest, pd.start)
		}
		for _, r := range pd.reps {
			newest = max(newest, p.Plan.Grid.Start(r.epoch.First, 1000))
		}
	}
	happenings(&p, ps, m.Periods)
	m.PublishTime = dateTime(newest)
	if p.Ended() {
		m.MinimumUpdatePeriod = nil
		finish(m, end(&p))
	}
	return document(&p, m)
}

// slotAndFrame bounds the segments of a regular grid: groups fill slots, and what has no groups is cut with the frame that
// crosses the end of its slot. Shaka Player counts the live edge back from now by this, so that the rough bound of longest would
// cost latency. Groups shorter than the catalog says may still make a longer segment; the template allows for half a slot.
func slotAndFrame(p *manifest.Presentation) time.Duration {
	var frame int64 // ms
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if r.Track.Kind == media.Text { // which is cut to the tick
			continue
		}
		scale := int64(r.Current().Init.Timescale)
		frame = max(frame, (r.Frame*1000+scale-1)/scale)
	}
	return time.Duration(p.Plan.Grid.Start(1, 1000)+frame) * time.Millisecond
}

// dynamic is what both live MPDs have.
func dynamic(p *manifest.Presentation) *mpd.MPD {
	m := mpd.NewMPD(mpd.DYNAMIC_TYPE)
	m.Profiles = mpd.PROFILE_LIVE
	m.AvailabilityStartTime = dateTime(0)
	m.MinimumUpdatePeriod = duration(time.Duration(p.Plan.TargetDuration) * time.Second)
	m.TimeShiftBufferDepth = millis(p.Plan.Grid.Start(uint64(p.Plan.Window), 1000))
	m.MaxSegmentDuration = duration(longest(p))
	return m
}

// longest bounds every segment: TargetDuration is a rounded duration.
func longest(p *manifest.Presentation) time.Duration {
	return time.Duration(p.Plan.TargetDuration)*time.Second + 500*time.Millisecond
}

func utcTiming() *mpd.DescriptorType { return mpd.NewDescriptor(schemeTime, timeURL, "") }

// latency is what players aim at: what the catalog asks for, but never less than lets two parts be in flight and two
// in the buffer; six parts, about two seconds, when it does not ask.
func latency(p *manifest.Presentation) time.Duration {
	target := 6 * p.Plan.PartTarget
	for i := range p.Renditions {
		if t := p.Renditions[i].Track.TargetLatency; t > 0 {
			return max(t, 4*p.Plan.PartTarget)
		}
	}
	return target
}

// serviceDescription lets players fall behind by five segments before they seek (annex K). Less would have dash.js 5.2 seek into
// a gap in one rendition while the gap still grows, and it never comes out of a seek that finds nothing.
func serviceDescription(p *manifest.Presentation, target time.Duration) *mpd.ServiceDescriptionType {
	slot := time.Duration(p.Plan.Grid.Start(1, 1000)) * time.Millisecond
	ms := func(d time.Duration) *uint32 { return mpd.Ptr(uint32(min(d.Milliseconds(), math.MaxUint32))) }
	return &mpd.ServiceDescriptionType{
		Latencies: []*mpd.LatencyType{{
			ReferenceId: 1, Target: ms(target), Min: ms(min(3*p.Plan.PartTarget, target)), Max: ms(target + 5*slot),
		}},
		PlaybackRates: []*mpd.PlaybackRateType{{Min: slowest, Max: fastest}},
	}
}

func livePeriod(p *manifest.Presentation, pd *period) (*mpd.Period, error) {
	e := pd.element()
	for i, family := range pd.families() {
		timescale, slot, err := gridTimescale(p.Plan.Grid, family[0].epoch.Init.Timescale)
		if err != nil {
			return nil, err
		}
		set := adaptationSet(i+1, family, p.Plan.Independent)
		set.SegmentTemplate = grid(p, pd, timescale, slot)
		for j, r := range family {
			t := template(r)
			t.Media = ""
			if o := pd.offset(r, timescale); o > 0 {
				t.PresentationTimeOffset = mpd.Ptr(o)
			}
			set.Representations[j].SegmentTemplate = &t
		}
		if kin(family[0]).kind == media.Text { // it comes whole, when its slot is over
			set.SegmentTemplate.AvailabilityTimeOffset, set.SegmentTemplate.AvailabilityTimeComplete = 0, nil
			e.AdaptationSets = append(e.AdaptationSets, set)
			continue
		}
		set.ProducerReferenceTimes = []*mpd.ProducerReferenceTimeType{{
			Id: uint32(i + 1), Type: "encoder", WallClockTime: string(dateTime(pd.start)),
			PresentationTime: pd.offset(family[0], timescale), UTCTiming: utcTiming(),
		}}
		sap := uint32(0) // a video part may start anywhere in a group
		if kin(family[0]).kind == media.Audio {
			sap = 1
		}
		apart := manifest.MillisToTicks(p.Plan.PartTarget.Milliseconds(), timescale) + 1 // no part is longer
		set.Resyncs = []*mpd.ResyncType{{Type: sap, DT: mpd.Ptr(uint32(apart))}}
		e.AdaptationSets = append(e.AdaptationSets, set)
	}
	return e, nil
}

// grid is the part of the SegmentTemplate that a family shares: slot n is segment n, and may be asked for as soon as its
// first part can be there (5.3.9.5.1).
func grid(p *manifest.Presentation, pd *period, timescale, slot uint32) *mpd.SegmentTemplateType {
	t := &mpd.SegmentTemplateType{Media: manifest.SegmentTemplate}
	t.Timescale, t.Duration, t.StartNumber = &timescale, &slot, mpd.Ptr(uint32(pd.n))
	early := p.Plan.Grid.Start(1, 1000) - p.Plan.PartTarget.Milliseconds()
	t.AvailabilityTimeOffset = mpd.FloatInf64(float64(max(early, 0)) / 1000)
	t.AvailabilityTimeComplete = mpd.Ptr(false)
	return t
}

// end is when the last segment of any rendition ends, in milliseconds of Unix time.
func end(p *manifest.Presentation) int64 {
	var end int64
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if n := len(r.Segments); n > 0 {
			s := &r.Segments[n-1]
			e := r.Epoch(s.Epoch)
			end = max(end, manifest.UnixMilli(e, p.End(e, s)).UnixMilli())
		}
	}
	return end
}

package dash_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func channel(ms int64) *manifesttest.Channel {
	c := manifesttest.New(manifesttest.Plan(2, 1, 30), 30, manifesttest.Start, manifesttest.Video("hi", 720, 25, 1, 50),
		manifesttest.Video("lo", 360, 12800, 512, 50), manifesttest.Audio("en", "en", 48000), manifesttest.Audio("sv", "sv", 48000))
	c.Play(manifesttest.Start + ms)
	return c
}

func read(t testing.TB, d manifest.Document, err error) *mpd.MPD {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mpd.MPDFromBytes(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func live(t testing.TB, p manifest.Presentation) *mpd.MPD {
	t.Helper()
	d, err := dash.Live(p)
	return read(t, d, err)
}

func plain(t testing.TB, p manifest.Presentation) *mpd.MPD {
	t.Helper()
	d, err := dash.Legacy(p)
	return read(t, d, err)
}

func TestAClipBeginsWithItsFirstPicture(t *testing.T) {
	// Groups of 3 s in slots of 4 s: a segment begins up to 2 s after its slot.
	c := manifesttest.New(manifesttest.Plan(4, 1, 10), 10, manifesttest.Start, manifesttest.Video("v", 720, 25, 1, 75),
		manifesttest.Audio("en", "en", 48000))
	c.Play(manifesttest.Start + 40_000)
	c.End()
	p := c.Present()
	first := p.Renditions[0].Segments[4]
	p.From, p.Media = first.N, "other"
	if first.Start == p.Plan.Grid.Start(first.N, 25) {
		t.Fatal("the segment begins with its slot")
	}
	m := plain(t, p)
	if len(m.Periods) != 1 || m.Periods[0].Start.String() != "PT0S" || len(m.BaseURL) != 1 || m.BaseURL[0].Value != "../other/" {
		t.Fatalf("%+v", m)
	}
	end := p.Renditions[0].Segments[len(p.Renditions[0].Segments)-1].End()
	if want := float64(end-first.Start) / 25; m.MediaPresentationDuration.Seconds()-want > 0.05 || m.MediaPresentationDuration.Seconds() < want {
		t.Errorf("it lasts %v, want %f s", m.MediaPresentationDuration, want)
	}
	template := m.Periods[0].AdaptationSets[0].Representations[0].SegmentTemplate
	if *template.PresentationTimeOffset != uint64(first.Start) || *template.SegmentTimeline.S[0].T != uint64(first.Start) {
		t.Errorf("the first picture is at %d, the period begins at %d", *template.SegmentTimeline.S[0].T, *template.PresentationTimeOffset)
	}
}

func TestLiveIsStaticTextWhileNothingBeginsOrEnds(t *testing.T) {
	c := channel(5_000)
	first, err := dash.Live(c.Present())
	if err != nil {
		t.Fatal(err)
	}
	c.Play(manifesttest.Start + 300_000)
	if later, err := dash.Live(c.Present()); err != nil || string(later.Body) != string(first.Body) {
		t.Errorf("%v\n%s", err, later.Body)
	}
}

// TestLiveNumbersTheGrid: every segment lies within half a slot of where its number says (IOP-LL 9.X.4.5).
func TestLiveNumbersTheGrid(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		if s.Ended() || s.Renditions[0].Empty() {
			continue
		}
		for _, period := range live(t, s.Presentation).Periods {
			for _, set := range period.AdaptationSets {
				g := set.SegmentTemplate
				for _, e := range set.Representations {
					name, _ := manifest.Unescape(e.Id)
					r := s.Rendition(name)
					offset := int64(0)
					if o := e.SegmentTemplate.PresentationTimeOffset; o != nil {
						offset = int64(*o)
					}
					for _, seg := range r.Segments {
						epoch := r.Epoch(seg.Epoch)
						if period.Id != string(rune('0'+seg.Epoch)) {
							continue
						}
						scale := int64(*g.Timescale) / int64(epoch.Init.Timescale)
						is, says := seg.Start*scale-offset, int64(seg.N-uint64(*g.StartNumber))*int64(*g.Duration)
						if off := is - says; off > int64(*g.Duration)/2 || off < -int64(*g.Duration)/2 {
							t.Errorf("%s/%s: segment %d begins %d ticks off", s.Name, name, seg.N, off)
						}
					}
				}
			}
		}
	}
}

func TestNoSegmentIsLongerThanTheMPDSays(t *testing.T) {
	for _, s := range manifesttest.Scenarios() {
		if s.Ended() || s.Renditions[0].Empty() {
			continue
		}
		for name, m := range map[string]*mpd.MPD{"live": live(t, s.Presentation), "legacy": plain(t, s.Presentation)} {
			most := time.Duration(*m.MaxSegmentDuration)
			for _, r := range s.Renditions {
				for _, seg := range r.Segments {
					scale := time.Duration(r.Epoch(seg.Epoch).Init.Timescale)
					if dur := time.Duration(seg.Dur) * time.Second / scale; seg.State == timeline.Full && dur > most {
						t.Errorf("%s, %s: segment %d of %s lasts %v, at most %v was promised", s.Name, name, seg.N, r.Track.Name, dur, most)
					}
				}
			}
		}
	}
}

func TestLiveKeepsTheRulesOfLowLatency(t *testing.T) {
	m := live(t, channel(5_000).Present())
	latency := m.ServiceDescription[0].Latencies[0]
	if *latency.Target < 1500 || *latency.Target > 2500 || *latency.Min >= *latency.Target || *latency.Max <= *latency.Target {
		t.Errorf("latency %d, from %d to %d", *latency.Target, *latency.Min, *latency.Max)
	}
	if rate := m.ServiceDescription[0].PlaybackRates[0]; rate.Min >= 1 || rate.Max <= 1 {
		t.Errorf("playback rate %v", rate)
	}
	if got, want := time.Duration(*m.MaxSegmentDuration), 2040*time.Millisecond; got != want {
		t.Errorf("segments of up to %v, want a slot and a frame, %v: the live edge depends on it", got, want)
	}
	if m.SuggestedPresentationDelay != nil {
		t.Errorf("a delay of %v on top of the latency", time.Duration(*m.SuggestedPresentationDelay))
	}
	referenced := false
	for _, set := range m.Periods[0].AdaptationSets {
		g := set.SegmentTemplate
		slot := float64(*g.Duration) / float64(*g.Timescale)
		if ato := float64(g.AvailabilityTimeOffset); *g.AvailabilityTimeComplete || ato <= 0 || ato >= slot || slot-ato >= 2 {
			t.Errorf("set %d: availability time offset %v of %v s", *set.Id, ato, slot)
		}
		prt := set.ProducerReferenceTimes[0]
		referenced = referenced || prt.Id == latency.ReferenceId
		if prt.UTCTiming.SchemeIdUri != m.UTCTimings[0].SchemeIdUri || prt.UTCTiming.Value != m.UTCTimings[0].Value {
			t.Errorf("set %d: clock %+v", *set.Id, prt.UTCTiming)
		}
		if part := float64(*set.Resyncs[0].DT) / float64(*g.Timescale); part < 0.333 || part > 0.4 {
			t.Errorf("set %d: resync points %v s apart", *set.Id, part)
		}
	}
	if !referenced {
		t.Error("Latency refers to no ProducerReferenceTime")
	}
}

func TestCatalogLatencyIsTheTarget(t *testing.T) {
	for asked, want := range map[time.Duration]uint32{3 * time.Second: 3000, 100 * time.Millisecond: 1336} {
		p := channel(5_000).Present()
		p.Renditions[0].Track.TargetLatency = asked
		if got := *live(t, p).ServiceDescription[0].Latencies[0].Target; got != want {
			t.Errorf("asked for %v, aims at %d ms, want %d", asked, got, want)
		}
	}
}

func TestAnEpochIsAPeriodAndMovesPublishTime(t *testing.T) {
	c := channel(9_000)
	before := live(t, c.Present())
	c.Restart(c.Plan.Grid.Slot(manifesttest.Start, 1000) + 5)
	c.Play(manifesttest.Start + 13_000)
	after := live(t, c.Present())
	if len(before.Periods) != 1 || len(after.Periods) != 2 || after.PublishTime <= before.PublishTime {
		t.Fatalf("%d periods at %s, then %d at %s", len(before.Periods), before.PublishTime, len(after.Periods), after.PublishTime)
	}
	p := after.Periods[1]
	start := time.Unix(0, 0).Add(time.Duration(*p.Start))
	if want := time.UnixMilli(manifesttest.Start + 10_000); !start.Equal(want) || p.Id != "1" {
		t.Errorf("period %s starts at %v, want %v", p.Id, start, want)
	}
	prt := p.AdaptationSets[0].ProducerReferenceTimes[0]
	if prt.WallClockTime != "2026-11-21T06:00:10Z" || prt.PresentationTime != 0 {
		t.Errorf("media time zero is at %+v", prt)
	}
}

func TestRenditionsThatCannotSwitchAreApart(t *testing.T) {
	var sets []string
	for _, set := range live(t, channel(5_000).Present()).Periods[0].AdaptationSets {
		var ids []string
		for _, r := range set.Representations {
			ids = append(ids, r.Id)
		}
		sets = append(sets, set.Lang+":"+strings.Join(ids, "+"))
	}
	if got := strings.Join(sets, " "); got != ":hi :lo en:en sv:sv" { // hi and lo differ in timescale
		t.Errorf("%s", got)
	}
}

func TestLegacyListsWhatIsWholeEverywhere(t *testing.T) {
	c := channel(8_200)
	slow := c.Present()
	c.Play(manifesttest.Start + 12_200)
	p := c.Present()
	p.Renditions[3] = slow.Renditions[3]
	if got := count(plain(t, p)); got["hi"] != 4 || got["sv"] != 4 {
		t.Errorf("%v segments, want 4 of each", got)
	}
	c.Play(manifesttest.Start + 30_200)
	p = c.Present()
	p.Renditions[3] = slow.Renditions[3]
	if got := count(plain(t, p)); got["hi"] != 12 || got["sv"] != 4 {
		t.Errorf("%v segments: a stalled rendition holds the others back by more, or less, than three", got)
	}
	p = c.Present() // it comes back a slot behind
	late := *p.Renditions[3].Snapshot
	late.Segments = late.Segments[:len(late.Segments)-1]
	p.Renditions[3].Snapshot = &late
	if got := count(plain(t, p)); got["hi"] != 14 || got["sv"] != 14 {
		t.Errorf("%v segments: want all to go on with the one that came back", got)
	}
}

// count is the number of segments of each representation.
func count(m *mpd.MPD) map[string]int {
	n := make(map[string]int)
	for _, p := range m.Periods {
		for _, set := range p.AdaptationSets {
			for _, r := range set.Representations {
				for _, s := range r.SegmentTemplate.SegmentTimeline.S {
					n[r.Id] += 1 + s.R
				}
			}
		}
	}
	return n
}

func TestTheEndIsKnownAndMovesNothing(t *testing.T) {
	c := channel(15_000)
	before := plain(t, c.Present())
	c.End()
	p := c.Present()
	for want, m := range map[string]*mpd.MPD{"dynamic": live(t, p), "static": plain(t, p)} {
		if m.GetType() != want || m.MinimumUpdatePeriod != nil || m.PublishTime <= before.PublishTime {
			t.Errorf("type %s, published %s", m.GetType(), m.PublishTime)
		}
		if end := time.Duration(*m.MediaPresentationDuration).Milliseconds(); end != manifesttest.Start+15_000 {
			t.Errorf("%s: the presentation ends at %d ms", want, end)
		}
		period := m.Periods[0]
		if end := *period.Start + *period.Duration; end != *m.MediaPresentationDuration {
			t.Errorf("%s: the period ends at %v, the presentation at %v", want, end, *m.MediaPresentationDuration)
		}
	}
	if a, b := firstTime(before), firstTime(plain(t, p)); a != b {
		t.Errorf("the first segment was at %v, and is at %v", a, b)
	}
}

// firstTime is the presentation time of the first segment of the first representation.
func firstTime(m *mpd.MPD) time.Duration {
	p := m.Periods[0]
	st := p.AdaptationSets[0].Representations[0].SegmentTemplate
	at := int64(*st.SegmentTimeline.S[0].T)
	if st.PresentationTimeOffset != nil {
		at -= int64(*st.PresentationTimeOffset)
	}
	scale := int64(*st.Timescale)
	return time.Duration(*p.Start) + time.Duration(at/scale)*time.Second + time.Duration(at%scale)*time.Second/time.Duration(scale)
}

func TestNothingIsWrittenBeforeThereIsSomething(t *testing.T) {
	p := channel(0).Present()
	if _, err := dash.Live(p); !errors.Is(err, manifest.ErrNotYet) {
		t.Errorf("Live: %v", err)
	}
	if _, err := dash.Legacy(p); !errors.Is(err, manifest.ErrNotYet) {
		t.Errorf("Legacy: %v", err)
	}
}

func TestAGridThatFitsNoTimescaleIsAnError(t *testing.T) {
	p := channel(5_000).Present()
	p.Plan.Grid.Num, p.Plan.Grid.Den = 2_000_000_011, 1_000_000_007
	if _, err := dash.Live(p); err == nil || errors.Is(err, manifest.ErrNotYet) {
		t.Errorf("%v", err)
	}
}

func BenchmarkLive(b *testing.B) {
	p := channel(70_000).Present()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dash.Live(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLegacy(b *testing.B) {
	p := channel(70_000).Present()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dash.Legacy(p); err != nil {
			b.Fatal(err)
		}
	}
}

func TestObjectsOfDolbyAtmosAreSaid(t *testing.T) {
	atmos := manifesttest.Audio("atmos", "en", 48000)
	atmos.Init.Codec, atmos.Init.Channels, atmos.Init.JOC = "ec-3", 6, 16
	bed := atmos
	bed.Name, bed.Init.JOC = "bed", 0
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, atmos, bed)
	c.Play(manifesttest.Start + 5_000)
	sets := live(t, c.Present()).Periods[0].AdaptationSets
	if len(sets) != 2 || len(sets[0].SupplementalProperties) != 2 || len(sets[1].SupplementalProperties) != 0 {
		t.Fatalf("%+v", sets)
	}
	if p := sets[0].SupplementalProperties[1]; !strings.HasSuffix(string(p.SchemeIdUri), "EC3_ExtensionComplexityIndex:2018") || p.Value != "16" {
		t.Errorf("%+v", p)
	}
}

// A record may say of an event that it is a signal, and not what it says.
func TestAnEventWithoutASpliceIsNoSignal(t *testing.T) {
	c := channel(10_000)
	for _, s := range []*timeline.Splice{nil, {Cue: timeline.Out}} {
		c.Events = append(c.Events, timeline.Event{Start: manifesttest.Start + 5_000, ID: fmt.Sprint(s), Scheme: "urn:scte:scte35:2014:xml+bin", Splice: s})
	}
	if m := live(t, c.Present()); len(m.Periods[0].EventStreams[0].Events) != 2 {
		t.Errorf("%+v", m.Periods[0].EventStreams[0].Events)
	}
}

// Times of events count from the period (ISO/IEC 23009-1, 5.10.2.2), wherever that begins.
func TestEventsOfARecordingMoveWithItsPeriods(t *testing.T) {
	c := channel(30_000)
	c.End()
	c.Events = []timeline.Event{{Start: manifesttest.Start + 12_345, Dur: 500, ID: "x", Scheme: "urn:x"}}
	p := c.Present()
	p.Zero = true
	m := plain(t, p)
	begin, err := time.Parse(time.RFC3339Nano, string(m.AvailabilityStartTime))
	if err != nil {
		t.Fatal(err)
	}
	s := m.Periods[0].EventStreams[0]
	ms := begin.UnixMilli() + time.Duration(*m.Periods[0].Start).Milliseconds() + int64(s.Events[0].PresentationTime-s.PresentationTimeOffset)
	if *m.Periods[0].Start != 0 || *s.Timescale != 1000 || ms != c.Events[0].Start {
		t.Errorf("%d ms too late", ms-c.Events[0].Start)
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"time"
)

// track is one representation and what it inherits.
type track struct {
	r        *report
	mpdURL   string
	mpd      *mpd
	period   *period
	rep      *representation
	template *template
	init     initInfo
}

func checkDASH(ctx context.Context, r *report, url string) {
	a := get(ctx, url)
	if !r.check("D01 MPD answers", a.status == 200, "%s: %d %.80s", url, a.status, a.body) {
		return
	}
	ct, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	r.check("D53 content type", ct == "application/dash+xml", "%s: %q", url, ct)
	r.check("D53 MPD is short-lived", a.maxAge() >= 0 && a.maxAge() <= 3, "%s: %q", url, a.header.Get("Cache-Control"))
	checkGzip(ctx, r, url)
	m, err := parseMPD(a.body)
	if !r.check("D01 MPD is XML", err == nil && len(m.Periods) > 0, "%s: %v, %d periods", url, err, len(m.Periods)) {
		return
	}
	m.checkRoot(r, url, a.done)
	checkClock(ctx, r, url, m)
	var wg sync.WaitGroup
	ids := map[string]bool{}
	p := &m.Periods[len(m.Periods)-1]
	for i := range p.Sets {
		set := &p.Sets[i]
		for j := range set.Reps {
			rep := &set.Reps[j]
			r.check("D06 representation ids are unique", !ids[rep.ID], "%s: %s", url, rep.ID)
			ids[rep.ID] = true
			t := &track{r: r, mpdURL: url, mpd: m, period: p, rep: rep, template: inherit(set.Template, rep.Template)}
			if !r.check("D12 template", t.template != nil, "%s: %s has none", url, rep.ID) {
				continue
			}
			t.checkLowLatencySet(set)
			wg.Go(func() { t.check(ctx) })
		}
	}
	wg.Wait()
	again := get(ctx, url)
	if m2, err := parseMPD(again.body); r.check("D01 MPD is XML", err == nil, "%s: %v", url, err) {
		r.check("D04 publishTime never falls", !m2.Published.Before(m.Published), "%s: %v, was %v", url, m2.Published, m.Published)
		r.check("D04 publishTime moves with the content", bytes.Equal(a.body, again.body) || m2.Published.After(m.Published), "%s: stays %v", url, m.Published)
	}
}

// checkRoot checks the attributes of the MPD itself.
func (m *mpd) checkRoot(r *report, url string, now time.Time) {
	r.check("D02 profiles", strings.Contains(m.Profiles, "urn:mpeg:dash:profile:isoff-live:2011"), "%s: %s", url, m.Profiles)
	r.check("D03 dynamic", m.Type == "dynamic" && !m.Start.IsZero() && !m.Published.IsZero() && duration(m.MinBuffer) > 0, "%s: %s from %v, published %v, buffer %s",
		url, m.Type, m.Start, m.Published, m.MinBuffer)
	r.check("D04 publishTime", m.Published.Before(now.Add(time.Second)), "%s: %v is in the future", url, m.Published)
	r.check("D05 minimumUpdatePeriod", duration(m.UpdatePeriod) >= 0, "%s: %q", url, m.UpdatePeriod)
	r.check("D09 timeShiftBufferDepth", duration(m.Depth) > 0, "%s: %q", url, m.Depth)
	last := time.Duration(-1)
	for _, p := range m.Periods {
		r.check("D11 periods in order", duration(p.Start) > last, "%s: %s starts at %s", url, p.ID, p.Start)
		last = duration(p.Start)
	}
}

// checkClock asks the server's clock, which players set theirs by.
func checkClock(ctx context.Context, r *report, url string, m *mpd) {
	if !r.check("D18 UTCTiming", len(m.UTCTiming) > 0, "%s has none", url) {
		return
	}
	for _, u := range m.UTCTiming {
		if !strings.Contains(u.ID, ":http-") {
			continue
		}
		at := resolve(url, u.Value)
		a := get(ctx, at)
		mid := a.asked.Add(a.done.Sub(a.asked) / 2)
		text := strings.TrimSpace(string(a.body))
		t, err := time.Parse(time.RFC3339Nano, text)
		tolerance := 100 * time.Millisecond
		if strings.Contains(u.ID, ":http-head") { // to the second
			t, err = time.Parse(time.RFC1123, a.header.Get("Date"))
			tolerance += time.Second
		}
		r.check("D18 UTCTiming", a.status == 200 && err == nil && t.Sub(mid).Abs() < tolerance, "%s: %d, %q, off by %v", at, a.status, text, t.Sub(mid))
	}
}

// low reports whether the representation offers its segments before they are whole.
func (t *track) low() bool { return t.template.Early != "" && t.template.Early != "0" }

func (t *track) checkLowLatencySet(set *adaptationSet) {
	if !t.low() {
		return
	}
	r, id := t.r, t.mpdURL+" "+t.rep.ID
	early := time.Duration(decimal(t.template.Early)) * time.Microsecond
	r.check("D23 availabilityTimeOffset", early > 0 && (t.template.Duration == 0 || early < t.ticks(t.template.Duration)), "%s: %v", id, early)
	r.check("D24 availabilityTimeComplete", t.template.Complete == "false", "%s: %q", id, t.template.Complete)
	r.check("D22 ProducerReferenceTime", len(set.Reference) > 0, "%s has none", id)
	r.check("D26 Resync", len(set.Resync)+len(t.rep.Resync) > 0, "%s has none", id)
	ok := len(t.mpd.Services) > 0 && len(t.mpd.Services[0].Latency) > 0
	if r.check("D20 Latency", ok, "%s has none", t.mpdURL) {
		l := t.mpd.Services[0].Latency[0]
		r.check("D20 Latency", l.Target > 0 && (l.Min == 0 || l.Min <= l.Target) && (l.Max == 0 || l.Target <= l.Max), "%s: %+v", t.mpdURL, l)
	}
}

// ticks as a duration.
func (t *track) ticks(n uint64) time.Duration {
	hi, lo := bits.Mul64(n, uint64(time.Second))
	q, _ := bits.Div64(hi%t.template.Timescale, lo, t.template.Timescale)
	return time.Duration(q)
}

func (t *track) url(e entry) string {
	return resolve(t.mpdURL, fill(t.template.Media, t.rep.ID, t.rep.Bandwidth, e))
}

// check checks one representation.
func (t *track) check(ctx context.Context) {
	id := t.mpdURL + " " + t.rep.ID
	if t.template.Timescale == 0 {
		t.template.Timescale = 1
	}
	t.r.check("D12 template", strings.Contains(t.template.Media, "$Number$") != strings.Contains(t.template.Media, "$Time$"), "%s: %s", id, t.template.Media)
	u := resolve(t.mpdURL, fill(t.template.Init, t.rep.ID, t.rep.Bandwidth, entry{}))
	a := get(ctx, u)
	var err error
	t.init, err = readInit(a.body)
	if !t.r.check("D12 init", a.status == 200 && err == nil, "%s: %d %v", u, a.status, err) {
		return
	}
	t.r.check("D15 one timescale", t.init.timescale == t.template.Timescale || t.template.Timeline == nil, "%s: %d in the init, %d in the MPD", id, t.init.timescale, t.template.Timescale)
	if t.template.Timeline != nil {
		t.checkTimeline(ctx)
		return
	}
	if t.r.check("D12 template", t.template.Duration > 0, "%s: neither a timeline nor a duration", id) {
		t.checkNumbers(ctx)
	}
}

// checkTimeline checks a SegmentTimeline and the oldest and newest segment that it lists.
func (t *track) checkTimeline(ctx context.Context) {
	id := t.mpdURL + " " + t.rep.ID
	es := t.template.timeline()
	if !t.r.check("D14 timeline", len(es) > 0, "%s is empty", id) {
		return
	}
	for i := 1; i < len(es); i++ {
		t.r.check("D14 timeline", es[i].time >= es[i-1].time+es[i-1].dur && es[i].dur > 0, "%s: %+v after %+v", id, es[i], es[i-1])
		t.r.check("D08 maxSegmentDuration", t.mpd.MaxSegment == "" || t.ticks(es[i].dur) <= duration(t.mpd.MaxSegment), "%s: %v", id, t.ticks(es[i].dur))
	}
	for _, e := range []entry{es[0], es[len(es)-1]} {
		a := get(ctx, t.url(e))
		if !t.r.check("D09 listed segments exist", a.status == 200, "%s: %d", t.url(e), a.status) {
			continue
		}
		frags, err := readFragments(a.body, t.init)
		if t.r.check("D15 S@t is the decode time", err == nil && len(frags) > 0 && frags[0].tfdt == e.time, "%s: %v, S@t %d, first of %+v", t.url(e), err, e.time, frags[:min(1, len(frags))]) {
			var dur uint64
			for _, f := range frags {
				dur += f.duration
			}
			t.r.check("D15 S@d is the duration", dur == e.dur, "%s: %d, S@d %d", t.url(e), dur, e.dur)
		}
	}
}

// at is when segment n is whole, by the MPD.
func (t *track) at(n uint64) time.Time {
	return t.mpd.Start.Add(duration(t.period.Start)).Add(t.ticks((n - t.template.first() + 1) * t.template.Duration))
}

// checkNumbers checks $Number$ with a constant duration: what the MPD promises by arithmetic alone.
func (t *track) checkNumbers(ctx context.Context) {
	id := t.mpdURL + " " + t.rep.ID
	early := time.Duration(max(decimal(t.template.Early), 0)) * time.Microsecond
	since := time.Since(t.mpd.Start.Add(duration(t.period.Start)))
	whole := uint64(since / t.ticks(t.template.Duration)) // segments that are over
	if !t.r.check("D09 segments", whole > 1, "%s: period started %v ago", id, since) {
		return
	}
	// The oldest that the time shift buffer holds, and a second more of patience.
	oldest := t.template.first()
	if depth := duration(t.mpd.Depth); since > depth {
		oldest += uint64((since-depth)/t.ticks(t.template.Duration)) + 1
	}
	for _, n := range []uint64{oldest, t.template.first() + whole - 1} {
		a := get(ctx, t.url(entry{number: n}))
		if t.r.check("D09 segments in the time shift buffer exist", a.status == 200, "%s: %d", t.url(entry{number: n}), a.status) {
			t.checkPlace(a.body, n)
		}
	}
	// The segment after the next: asked for a second before its time, and again on time.
	n := t.template.first() + uint64(time.Since(t.mpd.Start.Add(duration(t.period.Start)))/t.ticks(t.template.Duration)) + 2
	available := t.at(n).Add(-early)
	pause(ctx, time.Until(available.Add(-time.Second)))
	a := get(ctx, t.url(entry{number: n}))
	t.r.check("D13 not before its time", a.status == 404 || a.status == 425 || a.first.After(available.Add(-150*time.Millisecond)), "%s: %d, %v before its time",
		t.url(entry{number: n}), a.status, available.Sub(a.first))
	n++
	available = t.at(n).Add(-early)
	pause(ctx, time.Until(available.Add(100*time.Millisecond)))
	a = get(ctx, t.url(entry{number: n}))
	t.r.check("D13 on time", a.status == 200 && a.took() < 200*time.Millisecond, "%s: %d after %v", t.url(entry{number: n}), a.status, a.took())
	if t.low() && a.status == 200 {
		t.checkChunks(ctx, a, n)
	}
}

// checkPlace compares the segment's decode time with the place that its number gives it.
func (t *track) checkPlace(body []byte, n uint64) {
	frags, err := readFragments(body, t.init)
	if !t.r.check("D15 segment", err == nil && len(frags) > 0, "%s %d: %v", t.rep.ID, n, err) {
		return
	}
	ts := t.template.Timescale
	scaled := scale(frags[0].tfdt, ts, t.init.timescale)
	want := (n-t.template.first())*t.template.Duration + t.template.Offset
	off := time.Duration(int64(scaled)-int64(want)) * time.Second / time.Duration(ts)
	t.r.check("D16 number and time agree", off.Abs() <= t.ticks(t.template.Duration)/2, "%s %d: %v off", t.rep.ID, n, off)
	t.r.check("D17 period start and media time agree", off.Abs() <= 45*time.Millisecond, "%s %d: %v off", t.rep.ID, n, off)
}

// scale is v*num/den.
func scale(v, num, den uint64) uint64 {
	hi, lo := bits.Mul64(v, num)
	q, _ := bits.Div64(hi%den, lo, den)
	return q
}

// checkChunks checks an answer to a request that came while the segment was being made.
func (t *track) checkChunks(ctx context.Context, a answer, n uint64) {
	id := fmt.Sprintf("%s %s %d", t.mpdURL, t.rep.ID, n)
	t.r.check("D28 chunked", a.length == -1, "%s: Content-Length %d", id, a.length)
	frags, err := readFragments(a.body, t.init)
	t.r.check("D28 chunks arrive as they are made", err == nil && a.bursts >= 3 && len(frags) >= a.bursts, "%s: %v, %d arrivals of %d chunks in %v",
		id, err, a.bursts, len(frags), a.done.Sub(a.first))
	later := get(ctx, t.url(entry{number: n}))
	t.r.check("D29 the same bytes later", later.status == 200 && bytes.Equal(later.body, a.body), "%s: %d bytes, later %d: %d bytes", id, len(a.body), later.status, len(later.body))
	t.r.check("D29 a whole segment has a length", later.length == int64(len(later.body)), "%s: Content-Length %d", id, later.length)
	t.checkPlace(a.body, n)
	t.r.note("%s: %d chunks in %d arrivals over %v", id, len(frags), a.bursts, a.done.Sub(a.first).Round(time.Millisecond))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// follower reads one media playlist with blocking reloads, and every part and segment the moment it is listed.
type follower struct {
	r   *report
	url string

	init     initInfo
	prev     *playlist
	parts    map[string]*partSeen
	segments map[uint64]*segment // as first seen complete
	arrivals []time.Time         // when new parts were first listed
	end      uint64              // tfdt after the last part read, 0 before the first
	endOf    string
	peak     int64 // bits a second of the heaviest segment
}

type partSeen struct {
	part
	body []byte
	at   time.Time
}

func (f *follower) run(ctx context.Context, length time.Duration) {
	a := get(ctx, f.url)
	if !f.r.check("H44 playlist answers", a.status == 200, "%s: %d %.80s", f.url, a.status, a.body) {
		return
	}
	a.checkHeaders(f.r, f.url, "application/vnd.apple.mpegurl")
	checkGzip(ctx, f.r, f.url)
	p := parse(f.r, f.url, a.body)
	f.r.check("H66 plain playlists are short-lived", a.maxAge() >= 0 && int64(a.maxAge()) <= p.target,
		"%s: %q", f.url, a.header.Get("Cache-Control"))
	f.r.check("H33 PART-INF", p.partTarget > 0, "%s has none", f.url)
	f.r.check("H64 no SKIP unasked", p.skipped == 0, "%s", f.url)
	if !f.readInit(ctx, p) {
		return
	}
	f.take(ctx, p, time.Now())
	for n, stop := 0, time.Now().Add(length); time.Now().Before(stop) && !p.ended && ctx.Err() == nil; n++ {
		msn, part := p.edge()
		var hinted chan answer
		if n%8 == 3 && len(p.hints) > 0 {
			hinted = make(chan answer, 1)
			go func() { hinted <- get(ctx, resolve(f.url, p.hints[0].uri)) }()
		}
		next := f.reload(ctx, msn, part)
		if next == nil {
			return
		}
		if hinted != nil {
			f.checkHint(<-hinted, p.hints[0].uri)
		}
		p = next
	}
	f.checkPace()
}

func (f *follower) readInit(ctx context.Context, p *playlist) bool {
	var uri string
	for _, s := range p.segments {
		uri = s.mapTo
	}
	if p.open != nil && p.open.mapTo != "" {
		uri = p.open.mapTo
	}
	a := get(ctx, resolve(f.url, uri))
	f.checkMedia(a, uri)
	var err error
	f.init, err = readInit(a.body)
	return f.r.check("H77 init", err == nil && f.init.mvex && len(find(a.body, "mdat")) == 0, "%s: %v", uri, err)
}

// reload asks for a part that does not exist yet and waits for it.
func (f *follower) reload(ctx context.Context, msn uint64, part int) *playlist {
	a := get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", f.url, msn, part))
	if !f.r.check("H55 blocking reload", a.status == 200, "%s: %d.%d: %d %.80s", f.url, msn, part, a.status, a.body) {
		return nil
	}
	p := parse(f.r, f.url, a.body)
	m, q := p.edge()
	f.r.check("H55 blocking reload", m > msn || m == msn && q > part || p.ended, "%s: asked for %d.%d, edge is %d.%d", f.url, msn, part, m, q)
	f.r.check("H66 blocking answers may be kept", int64(a.maxAge()) >= p.target, "%s: %q", f.url, a.header.Get("Cache-Control"))
	f.compare(p)
	f.take(ctx, p, a.done)
	return p
}

// compare checks what must not change between two reloads.
func (f *follower) compare(p *playlist) {
	r, old := f.r, f.prev
	r.check("H13 constant target duration", p.target == old.target, "%s: %d, was %d", f.url, p.target, old.target)
	r.check("H33 constant PART-TARGET", p.partTarget == old.partTarget, "%s: %d, was %d", f.url, p.partTarget, old.partTarget)
	r.check("H40 constant server control", fmt.Sprint(p.control) == fmt.Sprint(old.control), "%s: %v, was %v", f.url, p.control, old.control)
	r.check("H15 media sequence never falls", p.first >= old.first, "%s: %d, was %d", f.url, p.first, old.first)
	if p.first > old.first {
		r.check("H22 three target durations remain", p.duration() >= 3*p.target*1e6, "%s: %d us", f.url, p.duration())
	}
	var gone uint64
	for _, s := range old.segments {
		if s.msn < p.first && s.disc {
			gone++
		}
	}
	r.check("H17 discontinuity sequence counts", p.discontinity == old.discontinity+gone, "%s: %d, was %d", f.url, p.discontinity, old.discontinity)
	for i := range old.segments {
		was := &old.segments[i]
		if is := p.at(was.msn); is != nil {
			r.check("H16 a segment never changes", is.uri == was.uri && is.dur == was.dur && is.disc == was.disc && is.mapTo == was.mapTo,
				"%s: %d is %+v, was %+v", f.url, was.msn, is, was)
		}
	}
	if len(old.hints) > 0 {
		msn, k := old.edge()
		if s := p.at(msn); s != nil && k < len(s.parts) {
			r.check("H47 the hint comes true", s.parts[k].uri == old.hints[0].uri, "%s: %s, hinted was %s", f.url, s.parts[k].uri, old.hints[0].uri)
		}
	}
}

// take checks the playlist by itself and fetches what is new in it.
func (f *follower) take(ctx context.Context, p *playlist, at time.Time) {
	p.checkStatic(f.r, f.url)
	for i := range p.segments {
		f.takeParts(ctx, &p.segments[i], at)
		f.takeSegment(ctx, &p.segments[i])
	}
	if p.open != nil {
		f.takeParts(ctx, p.open, at)
	}
	f.prev = p
}

func (f *follower) takeParts(ctx context.Context, s *segment, at time.Time) {
	for _, q := range s.parts {
		if f.parts[q.uri] != nil || q.gap {
			continue
		}
		a := get(ctx, resolve(f.url, q.uri))
		f.checkMedia(a, q.uri)
		f.r.check("H44 parts are there when listed", a.status == 200 && a.took() < atOnce, "%s: %d after %v", q.uri, a.status, a.took())
		f.r.check("H66 media is immutable", a.maxAge() > 86400 && strings.Contains(a.header.Get("Cache-Control"), "immutable"),
			"%s: %q", q.uri, a.header.Get("Cache-Control"))
		f.parts[q.uri] = &partSeen{q, a.body, at}
		f.arrivals = append(f.arrivals, at)
		f.checkPart(q, a.body)
	}
}

// checkPart checks the boxes of a part against what the playlist says of it.
func (f *follower) checkPart(q part, body []byte) {
	frags, err := readFragments(body, f.init)
	if !f.r.check("H77 part", err == nil && len(frags) > 0, "%s: %v, %d moof", q.uri, err, len(frags)) {
		return
	}
	r, ts := f.r, int64(f.init.timescale)
	var dur uint64
	sync := false
	for _, g := range frags {
		dur += g.duration
		sync = sync || g.anySync
		r.check("H77 offsets from the moof", g.baseMoof, "%s", q.uri)
	}
	off := int64(dur)*1e6/ts - q.dur
	r.check("H36 DURATION is the samples'", off >= -1000 && off <= 1000, "%s: %d us off", q.uri, off)
	if f.init.handler == "vide" {
		r.check("H37 INDEPENDENT is true", !q.independent || sync, "%s has no sync sample", q.uri)
		r.check("H37 a part that starts with a sync sample is INDEPENDENT", q.independent || !frags[0].sync, "%s", q.uri)
		r.should("H37 a part that contains a sync sample is INDEPENDENT", q.independent || !sync, "%s", q.uri)
	}
	if f.end != 0 {
		r.check("H76 decode times are contiguous", frags[0].tfdt == f.end, "%s starts at %d, %s ended at %d", q.uri, frags[0].tfdt, f.endOf, f.end)
	}
	f.end, f.endOf = frags[0].tfdt+dur, q.uri
}

func (f *follower) takeSegment(ctx context.Context, s *segment) {
	if f.segments[s.msn] != nil || s.gap {
		return
	}
	f.segments[s.msn] = s
	a := get(ctx, resolve(f.url, s.uri))
	f.checkMedia(a, s.uri)
	f.r.check("H44 segments are there when listed", a.status == 200, "%s: %d", s.uri, a.status)
	f.peak = max(f.peak, int64(len(a.body))*8*1e6/max(s.dur, 1))
	var joined []byte
	for _, q := range s.parts {
		joined = append(joined, f.parts[q.uri].body...)
	}
	if len(s.parts) > 0 {
		f.r.check("H36 a segment is its parts", bytes.Equal(joined, a.body), "%s: %d bytes, its parts %d", s.uri, len(a.body), len(joined))
	}
	frags, err := readFragments(a.body, f.init)
	if f.r.check("H77 segment", err == nil && len(frags) > 0, "%s: %v", s.uri, err) && f.init.handler == "vide" {
		f.r.check("H76 a segment starts with a sync sample", frags[0].sync, "%s", s.uri)
	}
}

func (f *follower) checkMedia(a answer, uri string) {
	if a.status == 200 {
		a.checkHeaders(f.r, uri, "video/mp4", "audio/mp4", "video/iso.segment", "audio/iso.segment")
		f.r.check("H44 whole", a.length == int64(len(a.body)), "%s: Content-Length %d, %d bytes", uri, a.length, len(a.body))
	}
}

// checkHint checks the answer to an early request of a hinted part.
func (f *follower) checkHint(a answer, uri string) {
	if !f.r.check("H48 a hinted part may be asked for", a.status == 200, "%s: %d %.80s", uri, a.status, a.body) {
		return
	}
	f.r.check("H48 a hinted part comes at once when it comes", a.done.Sub(a.first) < 50*time.Millisecond, "%s: took %v after the header", uri, a.done.Sub(a.first))
	if seen := f.parts[uri]; seen != nil {
		f.r.check("H45 a part has one content", bytes.Equal(seen.body, a.body), "%s", uri)
	}
}

// checkPace wants a new part at least every PART-TARGET, with some patience for a machine that does other things too.
func (f *follower) checkPace() {
	var gaps []time.Duration
	for i := 1; i < len(f.arrivals); i++ {
		if d := f.arrivals[i].Sub(f.arrivals[i-1]); d > 0 {
			gaps = append(gaps, d)
		}
	}
	if len(gaps) < 10 {
		f.r.check("H43 parts keep coming", false, "%s: %d in all", f.url, len(gaps))
		return
	}
	slices.Sort(gaps)
	target := time.Duration(f.prev.partTarget) * time.Microsecond
	late := gaps[len(gaps)*95/100]
	f.r.check("H43 parts keep coming", gaps[len(gaps)/2] <= target+50*time.Millisecond && late <= 2*target,
		"%s: 95 %% within %v, worst %v, PART-TARGET %v", f.url, late, gaps[len(gaps)-1], target)
	f.r.note("%s: %d parts, a new one every %v (95 %% within %v, worst %v)", f.url, len(f.parts),
		gaps[len(gaps)/2].Round(time.Millisecond), late.Round(time.Millisecond), gaps[len(gaps)-1].Round(time.Millisecond))
}

// again fetches the parts anew: they must be there for three target durations after the playlist dropped them, and the
// same for ever.
func (f *follower) again(ctx context.Context) {
	if f.prev == nil {
		return
	}
	young := time.Now().Add(-time.Duration(5*f.prev.target) * time.Second)
	for uri, seen := range f.parts {
		a := get(ctx, resolve(f.url, uri))
		if seen.at.After(young) {
			f.r.check("H39 parts outlive the playlist", a.status == 200, "%s: %d", uri, a.status)
		}
		if a.status == 200 {
			f.r.check("H45 a part has one content", bytes.Equal(a.body, seen.body), "%s", uri)
		}
	}
}

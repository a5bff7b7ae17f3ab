package main

import (
	"time"
)

// checkStatic checks one media playlist by itself.
func (p *playlist) checkStatic(r *report, url string) {
	r.check("H11 target duration", p.target >= 1, "%s: %d", url, p.target)
	needs := int64(6)
	if p.skipped > 0 {
		needs = 9
	}
	r.check("H02 version", p.version >= needs, "%s: version %d, needs %d", url, p.version, needs)
	// Half a second more than the target duration rounds down to it.
	for i, s := range p.segments {
		r.check("H12 EXTINF within the target duration", (s.dur+500000)/1e6 <= p.target, "%s: %d lasts %d us", url, s.msn, s.dur)
		r.check("H27 MAP before media", s.mapTo != "" || p.skipped > 0, "%s: %d", url, s.msn)
		if i > 0 && !s.pdt.IsZero() && !p.segments[i-1].pdt.IsZero() && !s.disc {
			off := s.pdt.Sub(p.segments[i-1].pdt) - time.Duration(p.segments[i-1].dur)*time.Microsecond
			r.check("H29 dates follow durations", off.Abs() <= 2*time.Millisecond, "%s: %d is off by %v", url, s.msn, off)
		}
	}
	if len(p.segments) > 0 && p.skipped == 0 {
		r.check("H28 program date time", !p.segments[0].pdt.IsZero(), "%s: none at the first segment", url)
	}
	if p.partTarget >= 0 {
		p.checkLowLatency(r, url)
	}
}

// checkLowLatency checks the tags of a low-latency playlist.
func (p *playlist) checkLowLatency(r *report, url string) {
	hold := decimal(p.control["PART-HOLD-BACK"])
	r.check("H40 PART-HOLD-BACK", hold >= 2*p.partTarget, "%s: %d us for parts of %d us", url, hold, p.partTarget)
	r.should("H41 PART-HOLD-BACK of three parts", hold >= 3*p.partTarget, "%s: %d us for parts of %d us", url, hold, p.partTarget)
	if v, ok := p.control["CAN-SKIP-UNTIL"]; ok {
		r.check("H42 CAN-SKIP-UNTIL", decimal(v) >= 6*p.target*1e6, "%s: %s", url, v)
	}
	if v, ok := p.control["HOLD-BACK"]; ok {
		r.check("H42 HOLD-BACK", decimal(v) >= 3*p.target*1e6, "%s: %s", url, v)
	}
	r.check("H51 CAN-BLOCK-RELOAD", p.control["CAN-BLOCK-RELOAD"] == "YES", "%s: %v", url, p.control)
	kinds := map[string]int{}
	for _, h := range p.hints {
		kinds[h.kind]++
	}
	r.check("H46 preload hint", p.ended && len(p.hints) == 0 || kinds["PART"] == 1 && kinds["MAP"] <= 1, "%s: %v", url, p.hints)
	for i := range p.segments {
		p.checkParts(r, url, &p.segments[i], true)
	}
	if p.open != nil {
		p.checkParts(r, url, p.open, false)
	}
	p.checkPartWindow(r, url)
}

// checkParts checks the parts of a segment; of the open one the last is not known to be the last.
func (p *playlist) checkParts(r *report, url string, s *segment, whole bool) {
	var sum int64
	for i, q := range s.parts {
		sum += q.dur
		r.check("H34 part within PART-TARGET", q.dur <= p.partTarget, "%s: %s lasts %d us", url, q.uri, q.dur)
		last := i == len(s.parts)-1
		if !last && !q.independent && !q.gap {
			r.check("H35 part of 85 % of PART-TARGET", q.dur*100 >= p.partTarget*85, "%s: %s lasts %d of %d us", url, q.uri, q.dur, p.partTarget)
		}
	}
	if whole && len(s.parts) > 0 {
		off := sum - s.dur
		r.check("H36 parts make up the segment", off >= -1000 && off <= 1000, "%s: %d: %d us of %d us", url, s.msn, sum, s.dur)
	}
}

// checkPartWindow wants parts at the live edge only: nothing older than three target durations.
func (p *playlist) checkPartWindow(r *report, url string) {
	var behind int64
	if p.open != nil {
		for _, q := range p.open.parts {
			behind += q.dur
		}
	}
	for i := len(p.segments) - 1; i >= 0; i-- {
		s := &p.segments[i]
		// A segment that straddles the boundary may keep its parts.
		if behind >= 3*p.target*1e6 {
			r.should("H39 no old parts", len(s.parts) == 0, "%s: %d has parts %d us behind the edge", url, s.msn, behind)
		}
		if behind+s.dur <= 2*p.target*1e6 && !s.gap {
			r.check("H39 parts at the edge", len(s.parts) > 0, "%s: %d has none", url, s.msn)
		}
		behind += s.dur
	}
}

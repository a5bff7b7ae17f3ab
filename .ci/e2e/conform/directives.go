package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const atOnce = 300 * time.Millisecond

// checkDirectives sends good and bad delivery directives to one media playlist.
func checkDirectives(ctx context.Context, r *report, url string) {
	a := get(ctx, url)
	if a.status != 200 {
		return
	}
	p := parse(r, url, a.body)
	msn, _ := p.edge()
	for _, q := range []string{
		"_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1.5", "_HLS_msn=", "_HLS_msn=99999999999999999999999999",
		fmt.Sprintf("_HLS_msn=%d&_HLS_part=x", msn), fmt.Sprintf("_HLS_msn=%d&_HLS_part=-1", msn),
		fmt.Sprintf("_HLS_msn=%d&_HLS_msn=%d", msn, msn), fmt.Sprintf("_HLS_msn=%d&_HLS_part=0&_HLS_part=1", msn),
	} {
		refused(ctx, r, "H65 malformed directive", url, q, 400)
	}
	refused(ctx, r, "H57 part without msn", url, "_HLS_part=0", 400)
	refused(ctx, r, "H58 too far ahead", url, fmt.Sprintf("_HLS_msn=%d", msn+4), 400)
	refused(ctx, r, "H58 too far ahead", url, fmt.Sprintf("_HLS_msn=%d&_HLS_part=9999", msn), 400)
	refused(ctx, r, "H49 no such media", resolve(url, fmt.Sprintf("%d.0.m4s", msn+1000)), "", 404)
	refused(ctx, r, "H49 no such media", resolve(url, "nothing.m4s"), "", 404)

	old := get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=0", url, p.first))
	r.check("H60 an old msn answers at once", old.status == 200 && old.took() < atOnce, "%s: %d after %v", url, old.status, old.took())

	checkWaits(ctx, r, url)
}

func refused(ctx context.Context, r *report, rule, url, query string, status int) {
	if query != "" {
		url += "?" + query
	}
	a := get(ctx, url)
	r.check(rule, a.status == status && a.took() < atOnce, "%s: %d after %v", url, a.status, a.took())
	r.check("H66 refusals are short-lived", a.status == 200 || a.maxAge() >= 0 && a.maxAge() <= 60 || strings.Contains(a.header.Get("Cache-Control"), "no-store"),
		"%s: %q", url, a.header.Get("Cache-Control"))
	r.check("H68 CORS", a.header.Get("Access-Control-Allow-Origin") != "", "%s: %d without Access-Control-Allow-Origin", url, a.status)
}

// checkWaits asks for the open segment as a whole, and for a part beyond its last.
func checkWaits(ctx context.Context, r *report, url string) {
	p := parse(r, url, get(ctx, url).body)
	msn, _ := p.edge()
	a := get(ctx, fmt.Sprintf("%s?_HLS_msn=%d", url, msn))
	if r.check("H54 msn alone", a.status == 200, "%s: %d: %d", url, msn, a.status) {
		s := parse(r, url, a.body).at(msn)
		r.check("H54 msn alone waits for the whole segment", s != nil && s.uri != "", "%s: %d is not complete", url, msn)
	}
	p = parse(r, url, get(ctx, url).body)
	if len(p.segments) == 0 {
		return
	}
	// A part that the last whole segment does not have is part 0 of the next.
	last := p.segments[len(p.segments)-1]
	a = get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", url, last.msn, len(last.parts)))
	if r.check("H56 a part beyond the last", a.status == 200, "%s: %d.%d: %d", url, last.msn, len(last.parts), a.status) {
		m, k := parse(r, url, a.body).edge()
		r.check("H56 a part beyond the last is the next segment's first", m > last.msn+1 || m == last.msn+1 && k > 0, "%s: edge %d.%d", url, m, k)
	}
}

// checkDelta fetches a delta update and the whole playlist of the same instant: full(t) + delta(t) = full(t).
func checkDelta(ctx context.Context, r *report, url string) {
	p := parse(r, url, get(ctx, url).body)
	if p.control["CAN-SKIP-UNTIL"] == "" {
		r.check("H61 delta updates", false, "%s: no CAN-SKIP-UNTIL", url)
		return
	}
	for range 8 {
		msn, k := p.edge()
		text := get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d&_HLS_skip=YES", url, msn, k))
		delta := parse(r, url, text.body)
		full := parse(r, url, get(ctx, url).body)
		dm, dk := delta.edge()
		if fm, fk := full.edge(); fm != dm || fk != dk || full.first != delta.first {
			p = full // the next part came between the two
			continue
		}
		compareDelta(r, url, full, delta)
		return
	}
	r.note("%s: no instant at which delta and full could be compared", url)
}

func compareDelta(r *report, url string, full, delta *playlist) {
	skip := full.duration()
	if full.open != nil {
		for _, q := range full.open.parts {
			skip += q.dur
		}
	}
	var may int64 // segments older than the skip boundary
	for _, s := range full.segments {
		skip -= s.dur
		if skip >= decimal(full.control["CAN-SKIP-UNTIL"]) {
			may++
		}
	}
	r.check("H61 skips what may be skipped", delta.skipped == may, "%s: skips %d of %d", url, delta.skipped, may)
	if may == 0 {
		r.note("%s: the window is too short for a delta update", url)
		return
	}
	r.check("H61 version of a delta", delta.version >= 9, "%s: %d", url, delta.version)
	all, head, tail := lasting(full.lines), lasting(delta.lines[:delta.body]), lasting(delta.lines[delta.body:])
	ok := len(head)+len(tail) <= len(all) && slices.Equal(head, all[:len(head)]) && slices.Equal(tail, all[len(all)-len(tail):])
	r.check("H62 delta and full agree tag for tag", ok, "%s: delta %q, full %q", url, delta.lines, full.lines)
	r.check("H62 nothing is lost", int(delta.skipped)+len(delta.segments) == len(full.segments), "%s: %d + %d of %d",
		url, delta.skipped, len(delta.segments), len(full.segments))
}

// lasting is the lines without the tag that only a delta has.
func lasting(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, "#EXT-X-SKIP:") })
}

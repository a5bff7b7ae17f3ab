package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
)

// multivariant is the multivariant playlist as its text says.
type multivariant struct {
	url      string
	media    []string // URLs of all media playlists, variants first
	variants []variant
	audio    map[string][]string // URLs by group
}

type variant struct {
	url, group    string
	bandwidth     int64
	averageBwidth int64
}

func checkMultivariant(ctx context.Context, r *report, url string) *multivariant {
	a := get(ctx, url)
	if !r.check("H44 playlist answers", a.status == 200, "%s: %d %.80s", url, a.status, a.body) {
		return nil
	}
	a.checkHeaders(r, url, "application/vnd.apple.mpegurl")
	checkGzip(ctx, r, url)
	checkText(r, url, a.body)
	m := &multivariant{url: url, audio: map[string][]string{}}
	names := map[string]bool{}
	defaults := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if !strings.Contains(value, "=") {
			r.check("H04 one kind of playlist", !belongsToSegment(strings.TrimPrefix(name, "#")) && name != "#EXT-X-TARGETDURATION", "%s: %s", url, line)
			continue
		}
		attrs, err := attributes(value)
		r.check("H03 attributes", err == nil, "%s: %s: %v", url, line, err)
		switch name {
		case "#EXT-X-MEDIA":
			m.checkMedia(r, attrs, names, defaults)
		case "#EXT-X-STREAM-INF":
			m.checkVariant(r, attrs, lines[min(i+1, len(lines)-1)])
		}
	}
	for _, v := range m.variants {
		if v.group != "" {
			r.check("H71 groups exist", len(m.audio[v.group]) > 0, "%s: %s", url, v.group)
		}
	}
	for group, n := range defaults {
		r.check("H72 one default a group", n <= 1, "%s: %d in %s", url, n, group)
	}
	r.check("H74 independent segments", strings.Contains(string(a.body), "#EXT-X-INDEPENDENT-SEGMENTS"), "%s does not say so", url)
	r.check("H69 variants", len(m.variants) > 0, "%s has none", url)
	return m
}

func (m *multivariant) checkMedia(r *report, attrs map[string]string, names map[string]bool, defaults map[string]int) {
	key := attrs["TYPE"] + " " + attrs["GROUP-ID"] + " " + attrs["NAME"]
	r.check("H72 names are unique", !names[key] && attrs["NAME"] != "", "%s: %s", m.url, key)
	names[key] = true
	if attrs["DEFAULT"] == "YES" {
		defaults[attrs["TYPE"]+" "+attrs["GROUP-ID"]]++
		r.check("H72 DEFAULT implies AUTOSELECT", attrs["AUTOSELECT"] == "YES", "%s: %s", m.url, key)
	}
	if attrs["TYPE"] == "AUDIO" {
		r.should("H73 CHANNELS", attrs["CHANNELS"] != "", "%s: %s", m.url, key)
		r.check("H74 LANGUAGE", attrs["LANGUAGE"] != "", "%s: %s", m.url, key)
	}
	if attrs["URI"] != "" {
		u := resolve(m.url, attrs["URI"])
		m.media = append(m.media, u)
		m.audio[attrs["GROUP-ID"]] = append(m.audio[attrs["GROUP-ID"]], u)
	}
}

func (m *multivariant) checkVariant(r *report, attrs map[string]string, uri string) {
	r.check("H69 BANDWIDTH", number(attrs["BANDWIDTH"]) > 0, "%s: %v", m.url, attrs)
	r.check("H69 AVERAGE-BANDWIDTH", number(attrs["AVERAGE-BANDWIDTH"]) > 0, "%s: %v", m.url, attrs)
	r.check("H70 CODECS", attrs["CODECS"] != "", "%s: %v", m.url, attrs)
	r.check("H70 RESOLUTION", attrs["RESOLUTION"] != "", "%s: %v", m.url, attrs)
	r.check("H70 FRAME-RATE", decimal(attrs["FRAME-RATE"]) > 0, "%s: %v", m.url, attrs)
	r.check("H69 a URI follows", uri != "" && uri[0] != '#', "%s: %s", m.url, uri)
	v := variant{resolve(m.url, uri), attrs["AUDIO"], number(attrs["BANDWIDTH"]), number(attrs["AVERAGE-BANDWIDTH"])}
	for _, w := range m.variants {
		if w.url == v.url {
			m.variants = append(m.variants, v)
			return
		}
	}
	m.variants = append(m.variants, v)
	m.media = append([]string{v.url}, m.media...)
}

// checkBandwidth compares what the variants promise with the heaviest segments that were seen.
func (m *multivariant) checkBandwidth(r *report, followers []*follower) {
	peak := map[string]int64{}
	for _, f := range followers {
		peak[f.url] = f.peak
	}
	for _, v := range m.variants {
		var audio int64
		for _, u := range m.audio[v.group] {
			audio = max(audio, peak[u])
		}
		r.should("H69 BANDWIDTH is no less than the peak", v.bandwidth >= peak[v.url]+audio, "%s: %d, measured %d + %d", v.url, v.bandwidth, peak[v.url], audio)
		// A live encoder's peak is not known beforehand: Apple's authoring rules let it exceed the promise somewhat.
		r.check("H69 BANDWIDTH is near the peak", v.bandwidth*110/100 >= peak[v.url]+audio, "%s: %d, measured %d + %d", v.url, v.bandwidth, peak[v.url], audio)
		r.note("%s: BANDWIDTH %d, heaviest segment %d + %d of audio", v.url, v.bandwidth, peak[v.url], audio)
	}
}

// checkAcross fetches all media playlists at one instant and compares them.
func checkAcross(ctx context.Context, r *report, urls []string) {
	ps := make([]*playlist, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		wg.Go(func() { ps[i] = parse(r, u, get(ctx, u).body) })
	}
	wg.Wait()
	for i, p := range ps {
		r.check("H14 one target duration", p.target == ps[0].target, "%s: %d, %s: %d", urls[i], p.target, urls[0], ps[0].target)
		r.check("H14 one PART-TARGET", p.partTarget == ps[0].partTarget, "%s: %d, %s: %d", urls[i], p.partTarget, urls[0], ps[0].partTarget)
		r.check("H20 one discontinuity sequence", p.discontinity == ps[0].discontinity || p.first != ps[0].first, "%s: %d, %s: %d",
			urls[i], p.discontinity, urls[0], ps[0].discontinity)
		compareDates(r, urls[i], p, urls[0], ps[0])
		checkReports(r, urls[i], p, urls, ps)
	}
}

// compareDates wants a segment number to mean the same time everywhere, within one audio frame.
func compareDates(r *report, url string, p *playlist, other string, q *playlist) {
	const frame = 45 * time.Millisecond // of audio and of video together, rounded up
	common := 0
	for _, s := range p.segments {
		if o := q.at(s.msn); o != nil && !s.pdt.IsZero() && !o.pdt.IsZero() {
			common++
			r.check("H30 renditions agree on time", s.pdt.Sub(o.pdt).Abs() <= frame, "%d is at %v in %s, at %v in %s", s.msn, s.pdt, url, o.pdt, other)
			r.check("H20 renditions agree on discontinuities", s.disc == o.disc, "%d: %s and %s", s.msn, url, other)
		}
	}
	r.check("H30 renditions share numbers", common > 0 || len(p.segments) == 0, "%s and %s have none in common", url, other)
}

// checkReports compares the rendition reports with the playlists that were fetched at the same instant, give or take
// two parts.
func checkReports(r *report, url string, p *playlist, urls []string, ps []*playlist) {
	r.check("H52 a report for every other rendition", len(p.reports) == len(urls)-1, "%s: %d for %d", url, len(p.reports), len(urls)-1)
	for _, rep := range p.reports {
		r.check("H53 report URIs are relative", !strings.Contains(rep["URI"], "://"), "%s: %s", url, rep["URI"])
		target := resolve(url, rep["URI"])
		found := false
		for i, u := range urls {
			if u != target {
				continue
			}
			found = true
			msn, part := ps[i].edge()
			last, err := strconv.ParseUint(rep["LAST-MSN"], 10, 64)
			k, err2 := strconv.Atoi(rep["LAST-PART"])
			// As a count of parts: a segment holds about target / part target of them.
			each := max(ps[i].target*1e6/max(ps[i].partTarget, 1), 1)
			off := (int64(msn)-int64(last))*each + int64(part) - int64(k) - 1
			r.check("H53 reports tell the edge", err == nil && err2 == nil && off >= -2 && off <= 2, "%s says %d.%d of %s, whose next is %d.%d", url, last, k, u, msn, part)
		}
		r.check("H52 reports name renditions", found, "%s: %s is none", url, target)
	}
}

// checkLegacy checks the view for players that know no low latency.
func checkLegacy(ctx context.Context, r *report, url string) {
	m := checkMultivariant(ctx, r, url)
	if m == nil {
		return
	}
	for _, u := range m.media {
		a := get(ctx, u)
		if !r.check("H44 playlist answers", a.status == 200, "%s: %d", u, a.status) {
			continue
		}
		a.checkHeaders(r, u, "application/vnd.apple.mpegurl")
		for _, tag := range []string{"EXT-X-PART", "EXT-X-SERVER-CONTROL", "EXT-X-PRELOAD-HINT", "EXT-X-SKIP", "EXT-X-RENDITION-REPORT"} {
			r.check("H04 legacy view has no low-latency tag", !strings.Contains(string(a.body), "#"+tag), "%s has %s", u, tag)
		}
		p := parse(r, u, a.body)
		r.check("H02 legacy view is HLS 6 or 7", p.version == 6 || p.version == 7, "%s: %d", u, p.version)
		p.checkStatic(r, u)
		if n := len(p.segments); r.check("H44 segments", n > 0, "%s has none", u) {
			seg := get(ctx, resolve(u, p.segments[n-1].uri))
			r.check("H44 segments are there when listed", seg.status == 200, "%s: %d", p.segments[n-1].uri, seg.status)
		}
	}
}

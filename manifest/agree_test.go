package manifest_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// broadcast is a random make-believe broadcast: frame rates, losses, a restart.
func broadcast(seed uint64) (c *manifesttest.Channel, restart int64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	start := int64(manifesttest.Start + rnd.IntN(5000))
	plan := manifesttest.Plan(2, 1, 10)
	video := manifesttest.Video("v.1", 720, 25, 1, 25<<rnd.IntN(2))
	low := manifesttest.Video("v/2", 360, 12800, 512, 25)
	if seed%3 == 0 {
		plan = manifesttest.Plan(2002, 1000, 10)
		video = manifesttest.Video("v.1", 720, 60000, 1001, 120)
		low = manifesttest.Video("v/2", 360, 30000, 1001, 60)
	}
	c = manifesttest.New(plan, 10+rnd.IntN(3)*10, start, video, low,
		manifesttest.Audio("a", "en", 48000), manifesttest.Audio("b", "sv", 44100))
	first := plan.Grid.Slot(start, 1000)
	for range rnd.IntN(6) {
		c.Lose(first+2+uint64(rnd.IntN(20)), []string{"", "v.1", "a"}[rnd.IntN(3)])
	}
	if rnd.IntN(2) == 0 {
		restart = start + 12_000 + int64(rnd.IntN(10_000))
	}
	return c, restart
}

// TestDocumentsAgreeAtEveryInstant plays broadcasts in small steps and holds every document against the
// timelines, against the others, and against itself a step before.
func TestDocumentsAgreeAtEveryInstant(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c, restart := broadcast(seed)
			var before map[string]string
			for at := int64(manifesttest.Start); at < manifesttest.Start+44_000; at += 170 {
				if restart > 0 && at >= restart {
					c.Restart(c.Plan.Grid.Slot(restart, 1000) + 3)
					restart = 0
				}
				c.Play(at)
				before = step(t, c.Present(), before)
			}
			c.End()
			before = step(t, c.Present(), before)
			checkZero(t, c.Present(), before["legacy.mpd"])
		})
	}
}

// step checks the documents of p, and returns them.
func step(t *testing.T, p manifest.Presentation, before map[string]string) map[string]string {
	t.Helper()
	docs := render(t, p)
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if len(r.Segments) == 0 {
			continue
		}
		id := manifest.Escape(r.Track.Name)
		full := parsePlaylist(t, docs[id+".index.m3u8"])
		checkTruth(t, &p, r, full)
		checkParts(t, &p, full)
		plain := parsePlaylist(t, docs[id+".legacy.m3u8"])
		checkPlain(t, full, plain)
		if old, ok := before[id+".index.m3u8"]; ok {
			checkDelta(t, parsePlaylist(t, old), parsePlaylist(t, docs[id+".index.skip.m3u8"]), full)
			checkPromises(t, parsePlaylist(t, old), full)
		}
		if text, ok := docs["legacy.mpd"]; ok {
			checkMPD(t, &p, full, parseTimeline(t, text)[id])
		}
	}
	checkURIs(t, p, docs)
	return docs
}

// checkZero: the MPD that begins at zero says the same of the same segments, moved by one time, and lasts from the first to the last.
func checkZero(t *testing.T, p manifest.Presentation, live string) {
	t.Helper()
	p.Zero = true
	doc, err := dash.Legacy(p)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc.Body)
	was, is := parseTimeline(t, live), parseTimeline(t, text)
	attribute := func(text, name string) int64 {
		return isoDuration(t, regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(text)[1])
	}
	zero := attribute(live, "start") // of the first period
	if first := attribute(text, "start"); first != 0 || zero == 0 {
		t.Errorf("it begins at %d ms, and began at %d ms", first, zero)
	}
	if want, got := attribute(live, "mediaPresentationDuration")-zero, attribute(text, "mediaPresentationDuration"); got != want {
		t.Errorf("it lasts %d ms, want %d", got, want)
	}
	for id, slots := range was {
		for n, s := range slots {
			s.time = s.time.Add(-time.Duration(zero) * time.Millisecond)
			if got := is[id][n]; got != s {
				t.Errorf("segment %d of %s is %+v, want %+v", n, id, got, s)
			}
		}
		if len(is[id]) != len(slots) {
			t.Errorf("%s has %d segments, and had %d", id, len(is[id]), len(slots))
		}
	}
}

// The last of the media has been live for a minute when nobody watches live any more.
func TestABroadcastIsOverAMinuteAfterItsEnd(t *testing.T) {
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 360, 25, 1, 50))
	c.Play(manifesttest.Start + 10_000)
	live := c.Present()
	c.End()
	p := c.Present()
	segments := p.Renditions[0].Segments
	last := &segments[len(segments)-1]
	end := manifest.UnixMilli(p.Renditions[0].Epoch(last.Epoch), last.End())
	if live.Over(end.Add(time.Hour)) || p.Over(end.Add(time.Minute-1)) || !p.Over(end.Add(time.Minute)) {
		t.Error("it is not a minute")
	}
}

// checkTruth: the playlist lists the window of the timeline, each segment at its time and with its length.
func checkTruth(t *testing.T, p *manifest.Presentation, r *manifest.Rendition, full *playlist) {
	t.Helper()
	listed := p.Listed(r)
	if len(full.segments) != len(listed) {
		t.Fatalf("%d segments listed, want %d", len(full.segments), len(listed))
	}
	for i, got := range full.segments {
		s := &listed[i]
		e := r.Epoch(s.Epoch)
		if got.n != s.N || got.gap != (s.State == timeline.Gap) || got.discontinuity != s.Epoch ||
			!got.time.Equal(manifest.UnixMilli(e, s.Start)) {
			t.Fatalf("listed %+v, timeline has %+v", got, s)
		}
		want := float64(p.End(e, s)-s.Start) / float64(e.Init.Timescale) * 1e6
		if d := float64(got.dur) - want; d < -1 || d > 1 {
			t.Fatalf("segment %d: %d us listed, is %f", s.N, got.dur, want)
		}
		if limit := int64(p.Plan.TargetDuration)*1e6 + 500_000; got.dur >= limit {
			t.Fatalf("segment %d: %d us is beyond the target duration", s.N, got.dur)
		}
	}
	checkSums(t, p, r, full)
}

// checkSums: however many contiguous segments there are, their durations add up to the media time they cover (H08).
func checkSums(t *testing.T, p *manifest.Presentation, r *manifest.Rendition, full *playlist) {
	t.Helper()
	listed := p.Listed(r)
	var from, sum int64
	for i := range listed {
		s, e := &listed[i], r.Epoch(listed[i].Epoch)
		if i == 0 || s.Epoch != listed[i-1].Epoch || s.Start != listed[i-1].End() {
			from, sum = manifest.UnixMicros(e, s.Start), 0
		}
		sum += full.segments[i].dur
		if want := manifest.UnixMicros(e, p.End(e, s)) - from; sum != want {
			t.Fatalf("durations add up to %d us at segment %d, want %d", sum, s.N, want)
		}
	}
}

// checkParts: parts add up to their segment, none is too long, and only a last one may be short.
func checkParts(t *testing.T, p *manifest.Presentation, full *playlist) {
	t.Helper()
	target := p.Plan.PartTarget.Microseconds()
	for _, s := range full.segments {
		if len(s.parts) > 0 && s.partsMicros != s.dur {
			t.Fatalf("segment %d: parts last %d us, EXTINF says %d", s.n, s.partsMicros, s.dur)
		}
		for i, part := range s.parts {
			d := decimal(t, attribute(part, "DURATION"))
			if d > target || i < len(s.parts)-1 && d*100 < target*85 {
				t.Fatalf("segment %d part %d lasts %d us, target %d", s.n, i, d, target)
			}
		}
	}
}

// checkPlain: the plain playlist is the same list, to the millisecond.
func checkPlain(t *testing.T, full, plain *playlist) {
	t.Helper()
	if len(full.segments) != len(plain.segments) {
		t.Fatalf("%d segments in the plain playlist, want %d", len(plain.segments), len(full.segments))
	}
	for i, want := range full.segments {
		got := plain.segments[i]
		if got.n != want.n || got.uri != want.uri || got.initURI != want.initURI || got.gap != want.gap ||
			!got.time.Equal(want.time) || got.discontinuity != want.discontinuity || got.dur-want.dur > 1000 || want.dur-got.dur > 1000 {
			t.Fatalf("plain %+v, low latency %+v", got, want)
		}
	}
}

// checkDelta: what a client knew, and the delta update, make the whole playlist (rfc8216bis 6.2.5.1).
func checkDelta(t *testing.T, old, delta, full *playlist) {
	t.Helper()
	merged := *delta
	merged.segments = slices.Clone(delta.segments)
	if delta.skipped > 0 {
		first := delta.segments[delta.skipped].n - uint64(delta.skipped)
		for i := range delta.skipped {
			at := int(first) + i - int(old.segments[0].n)
			if at < 0 || at >= len(old.segments) {
				t.Fatalf("segment %d is skipped, and was not known", first+uint64(i))
			}
			merged.segments[i] = old.segments[at]
		}
		// A client carries what is in force over from the last skipped segment (4.4.4.5, 4.4.4.3).
		in := merged.segments[delta.skipped-1]
		shift := in.discontinuity - full.segments[delta.skipped-1].discontinuity
		for i := delta.skipped; i < len(merged.segments); i++ {
			s := &merged.segments[i]
			if s.initURI == "" {
				s.initURI = in.initURI
			}
			in.initURI = s.initURI
			s.discontinuity = full.segments[i].discontinuity + shift
		}
		merged.skipped = 0
	}
	if !reflect.DeepEqual(full, &merged) {
		t.Fatalf("full and delta differ:\n%s", cmp.Diff(full, &merged, cmp.AllowUnexported(playlist{}, segment{})))
	}
}

// checkPromises: a segment that stays listed stays what it was, and the header is for ever (H13, H15, H16, H33).
func checkPromises(t *testing.T, old, full *playlist) {
	t.Helper()
	constant := func(p *playlist) []string {
		return slices.DeleteFunc(slices.Clone(p.header), func(l string) bool { return strings.Contains(l, "SEQUENCE") })
	}
	if !slices.Equal(constant(old), constant(full)) {
		t.Fatalf("the header changed:\n%s", cmp.Diff(constant(old), constant(full)))
	}
	if len(old.segments) == 0 {
		return
	}
	if full.segments[0].n < old.segments[0].n {
		t.Fatal("the media sequence number decreased")
	}
	for _, s := range full.segments {
		at := int64(s.n) - int64(old.segments[0].n)
		if at < 0 || at >= int64(len(old.segments)) {
			continue
		}
		was := old.segments[at]
		was.parts, was.partsMicros = s.parts, s.partsMicros
		if !reflect.DeepEqual(was, s) {
			t.Fatalf("segment %d changed:\n%s", s.n, cmp.Diff(was, s, cmp.AllowUnexported(segment{})))
		}
	}
}

// checkMPD: the MPD names the same segments at the same times, all but those that are not whole everywhere yet.
func checkMPD(t *testing.T, p *manifest.Presentation, full *playlist, slots map[uint64]slot) {
	t.Helper()
	missing := 0
	for i, s := range full.segments {
		got, ok := slots[s.n]
		if !ok {
			if missing++; missing > 1 && !p.Ended() && i < len(full.segments)-1 {
				t.Fatalf("segment %d is not in the MPD", s.n)
			}
			continue
		}
		if missing > 0 {
			t.Fatalf("segment %d is in the MPD, an earlier one is not", s.n)
		}
		if path.Base(got.uri) != s.uri || path.Base(got.initURI) != s.initURI || got.period != fmt.Sprint(s.discontinuity) {
			t.Fatalf("MPD %+v, playlist %+v", got, s)
		}
		if d := got.time.Sub(s.time).Milliseconds(); !s.gap && (d < -1 || d > 1) {
			t.Fatalf("segment %d is at %v in the MPD, at %v in the playlist", s.n, got.time, s.time)
		}
		if d := got.dur.Microseconds() - s.dur; !s.gap && (d < -1 || d > 1) {
			t.Fatalf("segment %d lasts %v in the MPD, %d us in the playlist", s.n, got.dur, s.dur)
		}
	}
	if len(slots) > len(full.segments) {
		t.Fatalf("%d segments in the MPD, %d in the playlist", len(slots), len(full.segments))
	}
}

// checkURIs: every reference in any document is a name, and names something in the timelines, or the hint.
func checkURIs(t *testing.T, p manifest.Presentation, docs map[string]string) {
	t.Helper()
	for file, text := range docs {
		base := manifest.Escape(p.Channel)
		if track, name, ok := strings.Cut(file, "."); ok && strings.HasSuffix(name, ".m3u8") {
			base = path.Join(base, track)
		}
		for _, uri := range references(text) {
			n, err := manifest.Parse(path.Join(base, uri))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !exists(p, n) {
				t.Fatalf("%s refers to %+v, which does not exist", file, n)
			}
		}
	}
}

// references are the URIs in a document, but those that only a template makes.
func references(text string) []string {
	var uris []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		_, attributes, _ := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "<SegmentTemplate"):
			if _, after, ok := strings.Cut(line, `initialization="`); ok {
				uri, _, _ := strings.Cut(after, `"`)
				uris = append(uris, uri)
			}
		case strings.HasPrefix(line, "#"):
			if uri := attribute(attributes, "URI"); uri != "" {
				uris = append(uris, uri)
			}
		case line != "" && !strings.HasPrefix(line, "<"):
			uris = append(uris, line)
		}
	}
	return uris
}

func exists(p manifest.Presentation, n manifest.Name) bool {
	r := p.Rendition(n.Track)
	if n.Channel != p.Channel || r == nil {
		return false
	}
	switch n.Kind {
	case manifest.MediaPlaylist, manifest.LegacyPlaylist:
		return true
	case manifest.Init:
		return slices.ContainsFunc(r.Epochs, func(e timeline.Epoch) bool { return e.Init.Digest == n.Digest })
	case manifest.Segment:
		return r.Segment(n.N) != nil && r.Segment(n.N).State != timeline.Open
	case manifest.Part:
		if s := r.Segment(n.N); s != nil && n.Part < len(s.Parts) {
			return true
		}
		return timeline.Position{N: n.N, Parts: n.Part} == r.Position()
	}
	return false
}

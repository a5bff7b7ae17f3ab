package hls_test

import (
	"strings"
	"testing"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// play is a broadcast of a video track "v" and an audio track "a" in segments of 2 s, so many milliseconds after it began.
func play(window int, ms int64) manifest.Presentation { return channel(window, ms).Present() }

func channel(window int, ms int64) *manifesttest.Channel {
	c := manifesttest.New(manifesttest.Plan(2, 1, window), window, manifesttest.Start,
		manifesttest.Video("v", 720, 25, 1, 50), manifesttest.Audio("a", "en", 48000))
	c.Play(manifesttest.Start + ms)
	return c
}

func media(t *testing.T, p manifest.Presentation, track string, o hls.Options) string {
	t.Helper()
	d, err := hls.Media(p, track, o)
	if err != nil {
		t.Fatal(err)
	}
	return string(d.Body)
}

// lines are those of text that start with prefix, without it.
func lines(text, prefix string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if after, ok := strings.CutPrefix(line, prefix); ok {
			found = append(found, strings.TrimSpace(after))
		}
	}
	return found
}

func TestSkipLeavesOutExactlyWhatLiesBeyondTheBoundary(t *testing.T) {
	for _, tt := range []struct {
		ms   int64
		want string // of 12 s, at 2 s a segment
	}{
		{14_000, "1"}, {15_999, "1"}, {16_000, "2"}, {40_000, "14"},
	} {
		got := lines(media(t, play(20, tt.ms), "v", hls.Options{Skip: true}), "#EXT-X-SKIP:SKIPPED-SEGMENTS=")
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("after %d ms: skipped %v, want %s", tt.ms, got, tt.want)
		}
	}
}

func TestSkipIsIgnoredWhileNothingLiesBeyondTheBoundary(t *testing.T) {
	p := play(20, 13_900)
	if a, b := media(t, p, "v", hls.Options{}), media(t, p, "v", hls.Options{Skip: true}); a != b {
		t.Errorf("%s", b)
	}
}

func TestSkipIsIgnoredAfterTheEnd(t *testing.T) {
	c := channel(20, 30_000)
	c.End()
	p := c.Present()
	got := media(t, p, "v", hls.Options{Skip: true})
	if strings.Contains(got, "EXT-X-SKIP") || !strings.HasSuffix(got, "#EXT-X-ENDLIST\n") {
		t.Errorf("%s", got)
	}
}

func TestTheHintIsTheNextPart(t *testing.T) {
	c := channel(20, 4_000)
	if got := lines(media(t, c.Present(), "v", hls.Options{}), "#EXT-X-PRELOAD-HINT:"); len(got) != 1 || got[0] != `TYPE=PART,URI="897620402.0.m4s"` {
		t.Errorf("between segments: %v", got)
	}
	c.Play(manifesttest.Start + 4_700)
	if got := lines(media(t, c.Present(), "v", hls.Options{}), "#EXT-X-PRELOAD-HINT:"); len(got) != 1 || got[0] != `TYPE=PART,URI="897620402.2.m4s"` {
		t.Errorf("within a segment: %v", got)
	}
}

func TestReportsFollowFromThePositionAlone(t *testing.T) {
	c := channel(20, 4_700)
	behind := c.Present()
	c.Lose(897620403, "a")
	c.Play(manifesttest.Start + 9_000)
	ahead := c.Present()
	mixed := behind
	mixed.Renditions = []manifest.Rendition{behind.Renditions[0], ahead.Renditions[1]}
	if a, b := media(t, behind, "v", hls.Options{}), media(t, mixed, "v", hls.Options{}); a != b {
		t.Errorf("the playlist depends on how far the other rendition is:\n%s\n%s", a, b)
	}
	mixed.Renditions = []manifest.Rendition{ahead.Renditions[0], behind.Renditions[1]}
	if a, b := media(t, ahead, "v", hls.Options{}), media(t, mixed, "v", hls.Options{}); a != b {
		t.Errorf("the playlist depends on how far the other rendition is:\n%s\n%s", a, b)
	}
}

func TestReportsAreOnePartBehindTheirPlaylist(t *testing.T) {
	for _, tt := range []struct {
		parts int64 // of a slot, by the plan
		at    timeline.Position
		want  string
	}{
		{6, timeline.Position{N: 5}, "LAST-MSN=4,LAST-PART=4"},
		{6, timeline.Position{N: 5, Parts: 1}, "LAST-MSN=4,LAST-PART=5"},
		{6, timeline.Position{N: 5, Parts: 2}, "LAST-MSN=5,LAST-PART=0"},
		{6, timeline.Position{N: 5, Parts: 6}, "LAST-MSN=5,LAST-PART=4"},
		{6, timeline.Position{N: 5, Parts: 9}, "LAST-MSN=5,LAST-PART=5"}, // a segment longer than its slot
		{1, timeline.Position{N: 5}, "LAST-MSN=3,LAST-PART=0"},
		{1, timeline.Position{N: 5, Parts: 1}, "LAST-MSN=4,LAST-PART=0"},
		{0, timeline.Position{N: 5}, "LAST-MSN=4,LAST-PART=0"},
		{0, timeline.Position{N: 5, Parts: 1}, "LAST-MSN=4,LAST-PART=0"},
		{0, timeline.Position{N: 5, Parts: 2}, "LAST-MSN=5,LAST-PART=0"},
		{0, timeline.Position{N: 5, Parts: 5}, "LAST-MSN=5,LAST-PART=2"},
		{6, timeline.Position{N: 0, Parts: 1}, "LAST-MSN=0,LAST-PART=0"},
	} {
		p := play(20, 4_000)
		p.Plan.Parts = tt.parts
		r := &p.Renditions[0]
		s := *r.Snapshot
		s.Open = &timeline.Segment{N: tt.at.N, Parts: make([]timeline.Part, tt.at.Parts)}
		if s.Segments = nil; tt.at.Parts == 0 {
			s.Open, s.Segments = nil, []timeline.Segment{{N: tt.at.N - 1, State: timeline.Full, Dur: 1}}
		}
		r.Snapshot = &s
		got := lines(media(t, p, "v", hls.Options{}), "#EXT-X-RENDITION-REPORT:")
		if len(got) != 1 || got[0] != `URI="../a/index.m3u8",`+tt.want {
			t.Errorf("%d parts, at %+v: %v, want %s", tt.parts, tt.at, got, tt.want)
		}
	}
}

func TestOnlyRenditionsThatAreLiveAreReported(t *testing.T) {
	p := play(20, 4_700)
	ended := *p.Renditions[1].Snapshot
	ended.Ended = true
	empty := ended
	empty.Ended, empty.Segments, empty.Open = false, nil, nil
	for name, s := range map[string]*timeline.Snapshot{"ended": &ended, "empty": &empty} {
		p.Renditions[1].Snapshot = s
		if got := lines(media(t, p, "v", hls.Options{}), "#EXT-X-RENDITION-REPORT:"); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAGapListsNoParts(t *testing.T) {
	c := channel(20, 4_000)
	c.Lose(897620402, "v")
	c.Play(manifesttest.Start + 8_000)
	got := media(t, c.Present(), "v", hls.Options{})
	if strings.Contains(got, "897620402.0.m4s") || !strings.Contains(got, "#EXT-X-GAP\n#EXTINF:2.000000,\n897620402.m4s\n") {
		t.Errorf("%s", got)
	}
}

func TestPartsStayForThreeTargetDurations(t *testing.T) {
	got := media(t, play(20, 20_700), "v", hls.Options{})
	for n, want := range map[string]bool{"897620406": false, "897620407": true, "897620408": true, "897620409": true, "897620410": true} {
		if strings.Contains(got, n+".0.m4s") != want {
			t.Errorf("parts of %s listed: %v, want %v", n, !want, want)
		}
	}
}

func TestADiscontinuityStaysWithItsSegment(t *testing.T) {
	c := channel(3, 4_000)
	c.Restart(897620402)
	c.Play(manifesttest.Start + 10_000) // 402, 403, 404
	got := media(t, c.Present(), "v", hls.Options{})
	if !strings.Contains(got, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-DISCONTINUITY\n") {
		t.Errorf("first in the list:\n%s", got)
	}
	c.Play(manifesttest.Start + 12_000)
	got = media(t, c.Present(), "v", hls.Options{})
	if !strings.Contains(got, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-MAP") {
		t.Errorf("after it has left:\n%s", got)
	}
}

func BenchmarkMedia(b *testing.B) {
	for _, bench := range []struct {
		name   string
		window int
		o      hls.Options
	}{
		{"30", 30, hls.Options{}}, {"30/skip", 30, hls.Options{Skip: true}},
		{"43200", 43_200, hls.Options{}}, {"43200/skip", 43_200, hls.Options{Skip: true}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := play(bench.window, int64(bench.window+1)*2000+700)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := hls.Media(p, "v", bench.o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMultivariant(b *testing.B) {
	p := play(30, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hls.Multivariant(p); err != nil {
			b.Fatal(err)
		}
	}
}

package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/manifesttest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// breaks are a break that lasts longer than planned, one that nobody ended, one without anything, and a score.
func breaks() manifest.Presentation {
	var list []timeline.Event
	add := func(at, dur int64, event uint32, cue timeline.Cue) {
		e := timeline.Event{Start: at, Dur: dur, ID: fmt.Sprintf("%d-%d", event, at), Scheme: "x"}
		if event > 0 {
			e.Splice = &timeline.Splice{Event: event, Cue: cue}
		}
		list = append(list, e)
	}
	add(1_000, 30_000, 1, timeline.Out)
	add(2_000, 500, 0, 0)
	add(5_000, 0, 2, timeline.Out)
	add(45_000, 0, 1, timeline.In)
	add(50_000, 0, 3, 0)
	return manifest.Presentation{Events: list}
}

func TestWhatIsNotOverHappens(t *testing.T) {
	p := breaks()
	for from, want := range map[int64]string{
		0:              "1-1000 0-2000 2-5000 1-45000 3-50000",
		2_500:          "1-1000 0-2000 2-5000 1-45000 3-50000",
		2_501:          "1-1000 2-5000 1-45000 3-50000",
		45_000:         "1-1000 2-5000 1-45000 3-50000",
		45_001:         "2-5000 3-50000",
		50_001:         "2-5000",
		3_600_000:      "2-5000",
		2 * 3_600_000:  "",
		10 * 3_600_000: "",
	} {
		var ids []string
		for _, e := range p.Happening(from) {
			ids = append(ids, e.ID)
		}
		if diff := cmp.Diff(want, strings.Join(ids, " ")); diff != "" {
			t.Errorf("from %d: %s", from, diff)
		}
	}
}

// A line never changes while the window moves on, and one that has left does not come back.
func TestDateRangesOnlyComeAndGo(t *testing.T) {
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 360, 25, 1, 50))
	all := manifesttest.Happenings()
	known, gone := map[string]bool{}, map[string]bool{}
	for ms := int64(3_000); ms < 60_000; ms += 500 {
		c.Events = nil
		for _, e := range all {
			if e.Known <= manifesttest.Start+ms {
				c.Events = append(c.Events, e)
			}
		}
		c.Play(manifesttest.Start + ms)
		p := c.Present()
		now := map[string]bool{}
		for line := range strings.Lines(string(p.AppendDateRanges(nil, &p.Renditions[0]))) {
			if now[line] = true; gone[line] {
				t.Fatalf("after %d ms it is there again: %s", ms, line)
			}
		}
		for line := range known {
			gone[line] = gone[line] || !now[line]
		}
		known = now
	}
	if len(gone) < 5 {
		t.Errorf("%d lines have gone", len(gone))
	}
}

// Of the splices that come back from one break the first ends it: what two tags of one ID say must not differ (rfc8216bis 4.4.5.1).
func TestABreakEndsOnce(t *testing.T) {
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 360, 25, 1, 50))
	add := func(at int64, cue timeline.Cue) {
		c.Events = append(c.Events, timeline.Event{
			Start: manifesttest.Start + at, ID: fmt.Sprint(at), Scheme: "x", Splice: &timeline.Splice{Event: 1, Cue: cue},
		})
	}
	add(1_000, timeline.Out)
	add(3_000, timeline.In)
	add(4_000, timeline.In)
	add(5_000, timeline.Out)
	add(6_000, timeline.In)
	c.Play(manifesttest.Start + 8_000)
	p := c.Present()
	var got []string
	for line := range strings.Lines(string(p.AppendDateRanges(nil, &p.Renditions[0]))) {
		id, rest, _ := strings.Cut(strings.TrimPrefix(line, `#EXT-X-DATERANGE:ID="`), `"`)
		if strings.Contains(rest, "END-DATE") {
			id += " ends"
		}
		got = append(got, id)
	}
	if diff := cmp.Diff([]string{"1000", "1000 ends", "4000", "5000", "5000 ends"}, got); diff != "" {
		t.Error(diff)
	}
}

// A break may be over when it begins, and the next one may begin when one ends, under the same id: of what is of one time, the one that
// comes back may stand first.
func TestBreaksThatBeginAndEndAtOnce(t *testing.T) {
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 360, 25, 1, 50))
	add := func(at int64, id string, event uint32, cue timeline.Cue) {
		c.Events = append(c.Events, timeline.Event{Start: manifesttest.Start + at, ID: id, Scheme: "x", Splice: &timeline.Splice{Event: event, Cue: cue}})
	}
	add(1_000, "a-in", 1, timeline.In)
	add(1_000, "a-out", 1, timeline.Out)
	add(2_000, "b-out", 2, timeline.Out)
	add(3_000, "b-then-in", 2, timeline.In)
	add(3_000, "b-then-out", 2, timeline.Out)
	add(4_000, "c-in", 2, timeline.In)
	c.Play(manifesttest.Start + 8_000)
	p := c.Present()
	var got []string
	for line := range strings.Lines(string(p.AppendDateRanges(nil, &p.Renditions[0]))) {
		id, rest, _ := strings.Cut(strings.TrimPrefix(line, `#EXT-X-DATERANGE:ID="`), `"`)
		if _, lasts, ends := strings.Cut(rest, ",DURATION="); ends {
			id += " ends after " + lasts[:5]
		}
		got = append(got, id)
	}
	want := []string{"a-out ends after 0.000", "a-out", "b-out", "b-out ends after 1.000", "b-then-out", "b-then-out ends after 1.000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if list := p.Happening(manifesttest.Start + 4_001); len(list) > 0 || p.Passed(manifesttest.Start+4_001) != manifesttest.Start+4_000 {
		t.Errorf("%+v are not over, the last was over at %d", list, p.Passed(manifesttest.Start+4_001)-manifesttest.Start)
	}
}

package dash_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/manifesttest"
)

// contents are the periods of an MPD, each with its representations.
func contents(m *mpd.MPD) (all []string) {
	for _, p := range m.Periods {
		var ids []string
		for _, set := range p.AdaptationSets {
			for _, r := range set.Representations {
				ids = append(ids, r.Id)
			}
		}
		all = append(all, fmt.Sprintf("%s from %d: %s", p.Id, int64(p.Start.Seconds()), strings.Join(ids, " ")))
	}
	return all
}

// changed is a channel in which sv came and lo went; first is the slot that it begins with.
func changed(ms int64) (p manifest.Presentation, first uint64) {
	c := channel(ms)
	p = c.Present()
	first = c.Plan.Grid.Slot(manifesttest.Start, 1000)
	lo := p.Renditions[1]
	lo.Until, lo.Place = first+8, 1
	p.Renditions = []manifest.Rendition{p.Renditions[0], p.Renditions[2], p.Renditions[3]}
	p.Renditions[2].From = first + 5
	p.Former, p.Changes = []manifest.Rendition{lo}, []uint64{first + 5, first + 8}
	return p, first
}

// Players take it for granted that a period has the same representations all the time: what comes and goes does so with a period.
func TestWhatComesAndGoesDoesSoWithAPeriod(t *testing.T) {
	p, first := changed(30_000)
	at := func(n uint64) int64 { return p.Plan.Grid.Start(first+n, 1000) / 1000 }
	want := []string{
		"0 from 0: hi lo en",
		fmt.Sprintf("0.%d from %d: hi lo en sv", first+5, at(5)),
		fmt.Sprintf("0.%d from %d: hi en sv", first+8, at(8)),
	}
	for name, m := range map[string]*mpd.MPD{"live": live(t, p), "legacy": plain(t, p)} {
		if got := contents(m); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for i, period := range plain(t, p).Periods {
		r := period.AdaptationSets[0].Representations[0].SegmentTemplate
		if got := uint64(*r.StartNumber) - first; got != []uint64{0, 5, 8}[i] {
			t.Errorf("period %s begins with segment %d", period.Id, got)
		}
		s := r.SegmentTimeline.S[0]
		if begins := float64(*s.T-orZero(r.PresentationTimeOffset)) / float64(*r.Timescale); i > 0 && begins != 0 {
			t.Errorf("period %s begins with a hole of %f s", period.Id, begins)
		}
	}
	if n := count(plain(t, p)); n["hi"] != 15 || n["lo"] != 8 || n["sv"] != 10 {
		t.Errorf("segments: %v", n)
	}
}

func orZero(v *uint64) uint64 {
	if v == nil {
		return 0
	}
	return *v
}

func TestAPeriodGoesWithItsLastSegment(t *testing.T) {
	p, first := changed(70_000) // of which 60 s are listed: from slot 5 on
	want := []string{fmt.Sprintf("0.%d", first+5), fmt.Sprintf("0.%d", first+8)}
	for name, m := range map[string]*mpd.MPD{"live": live(t, p), "legacy": plain(t, p)} {
		var ids []string
		for _, period := range m.Periods {
			ids = append(ids, period.Id)
		}
		if strings.Join(ids, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", name, ids, want)
		}
	}
}

func TestAChangeMovesPublishTime(t *testing.T) {
	p, _ := changed(30_000)
	after := live(t, p)
	p.Former, p.Changes = nil, nil
	if before := live(t, p); before.PublishTime >= after.PublishTime {
		t.Errorf("published at %s, and after the change at %s", before.PublishTime, after.PublishTime)
	}
}

// An epoch ends where the next one begins, whatever was announced before.
func TestAChangeAfterARestartIsOneOfTheNewEpoch(t *testing.T) {
	c := channel(20_000)
	first := c.Plan.Grid.Slot(manifesttest.Start, 1000)
	c.Restart(first + 12)
	c.Play(manifesttest.Start + 40_000)
	p := c.Present()
	p.Renditions[3].From = first + 14
	p.Changes = []uint64{first + 14}
	var last int64
	m := live(t, p)
	for _, period := range m.Periods {
		if start := int64(*period.Start); start < last {
			t.Errorf("period %s begins before the one before it", period.Id)
		} else {
			last = start
		}
	}
	got := contents(m)
	if len(got) != 3 || !strings.HasPrefix(got[0], "0 ") || !strings.HasSuffix(got[1], ": hi lo en") || !strings.HasPrefix(got[1], "1 ") ||
		!strings.HasPrefix(got[2], fmt.Sprintf("1.%d ", first+14)) || !strings.HasSuffix(got[2], ": hi lo en sv") {
		t.Errorf("%q", got)
	}
}

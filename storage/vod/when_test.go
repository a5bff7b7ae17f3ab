package vod

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/archive"
)

// kept is a recording of the hours before and after a midnight, the second of which has a clock of its own.
func kept(t testing.TB, from, to string) *Kept {
	t.Helper()
	init := &media.Init{Timescale: 90000}
	first, last := instant(t, from), instant(t, to)
	k := &Kept{First: first, Last: last, Main: "v", Head: archive.Head{
		Plan: segmenter.Plan{Grid: timeline.Grid{Num: 2, Den: 1}},
	}}
	middle := (first + last) / 2 / 2e9
	k.Head.Tracks = []archive.Track{{Track: media.Track{Name: "v"}, Epochs: []timeline.Epoch{
		{Init: init}, {Index: 1, First: uint64(middle), Origin: middle * 2 * 90000, Init: init},
	}}}
	return k
}

func instant(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

func TestTimesMeanWhatPeopleMean(t *testing.T) {
	const from, to = "2026-11-20T22:00:00Z", "2026-11-21T02:00:00Z"
	for _, tt := range []struct{ start, end, from, to, err string }{
		{"", "", from, to, ""},
		{"+90s", "+1h", "2026-11-20T22:01:30Z", "2026-11-20T23:00:00Z", ""},
		{"+1.5", "23:00:00", "2026-11-20T22:00:01.5Z", "2026-11-20T23:00:00Z", ""},
		{"23:00:00.04", "00:30:00", "2026-11-20T23:00:00.04Z", "2026-11-21T00:30:00Z", ""},
		{"01:00:00", "", "2026-11-21T01:00:00Z", to, ""},
		{"2026-11-21T01:00:00+01:00", "media:60", "2026-11-21T00:00:00Z", "2026-11-21T00:01:00Z", ""},
		{"media:1795215600", "", "2026-11-20T23:00:00Z", to, ""},
		{"media:5000000", "", "", "", "media time 5000000.000 s: outside of what is kept: that is 2026-11-20T22:00:00.000Z to"},
		{"21:59:59", "", "2026-11-20T21:59:59Z", to, ""},
		{"21:59:00", "", "", "", "outside of what is kept, which is 2026-11-20T22:00:00.000Z to 2026-11-21T02:00:00.000Z"},
		{"", "+5h", "", "", "outside of what is kept"},
		{"+2h", "+1h", "", "", "the end is not after the start"},
		{"2027-01-01T00:00:00Z", "", "", "", "the end is not after"},
	} {
		start, err := ParseWhen(tt.start)
		if err != nil {
			t.Fatal(err)
		}
		end, err := ParseWhen(tt.end)
		if err != nil {
			t.Fatal(err)
		}
		g, err := kept(t, from, to).Range(start, end)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s to %s: %v, want %q", tt.start, tt.end, err, tt.err)
			}
		case err != nil || g.Start != instant(t, tt.from) || g.End != instant(t, tt.to):
			t.Errorf("%s to %s: %s to %s, %v", tt.start, tt.end, Stamp(g.Start), Stamp(g.End), err)
		}
	}
	w, _ := ParseWhen("23:00:00")
	if _, err := kept(t, from, "2026-11-23T02:00:00Z").Range(w, When{}); err == nil || !strings.Contains(err.Error(), "write the day") {
		t.Errorf("a time that is on two days: %v", err)
	}
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	for _, s := range []string{"x", "+", "+-1s", "-1s", "25:00:00", "media:", "media:-1", "media:1e400", "+NaN", "1969-12-31T23:59:59Z",
		"2107-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "+2000000h", "10:00", "media:99999999999", " "} {
		if w, err := ParseWhen(s); !errors.Is(err, ErrTime) {
			t.Errorf("%q is %+v, %v", s, w, err)
		}
	}
}

// FuzzParseWhen: whatever is a time is one within a recording, or an error says why not; nothing overflows.
func FuzzParseWhen(f *testing.F) {
	for _, s := range []string{"", "+90s", "media:12.5", "10:00:00.04", "2026-11-21T01:00:00+01:00", "+1h2m", "media:1795215600"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		start, err := ParseWhen(a)
		if err != nil {
			return
		}
		end, err := ParseWhen(b)
		if err != nil {
			return
		}
		k := kept(t, "2026-11-20T22:00:00Z", "2026-11-21T02:00:00Z")
		if g, err := k.Range(start, end); err == nil && (g.Start >= g.End || g.Start < k.First-2e9 || g.End > k.Last+2e9) {
			t.Fatalf("%q to %q is %+v", a, b, g)
		}
	})
}

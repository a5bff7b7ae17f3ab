package server

import (
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestDirectivesAreParsedOrRefused(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  directives
		ok    bool
	}{
		{"", directives{}, true},
		{"_HLS_msn=12", directives{blocking: true, msn: 12}, true},
		{"_HLS_msn=12&_HLS_part=3", directives{blocking: true, msn: 12, ofPart: true, part: 3}, true},
		{"_HLS_part=0&_HLS_msn=0&_HLS_skip=YES", directives{blocking: true, ofPart: true, skip: true}, true},
		{"_HLS_skip=YES", directives{skip: true}, true},
		{"_HLS_skip=v2", directives{}, true},
		{"token=x&CMCD=a%3D1", directives{}, true},
		{"_HLS_future=1", directives{}, true},
		{"token=a;b%zz&_HLS_msn=12", directives{blocking: true, msn: 12}, true}, // not ours to understand
		{"a;b", directives{}, true},
		{"_HLS_msn=12;13", directives{}, false},
		{"_HLS_part=1", directives{}, false},
		{"_HLS_msn=", directives{}, false},
		{"_HLS_msn", directives{}, false},
		{"_HLS_msn=-1", directives{}, false},
		{"_HLS_msn=+1", directives{}, false},
		{"_HLS_msn=one", directives{}, false},
		{"_HLS_msn=1.5", directives{}, false},
		{"_HLS_msn=0x10", directives{}, false},
		{"_HLS_msn=99999999999999999999", directives{}, false},
		{"_HLS_msn=1&_HLS_msn=1", directives{}, false},
		{"_HLS_msn=1&_HLS_part=", directives{}, false},
		{"_HLS_msn=1&_HLS_part=-1", directives{}, false},
		{"_HLS_msn=1&_HLS_part=4294967296", directives{}, false},
		{"_HLS_skip=", directives{}, false},
		{"_HLS_skip=yes", directives{}, false},
		{"_HLS_skip=YES&_HLS_skip=YES", directives{}, false},
		{"_HLS_msn=%zz", directives{}, false},
	} {
		got, err := parseDirectives(tt.query)
		if (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v, ok %v", tt.query, got, err, tt.want, tt.ok)
		}
	}
}

// at is a snapshot of complete segments [10, n) of four parts, and open parts of segment n. Segment 11 is a gap.
func at(n uint64, open int) *timeline.Snapshot {
	s := &timeline.Snapshot{}
	for i := uint64(10); i < n; i++ {
		seg := timeline.Segment{N: i, State: timeline.Full, Parts: make([]timeline.Part, 4)}
		if i == 11 {
			seg.State, seg.Parts = timeline.Gap, nil
		}
		s.Segments = append(s.Segments, seg)
	}
	if open > 0 {
		s.Open = &timeline.Segment{N: n, Parts: make([]timeline.Part, open)}
	}
	return s
}

func TestABlockingRequestIsAnsweredWhenItsPartIsListed(t *testing.T) {
	for _, tt := range []struct {
		query string
		at    *timeline.Snapshot
		want  bool
	}{
		{"", at(15, 0), true},
		{"_HLS_msn=15", at(15, 3), false},
		{"_HLS_msn=15", at(16, 0), true},
		{"_HLS_msn=15&_HLS_part=0", at(15, 0), false},
		{"_HLS_msn=15&_HLS_part=0", at(15, 1), true},
		{"_HLS_msn=15&_HLS_part=3", at(15, 3), false},
		{"_HLS_msn=15&_HLS_part=3", at(15, 4), true},
		{"_HLS_msn=15&_HLS_part=3", at(16, 0), true},
		// Beyond the last part of a segment: part 0 of the next.
		{"_HLS_msn=15&_HLS_part=4", at(16, 0), false},
		{"_HLS_msn=15&_HLS_part=4", at(16, 1), true},
		{"_HLS_msn=15&_HLS_part=999", at(16, 1), true},
		// Through a gap without parts: a playlist that is unchanged would make the client spin.
		{"_HLS_msn=10&_HLS_part=4", at(12, 0), false},
		{"_HLS_msn=11&_HLS_part=0", at(12, 0), false},
		{"_HLS_msn=11&_HLS_part=0", at(12, 1), true},
		{"_HLS_msn=11", at(12, 0), true},
		// Out of the window: the current playlist at once.
		{"_HLS_msn=3", at(15, 0), true},
		{"_HLS_msn=3&_HLS_part=7", at(15, 0), true},
	} {
		d, err := parseDirectives(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.answerable(tt.at); got != tt.want {
			t.Errorf("%s at %+v: answerable %v, want %v", tt.query, tt.at.Position(), got, tt.want)
		}
		tt.at.Ended = true
		if !d.answerable(tt.at) {
			t.Errorf("%s after the end is not answered", tt.query)
		}
	}
}

func TestWhatIsTooFarAheadIsRefused(t *testing.T) {
	low, slow := segmenter.Plan{PartTarget: 334 * time.Millisecond}, segmenter.Plan{PartTarget: time.Second}
	for _, tt := range []struct {
		query string
		at    *timeline.Snapshot
		plan  segmenter.Plan
		want  bool
	}{
		{"", at(15, 2), low, false},
		{"_HLS_msn=16", at(15, 2), low, false}, // the last complete one is 14
		{"_HLS_msn=17", at(15, 2), low, true},
		{"_HLS_msn=4611686018427387903", at(15, 2), low, true},
		{"_HLS_msn=15&_HLS_part=10", at(15, 2), low, false}, // part 1 is the last; 9 ahead is the limit
		{"_HLS_msn=15&_HLS_part=11", at(15, 2), low, true},
		{"_HLS_msn=15&_HLS_part=4", at(15, 2), slow, false},
		{"_HLS_msn=15&_HLS_part=5", at(15, 2), slow, true},
		{"_HLS_msn=16&_HLS_part=9", at(15, 2), low, true},
		{"_HLS_msn=14&_HLS_part=999", at(15, 2), low, false}, // part 0 of 15
	} {
		d, err := parseDirectives(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.tooFar(tt.at, tt.plan); got != tt.want {
			t.Errorf("%s at %+v: too far %v, want %v", tt.query, tt.at.Position(), got, tt.want)
		}
		tt.at.Ended = true
		if d.tooFar(tt.at, tt.plan) {
			t.Errorf("%s after the end is refused", tt.query)
		}
	}
}

func FuzzDirectives(f *testing.F) {
	for _, q := range []string{"", "_HLS_msn=1", "_HLS_msn=15&_HLS_part=2&_HLS_skip=YES", "_HLS_part=1", "_HLS_msn=-1", "a=%zz;"} {
		f.Add(q)
	}
	snapshot, plan := at(15, 2), segmenter.Plan{PartTarget: 334 * time.Millisecond}
	f.Fuzz(func(t *testing.T, query string) {
		d, err := parseDirectives(query)
		if err != nil {
			return
		}
		if d.ofPart && !d.blocking {
			t.Error("a part without a segment was accepted")
		}
		if d.tooFar(snapshot, plan) && d.answerable(snapshot) {
			t.Error("a request is both answerable and too far ahead")
		}
		if !d.tooFar(snapshot, plan) && d.target(snapshot).N > snapshot.Position().N+2 {
			t.Errorf("a request may wait for %+v", d.target(snapshot))
		}
	})
}

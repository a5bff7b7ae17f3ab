package timeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

func TestEventsThatNoDocumentCanHoldAreMalformed(t *testing.T) {
	good := timeline.Event{Start: 1, Dur: 1, ID: "a-1", Scheme: "urn:x", Value: "1", Data: []byte{0}, Splice: &timeline.Splice{Cue: timeline.In}}
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*timeline.Event){
		"no name":         func(e *timeline.Event) { e.ID = "" },
		"no scheme":       func(e *timeline.Event) { e.Scheme = "" },
		"a quote":         func(e *timeline.Event) { e.Value = `a"b` },
		"a line":          func(e *timeline.Event) { e.Scheme = "urn:x\n#EXT-X-ENDLIST" },
		"no text":         func(e *timeline.Event) { e.ID = "\xff" },
		"a long scheme":   func(e *timeline.Event) { e.Scheme = strings.Repeat("x", 513) },
		"a negative time": func(e *timeline.Event) { e.Start = -1 },
		"a wild duration": func(e *timeline.Event) { e.Dur = 1 << 50 },
		"too much data":   func(e *timeline.Event) { e.Data = make([]byte, timeline.MaxEventData+1) },
		"a wild splice":   func(e *timeline.Event) { e.Splice = &timeline.Splice{Cue: 3} },
	} {
		e := good
		if change(&e); !errors.Is(e.Valid(), timeline.ErrMalformed) {
			t.Errorf("%s: %v", name, e.Valid())
		}
	}
}

// same are events of one content at some times.
func same(times ...int64) (list []timeline.Event) {
	for _, at := range times {
		list = append(list, timeline.Event{Start: at, ID: fmt.Sprintf("x-%d", at), Scheme: "x", Data: []byte("same")})
	}
	return list
}

func starts(list []timeline.Event) (times []int64) {
	for _, e := range list {
		times = append(times, e.Start)
	}
	return times
}

func TestMergeKeepsTheOrderAndTheListsOfOthers(t *testing.T) {
	before := same(1000, 5000)
	merged, added := timeline.Merge(before, same(9000, 5000, 1100, 1101, 4899, 500, 5090))
	if diff := cmp.Diff([]int64{500, 1000, 1101, 4899, 5000, 9000}, starts(merged)); diff != "" { // what comes within a tenth of a second is the same
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{500, 1101, 4899, 9000}, starts(added)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(same(1000, 5000), before); diff != "" {
		t.Errorf("older lists have changed: %s", diff)
	}
	if again, added := timeline.Merge(merged, same(9000, 1010)); len(added) > 0 || len(again) != len(merged) {
		t.Errorf("%v are new in %v", starts(added), starts(again))
	}
}

// A splice is told again by every rendition, some time before or after: it has an id. A beat that comes five times a second has none.
func TestWhatIsTheSameEvent(t *testing.T) {
	splices := same(0, 400, 900)
	for i := range splices {
		splices[i].Splice, splices[i].Data = &timeline.Splice{Event: 7, Cue: timeline.Out}, []byte{byte(i)}
	}
	if merged, _ := timeline.Merge(nil, splices); cmp.Diff([]int64{0, 900}, starts(merged)) != "" {
		t.Errorf("splices: %v", starts(merged))
	}
	if merged, _ := timeline.Merge(nil, same(0, 200, 400, 600)); len(merged) != 4 {
		t.Errorf("beats: %v", starts(merged))
	}
	for at, want := range map[int64]int{200: 5, 120: 4, 80: 4} { // in whichever order they come
		merged, _ := timeline.Merge(same(0, 200, 400, 600), same(at))
		if at == 200 {
			merged, _ = timeline.Merge(merged, same(1000))
		}
		if len(merged) != want {
			t.Errorf("one more at %d: %v", at, starts(merged))
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	list, news := make([]int64, 4096), make([]int64, 4096)
	for i := range list {
		list[i], news[i] = int64(i)*1000, int64(len(list)-i)*1000+500
	}
	old, more := same(list...), same(news...)
	for b.Loop() {
		timeline.Merge(old, more)
	}
}

package timeline_test

import (
	"errors"
	"strings"
	"testing"

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

func TestInsertKeepsTheOrderAndTheListsOfOthers(t *testing.T) {
	var lists [][]timeline.Event
	var list []timeline.Event
	for _, at := range []int64{5000, 1000, 9000, 5000, 1400, 1600, 5001} {
		e := timeline.Event{Start: at, ID: "x-" + string(rune('0'+at/1000)), Scheme: "x", Data: []byte("same")}
		before := list
		var isNew bool
		if list, isNew = timeline.Insert(list, e); isNew != (len(list) > len(before)) {
			t.Errorf("at %d: new %v", at, isNew)
		}
		lists = append(lists, list)
	}
	var times []int64
	for _, e := range list {
		times = append(times, e.Start)
	}
	if len(times) != 4 || times[0] != 1000 || times[1] != 1600 || times[2] != 5000 || times[3] != 9000 {
		t.Errorf("%v", times) // what comes within half a second is the same
	}
	if len(lists[0]) != 1 || lists[0][0].Start != 5000 || lists[1][0].Start != 1000 {
		t.Errorf("older lists have changed: %v", lists)
	}
}

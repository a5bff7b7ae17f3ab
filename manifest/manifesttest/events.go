package manifesttest

import (
	"encoding/base64"
	"fmt"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Happenings are events around Start: one that is over, breaks with and without an end, and others.
func Happenings() (list []timeline.Event) {
	splice := func(at int64, event uint32, cue timeline.Cue, dur int64, section string) {
		data, err := base64.StdEncoding.DecodeString(section)
		must(err)
		list = append(list, timeline.Event{
			Start: Start + at, Dur: dur, ID: fmt.Sprintf("scte35-%d-%d-0-%d", event, cue, Start+at), Scheme: "urn:scte:scte35:2013:bin",
			Data: data, Splice: &timeline.Splice{Event: event, Cue: cue}, Known: Start + at - 2000,
		})
	}
	other := func(at, dur int64, scheme, value, data string) {
		list = append(list, timeline.Event{
			Start: Start + at, Dur: dur, ID: fmt.Sprintf("%08x-%d", len(data), Start+at), Scheme: scheme, Value: value, Data: []byte(data),
		})
	}
	const (
		out  = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo="
		back = "/DAqAAAAAAAAAP/wDwUAAArXf0/+Un5f+AAAAAAAAAoACENVRUkAAAAAYzgYsQ=="
		cmd  = "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg=="
	)
	other(-90_000, 1_000, "com.example.score", "", `{"home":0,"away":0}`)
	splice(2_000, 7, timeline.Out, 6_000, out)
	other(5_000, 0, "https://aomedia.org/emsg/ID3", "1", "ID3\x04\x00\x00\x00\x00\x00\x00")
	splice(8_040, 7, timeline.In, 0, back)
	other(9_500, 2_500, "com.example.score", "", `{"home":1,"away":0,"by":"A & <B>"}`)
	splice(14_000, 8, 0, 0, cmd)
	splice(14_000, 9, timeline.In, 0, back)
	splice(16_000, 10, timeline.Out, 0, out)
	return list
}

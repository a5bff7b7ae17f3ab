package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/subscriber/catalog"
)

// skipped are the reasons of a catalog, each with its track.
func skipped(c *catalog.Catalog) string {
	var all []string
	for _, s := range c.Skipped {
		all = append(all, s.Name+": "+s.Reason)
	}
	return strings.Join(all, "; ")
}

func TestOneMediaTimelineIsKeptWhereNothingElseTellsTheTime(t *testing.T) {
	const v, a, h = `{"name":"v","packaging":"cmaf","role":"video"}`, `{"name":"a","packaging":"cmaf","role":"audio"}`,
		`{"name":"h","packaging":"mediatimeline","depends":["v","a"]}`
	for name, c := range map[string]struct{ tracks, kept, skipped string }{
		"one for all":           {h + "," + v + "," + a, "h,v,a", ""},
		"one for the audio":     {v + "," + a + `,{"name":"h","packaging":"mediatimeline","depends":["a"]}`, "v,a,h", ""},
		"one for nobody":        {v + `,{"name":"h","packaging":"mediatimeline","depends":["w"]}`, "v", "h: it is about none of the tracks (depends)"},
		"one that does not say": {v + `,{"name":"h","packaging":"mediatimeline"}`, "v,h", ""},
		"several":               {v + "," + h + `,{"name":"i","packaging":"mediatimeline","depends":["v"]}`, "v,h", `i: "h" tells what time it is`},
		"beside a template": {
			`{"name":"v","packaging":"cmaf","role":"video","template":[0,2000,[0,0],[1,0],1759924158381,2000]},` + h, "v",
			"h: the catalog says already what time it is",
		},
		"of WARP": {v + `,{"name":"h","packaging":"timeline"}`, "v", "h: it is a timeline of WARP"},
		"events that depend on it": {
			v + "," + h + `,{"name":"e","packaging":"eventtimeline","eventType":"com.example","depends":["h"]}`, "v,h,e", "",
		},
	} {
		got, err := newDecoder().Decode(object(0, 0, []byte(`{"version":"draft-01","tracks":[`+c.tracks+`]}`)))
		if err != nil || names(got) != c.kept || !strings.HasPrefix(skipped(got), c.skipped) || (c.skipped == "") != (skipped(got) == "") {
			t.Errorf("%s: %q, skipped %q, %v; want %q, skipped %q", name, names(got), skipped(got), err, c.kept, c.skipped)
		}
	}
}

// Publishers put the template with the timeline, too, and then it is of the tracks that the timeline is about.
func TestTheTemplateOfATimelineIsOfItsTracks(t *testing.T) {
	c, err := newDecoder().Decode(object(0, 0, []byte(`{"version":"draft-01","tracks":[{"name":"v","packaging":"cmaf","role":"video"},
		{"name":"w","packaging":"cmaf","role":"video"},
		{"name":"h","packaging":"mediatimeline","depends":["v"],"template":[1000,33,[1,0],[0,2],1759924158381,33]}]}`)))
	if err != nil || names(c) != "v,w" {
		t.Fatalf("%q, %v", names(c), err)
	}
	if want := time.UnixMilli(1759924157381).UTC(); c.Tracks[0].Anchor != want || !c.Tracks[1].Anchor.IsZero() {
		t.Errorf("media time 0 is at %v and %v, want %v and unknown", c.Tracks[0].Anchor, c.Tracks[1].Anchor, want)
	}
}

package dash_test

import (
	"testing"

	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/manifesttest"
)

// Whenever an event comes or goes the MPD has another publishTime, a later one (ISO/IEC 23009-1, 5.3.1.2), and no other does it have.
func TestPublishTimeMovesWithTheEvents(t *testing.T) {
	c := manifesttest.New(manifesttest.Plan(2, 1, 6), 6, manifesttest.Start, manifesttest.Video("v", 360, 25, 1, 50))
	all := manifesttest.Happenings()
	var text, published string
	moves := 0
	for ms := int64(3_000); ms < 60_000; ms += 500 {
		c.Events = nil
		for _, e := range all {
			if e.Known <= manifesttest.Start+ms {
				c.Events = append(c.Events, e)
			}
		}
		c.Play(manifesttest.Start + ms)
		doc, err := dash.Live(c.Present())
		if err != nil {
			t.Fatal(err)
		}
		m := live(t, c.Present())
		switch now := string(m.PublishTime); {
		case text == "":
		case string(doc.Body) != text && now <= published:
			t.Errorf("after %d ms the MPD is another, and was published at %s, before that at %s", ms, now, published)
		case string(doc.Body) != text:
			moves++
		}
		text, published = string(doc.Body), string(m.PublishTime)
	}
	if moves < 6 || moves > 12 {
		t.Errorf("it moved %d times", moves)
	}
}

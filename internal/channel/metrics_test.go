package channel

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/subscriber/catalog"
)

func TestTheMetricsSayWhyATrackIsSkipped(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	is := func(want ...string) {
		t.Helper()
		text := ""
		if len(want) > 0 {
			text = `# HELP moqpack_channel_track_skipped 1 for each track of the newest catalog that is not packaged, by channel and track, and why.
# TYPE moqpack_channel_track_skipped gauge
` + strings.Join(want, "\n") + "\n"
		}
		if err := testutil.GatherAndCompare(r, strings.NewReader(text), "moqpack_channel_track_skipped"); err != nil {
			t.Error(err)
		}
	}
	m.skip("news", []catalog.Skipped{{Name: "a", Reason: "its codec is \"pcm\""}, {Name: "b\xff", Reason: "a box \xfe"}})
	is(`moqpack_channel_track_skipped{channel="news",reason="a box ?",track="b?"} 1`,
		`moqpack_channel_track_skipped{channel="news",reason="its codec is \"pcm\"",track="a"} 1`)
	m.skip("news", []catalog.Skipped{{Name: "a", Reason: "it has ended"}})
	is(`moqpack_channel_track_skipped{channel="news",reason="it has ended",track="a"} 1`)
	m.Forget("news")
	is()
}

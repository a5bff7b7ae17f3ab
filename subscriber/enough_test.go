package subscriber_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
)

func TestATrackOfWhichThereIsEnoughIsLeftUntilTheCatalogSaysSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Absent: []string{"video-180"}})
		r := newRecorder(t)
		n := 0
		r.refuse = func(track string, _ media.Object) error {
			if track != "audio-sv" {
				return nil
			}
			if n++; n >= 30 {
				return subscriber.ErrEnough
			}
			return nil
		}
		ran := w.run(r)
		elapse(5 * time.Second)
		if n := r.count("audio-sv"); n != 30 {
			t.Errorf("%d objects, 30 were enough", n)
		}
		var first int
		r.with(func() { n, first = 0, len(r.objects["audio-sv"]); r.objects["audio-sv"] = nil })
		if err := w.pub.Update([]string{"demo"}, []string{"video-180"}, nil, false); err != nil {
			t.Fatal(err)
		}
		elapse(3 * time.Second)
		if n := r.count("audio-sv"); n != 30 || first != 30 {
			t.Errorf("%d objects since the catalog changed, 30 were enough", n)
		}
		for _, track := range []string{"video-360", "audio-en"} {
			r.seamless(track, 7*25)
		}
		// It is no reason to go on when all else has ended.
		if err := w.pub.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
	})
}

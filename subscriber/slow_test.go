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

func TestAReceiverThatBlocksLosesNothing(t *testing.T) {
	for _, draft := range []string{"18", "lite-03", "lite-04", "lite-05"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
				r := newRecorder(t)
				w.run(r)
				elapse(3 * time.Second)
				release := r.hold()
				elapse(4 * time.Second)
				release()
				elapse(4 * time.Second)
				for _, track := range names() {
					r.seamless(track, 11*25)
				}
			})
		})
	}
}

// A group may be a frame, and each is a stream: then hundreds of them wait.
func TestAReceiverThatBlocksLosesNothingOfShortGroups(t *testing.T) {
	for _, draft := range []string{"16", "18", "lite-05"} {
		synctest.Test(t, func(t *testing.T) {
			b := demo(t, live.Groups)
			for i := range b.Tracks {
				if c := *b.Tracks[i].Clip; c.Kind == media.Audio {
					c.Group = c.Frame
					b.Tracks[i].Clip = &c
				}
			}
			w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{b}})
			r := newRecorder(t)
			w.run(r)
			elapse(3 * time.Second)
			release := r.hold()
			elapse(8 * time.Second)
			release()
			elapse(4 * time.Second)
			for _, track := range names() {
				r.seamless(track, 15*25)
			}
		})
	}
}

func TestAReceiverThatBlocksIsNotTakenForAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		r.hold()
		elapse(20 * time.Second)
		if last := r.state(); last.Phase != subscriber.Live {
			t.Errorf("state %+v", last)
		}
	})
}

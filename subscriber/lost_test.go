package subscriber_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// A stream that is reset, an object that never comes, and whole groups of which nothing does.
func TestWhatIsLostIsFetched(t *testing.T) {
	for name, faults := range map[string]func() sim.Faults{
		"a stream": func() sim.Faults {
			var once sync.Once
			return sim.Faults{Reset: func(track string, l media.Location) (hit bool) {
				if track == "video-360" && l.Object == 10 {
					once.Do(func() { hit = true })
				}
				return hit
			}}
		},
		"an object of each group": func() sim.Faults {
			return sim.Faults{Drop: func(track string, l media.Location) bool { return track == "video-360" && l.Object == 7 }}
		},
		"two groups": func() sim.Faults {
			var first atomic.Uint64
			return sim.Faults{Drop: func(track string, l media.Location) bool {
				if track != "video-360" {
					return false
				}
				first.CompareAndSwap(0, l.Group+3)
				return l.Group == first.Load() || l.Group == first.Load()+1
			}}
		},
	} {
		for _, draft := range []string{"14", "16", "18", "22", "lite-03", "lite-05"} {
			t.Run(name+" "+draft, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
					w.pub.SetFaults(faults())
					r := newRecorder(t)
					w.run(r)
					elapse(12 * time.Second)
					for _, track := range names() {
						r.seamless(track, 9*25)
					}
				})
			})
		}
	}
}

func TestWhatIsLostIsFetchedGroupByGroupWhereItMustBe(t *testing.T) {
	for _, draft := range []string{"14", "16", "18", "19"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
				first := uint64(time.Now().Unix()) + 5
				w.pub.SetFaults(sim.Faults{OneGroup: true, Drop: func(track string, l media.Location) bool {
					return track == "video-360" && (l.Group == first || l.Group == first+1)
				}})
				r := newRecorder(t)
				w.run(r)
				elapse(12 * time.Second)
				for _, track := range names() {
					r.seamless(track, 11*25) // with what was before the beginning
				}
			})
		})
	}
}

func TestAFetchOfWhatIsLostIsNotWaitedForBeyondPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		reset := uint64(time.Now().Unix()) + 1
		w.pub.SetFaults(sim.Faults{Deaf: true, Reset: func(track string, l media.Location) bool {
			return track == "video-360" && l == media.Location{Group: reset, Object: 10}
		}})
		elapse(8 * time.Second)
		r.with(func() {
			all := r.objects["video-360"]
			i := slices.IndexFunc(all, func(o media.Object) bool { return o.Lost })
			if i < 1 || (all[i].Location != media.Location{Group: reset + 1}) || all[len(all)-1].Group < reset+5 {
				t.Errorf("loss at %d of %d objects, up to %v", i, len(all), all[len(all)-1].Location)
			}
		})
		r.seamless("audio-en", 10*25)
	})
}

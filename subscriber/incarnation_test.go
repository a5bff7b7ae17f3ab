package subscriber

import (
	"fmt"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func TestAPublisherThatCountsFromAnewIsANewIncarnation(t *testing.T) {
	b := liveBench()
	b.objects(false, 1000, 0)
	b.fin(1000, 0, true)
	b.leave()
	b.join()
	b.filled(media.Location{}, false)
	b.objects(false, 2, 5)
	b.fin(2, 5, true)
	b.objects(false, 3, 0, 1)
	b.want(t, "1000/0, 1000/1 end") // it might be late
	if at, ok := b.deadline(); !ok || !at.Equal(b.now.Add(time.Second)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	b.pass(time.Second)
	b.want(t, "3/0 lost, 3/1")
	b.objects(false, 3, 2)
	b.want(t, "3/2")
}

func TestAPublisherThatSaysItCountsFromAnewIsOneAtOnce(t *testing.T) {
	b := liveBench()
	b.objects(false, 1000, 0)
	b.leave()
	b.join()
	b.objects(false, 3, 0)
	b.edge(media.Location{Group: 3})
	b.filled(media.Location{}, false)
	b.drain()
	b.want(t, "1000/0, 3/0 lost")
}

// So does moq-dev's publisher when it catches up: a group is a frame of audio.
func TestTheNewestGroupFirstIsNoIncarnation(t *testing.T) {
	b := liveBench()
	b.objects(false, 1000, 0)
	b.fin(1000, 0, true)
	b.want(t, "1000/0, 1000/1 end")
	b.fresh = true // the catalog has changed
	for id := uint64(1500); id > 900; id-- {
		b.push(obj(id, 0), false)
		b.ended(moqt.StreamEvent{Group: id, Objects: 1, EndOfGroup: true})
		b.pass(time.Millisecond)
	}
	b.pass(time.Second)
	for i, s := range b.out {
		if want := fmt.Sprintf("%d/0 last", 1001+i); s != want {
			t.Fatalf("%s, want %s", s, want)
		}
	}
	if len(b.out) != 500 || b.holes > 0 {
		t.Errorf("%d of 500 groups, %d holes", len(b.out), b.holes)
	}
}

func TestWhatIsLateIsNoIncarnation(t *testing.T) {
	b := liveBench()
	b.objects(false, 1000, 0)
	b.fresh = true
	b.objects(false, 10, 0)
	b.pass(900 * time.Millisecond)
	b.objects(false, 1000, 1)
	b.pass(time.Hour)
	b.want(t, "1000/0, 1000/1")
	if b.dropped != 1 {
		t.Errorf("%d objects dropped, want that of group 10", b.dropped)
	}
}

func TestARepeatedGroupIsNoIncarnation(t *testing.T) {
	b := liveBench()
	b.objects(false, 1000, 0, 1)
	b.leave()
	b.join()
	b.filled(media.Location{}, false)
	b.objects(false, 998, 0)
	b.objects(false, 1000, 1, 2)
	b.want(t, "1000/0, 1000/1, 1000/2")
}

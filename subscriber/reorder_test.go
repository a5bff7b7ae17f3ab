package subscriber

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func testLimits() limits {
	return limits{bytes: 1 << 20, patience: 2 * time.Second, linger: 100 * time.Millisecond}
}

// bench drives a reorder as a track does: every arrival is followed by pops.
type bench struct {
	reorder
	now time.Time
	out []string
}

func newBench() *bench {
	b := &bench{reorder: reorder{limits: testLimits()}, now: time.Unix(1e9, 0)}
	b.join()
	return b
}

// liveBench is a bench whose subscription began without a fetch.
func liveBench() *bench {
	b := newBench()
	b.filled(media.Location{}, false)
	return b
}

func (b *bench) drain() {
	for o, ok := b.pop(b.now); ok; o, ok = b.pop(b.now) {
		s := fmt.Sprintf("%d/%d", o.Group, o.Object)
		if o.Status == media.EndOfGroup {
			s += " end"
		} else if o.Last {
			s += " last"
		}
		if o.Lost {
			s += " lost"
		}
		b.out = append(b.out, s)
	}
}

func (b *bench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.drain()
}

func obj(group, object uint64) media.Object {
	return media.Object{Location: media.Location{Group: group, Object: object}, Payload: []byte{1}}
}

func (b *bench) objects(fetched bool, group uint64, ids ...uint64) {
	for _, id := range ids {
		b.push(obj(group, id), fetched)
		b.drain()
	}
}

func (b *bench) fin(group, last uint64, flag bool) {
	b.ended(moqt.StreamEvent{Group: group, Objects: last + 1, Last: last, EndOfGroup: flag})
	b.drain()
}

func (b *bench) want(t *testing.T, want string) {
	t.Helper()
	got := strings.Join(b.out, ", ")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.out = nil
}

func TestObjectsAreHandedOverAtOnce(t *testing.T) {
	b := liveBench()
	b.objects(false, 7, 0)
	b.want(t, "7/0")
	b.objects(false, 7, 1)
	b.want(t, "7/1")
}

func TestStartSkipsToAGroupStart(t *testing.T) {
	b := liveBench()
	b.objects(false, 7, 5, 6)
	b.fin(7, 6, true)
	b.objects(false, 8, 0, 1)
	b.want(t, "8/0, 8/1")
}

func TestFetchAndLiveAreMerged(t *testing.T) {
	b := newBench()
	b.fill(media.Location{Group: 5})
	b.objects(false, 7, 3, 4)
	b.objects(true, 5, 0, 1)
	b.want(t, "5/0, 5/1")
	b.objects(true, 6, 0)
	b.objects(true, 7, 0, 1)
	b.objects(false, 7, 1, 5)
	b.want(t, "6/0, 7/0, 7/1")
	b.objects(true, 7, 2)
	b.want(t, "7/2, 7/3, 7/4, 7/5")
}

func TestACompleteFetchTellsWhatDoesNotExist(t *testing.T) {
	b := newBench()
	b.fill(media.Location{Group: 5})
	b.objects(true, 5, 0)
	b.objects(true, 9, 0)
	b.objects(false, 9, 7)
	b.want(t, "5/0, 9/0")
	b.filled(media.Location{Group: 9, Object: 6}, true)
	b.drain()
	b.want(t, "9/7")
}

func TestAFetchUpToTheEndOfItsGroup(t *testing.T) {
	b := newBench()
	b.fill(media.Location{Group: 6})
	b.objects(true, 6, 0, 1)
	b.filled(media.Location{Group: 6, Object: 1}, true)
	b.objects(false, 7, 0)
	b.want(t, "6/0, 6/1")
	b.pass(100 * time.Millisecond) // it might have been short of the end
	b.want(t, "7/0")
}

func TestInACatalogTheLatestGroupWins(t *testing.T) {
	b := newBench()
	b.limits.latest = true
	b.filled(media.Location{}, false)
	b.objects(false, 1000, 0, 1, 3)
	b.objects(false, 5000, 1)
	b.want(t, "1000/0, 1000/1")
	b.objects(false, 5000, 0)
	b.want(t, "5000/0, 5000/1")
}

func TestARefusedFetchStartsAtTheNextGroup(t *testing.T) {
	b := newBench()
	b.objects(false, 7, 3)
	b.objects(false, 8, 0)
	b.want(t, "")
	b.filled(media.Location{}, false)
	b.drain()
	b.want(t, "8/0")
}

func TestASilentFetchIsNotWaitedForBeyondPatience(t *testing.T) {
	b := newBench()
	b.objects(false, 8, 0)
	b.pass(time.Second)
	b.want(t, "")
	at, ok := b.deadline()
	if !ok || !at.Equal(b.now.Add(time.Second)) {
		t.Errorf("deadline %v, %v", at, ok)
	}
	b.pass(time.Second)
	b.want(t, "8/0")
}

func TestEndOfGroup(t *testing.T) {
	t.Run("the flag with a FIN comes after the last object", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0, 1)
		b.fin(1, 1, true)
		b.want(t, "1/0, 1/1, 1/2 end")
	})
	t.Run("a status is known before the object", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		b.push(media.Object{Location: media.Location{Group: 1, Object: 2}, Status: media.EndOfGroup}, false)
		b.objects(false, 1, 1)
		b.want(t, "1/0, 1/1 last")
	})
	t.Run("an object says it itself", func(t *testing.T) {
		b := liveBench()
		o := obj(1, 0)
		o.Last = true
		b.push(o, false)
		b.objects(false, 2, 0)
		b.want(t, "1/0 last, 2/0")
	})
	t.Run("a FIN without the flag tells when the next group begins", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0, 1)
		b.objects(false, 2, 0)
		b.want(t, "1/0, 1/1")
		b.fin(1, 1, false)
		b.want(t, "2/0")
	})
	t.Run("streams of one object tell after a moment", func(t *testing.T) {
		b := liveBench()
		for id := range uint64(2) {
			b.objects(false, 1, id)
			b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Last: id})
		}
		b.objects(false, 2, 0)
		b.want(t, "1/0, 1/1")
		b.pass(100 * time.Millisecond)
		b.want(t, "2/0")
	})
	t.Run("datagrams tell after a moment", func(t *testing.T) {
		b := liveBench()
		for _, id := range []uint64{0, 1, 3} {
			b.objects(false, 1, id)
			b.ended(moqt.StreamEvent{Group: 1, Datagram: true, Objects: 1, Last: id})
		}
		b.pass(500 * time.Millisecond)
		b.objects(false, 2, 0)
		b.pass(100 * time.Millisecond)
		b.want(t, "1/0, 1/1, 1/3 lost, 2/0")
	})
	t.Run("a stream that runs on is waited for", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 0, 0)
		b.fin(0, 0, true)
		b.objects(false, 1, 0)
		b.objects(false, 2, 0)
		b.pass(2*time.Second - 1)
		b.want(t, "0/0, 0/1 end, 1/0")
		b.pass(1)
		b.want(t, "2/0 lost")
	})
}

func TestLoss(t *testing.T) {
	t.Run("a reset stream", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Reset: true})
		b.objects(false, 2, 0, 1)
		b.pass(time.Second)
		b.want(t, "1/0, 2/0 lost, 2/1")
	})
	t.Run("a hole", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1})
		b.objects(false, 1, 2, 3)
		b.want(t, "1/0")
		b.pass(2 * time.Second)
		b.want(t, "1/2 lost, 1/3")
	})
	t.Run("a hole that one stream explains is none", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0, 2)
		b.fin(1, 2, true)
		b.pass(100 * time.Millisecond)
		b.want(t, "1/0, 1/2 last")
	})
	t.Run("a lost start takes the group along", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		b.fin(1, 0, true)
		b.objects(false, 2, 1, 2)
		b.pass(2 * time.Second)
		b.objects(false, 2, 3)
		b.objects(false, 3, 0)
		b.fin(2, 3, true)
		b.want(t, "1/0, 1/1 end, 3/0 lost")
	})
	t.Run("too many bytes", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		for id := uint64(2); id < 9; id++ {
			o := obj(1, id)
			o.Payload = make([]byte, 200<<10)
			b.push(o, false)
			b.drain()
		}
		b.want(t, "1/0, 1/2 lost, 1/3, 1/4, 1/5, 1/6, 1/7, 1/8")
	})
	t.Run("too many groups", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		for id := uint64(3); id < 1e5 && len(b.out) == 1; id++ {
			b.push(media.Object{Location: media.Location{Group: id}, Status: media.EndOfGroup}, false)
			b.drain()
		}
		if held := len(b.groups); held > testLimits().bytes/256+1 || b.holes == 0 {
			t.Errorf("%d groups are held back, %d holes", held, b.holes)
		}
	})
}

// A group of one audio frame has a stream of its own, which others overtake. Seen of aiomoqt and its relay: a dozen of them.
func TestOneLateAudioFrameIsWaitedFor(t *testing.T) {
	b := liveBench()
	b.limits = DefaultConfig().limits()
	b.objects(false, 0, 0)
	b.fin(0, 0, true)
	for id := range uint64(60) { // more than a second of them
		b.objects(false, 2+id, 0)
		b.fin(2+id, 0, true)
	}
	b.want(t, "0/0, 0/1 end")
	b.objects(false, 1, 0)
	b.fin(1, 0, true)
	if n := len(b.out); n < 61 || strings.Contains(strings.Join(b.out, ", "), "lost") || b.holes > 0 || b.dropped > 0 {
		t.Errorf("%d handed over, %d holes, %d dropped: %v", n, b.holes, b.dropped, b.out)
	}
}

func TestGroupIDsMayJump(t *testing.T) {
	b := liveBench()
	for _, id := range []uint64{1000, 2001, 3002, 4004} {
		b.objects(false, id, 0)
		b.fin(id, 0, true)
		if id == 2001 { // the first jump might be a loss: it is waited for
			b.want(t, "1000/0, 1000/1 end")
			b.pass(2 * time.Second)
		}
	}
	b.want(t, "2001/0 last, 3002/0, 3002/1 end, 4004/0, 4004/1 end")
}

func TestReconnect(t *testing.T) {
	before := func() *bench {
		b := liveBench()
		b.objects(false, 10, 0)
		b.fin(10, 0, true)
		b.objects(false, 11, 0, 1)
		b.leave()
		b.objects(false, 11) // nothing
		b.pass(time.Hour)
		b.out = nil
		b.join()
		return b
	}
	t.Run("a fetch repairs the hole", func(t *testing.T) {
		b := before()
		b.objects(false, 13, 4)
		b.fill(media.Location{Group: 11})
		b.objects(true, 11, 0, 1, 2)
		b.objects(true, 12, 0)
		b.objects(true, 13, 0, 1, 2, 3)
		b.want(t, "11/2, 12/0, 13/0, 13/1, 13/2, 13/3, 13/4")
	})
	t.Run("a fetch that begins later does not", func(t *testing.T) {
		b := before()
		b.fill(media.Location{Group: 12})
		b.objects(true, 12, 0)
		b.want(t, "12/0 lost")
	})
	t.Run("without a fetch the next group start is lost", func(t *testing.T) {
		b := before()
		b.filled(media.Location{}, false)
		b.objects(false, 12, 7)
		b.fin(12, 7, true)
		b.objects(false, 13, 0)
		b.pass(2 * time.Second)
		b.want(t, "13/0 lost")
	})
	t.Run("what directly follows is not lost", func(t *testing.T) {
		b := before()
		b.filled(media.Location{}, false)
		b.objects(false, 11, 0, 1, 2)
		b.want(t, "11/2")
	})
	t.Run("a known end and the next group directly follow", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 10, 0)
		b.fin(10, 0, true)
		b.leave()
		b.join()
		b.filled(media.Location{}, false)
		b.objects(false, 11, 0)
		b.want(t, "10/0, 10/1 end, 11/0")
	})
	t.Run("what was buffered is kept for the repair", func(t *testing.T) {
		b := liveBench()
		b.objects(false, 1, 0)
		b.objects(false, 1, 2)
		b.leave()
		b.pass(time.Minute)
		b.join()
		b.fill(media.Location{Group: 1})
		b.objects(true, 1, 0, 1)
		b.want(t, "1/0, 1/1, 1/2")
	})
}

func TestEndOfTrack(t *testing.T) {
	for _, end := range []media.Location{{Group: 2, Object: 1}, {Group: 3}} {
		b := liveBench()
		b.objects(false, 1, 0)
		b.fin(1, 0, true)
		b.push(media.Object{Location: end, Status: media.EndOfTrack}, false)
		b.drain()
		if b.finished() {
			t.Errorf("end %v: finished before 2/0", end)
		}
		b.objects(false, 2, 0)
		b.fin(2, 0, false)
		if !b.finished() {
			t.Errorf("end %v: not finished: %v", end, b.out)
		}
	}
}

func TestObjectsWithLittleButPropertiesAreBounded(t *testing.T) {
	b := liveBench()
	for id := uint64(1); id < 200; id++ { // object 0 is missing
		o := obj(1, id)
		o.Properties = make([]media.Property, 1000)
		b.push(o, false)
		b.drain()
	}
	if b.bytes > 2*testLimits().bytes || b.dropped == 0 {
		t.Errorf("%d bytes are held back, %d objects were dropped", b.bytes, b.dropped)
	}
}

func TestAFetchThatComesNewestFirstCostsThePastAndNothingElse(t *testing.T) {
	b := newBench()
	b.fill(media.Location{Group: 5})
	b.objects(false, 7, 3)
	for _, group := range []uint64{7, 6, 5} {
		b.objects(true, group, 0, 1, 2)
	}
	b.filled(media.Location{Group: 7, Object: 2}, true)
	b.objects(false, 7, 4)
	b.fin(7, 4, true)
	b.objects(false, 8, 0)
	b.want(t, "7/0, 7/1, 7/2, 7/3, 7/4, 7/5 end, 8/0")
	if b.bytes != 0 {
		t.Errorf("%d bytes are held", b.bytes)
	}
}

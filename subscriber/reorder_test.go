package subscriber

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func testLimits() limits {
	return limits{groups: 4, bytes: 1 << 20, patience: 2 * time.Second, linger: 100 * time.Millisecond}
}

// bench drives a reorder as a track does: every event is followed by pops.
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

// live is a bench whose subscription began without a fetch.
func live() *bench {
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
	b := live()
	b.objects(false, 7, 0)
	b.want(t, "7/0")
	b.objects(false, 7, 1)
	b.want(t, "7/1")
}

func TestStartSkipsToAGroupStart(t *testing.T) {
	b := live()
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
		b := live()
		b.objects(false, 1, 0, 1)
		b.fin(1, 1, true)
		b.want(t, "1/0, 1/1, 1/2 end")
	})
	t.Run("a status is known before the object", func(t *testing.T) {
		b := live()
		b.objects(false, 1, 0)
		b.push(media.Object{Location: media.Location{Group: 1, Object: 2}, Status: media.EndOfGroup}, false)
		b.objects(false, 1, 1)
		b.want(t, "1/0, 1/1 last")
	})
	t.Run("a datagram says it itself", func(t *testing.T) {
		b := live()
		o := obj(1, 0)
		o.Last = true
		b.push(o, false)
		b.objects(false, 2, 0)
		b.want(t, "1/0 last, 2/0")
	})
	t.Run("a FIN without the flag tells when the next group begins", func(t *testing.T) {
		b := live()
		b.objects(false, 1, 0, 1)
		b.objects(false, 2, 0)
		b.want(t, "1/0, 1/1")
		b.fin(1, 1, false)
		b.want(t, "2/0")
	})
	t.Run("streams of one object tell after a moment", func(t *testing.T) {
		b := live()
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
		b := live()
		b.objects(false, 1, 0)
		b.objects(false, 2, 0)
		b.pass(100 * time.Millisecond)
		b.want(t, "1/0, 2/0")
	})
	t.Run("a stream that runs on is waited for", func(t *testing.T) {
		b := live()
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
		b := live()
		b.objects(false, 1, 0)
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Reset: true})
		b.objects(false, 2, 0, 1)
		b.pass(time.Second)
		b.want(t, "1/0, 2/0 lost, 2/1")
	})
	t.Run("a hole", func(t *testing.T) {
		b := live()
		b.objects(false, 1, 0)
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1})
		b.objects(false, 1, 2, 3)
		b.want(t, "1/0")
		b.pass(2 * time.Second)
		b.want(t, "1/2 lost, 1/3")
	})
	t.Run("a hole that one stream explains is none", func(t *testing.T) {
		b := live()
		b.objects(false, 1, 0, 2)
		b.fin(1, 2, true)
		b.pass(100 * time.Millisecond)
		b.want(t, "1/0, 1/2 last")
	})
	t.Run("a lost start takes the group along", func(t *testing.T) {
		b := live()
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
		b := live()
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
		b := live()
		b.objects(false, 1, 0)
		b.objects(false, 1, 2)
		for id := uint64(2); id < 7; id++ {
			b.objects(false, id, 0)
			b.fin(id, 0, true)
		}
		b.want(t, "1/0, 1/2 lost, 2/0 last lost, 3/0 last, 4/0 last, 5/0 last, 6/0, 6/1 end")
	})
}

func TestGroupIDsMayJump(t *testing.T) {
	b := live()
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
		b := live()
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
		b := live()
		b.objects(false, 10, 0)
		b.fin(10, 0, true)
		b.leave()
		b.join()
		b.filled(media.Location{}, false)
		b.objects(false, 11, 0)
		b.want(t, "10/0, 10/1 end, 11/0")
	})
	t.Run("what was buffered is kept for the repair", func(t *testing.T) {
		b := live()
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

func TestAPublisherThatCountsFromAnewIsANewIncarnation(t *testing.T) {
	b := live()
	b.objects(false, 1000, 0)
	b.fin(1000, 0, true)
	b.leave()
	b.join()
	b.filled(media.Location{}, false)
	b.objects(false, 2, 5)
	b.objects(false, 3, 0, 1)
	b.want(t, "1000/0, 1000/1 end, 3/0 lost, 3/1")
}

func TestARepeatedGroupIsNoIncarnation(t *testing.T) {
	b := live()
	b.objects(false, 1000, 0, 1)
	b.leave()
	b.join()
	b.filled(media.Location{}, false)
	b.objects(false, 998, 0)
	b.objects(false, 1000, 1, 2)
	b.want(t, "1000/0, 1000/1, 1000/2")
}

func TestEndOfTrack(t *testing.T) {
	for _, end := range []media.Location{{Group: 2, Object: 1}, {Group: 3}} {
		b := live()
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

// event is one thing that a track's streams deliver.
type event struct {
	object media.Object
	end    *moqt.StreamEvent
}

// broadcast makes the streams of n groups, each an ordered list of events, by one of the habits of publishers.
func broadcast(rng *rand.Rand, n int, habit string) (streams [][]event, want []string) {
	id := rng.Uint64N(1 << 40)
	for range n {
		size := 1 + rng.Uint64N(6)
		for k := range size {
			want = append(want, fmt.Sprintf("%d/%d", id, k))
		}
		last := func(subgroup, first, last uint64, flag bool) event {
			return event{end: &moqt.StreamEvent{Group: id, Subgroup: subgroup, Objects: last - first + 1, Last: last, EndOfGroup: flag}}
		}
		switch habit {
		case "stream per group":
			var s []event
			for k := range size {
				s = append(s, event{object: obj(id, k)})
			}
			streams = append(streams, append(s, last(0, 0, size-1, true)))
		case "two subgroups":
			var s [2][]event
			for k := range size {
				o := obj(id, k)
				o.Subgroup = k % 2
				s[k%2] = append(s[k%2], event{object: o})
			}
			for sub := range s {
				if n := len(s[sub]); n > 0 {
					l := s[sub][n-1].object.Object
					streams = append(streams, append(s[sub], last(uint64(sub), uint64(sub), l, l == size-1)))
				}
			}
		case "stream per object":
			for k := range size {
				o := obj(id, k)
				o.Subgroup = k
				streams = append(streams, []event{{object: o}, last(k, k, k, false)})
			}
			o := media.Object{Location: media.Location{Group: id, Object: size}, Subgroup: size, Status: media.EndOfGroup}
			streams = append(streams, []event{{object: o}, last(size, size, size, false)})
		case "datagrams":
			for k := range size {
				o := obj(id, k)
				o.Subgroup, o.Last = k, k == size-1
				streams = append(streams, []event{{object: o}})
			}
		}
		id++
	}
	return streams, want
}

// Whatever the order in which streams make progress within the bound, the sequence that comes out is the same.
func TestShufflingWithinTheBoundChangesNothing(t *testing.T) {
	for _, habit := range []string{"stream per group", "two subgroups", "stream per object", "datagrams"} {
		t.Run(habit, func(t *testing.T) {
			for seed := range uint64(300) {
				rng := rand.New(rand.NewPCG(seed, 1))
				streams, want := broadcast(rng, 12, habit)
				b := live()
				before := groupOf(streams[0]) - 1 // joining, and learning the publisher's habit, are other properties
				b.objects(false, before, 0)
				b.fin(before, 0, true)
				b.several = habit != "stream per group"
				b.out = nil
				for len(streams) > 0 {
					window := 1
					for window < len(streams) && groupOf(streams[window]) < groupOf(streams[0])+3 {
						window++
					}
					i := rng.IntN(window)
					if e := streams[i][0]; e.end != nil {
						b.ended(*e.end)
					} else {
						b.push(e.object, false)
					}
					b.drain()
					if streams[i] = streams[i][1:]; len(streams[i]) == 0 {
						streams = append(streams[:i:i], streams[i+1:]...)
					}
				}
				var got []string
				for _, s := range b.out {
					if !strings.HasSuffix(s, "end") {
						got = append(got, strings.TrimSuffix(s, " last"))
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: -want +got:\n%s", seed, diff)
				}
				if b.bytes != 0 || b.holes != 0 {
					t.Fatalf("seed %d: %d bytes left, %d holes", seed, b.bytes, b.holes)
				}
			}
		})
	}
}

func groupOf(s []event) uint64 {
	if s[0].end != nil {
		return s[0].end.Group
	}
	return s[0].object.Group
}

// Whatever a publisher sends, objects come out in order, once, and the buffer stays within its bounds.
func FuzzReorder(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 1, 1, 3, 1, 1, 0, 2, 0, 8, 200})
	f.Add([]byte{4, 0, 1, 1, 0, 1, 2, 5, 0, 6, 0, 2, 1, 7, 9, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := reorder{limits: limits{groups: 3, bytes: 4 * overhead, patience: 20, linger: 5}}
		r.join()
		now := time.Unix(0, 0)
		var at *media.Location
		arg := func() uint64 {
			if len(script) == 0 {
				return 0
			}
			b := script[0]
			if script = script[1:]; b == 255 {
				return ^uint64(0)
			}
			return uint64(b)
		}
		for len(script) > 0 {
			reborn := false
			switch op := arg(); op % 10 {
			case 0, 1, 2:
				o := media.Object{Location: media.Location{Group: arg(), Object: arg()}, Subgroup: op / 16}
				reborn = op%10 < 2 && r.fresh
				r.push(o, op%10 == 2)
			case 3:
				r.ended(moqt.StreamEvent{Group: arg(), Last: arg(), Objects: arg(), Subgroup: op / 16, Reset: op > 128, EndOfGroup: op&16 > 0})
			case 4:
				r.leave()
			case 5:
				r.join()
			case 6:
				r.fill(media.Location{Group: arg(), Object: arg()})
			case 7:
				r.filled(media.Location{Group: arg(), Object: arg()}, op > 128)
			case 8:
				now = now.Add(time.Duration(arg()))
			case 9:
				r.push(media.Object{Location: media.Location{Group: arg(), Object: arg()}, Status: media.Status(op / 16)}, false)
				reborn = true
			}
			if reborn && !r.started {
				at = nil
			}
			for o, ok := r.pop(now); ok; o, ok = r.pop(now) {
				if at != nil && !at.Before(o.Location) && !(reborn && o.Lost) {
					t.Fatalf("%v after %v", o.Location, *at)
				}
				if o.Status == media.Normal {
					at = &o.Location
				}
			}
			held := 0
			for _, g := range r.groups {
				for _, o := range g.objects {
					held += len(o.Payload) + overhead
				}
			}
			if held != r.bytes || r.bytes > r.limits.bytes && !r.offline {
				t.Fatalf("%d bytes held, %d counted, %d allowed", held, r.bytes, r.limits.bytes)
			}
		}
	})
}

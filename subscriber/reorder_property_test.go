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

// arrival is one thing that a track's streams deliver.
type arrival struct {
	object media.Object
	end    *moqt.StreamEvent
}

// streamsOf makes the streams of n groups, each an ordered list of events, by one of the habits of publishers.
func streamsOf(rng *rand.Rand, n int, habit string) (streams [][]arrival, want []string) {
	id := rng.Uint64N(1 << 40)
	for range n {
		size := 1 + rng.Uint64N(6)
		for k := range size {
			want = append(want, fmt.Sprintf("%d/%d", id, k))
		}
		last := func(subgroup, first, last uint64, flag bool) arrival {
			return arrival{end: &moqt.StreamEvent{Group: id, Subgroup: subgroup, Objects: last - first + 1, Last: last, EndOfGroup: flag}}
		}
		switch habit {
		case "stream per group":
			var s []arrival
			for k := range size {
				s = append(s, arrival{object: obj(id, k)})
			}
			streams = append(streams, append(s, last(0, 0, size-1, true)))
		case "two subgroups":
			var s [2][]arrival
			for k := range size {
				o := obj(id, k)
				o.Subgroup = k % 2
				s[k%2] = append(s[k%2], arrival{object: o})
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
				streams = append(streams, []arrival{{object: o}, last(k, k, k, false)})
			}
			o := media.Object{Location: media.Location{Group: id, Object: size}, Subgroup: size, Status: media.EndOfGroup}
			streams = append(streams, []arrival{{object: o}, last(size, size, size, false)})
		case "datagrams":
			for k := range size {
				o := obj(id, k)
				o.Last = k == size-1
				e := last(0, k, k, o.Last)
				e.end.Datagram = true
				streams = append(streams, []arrival{{object: o}, e})
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
				streams, want := streamsOf(rng, 12, habit)
				b := liveBench()
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

func groupOf(s []arrival) uint64 {
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
		r := reorder{limits: limits{bytes: 4 * weight(media.Object{}), patience: 20, linger: 5}}
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
			switch op := arg(); op % 10 {
			case 0, 1, 2:
				o := media.Object{Location: media.Location{Group: arg(), Object: arg()}, Subgroup: op / 16}
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
			}
			reborn := r.anew != nil
			for o, ok := r.pop(now); ok; o, ok = r.pop(now) {
				r.unpop(o) // not taken: it must come again just so
				again, _ := r.pop(now)
				if diff := cmp.Diff(o, again); diff != "" {
					t.Fatalf("-first +again:\n%s", diff)
				}
				if at != nil && !at.Before(o.Location) && !(reborn && o.Lost) {
					t.Fatalf("%v after %v", o.Location, *at)
				}
				if o.Status == media.Normal {
					at = &o.Location
				}
			}
			if reborn && !r.started {
				at = nil
			}
			held := 0
			for _, g := range r.groups {
				for _, o := range g.objects {
					held += weight(o)
				}
			}
			if held != r.bytes || r.bytes > r.limits.bytes && !r.offline {
				t.Fatalf("%d bytes held, %d counted, %d allowed", held, r.bytes, r.limits.bytes)
			}
		}
	})
}

func BenchmarkReorder(b *testing.B) {
	r := reorder{limits: testLimits()}
	r.join()
	r.filled(media.Location{}, false)
	now := time.Unix(0, 0)
	payload := make([]byte, 1000)
	b.ReportAllocs()
	for i := range uint64(b.N) {
		r.push(media.Object{Location: media.Location{Group: i / 50, Object: i % 50}, Payload: payload}, false)
		if i%50 == 49 {
			r.ended(moqt.StreamEvent{Group: i / 50, Objects: 50, Last: 49, EndOfGroup: true})
		}
		for _, ok := r.pop(now); ok; _, ok = r.pop(now) {
		}
	}
	if r.bytes > 0 || r.dropped > 0 || r.holes > 0 {
		b.Fatalf("%+v", r)
	}
}

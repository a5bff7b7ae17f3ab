package channel

import (
	"strconv"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func drafts() (all []string) {
	for _, d := range dialect.All() {
		all = append(all, strconv.Itoa(d.Number))
	}
	return all
}

func TestLinePublishesWithoutGapsOverALossyNetwork(t *testing.T) {
	for _, draft := range drafts() {
		t.Run(draft, func(t *testing.T) {
			inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 10, Seed: 1}, func(w *world) {
				p := w.join(w.publish(sim.Faults{}, nil), draft)
				time.Sleep(20 * time.Second)
				for name, s := range p.snapshots(t) {
					if len(s.Segments) < 8 {
						t.Errorf("%s: %d segments after 20 s, want 8 at least", name, len(s.Segments))
					}
					for _, g := range s.Segments {
						if g.State != timeline.Full {
							t.Errorf("%s: segment %d is not full", name, g.N)
						}
					}
				}
			})
		})
	}
}

func TestLineInstancesPublishIdenticalBytesWheneverTheyJoined(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: 10, Seed: 2}, func(w *world) {
		pub := w.publish(sim.Faults{}, nil)
		early := w.join(pub, "18")
		time.Sleep(7300 * time.Millisecond)
		late := w.join(pub, "16")
		time.Sleep(14 * time.Second)
		// 5 renditions, 6 segments that both saw whole, each with 6 parts.
		sameMedia(t, early.media(t), late.media(t), 5*6*6)
		es, ls := early.snapshots(t), late.snapshots(t)
		for name, l := range ls {
			for _, seg := range l.Segments {
				if e := es[name].Segment(seg.N); e == nil || e.State != seg.State || e.Start != seg.Start || e.Dur != seg.Dur {
					t.Errorf("%s: segment %d differs: %+v, %+v", name, seg.N, e, seg)
				}
			}
		}
	})
}

func TestLineIsNotChangedByTheOrderOfObjects(t *testing.T) {
	var bodies [2]map[string]string
	for i, faults := range []sim.Faults{{}, {Delay: sim.Shuffle(7, 300*time.Millisecond)}} {
		inWorld(t, sim.Path{Latency: 5 * time.Millisecond}, func(w *world) {
			p := w.join(w.publish(faults, func(b *live.Broadcast) {
				for i := range b.Tracks {
					b.Tracks[i].Delivery = live.Streams
				}
			}), "18")
			time.Sleep(15 * time.Second)
			for name, s := range p.snapshots(t) {
				for _, g := range s.Segments {
					if g.State != timeline.Full {
						t.Errorf("%s: segment %d is not full", name, g.N)
					}
				}
			}
			bodies[i] = p.media(t)
		})
	}
	sameMedia(t, bodies[0], bodies[1], 5*5*6)
}

func TestLineLeavesAGapWhereAKilledPublisherWasMissing(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		p, before := w.restart(sim.Faults{NoFetch: true, GroupHead: true})
		for name, s := range p.snapshots(t) {
			gaps, after := 0, 0
			for i, g := range s.Segments {
				if i > 0 && g.N != s.Segments[i-1].N+1 {
					t.Fatalf("%s: segment %d follows %d", name, g.N, s.Segments[i-1].N)
				}
				switch {
				case g.State == timeline.Gap:
					gaps++
				case g.N > before[name].N:
					after++
				}
			}
			// The segment that was cut off, three or four slots without media, and the one that was joined in the middle.
			if gaps < 4 || gaps > 6 {
				t.Errorf("%s: %d gaps after 7 s without a publisher", name, gaps)
			}
			if after < 5 {
				t.Errorf("%s: %d segments after the restart, want 5 at least", name, after)
			}
			if n := len(s.Epochs); n != 1 {
				t.Errorf("%s: %d epochs, want 1: the time base did not change", name, n)
			}
		}
	})
}

func TestLineRepairsAnInterruptionByFetch(t *testing.T) {
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		p, before := w.restart(sim.Faults{})
		for name, s := range p.snapshots(t) {
			for _, g := range s.Segments {
				if g.State != timeline.Full {
					t.Errorf("%s: segment %d is not full although a FETCH could bring it", name, g.N)
				}
			}
			if at := s.Position().N; at < before[name].N+10 {
				t.Errorf("%s: at segment %d, 27 s after %d", name, at, before[name].N)
			}
		}
	})
}

// restart kills a publisher, waits for seven seconds and starts another one in its place. It returns the packager 20 s after
// that, and where its timelines were when the first publisher was killed.
func (w *world) restart(second sim.Faults) (*packager, map[string]timeline.Position) {
	pub := w.publish(sim.Faults{}, nil)
	p := w.join(pub, "18")
	time.Sleep(10 * time.Second)
	before := map[string]timeline.Position{}
	for name, s := range p.snapshots(w.t) {
		before[name] = s.Position()
	}
	pub.Kill()
	time.Sleep(7 * time.Second)
	w.publish(second, nil)
	time.Sleep(20 * time.Second)
	return p, before
}

func TestLineWaitsForABroadcastThatDoesNotExistYet(t *testing.T) {
	inWorld(t, sim.Path{Latency: 5 * time.Millisecond}, func(w *world) {
		b, err := live.Demo("demo")
		if err != nil {
			t.Fatal(err)
		}
		b.Namespace = []string{"another"}
		empty, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{b}})
		if err != nil {
			t.Fatal(err)
		}
		w.cert = empty.KeyPair()
		w.g.Go(func() error { _ = empty.Serve(w.ctx, w.addr); return nil })
		p := w.join(empty, "18")
		time.Sleep(5 * time.Second)
		if s := p.Status(); s.State != server.Waiting {
			t.Errorf("status %q, error %q: want waiting for a broadcast that does not exist", s.State, s.Error)
		}
		empty.Kill()
		w.publish(sim.Faults{}, nil)
		time.Sleep(25 * time.Second)
		if s := p.Status(); s.State != server.Live {
			t.Errorf("status %q after the broadcast began, want live", s.State)
		}
		p.snapshots(t)
	})
}

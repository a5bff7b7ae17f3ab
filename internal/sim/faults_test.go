package sim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

func is(track string, object uint64) func(string, media.Location) bool {
	return func(name string, l media.Location) bool { return name == track && l.Object == object }
}

func TestDroppedObjectsAreMissingLiveButCanBeFetched(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{
			Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{Drop: is("video-180", 7)},
		})
		c := dial(t, p, draft, n.Listen(), addr)
		sub, ok := c.subscribe("video-180", dialect.Params{})
		objects := sorted(c.collect(3 * time.Second))
		for _, o := range objects {
			if o.Object == 7 {
				t.Errorf("%v came", o.Location)
			}
		}
		c.join(sub, ok, 3)
		for s := c.next(); ; s = c.next() {
			if s.kind == dialect.FetchStream {
				seamless(t, "video-180", s.objects, 3*25)
				return
			}
		}
	})
}

func TestResetStreamsEndBeforeTheirGroup(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{
			Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{Reset: is("video-180", 7)},
		})
		c := dial(t, p, draft, n.Listen(), addr)
		c.subscribe("video-180", dialect.Params{Filter: &dialect.Filter{Type: dialect.NextGroupStart}})
		for _, s := range c.collect(3500 * time.Millisecond) {
			var reset *quic.StreamError
			if len(s.objects) != 7 || !errors.As(s.err, &reset) || !reset.Remote {
				t.Errorf("%d objects, %v", len(s.objects), s.err)
			}
		}
	})
}

func TestShuffledObjectsAreAllThereButOutOfOrder(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{
			Broadcasts: []live.Broadcast{demo(t, live.Streams)},
			Faults:     sim.Faults{Delay: sim.Shuffle(1, 200*time.Millisecond)},
		})
		c := dial(t, p, draft, n.Listen(), addr)
		c.subscribe("video-180", dialect.Params{})
		all := c.collect(3 * time.Second)
		backwards := 0
		for i := 1; i < len(all); i++ {
			if all[i].objects[0].Before(all[i-1].objects[0].Location) {
				backwards++
			}
		}
		if backwards < 10 {
			t.Errorf("only %d of %d objects are out of order", backwards, len(all))
		}
		objects := sorted(all)
		seamless(t, "video-180", objects[:len(objects)-5], 60) // the last ones may still be on their way
	})
}

func TestNoFetchRefusesFetches(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{NoFetch: true}})
		c := dial(t, p, draft, n.Listen(), addr)
		x := c.send(func(id uint64) dialect.Message {
			return &dialect.Fetch{RequestID: id, Type: dialect.Standalone, Track: demoTrack("catalog")}
		})
		if m, is := x.next().(*dialect.RequestError); !is || c.d.Refusal(m) != dialect.NotSupported {
			t.Errorf("FETCH: %#v", m)
		}
	})
}

func TestGroupHeadBeginsWithTheNewestGroup(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{GroupHead: true}})
		elapse(400 * time.Millisecond)
		c := dial(t, p, draft, n.Listen(), addr)
		if _, ok := c.subscribe("video-180", dialect.Params{}); ok.Params.Largest != nil {
			t.Errorf("largest: %v", ok.Params.Largest)
		}
		objects := c.next().objects
		seamless(t, "video-180", objects, 25)
	})
}

func TestNoParamsClosesTheSession(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{NoParams: true}})
		c := dial(t, p, draft, n.Listen(), addr)
		if c.d.Number == 14 {
			return // nothing can be left out
		}
		x := c.send(func(id uint64) dialect.Message {
			return &dialect.Subscribe{RequestID: id, Track: demoTrack("video-180")}
		})
		if m, ok := x.next().(*dialect.SubscribeOK); !ok {
			t.Errorf("SUBSCRIBE without parameters: %#v", m)
		}
		c.send(func(id uint64) dialect.Message {
			return &dialect.Subscribe{RequestID: id, Track: demoTrack("video-180"), Params: dialect.Params{Priority: new(uint8(1))}}
		})
		<-c.conn.Context().Done()
	})
}

func TestNoCatalogIsSilent(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{NoCatalog: true}})
		c := dial(t, p, draft, n.Listen(), addr)
		sub, ok := c.subscribe("catalog", dialect.Params{})
		if ok.Params.Largest != nil {
			t.Errorf("largest: %v", ok.Params.Largest)
		}
		if c.d.Join == dialect.Fill {
			return // nobody knows what to ask for
		}
		x := c.send(func(id uint64) dialect.Message {
			return &dialect.Fetch{RequestID: id, Type: dialect.RelativeJoining, Joining: sub.id}
		})
		if m, is := x.next().(*dialect.RequestError); !is || c.d.Refusal(m) != dialect.InvalidRange {
			t.Errorf("FETCH: %#v", m)
		}
		if all := c.collect(time.Second); len(all) != 0 {
			t.Errorf("%d streams", len(all))
		}
	})
}

package sim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// received is what of 1000 packets comes through.
func received(t *testing.T, n *sim.Network) (numbers []int) {
	a, b := n.Listen(), n.Listen()
	defer n.Close()
	for i := range 1000 {
		if _, err := a.WriteTo([]byte{byte(i >> 8), byte(i)}, b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	elapse(time.Second)
	_ = b.SetReadDeadline(time.Now().Add(time.Second))
	for buf := make([]byte, 10); ; {
		if _, _, err := b.ReadFrom(buf); err != nil {
			return numbers
		}
		numbers = append(numbers, int(buf[0])<<8|int(buf[1]))
	}
}

func TestLossesFollowFromTheSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := sim.Path{Latency: 5 * time.Millisecond, Loss: 100, Seed: 7}
		one := received(t, sim.NewNetwork(path))
		two := received(t, sim.NewNetwork(path))
		path.Seed++
		other := received(t, sim.NewNetwork(path))
		if len(one) < 850 || len(one) > 950 {
			t.Errorf("%d of 1000 packets came through a loss of 10 %%", len(one))
		}
		if diff := cmp.Diff(one, two); diff != "" {
			t.Errorf("one seed, two outcomes: %s", diff)
		}
		if cmp.Equal(one, other) {
			t.Error("two seeds, one outcome")
		}
	})
}

func TestNothingIsLostOverALossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sim.NewNetwork(sim.Path{Latency: 30 * time.Millisecond, Loss: 50, Seed: 1})
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, "moqt-18", n.Listen(), addr)
		c.subscribe("video-360", dialect.Params{})
		seamless(t, "video-360", sorted(c.collect(20*time.Second)), 19*25)
	})
}

func TestACutConnectionTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond})
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, "moqt-18", n.Listen(), addr)
		c.subscribe("video-360", dialect.Params{})
		n.Cut(addr, true)
		start := time.Now()
		<-c.conn.Context().Done()
		if d := time.Since(start); d < 20*time.Second {
			t.Errorf("the connection lasted %v only", d)
		}
	})
}

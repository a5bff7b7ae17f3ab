package subscriber_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/subscriber"
)

// A publisher whose broadcast is complete may stay, and announce it still.
func TestWhoeverIsAtTheEndLetsOthersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		r := h.follow("live", "one")
		over := studio(t, "live/one")
		h.encoder(over, "moqt-18", sim.Dial{})
		elapse(4 * time.Second)
		second := h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
		elapse(time.Second)
		if err := over.End([]string{"live", "one"}); err != nil {
			t.Fatal(err)
		}
		elapse(4 * time.Second)
		if s := r.state(); s.Phase != subscriber.Ended {
			t.Fatalf("%+v", s)
		}
		r = h.follow("live", "one")
		elapse(6 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != second.node.LocalAddr().String() {
			t.Errorf("%+v", s)
		}
	})
}

package subscriber_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

func TestAnEncoderThatChokesOnAFetchIsAskedForNoneWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		r := h.follow("live", "one")
		p := studio(t, "live/one")
		p.SetFaults(sim.Faults{Deaf: true})
		e := h.encoder(p, "moqt-16", sim.Dial{})
		elapse(30 * time.Second)
		if err := e.ended(t); err == nil {
			t.Error("ended for no reason")
		}
		h.encoderAt(h.net.Beside(e.node), p, "moqt-16", sim.Dial{})
		elapse(2 * time.Second)
		// Without FETCH the catalog comes only when it changes.
		if err := p.Update([]string{"live", "one"}, nil, []string{"audio-sv"}, true); err != nil {
			t.Fatal(err)
		}
		elapse(6 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || r.count("video-360") == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnEncoderThatChokesOnAFetchIsNoReasonToAskOthersForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		r := h.follow("live", "one")
		p := studio(t, "live/one")
		p.SetFaults(sim.Faults{Deaf: true})
		e := h.encoder(p, "moqt-16", sim.Dial{})
		elapse(8 * time.Second)
		e.stop()
		h.encoder(studio(t, "live/one"), "moqt-16", sim.Dial{})
		elapse(8 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live {
			t.Errorf("%+v", s)
		}
	})
}

// bare is a publisher of a broadcast that has no catalog.
func bare(t *testing.T) *sim.Publisher {
	t.Helper()
	b := demo(t, live.Groups)
	b.Namespace = []string{"live", "one"}
	p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{b}, Documents: map[string][]byte{live.CatalogTrack: nil}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPublisherWithoutACatalogIsToldOfAndLetsOthersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		r := h.follow("live", "one")
		h.encoder(bare(t), "moqt-18", sim.Dial{})
		elapse(20 * time.Second)
		if s := r.state(); s.Phase != subscriber.Waiting || s.Err != nil {
			t.Errorf("it may only be about to begin: %+v", s)
		}
		elapse(time.Minute)
		if s := r.state(); s.Phase != subscriber.Waiting || s.Err == nil || h.said("has no catalog of it") != 1 {
			t.Errorf("%+v, said %d times", s, h.said("has no catalog of it"))
		}
		good := h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
		elapse(45 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != good.node.LocalAddr().String() {
			t.Errorf("%+v", s)
		}
	})
}

func TestASocketThatDiesEndsTheReception(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		e := h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
		elapse(3 * time.Second)
		h.node.Close()
		elapse(10 * time.Second)
		select {
		case err := <-h.ran:
			if err == nil || !strings.Contains(err.Error(), "cannot connect any longer") {
				t.Error(err)
			}
		default:
			t.Error("it goes on without a socket")
		}
		e.stop()
	})
}

func TestNobodyKeepsOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		r := h.follow("live", "one")
		h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
		elapse(3 * time.Second)

		in := 0
		for range 50 { // strangers who connect and say nothing
			d := transport.Dialer{Protocols: []string{"moqt-18"}, TLS: &tls.Config{InsecureSkipVerify: true}}
			d.Packet = func() (net.PacketConn, error) { return h.net.Listen(), nil }
			conn, err := d.QUIC(t.Context(), h.node.LocalAddr().String())
			if err == nil {
				in++
				defer conn.Close(0, "")
			}
		}
		if in < 20 || in > 32 {
			t.Errorf("%d strangers were let in", in)
		}
		if h.said("32 at a time that have shown nothing yet") != 1 {
			t.Errorf("nobody is told:\n%s", h.log.String())
		}
		elapse(11 * time.Second) // by then they are sent away

		many := make([]string, 100)
		for i := range many {
			many[i] = fmt.Sprintf("live/x%d", i)
		}
		greedy := h.encoder(studio(t, many...), "moqt-18", sim.Dial{})
		if no := greedy.refused(t); no == nil || !strings.Contains(no.Reason, "too many") {
			t.Errorf("refused with %+v", no)
		}
		h.encoder(studio(t, "live/two"), "moqt-18", sim.Dial{})
		two := h.follow("live", "two")
		elapse(5 * time.Second)
		r.seamless("video-360", 8*18)
		two.seamless("video-360", 8*3)
	})
}

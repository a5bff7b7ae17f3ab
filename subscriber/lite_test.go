package subscriber_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	lite "github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// overLite runs test in a bubble, once for each draft of moq-lite.
func overLite(t *testing.T, test func(t *testing.T, draft string)) {
	for _, draft := range []string{"lite-05", "lite-04", "lite-03"} {
		t.Run(draft, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, draft) }) })
	}
}

func demoOnly(t *testing.T) sim.Config {
	return sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}}
}

func TestLiteJoinHasCompleteGroupsAtOnce(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		r := newRecorder(t)
		elapse(700 * time.Millisecond)
		w.run(r)
		elapse(500 * time.Millisecond)
		for _, track := range names() {
			r.seamless(track, 50)
		}
		elapse(5 * time.Second)
		before := r.count("video-360")
		elapse(40 * time.Millisecond)
		if n := r.count("video-360") - before; n != 1 {
			t.Errorf("%d objects in the time of one frame", n)
		}
		for _, track := range names() {
			r.seamless(track, 50+5*25)
		}
		if s := r.state(); s.Phase != subscriber.Live || s.Draft != "moq-"+draft {
			t.Errorf("state %+v", s)
		}
	})
}

func TestLiteTimestampsAreThoseOfLOC(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		r.with(func() {
			timed := 0
			for _, o := range r.objects["video-360"] {
				if p := o.Properties; len(p) == 2 && p[0].Type == 0x08 && p[0].Value == 1e6 && p[1].Type == 0x10 {
					timed++
				}
			}
			if want := len(r.objects["video-360"]); draft != "lite-05" && timed > 0 || draft == "lite-05" && timed != want {
				t.Errorf("%d of %d objects have timestamps", timed, want)
			}
		})
	})
}

func TestLiteBroadcastThatDoesNotExistIsWaitedFor(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		other := demo(t, live.Groups)
		other.Namespace = []string{"other"}
		w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{other}})
		r := newRecorder(t)
		w.run(r)
		elapse(20 * time.Second)
		if s := r.state(); s.Phase != subscriber.Waiting || s.Err != nil {
			t.Errorf("state %+v", s)
		}
		w.stop()
		w.replace(demoOnly(t))
		w.serve()
		elapse(15 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live {
			t.Errorf("state %+v", s)
		}
	})
}

func TestLitePublishersWithoutFetch(t *testing.T) {
	for name, faults := range map[string]sim.Faults{
		"that reset it":         {NoFetch: true}, // as moq-dev does in 03 and 04
		"that do not answer it": {Deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			overLite(t, func(t *testing.T, draft string) {
				w := newWorld(t, draft, demoOnly(t))
				w.pub.SetFaults(faults)
				r := newRecorder(t)
				w.run(r)
				elapse(8 * time.Second)
				for _, track := range names() {
					r.seamless(track, 3*25)
				}
			})
		})
	}
}

func TestLiteCatalogUpdates(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole %v", whole), func(t *testing.T) {
			overLite(t, func(t *testing.T, draft string) {
				c := demoOnly(t)
				c.Absent = []string{"audio-sv"}
				w := newWorld(t, draft, c)
				r := newRecorder(t)
				w.run(r)
				elapse(3 * time.Second)
				if err := w.pub.Update([]string{"demo"}, []string{"audio-sv"}, []string{"video-270"}, whole); err != nil {
					t.Fatal(err)
				}
				elapse(4 * time.Second)
				for _, track := range []string{"video-360", "video-180", "audio-en"} {
					r.seamless(track, 7*25)
				}
				r.seamless("audio-sv", 4*25)
				if n := r.count("video-270"); n > 6*25 {
					t.Errorf("%d objects of a removed track", n)
				}
			})
		})
	}
}

func TestLiteLostGroupIsMarked(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		var reset uint64
		var once sync.Once
		w.pub.SetFaults(sim.Faults{NoFetch: true, Reset: func(track string, l media.Location) (hit bool) {
			if track == "video-360" && l.Object == 10 {
				once.Do(func() { reset, hit = l.Group, true })
			}
			return hit
		}})
		r := newRecorder(t)
		w.run(r)
		elapse(8 * time.Second)
		r.with(func() {
			i := slices.IndexFunc(r.objects["video-360"], func(o media.Object) bool { return o.Lost })
			if i < 1 {
				t.Fatal("no loss was reported")
			}
			before, after := r.objects["video-360"][i-1].Location, r.objects["video-360"][i].Location
			if (before != media.Location{Group: reset, Object: 9} || after != media.Location{Group: reset + 1}) {
				t.Errorf("lost from %v to %v, in group %d", before, after, reset)
			}
		})
		r.seamless("audio-en", 6*25)
	})
}

// Every other group is a second and a half late, so that newer ones overtake it, as they do where the newest goes first.
func TestLiteNewerGroupsMayComeFirst(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		w.pub.SetFaults(sim.Faults{Delay: func(track string, l media.Location) time.Duration {
			if track == live.CatalogTrack || l.Group%2 == 0 || l.Object > 0 {
				return 0
			}
			return 1500 * time.Millisecond
		}})
		r := newRecorder(t)
		w.run(r)
		elapse(15 * time.Second)
		for _, track := range names() {
			r.seamless(track, 12*25)
		}
	})
}

func TestLiteReconnectRepairsTheHole(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		r := newRecorder(t)
		w.run(r)
		elapse(4 * time.Second)
		w.pub.Kill()
		w.stop()
		elapse(8 * time.Second)
		w.serve()
		elapse(15 * time.Second)
		for _, track := range names() {
			r.seamless(track, 24*25)
		}
		if s := r.state(); s.Phase != subscriber.Live {
			t.Errorf("state %+v", s)
		}
	})
}

func TestLitePublisherThatCountsFromAnewGoesOn(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		r := newRecorder(t)
		r.reborn = true
		w.run(r)
		elapse(4 * time.Second)
		w.stop() // says goodbye
		again := demo(t, live.Groups)
		again.Epoch = time.Now()
		w.replace(sim.Config{Broadcasts: []live.Broadcast{again}})
		w.serve()
		elapse(20 * time.Second)
		r.with(func() {
			for _, track := range names() {
				all := r.objects[track]
				if last := all[len(all)-1]; last.Group > 25 {
					t.Errorf("%s: still at group %d", track, last.Group)
				}
			}
		})
	})
}

func TestLiteGoawayLeadsToAnotherRelay(t *testing.T) {
	for _, d := range []*lite.Dialect{lite.Draft04(), lite.Draft05()} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, d.ALPN, demoOnly(t))
			old := w.net.Listen()
			ln, err := transport.Listen(old, []string{d.ALPN}, &tls.Config{Certificates: []tls.Certificate{*w.pub.KeyPair()}})
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=%s", old.LocalAddr(), d.ALPN)}
			r := newRecorder(t)
			w.run(r)
			conn, err := ln.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			st, err := conn.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := st.Write(d.AppendRequest(nil, &lite.Goaway{URI: fmt.Sprintf("moqt://%s/live", w.node.LocalAddr())})); err != nil {
				t.Fatal(err)
			}
			elapse(5 * time.Second)
			if s := r.state(); s.Phase != subscriber.Live || s.Relay != w.node.LocalAddr().String() || s.Draft != d.ALPN {
				t.Errorf("state %+v", s)
			}
		})
	}
}

func TestLiteEndOfTheBroadcastEndsRun(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		w := newWorld(t, draft, demoOnly(t))
		r := newRecorder(t)
		ran := w.run(r)
		elapse(3500 * time.Millisecond)
		if err := w.pub.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		for _, track := range names() {
			r.seamless(track, 85)
		}
	})
}

func TestLiteLossyNetworkLosesNothing(t *testing.T) {
	overLite(t, func(t *testing.T, draft string) {
		path := sim.Path{Latency: 30 * time.Millisecond, Loss: 20, Seed: 7}
		w := newWorldOver(t, path, draft, demoOnly(t))
		r := newRecorder(t)
		w.run(r)
		elapse(20 * time.Second)
		for _, track := range names() {
			r.seamless(track, 19*25)
		}
	})
}

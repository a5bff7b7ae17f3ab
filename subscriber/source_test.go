package subscriber_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

func TestAJoinHasCompleteGroupsAtOnce(t *testing.T) {
	for _, d := range dialect.All() {
		draft := strconv.Itoa(d.Number)
		for name, delivery := range map[string]live.Delivery{"groups": live.Groups, "streams": live.Streams, "datagrams": live.Datagrams} {
			t.Run(draft+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, delivery)}, Announce: true})
					r := newRecorder(t)
					elapse(700 * time.Millisecond)
					w.run(r)
					elapse(500 * time.Millisecond)
					for _, track := range names() {
						r.seamless(track, 50)
					}
					elapse(5 * time.Second)
					for _, track := range names() {
						r.seamless(track, 50+5*25)
					}
					if s := r.state(); s.Phase != subscriber.Live {
						t.Errorf("state %+v", s)
					}
				})
			})
		}
	}
}

func TestObjectsComeWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		before := r.count("video-360")
		elapse(40 * time.Millisecond)
		if n := r.count("video-360") - before; n != 1 {
			t.Errorf("%d objects in the time of one frame", n)
		}
	})
}

func TestTheEndOfAGroupIsToldBeforeTheNextBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(5 * time.Second)
		r.with(func() {
			all := r.objects["video-360"]
			groups := int(all[len(all)-1].Group-all[0].Group) - int(w.cfg.Backfill) // a fetch does not tell
			if n := r.ends["video-360"]; n != groups && n != groups+1 {
				t.Errorf("the ends of %d groups of %d were told", n, groups)
			}
		})
	})
}

func TestABroadcastThatDoesNotExistIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := demo(t, live.Groups)
		other.Namespace = []string{"other"}
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{other}})
		r := newRecorder(t)
		w.run(r)
		elapse(20 * time.Second)
		r.with(func() {
			last := r.states[len(r.states)-1]
			if last.Phase != subscriber.Waiting || last.Err != nil || last.Draft != "moqt-18" || len(r.states) > 3 {
				t.Errorf("states %+v", r.states)
			}
		})
		w.stop()
		w.replace(sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		w.serve()
		elapse(15 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live {
			t.Errorf("state %+v", s)
		}
	})
}

func TestFaultyPublishers(t *testing.T) {
	for name, faults := range map[string]sim.Faults{
		"that refuse FETCH":                     {NoFetch: true},
		"that do not answer a FETCH":            {Deaf: true},
		"that know no parameters":               {NoParams: true, NoFetch: true},
		"that begin at the head of the group":   {GroupHead: true},
		"that begin there and refuse FETCH too": {GroupHead: true, NoFetch: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
				w.pub.SetFaults(faults)
				r := newRecorder(t)
				w.run(r)
				elapse(4 * time.Second)
				if !faults.GroupHead {
					// Without FETCH the catalog comes only when it changes.
					if err := w.pub.Update([]string{"demo"}, nil, []string{"audio-sv"}, true); err != nil {
						t.Fatal(err)
					}
				}
				elapse(4 * time.Second)
				for _, track := range names()[:4] {
					r.seamless(track, 50)
				}
			})
		})
	}
}

func TestCatalogUpdates(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("whole %v", whole), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Absent: []string{"audio-sv"}})
				r := newRecorder(t)
				w.run(r)
				elapse(3 * time.Second)
				if n := r.count("audio-sv"); n > 0 {
					t.Errorf("%d objects of a track that is not in the catalog", n)
				}
				if err := w.pub.Update([]string{"demo"}, []string{"audio-sv"}, []string{"video-270"}, whole); err != nil {
					t.Fatal(err)
				}
				elapse(time.Second)
				removed := r.count("video-270")
				elapse(3 * time.Second)
				if n := r.count("video-270"); n != removed {
					t.Errorf("%d objects of a removed track", n-removed)
				}
				for _, track := range []string{"video-360", "video-180", "audio-en"} {
					r.seamless(track, 7*25)
				}
				r.seamless("audio-sv", 4*25)
			})
		})
	}
}

func TestALostCatalogUpdateIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Absent: []string{"audio-sv"}})
		w.pub.SetFaults(sim.Faults{Drop: func(track string, l media.Location) bool {
			return track == live.CatalogTrack && l.Object == 1
		}})
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		for _, change := range [][2][]string{{{"audio-sv"}, nil}, {nil, {"video-270"}}} {
			if err := w.pub.Update([]string{"demo"}, change[0], change[1], false); err != nil {
				t.Fatal(err)
			}
			elapse(100 * time.Millisecond)
		}
		elapse(6 * time.Second)
		r.seamless("audio-sv", 3*25)
		r.with(func() {
			if last := r.catalogs[len(r.catalogs)-1]; len(last.Tracks) != 4 {
				t.Errorf("%d tracks", len(last.Tracks))
			}
		})
	})
}

func TestALostStreamIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		reset := uint64(time.Now().Unix()) + 3
		w.pub.SetFaults(sim.Faults{NoFetch: true, GroupHead: true, Reset: func(track string, l media.Location) bool {
			return track == "video-360" && l == media.Location{Group: reset, Object: 10}
		}})
		r := newRecorder(t)
		w.run(r)
		elapse(6 * time.Second)
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

func TestReconnectRepairsTheHole(t *testing.T) {
	for _, v := range []struct {
		name, draft string
		faults      sim.Faults
	}{
		{"14", "14", sim.Faults{}},
		{"16", "16", sim.Faults{}},
		{"18", "18", sim.Faults{}},
		{"22", "22", sim.Faults{}},
		{"no joining FETCH", "18", sim.Faults{NoJoin: true}},
		{"no FILL_PARAMETERS", "22", sim.Faults{NoJoin: true}},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, v.draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
				w.pub.SetFaults(v.faults)
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
		})
	}
}

func TestAGoawayLeadsToAnotherRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		old := w.net.Listen()
		ln, err := transport.Listen(old, []string{"moqt-18"}, &tls.Config{Certificates: []tls.Certificate{*w.pub.KeyPair()}})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=18", old.LocalAddr())}
		r := newRecorder(t)
		w.run(r)
		conn, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st, err := conn.OpenUniStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d := dialect.Draft18()
		b := d.Append(nil, &dialect.Setup{Server: true})
		b = d.Append(b, &dialect.Goaway{URI: fmt.Sprintf("moqt://%s/live", w.node.LocalAddr())})
		if _, err := st.Write(b); err != nil {
			t.Fatal(err)
		}
		elapse(5 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != w.node.LocalAddr().String() || s.Draft != "moqt-18" {
			t.Errorf("state %+v", s)
		}
	})
}

func TestASilentNetworkIsAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		w.cfg.Stall = 3 * time.Second // QUIC itself gives up after five
		r := newRecorder(t)
		w.run(r)
		elapse(4 * time.Second)
		w.net.Cut(w.node.LocalAddr(), true)
		elapse(6 * time.Second)
		if last := r.state(); last.Phase != subscriber.Connecting || !errors.Is(last.Err, subscriber.ErrStalled) {
			t.Errorf("state %+v", last)
		}
		elapse(20 * time.Second)
		w.net.Cut(w.node.LocalAddr(), false)
		elapse(20 * time.Second)
		for _, track := range names() {
			r.seamless(track, 45*25)
		}
	})
}

func TestMetricsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		registry := prometheus.NewRegistry()
		w.cfg.Channel, w.cfg.Metrics = "demo", subscriber.NewMetrics(registry)
		w.run(newRecorder(t))
		elapse(4 * time.Second)
		for name, want := range map[string]int{
			"moqpack_subscriber_objects_total":     len(names()),
			"moqpack_subscriber_connections_total": 1,
			"moqpack_subscriber_phase":             1,
		} {
			if n, err := testutil.GatherAndCount(registry, name); err != nil || n != want {
				t.Errorf("%s: %d series, want %d (%v)", name, n, want, err)
			}
		}
	})
}

func TestReconnectWithoutFetchMarksTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(4 * time.Second)
		w.pub.Kill()
		w.pub.SetFaults(sim.Faults{GroupHead: true, NoFetch: true})
		w.stop()
		elapse(3 * time.Second)
		w.serve()
		elapse(15 * time.Second)
		r.with(func() {
			for _, track := range names() {
				lost := 0
				for _, o := range r.objects[track] {
					if o.Lost {
						lost++
					}
				}
				if lost != 1 || len(r.objects[track]) < 12*25 {
					t.Errorf("%s: %d losses in %d objects", track, lost, len(r.objects[track]))
				}
			}
		})
	})
}

func TestAPublisherThatCountsFromAnewGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		r.reborn = true
		w.run(r)
		elapse(4 * time.Second)
		w.pub.Kill()
		w.stop()
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

func TestTheEndOfTheBroadcastEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		ran := w.run(r)
		elapse(3500 * time.Millisecond)
		if err := w.pub.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		if s := r.state(); s.Phase != subscriber.Ended {
			t.Errorf("state %+v", s)
		}
		for _, track := range names() {
			r.seamless(track, 85)
		}
	})
}

func TestAnObjectThatWasNotTakenIsHandedOverAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(3 * time.Second)
		release := r.hold()
		elapse(time.Second)
		w.stop() // says goodbye, so the session ends while the receiver works
		elapse(time.Second)
		w.serve()
		elapse(10 * time.Second)
		release()
		elapse(4 * time.Second)
		for _, track := range names() {
			r.seamless(track, 18*25)
		}
	})
}

func TestARefusedObjectStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		r.refuse = func(track string, o media.Object) error {
			if track == "audio-en" && o.Object == 3 {
				return errors.New("malformed")
			}
			return nil
		}
		w.run(r)
		elapse(4 * time.Second)
		for _, track := range names() {
			r.seamless(track, 4*25)
		}
	})
}

func TestALossyNetworkLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := sim.Path{Latency: 30 * time.Millisecond, Loss: 20, Seed: 7}
		w := newWorldOver(t, path, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Streams)}})
		r := newRecorder(t)
		w.run(r)
		elapse(20 * time.Second)
		for _, track := range names() {
			r.seamless(track, 19*25)
		}
	})
}

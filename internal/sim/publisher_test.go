package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// everyDraft runs f in a bubble of its own for every draft.
func everyDraft(t *testing.T, f func(t *testing.T, n *sim.Network, draft string)) {
	for _, d := range dialect.All() {
		t.Run(d.ALPN, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond}), d.ALPN)
			})
		})
	}
}

// elapse lets the bubble's time pass.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSubscriptionContinuesBehindTheLargestObject(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		_, ok := c.subscribe("video-180", dialect.Params{})
		all := c.collect(4 * time.Second)
		objects := sorted(all)
		seamless(t, "video-180", objects, 90)
		l := *ok.Params.Largest
		if first := objects[0].Location; first != (media.Location{Group: l.Group, Object: l.Object + 1}) {
			t.Errorf("the first object is %v and the largest was %v", first, l)
		}
		for _, s := range all {
			last := s.objects[len(s.objects)-1].Object
			if !s.header.EndOfGroup || s.err == nil && last != 24 {
				t.Errorf("a stream ends with object %d: %+v, %v", last, s.header, s.err)
			}
		}
	})
}

func TestJoiningFetchLeadsUpToTheSubscription(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		sub, ok := c.subscribe("audio-sv", dialect.Params{})
		c.join(sub, ok, 2)
		objects := sorted(c.collect(3 * time.Second))
		seamless(t, "audio-sv", objects, 4*46)
		if first := objects[0].Location; first != (media.Location{Group: ok.Params.Largest.Group - 2}) {
			t.Errorf("the first object is %v and the largest was %v", first, ok.Params.Largest)
		}
	})
}

func TestUpTo16OnlyASubscriptionFromTheLargestObjectIsJoined(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		if c.d.Join == dialect.Fill {
			return
		}
		sub, _ := c.subscribe("audio-sv", dialect.Params{Filter: &dialect.Filter{Type: dialect.NextGroupStart}})
		fetch := c.send(func(id uint64) dialect.Message {
			return &dialect.Fetch{RequestID: id, Type: dialect.RelativeJoining, Joining: sub.id}
		})
		if c.d.Number <= 16 {
			<-c.conn.Context().Done()
		} else if m, is := fetch.next().(*dialect.FetchOK); !is {
			t.Errorf("FETCH: %#v", m)
		}
	})
}

func TestStandaloneFetchRepeatsThePast(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		now := uint64(time.Now().Unix())
		fetch := func(from, end media.Location) stream {
			x := c.send(func(id uint64) dialect.Message {
				return &dialect.Fetch{RequestID: id, Type: dialect.Standalone, Track: demoTrack("video-270"), Start: from, End: end}
			})
			if m, is := x.next().(*dialect.FetchOK); !is {
				t.Fatalf("FETCH: %#v", m)
			}
			return c.next()
		}
		s := fetch(media.Location{Group: now - 10, Object: 5}, media.Location{Group: now - 8, Object: 3})
		seamless(t, "video-270", s.objects, 20+25+3)
		if len(s.objects) != 48 || s.err != nil {
			t.Errorf("%d objects, %v", len(s.objects), s.err)
		}
		s = fetch(media.Location{Group: now - 5}, media.Location{Group: now - 5})
		if len(s.objects) != 25 {
			t.Errorf("a whole group has %d objects", len(s.objects))
		}
		s = fetch(media.Location{Group: now - 70}, media.Location{Group: now - 55})
		if c.d.Number < 16 { // which cannot say what is unknown
			s.gaps = []dialect.FetchObject{{Gap: dialect.Unknown}}
		}
		if len(s.gaps) != 1 || s.gaps[0].Gap != dialect.Unknown || len(s.objects) == 0 || len(s.objects) > 7*25 {
			t.Errorf("from before the cache: %d objects, gaps %+v", len(s.objects), s.gaps)
		}
	})
}

func TestUnknownTracksAreRefused(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		for _, name := range []dialect.TrackName{demoTrack("video-1080"), {Namespace: []string{"other"}, Name: "catalog"}} {
			x := c.send(func(id uint64) dialect.Message { return &dialect.Subscribe{RequestID: id, Track: name} })
			if m, is := x.next().(*dialect.RequestError); !is || c.d.Refusal(m) != dialect.DoesNotExist || c.d.Number >= 16 && m.Retry == 0 {
				t.Errorf("SUBSCRIBE %v: %#v", name, m)
			}
		}
	})
}

func TestCatalogIsThereByJoiningFetchAndItsUpdatesFollow(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Absent: []string{"audio-sv"}})
		c := dial(t, p, draft, n.Listen(), addr)
		sub, ok := c.subscribe("catalog", dialect.Params{})
		c.join(sub, ok, 0)
		first := c.next()
		var doc struct{ Tracks []any }
		if err := json.Unmarshal(first.objects[0].Payload, &doc); err != nil || len(doc.Tracks) != 4 {
			t.Fatalf("%d tracks, %v", len(doc.Tracks), err)
		}
		c.must(p.Update([]string{"demo"}, []string{"audio-sv"}, nil, false))
		c.must(p.Update([]string{"demo"}, nil, []string{"video-180"}, true))
		all := c.collect(time.Second)
		var got []media.Location
		for _, o := range sorted(all) {
			o.Group -= first.objects[0].Group
			got = append(got, o.Location)
		}
		want := []media.Location{{Group: 0, Object: 1}, {Group: 1, Object: 0}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCancelledSubscriptionStops(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		x, _ := c.subscribe("video-180", dialect.Params{})
		c.collect(300 * time.Millisecond)
		x.cancel()
		elapse(100 * time.Millisecond)
		for _, s := range c.collect(3 * time.Second) {
			if len(s.objects) > 0 {
				t.Errorf("objects after the end: %v", s.objects[0].Location)
			}
		}
	})
}

func TestASubscriberThatDoesNotReadStopsNobodyElse(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		stuck, reader := dial(t, p, draft, n.Listen(), addr), dial(t, p, draft, n.Listen(), addr)
		stuck.subscribe("video-360", dialect.Params{})
		reader.subscribe("video-360", dialect.Params{})
		seamless(t, "video-360", sorted(reader.collect(40*time.Second)), 39*25)
		// 40 groups do not fit the 768 KiB that quic-go accepts for a connection: all but the last ones were given up.
		whole, given := 0, 0
		for _, s := range stuck.collect(time.Second) {
			if s.err == nil {
				whole++
			} else {
				given++
			}
		}
		if given == 0 {
			t.Errorf("%d groups arrived whole and none was given up", whole)
		}
	})
}

func TestAKilledPublisherSaysNothingAndContinuesAfterARestart(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		c.subscribe("video-180", dialect.Params{})
		before := sorted(c.collect(2 * time.Second))
		p.Kill()
		elapse(5 * time.Second)
		if err := c.conn.Context().Err(); err != nil {
			t.Error("the subscriber was told")
		}
		_, addr = publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Certificate: p.KeyPair()})
		c = dial(t, p, draft, n.Listen(), addr)
		c.subscribe("video-180", dialect.Params{})
		after := sorted(c.collect(2 * time.Second))
		seamless(t, "video-180", before, 40)
		seamless(t, "video-180", after, 40)
		if gap := after[0].Group - before[len(before)-1].Group; gap < 5 || gap > 6 {
			t.Errorf("%d groups later, want 5 or 6", gap)
		}
	})
}

func TestAStoppedPublisherSaysGoodbye(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		conn := n.Listen()
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { return p.Serve(ctx, conn) })
		c := dial(t, p, draft, n.Listen(), conn.LocalAddr())
		c.subscribe("video-180", dialect.Params{})
		elapse(time.Second)
		cancel()
		c.must(g.Wait())
		elapse(100 * time.Millisecond)
		var closed *quic.ApplicationError
		if err := context.Cause(c.conn.Context()); !errors.As(err, &closed) || closed.ErrorCode != dialect.NoError {
			t.Errorf("the connection ended with %v", err)
		}
	})
}

func TestAnEndedBroadcastEndsItsTracks(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		c := dial(t, p, draft, n.Listen(), addr)
		x, _ := c.subscribe("video-180", dialect.Params{})
		elapse(1500 * time.Millisecond)
		c.must(p.End([]string{"demo"}))
		m, is := x.next().(*dialect.PublishDone)
		if !is || c.d.Status(m.Code) != dialect.TrackEnded || m.Streams != 2 {
			t.Fatalf("%#v", m)
		}
		seamless(t, "video-180", sorted(c.collect(time.Second)), 35)
		x, _ = c.subscribe("catalog", dialect.Params{})
		if m, is := x.next().(*dialect.PublishDone); !is {
			t.Errorf("catalog: %#v", m)
		}
	})
}

func TestEveryDeliveryCarriesEverything(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Streams)}})
		c := dial(t, p, draft, n.Listen(), addr)
		c.subscribe("audio-en", dialect.Params{})
		all := c.collect(30 * time.Second)
		seamless(t, "audio-en", sorted(all), 29*46)
		for _, s := range all {
			o := s.objects[0]
			if len(s.objects) != 1 || s.err != nil || o.Subgroup != o.Object || s.header.EndOfGroup != (o.Object >= 45 && lastOfGroup(o)) {
				t.Fatalf("%+v %v: %d objects, %v", s.header, o.Location, len(s.objects), s.err)
			}
		}
	})
}

// lastOfGroup knows the length of the demo's audio groups: 47 frames, but 46 for every eighth.
func lastOfGroup(o media.Object) bool {
	if o.Group%8 == 7 {
		return o.Object == 45
	}
	return o.Object == 46
}

func TestDatagramsCarryWhatFits(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Datagrams)}})
		c := dial(t, p, draft, n.Listen(), addr)
		c.subscribe("video-360", dialect.Params{})
		var datagrams []media.Object
		var g errgroup.Group
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		g.Go(func() error {
			for {
				b, err := c.conn.ReceiveDatagram(ctx)
				if err != nil {
					return nil // the time is over
				}
				d, ok, err := c.d.ParseDatagram(b)
				if err != nil || !ok {
					return fmt.Errorf("datagram: %v, %w", ok, err)
				}
				if last := d.Object.Object == 24; d.Object.Last != last {
					return fmt.Errorf("%v: last is %v", d.Object.Location, d.Object.Last)
				}
				datagrams = append(datagrams, d.Object)
			}
		})
		streams := c.collect(4 * time.Second)
		c.must(g.Wait())
		if len(streams) < 3 || len(datagrams) < 50 {
			t.Errorf("%d streams and %d datagrams", len(streams), len(datagrams))
		}
		seamless(t, "video-360", sorted(append(streams, stream{objects: datagrams})), 90)
	})
}

func TestAnnouncedBroadcastsCanBeHad(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Announce: true})
		c := dial(t, p, draft, n.Listen(), addr)
		r := c.replies
		if r == nil {
			st, err := c.conn.AcceptStream(t.Context())
			c.must(err)
			r = wire.NewReader(st, c.d.Varint, "announcement")
		}
		m, is := c.read(r).(*dialect.PublishNamespace)
		if !is || m.RequestID != 1 || !cmp.Equal(m.Namespace, []string{"demo"}) {
			t.Errorf("%#v", m)
		}
		c.subscribe("video-180", dialect.Params{})
	})
}

func TestPublisherSpeaksOverRealUDP(t *testing.T) {
	p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(); _ = client.Close() })
	serve(t, p, server)
	c := dial(t, p, "moqt-18", client, server.LocalAddr())
	c.subscribe("audio-en", dialect.Params{})
	seamless(t, "audio-en", sorted([]stream{c.next()}), 1)
}

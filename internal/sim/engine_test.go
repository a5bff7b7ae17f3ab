package sim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// gather is a sink that keeps everything.
type gather struct {
	mu      sync.Mutex
	objects []media.Object
	ends    []moqt.StreamEvent
}

func (g *gather) Object(_ context.Context, o media.Object) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.objects = append(g.objects, o)
	return nil
}

func (g *gather) Stream(_ context.Context, e moqt.StreamEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends = append(g.ends, e)
}

func (g *gather) sorted() []media.Object {
	g.mu.Lock()
	defer g.mu.Unlock()
	return sorted([]stream{{objects: g.objects}})
}

// engine is the subscriber's own session with the publisher at addr.
func engine(t *testing.T, p *sim.Publisher, draft string, from net.PacketConn, addr net.Addr) *moqt.Session {
	return engineOver(t, p, draft, from, addr, transport.Dialer.QUIC)
}

func overWebTransport(d transport.Dialer, ctx context.Context, addr string) (transport.Conn, error) {
	return d.WebTransport(ctx, addr, "/live?x=1")
}

func engineOver(t *testing.T, p *sim.Publisher, draft string, from net.PacketConn, addr net.Addr,
	dial func(transport.Dialer, context.Context, string) (transport.Conn, error)) *moqt.Session {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	conn, err := dial(transport.Dialer{
		Protocols: []string{draft}, TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		Packet: func() (net.PacketConn, error) { return from, nil },
	}, t.Context(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := moqt.New(conn, moqt.Config{Authority: addr.String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("the session ended by itself: %v", err)
		}
	})
	return s
}

func TestEngineJoinsLiveTracksWithoutASeam(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Announce: true})
		s := engine(t, p, draft, n.Listen(), addr)
		for _, track := range []string{"video-360", "audio-en"} {
			var all gather
			sub, err := s.Subscribe(t.Context(), demoTrack(track), moqt.SubscribeOptions{}, &all)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Fetch(t.Context(), moqt.FetchRequest{Join: sub, Groups: 3}, &all); err != nil {
				t.Fatal(err)
			}
			elapse(3 * time.Second)
			seamless(t, track, all.sorted(), 5*25)
			sub.Close()
			count := len(all.sorted())
			elapse(2 * time.Second)
			if more := len(all.sorted()); more != count {
				t.Errorf("%s: %d objects after the end", track, more-count)
			}
		}
	})
}

func TestEngineSpeaksOverWebTransport(t *testing.T) {
	for _, delivery := range []live.Delivery{live.Groups, live.Streams, live.Datagrams} {
		everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
			p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, delivery)}, Announce: true})
			s := engineOver(t, p, draft, n.Listen(), addr, overWebTransport)
			var all gather
			sub, err := s.Subscribe(t.Context(), demoTrack("audio-en"), moqt.SubscribeOptions{}, &all)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Fetch(t.Context(), moqt.FetchRequest{Join: sub, Groups: 3}, &all); err != nil {
				t.Fatal(err)
			}
			elapse(3 * time.Second)
			seamless(t, "audio-en", all.sorted(), 5*25)
			sub.Close()
		})
	}
}

func TestEngineReadsTenThousandStreamsAndMore(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		if draft != "moqt-16" && draft != "moqt-18" {
			return // the others' streams are like those of these two
		}
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Streams)}})
		s := engine(t, p, draft, n.Listen(), addr)
		sinks := map[string]*gather{"video-360": {}, "video-180": {}, "audio-en": {}, "audio-sv": {}}
		for track, sink := range sinks {
			if _, err := s.Subscribe(t.Context(), demoTrack(track), moqt.SubscribeOptions{}, sink); err != nil {
				t.Fatal(err)
			}
		}
		const seconds = 75
		elapse(seconds * time.Second)
		streams := 0
		for track, sink := range sinks {
			seamless(t, track, sink.sorted(), (seconds-1)*25)
			streams += len(sink.ends)
		}
		if streams < 10_000 {
			t.Errorf("only %d streams", streams)
		}
	})
}

func TestEngineTakesDatagramsAndStreamsOfOneTrack(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Datagrams)}})
		s := engine(t, p, draft, n.Listen(), addr)
		var all gather
		if _, err := s.Subscribe(t.Context(), demoTrack("video-360"), moqt.SubscribeOptions{}, &all); err != nil {
			t.Fatal(err)
		}
		elapse(5 * time.Second)
		seamless(t, "video-360", all.sorted(), 120)
	})
}

func TestEngineLearnsThatATrackEnded(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		s := engine(t, p, draft, n.Listen(), addr)
		var all gather
		sub, err := s.Subscribe(t.Context(), demoTrack("audio-sv"), moqt.SubscribeOptions{}, &all)
		if err != nil {
			t.Fatal(err)
		}
		elapse(1500 * time.Millisecond)
		if err := p.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		<-sub.Done()
		var done *moqt.DoneError
		if err := sub.Err(); !errors.As(err, &done) || done.Status != moqt.TrackEnded {
			t.Errorf("the subscription ended with %v", err)
		}
		seamless(t, "audio-sv", all.sorted(), 65)
	})
}

func TestEngineIsToldWhatDoesNotExist(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Faults: sim.Faults{NoFetch: true}})
		s := engine(t, p, draft, n.Listen(), addr)
		var refused *moqt.RequestError
		_, err := s.Subscribe(t.Context(), demoTrack("video-1080"), moqt.SubscribeOptions{}, &gather{})
		if !errors.Is(err, moqt.ErrNotFound) || !errors.As(err, &refused) || refused.Retry && refused.RetryAfter != 500*time.Millisecond {
			t.Errorf("SUBSCRIBE: %v, %+v", err, refused)
		}
		if err := s.Fetch(t.Context(), moqt.FetchRequest{Track: demoTrack("catalog")}, &gather{}); !errors.Is(err, moqt.ErrNotSupported) {
			t.Errorf("FETCH: %v", err)
		}
	})
}

func TestEngineDiscoversBroadcastsAndTheirEnds(t *testing.T) {
	everyDraft(t, func(t *testing.T, n *sim.Network, draft string) {
		for _, announce := range []bool{false, true} {
			p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Announce: announce})
			s := engine(t, p, draft, n.Listen(), addr)
			elapse(time.Second)
			changes := make(chan bool, 10)
			go func() {
				_ = s.Namespaces(t.Context(), []string{"demo"}, func(namespace []string, active bool) {
					if len(namespace) != 1 || namespace[0] != "demo" {
						t.Errorf("namespace %q", namespace)
					}
					changes <- active
				})
			}()
			elapse(time.Second)
			if len(changes) != 1 || !<-changes {
				t.Errorf("announced %v: the broadcast was not found", announce)
			}
			if err := p.End([]string{"demo"}); err != nil {
				t.Fatal(err)
			}
			elapse(time.Second)
			if len(changes) != 1 || <-changes {
				t.Errorf("announced %v: the broadcast has not ended", announce)
			}
		}
	})
}

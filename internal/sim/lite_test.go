package sim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber/lite"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// overLite runs f in a bubble of its own, with a session of every draft of moq-lite.
func overLite(t *testing.T, f func(t *testing.T, p *sim.Publisher, s *lite.Session)) {
	for _, draft := range lite.Protocols() {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond})
				p, addr := publish(t, n, sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
				f(t, p, liteSession(t, p, draft, n.Listen(), addr))
			})
		})
	}
}

func liteSession(t *testing.T, p *sim.Publisher, draft string, from net.PacketConn, addr net.Addr) *lite.Session {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	conn, err := transport.Dialer{
		Protocols: []string{draft}, TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		Packet: func() (net.PacketConn, error) { return from, nil },
	}.QUIC(t.Context(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := lite.New(conn, lite.Config{Path: "/demo"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ran })
	return s
}

func TestLitePublisherAnnouncesWhatItHas(t *testing.T) {
	overLite(t, func(t *testing.T, p *sim.Publisher, s *lite.Session) {
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Namespaces(ctx, nil, func(ns []string, active bool) { // ends with ctx
				what := " ended"
				if active {
					what = " active"
				}
				got = append(got, strings.Join(ns, "/")+what)
			})
		}()
		elapse(time.Second)
		if err := p.End([]string{"demo"}); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		cancel()
		<-done
		if want := []string{"demo active", "demo ended"}; !slices.Equal(got, want) {
			t.Errorf("announced %q", got)
		}
	})
}

func TestLitePublisherRepeatsThePast(t *testing.T) {
	overLite(t, func(t *testing.T, _ *sim.Publisher, s *lite.Session) {
		now := uint64(time.Now().Unix())
		var all gather
		r := moqt.FetchRequest{Track: demoTrack("video-270"),
			Start: media.Location{Group: now - 70}, End: media.Location{Group: now - 50, Object: moqt.WholeGroup}}
		if err := s.Fetch(t.Context(), r, nil, &all); err != nil {
			t.Fatal(err)
		}
		seamless(t, "video-270", all.sorted(), 10*25)
		unknown := 0
		for _, e := range all.ends {
			if e.Unknown {
				unknown++
			}
		}
		if unknown < 9 || unknown+len(all.objects)/25 != 21 {
			t.Errorf("%d groups of 21 are unknown, %d objects came", unknown, len(all.objects))
		}
	})
}

func TestLitePublisherResetsWhatItDoesNotHave(t *testing.T) {
	overLite(t, func(t *testing.T, _ *sim.Publisher, s *lite.Session) {
		_, err := s.Subscribe(t.Context(), demoTrack("video-1080"), moqt.SubscribeOptions{}, &gather{})
		if refused, ok := err.(*moqt.RequestError); !ok || refused.Kind != moqt.ErrNotFound {
			t.Error(err)
		}
	})
}

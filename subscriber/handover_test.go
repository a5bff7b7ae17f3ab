package subscriber_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// second serves the world's publisher at another address too, as if both were relays, until stop is called.
func (w *world) second() (node net.PacketConn, serve func() (stop func())) {
	node = w.net.Listen()
	return node, func() (stop func()) {
		first, firstStop := w.node, w.stop
		w.node = node
		w.serve()
		stop = w.stop
		w.node, w.stop = first, firstStop
		return stop
	}
}

// interruptions counts the states other than Live since the first Live one.
func (r *recorder) interruptions() (n int) {
	r.with(func() {
		live := false
		for _, s := range r.states {
			if live = live || s.Phase == subscriber.Live; live && s.Phase != subscriber.Live {
				n++
			}
		}
	})
	return n
}

func TestAGoawayIsFollowedWithoutAnInterruption(t *testing.T) {
	for _, faults := range []sim.Faults{{}, {GroupHead: true}} {
		for _, fetch := range []bool{true, false} {
			for _, delivery := range []live.Delivery{live.Groups, live.Streams} {
				for _, draft := range []string{"18", "16"} {
					t.Run(fmt.Sprintf("head %v, fetch %v, delivery %v, draft %s", faults.GroupHead, fetch, delivery, draft), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t, draft, sim.Config{Broadcasts: []live.Broadcast{demo(t, delivery)}, Faults: faults})
							node, serve := w.second()
							stop := serve()
							defer stop()
							r := newRecorder(t)
							w.run(r)
							elapse(4 * time.Second)
							faults := faults
							faults.NoFetch = !fetch
							w.pub.SetFaults(faults)
							w.pub.Goaway(fmt.Sprintf("moqt://%s/live", node.LocalAddr()))
							elapse(4 * time.Second)
							w.net.Cut(w.node.LocalAddr(), true) // nobody needs it any more
							elapse(3 * time.Second)
							for _, name := range names() {
								r.seamless(name, 9*25)
							}
							if s := r.state(); s.Relay != node.LocalAddr().String() || r.interruptions() > 0 {
								t.Errorf("%d interruptions, state %+v", r.interruptions(), s)
							}
						})
					})
				}
			}
		}
	}
}

func TestLiteGoawayIsFollowedWithoutAnInterruption(t *testing.T) {
	for _, draft := range []string{"lite-04", "lite-05"} {
		for _, fetch := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, fetch %v", draft, fetch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, draft, demoOnly(t))
					node, serve := w.second()
					stop := serve()
					defer stop()
					r := newRecorder(t)
					w.run(r)
					elapse(4 * time.Second)
					w.pub.SetFaults(sim.Faults{NoFetch: !fetch})
					w.pub.Goaway(fmt.Sprintf("moqt://%s/live", node.LocalAddr()))
					elapse(4 * time.Second)
					w.net.Cut(w.node.LocalAddr(), true) // nobody needs it any more
					elapse(6 * time.Second)
					for _, name := range names() {
						r.seamless(name, 11*25)
					}
					if s := r.state(); s.Relay != node.LocalAddr().String() || r.interruptions() > 0 {
						t.Errorf("%d interruptions, state %+v", r.interruptions(), s)
					}
				})
			})
		}
	}
}

func TestAGoawayThatLeadsNowhereIsOutlasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		r := newRecorder(t)
		w.run(r)
		elapse(4 * time.Second)
		w.pub.Goaway("moqt://10.9.9.9:1/live")
		elapse(30 * time.Second)
		for _, name := range names() {
			r.seamless(name, 33*25)
		}
		if r.interruptions() > 0 {
			t.Errorf("%d interruptions", r.interruptions())
		}
	})
}

func TestAnotherRelayServesUntilTheFirstOneIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		node, serve := w.second()
		serve()
		w.cfg.Relays = append(w.cfg.Relays, fmt.Sprintf("https://%s/live?draft=18", node.LocalAddr()))
		r := newRecorder(t)
		w.run(r)
		elapse(4 * time.Second)
		w.net.Cut(w.node.LocalAddr(), true)
		elapse(8 * time.Second) // it takes 5 seconds to be noticed
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != node.LocalAddr().String() {
			t.Fatalf("state %+v", s)
		}
		broken := r.interruptions()
		w.net.Cut(w.node.LocalAddr(), false)
		elapse(35 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != w.node.LocalAddr().String() || r.interruptions() != broken {
			t.Errorf("%d interruptions, %d before, state %+v", r.interruptions(), broken, s)
		}
		w.net.Cut(node.LocalAddr(), true) // nobody needs it any more
		elapse(10 * time.Second)
		for _, name := range names() {
			r.seamless(name, 54*25)
		}
	})
}

func TestARelayWithoutTheBroadcastIsNotReturnedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		empty, err := sim.New(sim.Config{Certificate: w.pub.KeyPair()})
		if err != nil {
			t.Fatal(err)
		}
		full := w.pub
		node, serve := w.second()
		w.net.Cut(node.LocalAddr(), true)
		w.pub = empty
		serve()
		w.pub = full
		w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=18", node.LocalAddr()), w.cfg.Relays[0]}
		r := newRecorder(t)
		w.run(r)
		elapse(15 * time.Second)
		w.net.Cut(node.LocalAddr(), false)
		elapse(time.Minute)
		for _, name := range names() {
			r.seamless(name, 60*25)
		}
		if s := r.state(); s.Relay != w.node.LocalAddr().String() || r.interruptions() > 0 {
			t.Errorf("%d interruptions, state %+v", r.interruptions(), s)
		}
	})
}

// script is a relay of draft 18 that a test speaks for.
type script struct {
	t    *testing.T
	node net.PacketConn
	ln   *transport.Listener
	d    *dialect.Dialect
}

func (w *world) script(protocols ...string) *script {
	w.t.Helper()
	s := &script{t: w.t, node: w.net.Listen(), d: dialect.Draft18()}
	var err error
	if s.ln, err = transport.Listen(s.node, protocols, &tls.Config{Certificates: []tls.Certificate{*w.pub.KeyPair()}}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.ln.Close)
	return s
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// request accepts a session and returns the client's SETUP, its first SUBSCRIBE, and the stream for the answer.
func (s *script) request() (*dialect.Setup, *dialect.Subscribe, transport.Stream) {
	s.t.Helper()
	conn, err := s.ln.Accept(s.t.Context())
	s.must(err)
	out, err := conn.OpenUniStream(s.t.Context())
	s.must(err)
	_, err = out.Write(s.d.Append(nil, &dialect.Setup{Server: true}))
	s.must(err)
	in, err := conn.AcceptUniStream(s.t.Context())
	s.must(err)
	setup, err := s.d.Read(wire.NewReader(in, s.d.Varint, "control"))
	s.must(err)
	st, err := conn.AcceptStream(s.t.Context())
	s.must(err)
	m, err := s.d.Read(wire.NewReader(st, s.d.Varint, "request"))
	s.must(err)
	return setup.(*dialect.Setup), m.(*dialect.Subscribe), st
}

func TestARedirectionIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		s := w.script("moqt-18")
		w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=18", s.node.LocalAddr())}
		r := newRecorder(t)
		w.run(r)
		_, _, st := s.request()
		to := &dialect.Redirect{URI: fmt.Sprintf("moqt://%s/live", w.node.LocalAddr())}
		_, err := st.Write(s.d.Append(nil, &dialect.RequestError{Code: 0x34, Redirect: to}))
		s.must(err)
		elapse(5 * time.Second)
		if s := r.state(); s.Phase != subscriber.Live || s.Relay != w.node.LocalAddr().String() {
			t.Errorf("state %+v", s)
		}
	})
}

// buffer is an io.Writer for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func TestTheTokenIsSentAndNeverLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}})
		s := w.script("moqt-18")
		var log buffer
		w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=18&transport=quic", s.node.LocalAddr())}
		w.cfg.Token, w.cfg.Logger = "hunter2-secret", slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r := newRecorder(t)
		w.run(r)
		setup, subscribe, st := s.request()
		for _, tokens := range [][]dialect.Token{setup.Tokens, subscribe.Params.Tokens} {
			if len(tokens) != 1 || tokens[0].Type != 0 || string(tokens[0].Value) != "hunter2-secret" {
				t.Errorf("tokens %+v", tokens)
			}
		}
		_, err := st.Write(s.d.Append(nil, &dialect.RequestError{Code: 1, Reason: "no"}))
		s.must(err)
		elapse(2 * time.Second)
		if out := log.b.String(); strings.Contains(out, "hunter2") || !strings.Contains(out, "connected") {
			t.Errorf("log:\n%s", out)
		}
	})
}

func TestBothWaysToConnectAreTried(t *testing.T) {
	for url, want := range map[string]string{
		"moqt://%s/live":               "transport=quic draft=moqt-18",
		"https://%s/live":              "transport=webtransport draft=moqt-18",
		"moqt://%s/live?transport=wt":  "transport=webtransport draft=moqt-18",
		"https://%s/?transport=quic":   "transport=quic draft=moqt-18",
		"https://%s/?jwt=abc&draft=16": "transport=webtransport draft=moqt-16",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "18", sim.Config{Broadcasts: []live.Broadcast{demo(t, live.Groups)}, Drafts: []string{"moqt-18", "moqt-16"}})
			var log buffer
			w.cfg.Relays = []string{fmt.Sprintf(url, w.node.LocalAddr())}
			w.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			r := newRecorder(t)
			w.run(r)
			elapse(5 * time.Second)
			line := fmt.Sprintf("level=INFO msg=connected channel=\"\" relay=%s %s\n", w.node.LocalAddr(), want)
			if out := log.b.String(); r.state().Phase != subscriber.Live || strings.Count(out, "msg=connected") != 1 || !strings.Contains(out, line) {
				t.Errorf("%s: %+v\n%s", url, r.state(), out)
			}
		})
	}
}

func TestARelayOfUnknownDraftsSaysWhatToDo(t *testing.T) {
	for query, want := range map[string]string{"": "this relay speaks none of moqt-18", "&draft=18": "leave out ?draft="} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "18", sim.Config{})
			s := w.script("moqt-99")
			w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?transport=quic%s", s.node.LocalAddr(), query)}
			r := newRecorder(t)
			w.run(r)
			elapse(3 * time.Second)
			if e := r.state().Err; !errors.Is(e, transport.ErrNoProtocol) || !strings.Contains(e.Error(), want) {
				t.Errorf("%q: %v", query, e)
			}
		})
	}
}

func TestAServerThatDoesNotSayWhatItSpeaksIsOfferedOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "18", sim.Config{})
		s := w.script()
		w.cfg.Relays = []string{fmt.Sprintf("https://%s/live", s.node.LocalAddr())}
		r := newRecorder(t)
		w.run(r)
		conn, err := s.ln.Accept(t.Context()) // all are offered
		s.must(err)
		conn.Close(0, "")
		for _, want := range []string{"moqt-18", "moqt-19"} {
			conn, err := s.ln.Accept(t.Context())
			s.must(err)
			elapse(time.Second)
			if got := r.state(); conn.Protocol() != "" || got.Draft != want {
				t.Errorf("state %+v, want draft %s", got, want)
			}
			conn.Close(3, "what is this?")
		}
	})
}

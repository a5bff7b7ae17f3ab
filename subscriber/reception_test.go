package subscriber_test

import (
	"bytes"
	"context"
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

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// hall is a reception on a network, where publishers connect to.
type hall struct {
	t    *testing.T
	net  *sim.Network
	node net.PacketConn
	r    *subscriber.Reception
	stop func()
	quit func()     // ends the last source
	ran  chan error // why Run has ended

	mu  sync.Mutex
	log bytes.Buffer
}

func (h *hall) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

// said is how many lines of the log have the words.
func (h *hall) said(words string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.log.String(), words)
}

func newHall(t *testing.T, permits ...subscriber.Permit) *hall {
	h := &hall{t: t, net: sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond})}
	t.Cleanup(h.net.Close)
	h.node = h.net.Listen()
	cert, err := transport.Certify(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.r = subscriber.NewReception(subscriber.ReceptionConfig{
		Permits: permits, TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
		Logger: slog.New(slog.NewTextHandler(h, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	h.ran = make(chan error, 1)
	go func() { defer close(ran); h.ran <- h.r.Run(ctx, h.node) }()
	h.stop = sync.OnceFunc(func() { cancel(); <-ran })
	t.Cleanup(h.stop)
	return h
}

// encoder is a publisher that has connected, or tries to.
type encoder struct {
	*sim.Publisher
	node net.PacketConn
	stop func()
	done chan error // why it has ended
}

// encoder connects one.
func (h *hall) encoder(p *sim.Publisher, draft string, c sim.Dial) *encoder {
	return h.encoderAt(h.net.Listen(), p, draft, c)
}

func (h *hall) encoderAt(node net.PacketConn, p *sim.Publisher, draft string, c sim.Dial) *encoder {
	e := &encoder{Publisher: p, node: node, done: make(chan error, 1)}
	if c.Addr = h.node.LocalAddr().String(); c.Path == "" {
		c.Path = "/live"
	}
	c.Dialer = transport.Dialer{
		Protocols: []string{draft}, TLS: &tls.Config{InsecureSkipVerify: true},
		Packet: func() (net.PacketConn, error) { return e.node, nil },
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); e.done <- p.Publish(ctx, c) }()
	e.stop = sync.OnceFunc(func() { cancel(); <-ran })
	h.t.Cleanup(e.stop)
	return e
}

// refused returns why the encoder was.
func (e *encoder) refused(t *testing.T) *sim.Refusal {
	t.Helper()
	elapse(2 * time.Second)
	select {
	case err := <-e.done:
		r, ok := errors.AsType[*sim.Refusal](err)
		if !ok {
			t.Errorf("ended with %v", err)
		}
		return r
	default:
		t.Error("not refused")
		return nil
	}
}

// follow has a source follow the broadcast until the test ends.
func (h *hall) follow(namespace ...string) *recorder {
	h.t.Helper()
	c := subscriber.DefaultConfig()
	c.Reception, c.Namespace, c.Logger = h.r, namespace, slog.New(slog.NewTextHandler(h, nil))
	s, err := subscriber.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	r := newRecorder(h.t)
	ctx, cancel := context.WithCancel(h.t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = s.Run(ctx, r) }()
	h.quit = sync.OnceFunc(func() { cancel(); <-ran })
	h.t.Cleanup(h.quit)
	return r
}

// studio is a publisher of broadcasts with these namespaces.
func studio(t *testing.T, namespaces ...string) *sim.Publisher {
	t.Helper()
	var c sim.Config
	for _, ns := range namespaces {
		b := demo(t, live.Groups)
		b.Namespace = strings.Split(ns, "/")
		c.Broadcasts = append(c.Broadcasts, b)
	}
	p, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anyUnder(prefix ...string) subscriber.Permit {
	return subscriber.Permit{Namespace: prefix, Below: true}
}

func TestPublishersConnectToUs(t *testing.T) {
	type how struct {
		name string
		dial sim.Dial
	}
	all := []how{{"announced", sim.Dial{}}, {"over WebTransport", sim.Dial{WebTransport: true}}, {"pushed", sim.Dial{Push: true}}}
	for _, draft := range []string{"moq-00", "moqt-15", "moqt-16", "moqt-17", "moqt-18", "moqt-19", "moqt-20", "moqt-21", "moqt-22", "moq-lite-03", "moq-lite-05"} {
		for _, h := range all {
			if h.dial.Push && strings.HasPrefix(draft, "moq-lite") {
				continue // which has no such thing
			}
			t.Run(fmt.Sprintf("%s %s", draft, h.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					hall := newHall(t, anyUnder("live"))
					r := hall.follow("live", "one")
					elapse(3 * time.Second) // nobody yet
					hall.encoder(studio(t, "live/one"), draft, h.dial)
					elapse(6 * time.Second)
					for _, track := range names() {
						r.seamless(track, 25*5)
					}
					if s := r.state(); s.Phase != subscriber.Live || s.Draft != draft {
						t.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

func TestWhatIsPushedIsThereForWhoComesLate(t *testing.T) {
	for _, draft := range []string{"moqt-16", "moqt-18"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				h.encoder(studio(t, "live/one"), draft, sim.Dial{Push: true})
				elapse(5 * time.Second)
				for range 2 { // it outlives who takes it
					r := h.follow("live", "one")
					elapse(6 * time.Second)
					r.seamless("video-360", 8*4)
					h.quit()
				}
			})
		})
	}
}

func TestWhatMayNotBePublishedIsRefused(t *testing.T) {
	secret := subscriber.Permit{Namespace: []string{"live"}, Below: true, Token: "secret"}
	own := subscriber.Permit{Namespace: []string{"live", "own"}, Token: "other"}
	tests := []struct {
		name, namespace string
		dial            sim.Dial
		code            uint64
		reason, log     string
	}{
		{"not allowed", "news/one", sim.Dial{Token: "secret"}, 1, "may not be published", "--allow 'news/one'"},
		{"pushed and not allowed", "news/one", sim.Dial{Token: "secret", Push: true}, 1, "may not be published", "--allow 'news/one'"},
		{"the prefix itself", "live", sim.Dial{Token: "secret"}, 1, "may not be published", "--allow 'live'"},
		{"no token", "live/one", sim.Dial{}, 1, "show a token", "--listen-token"},
		{"wrong token", "live/one", sim.Dial{RequestToken: "guess"}, 1, "not the token", "--listen-token"},
		{"the token of another", "live/own", sim.Dial{Token: "secret"}, 1, "not the token", "--listen-token"},
	}
	for _, draft := range []string{"moq-00", "moqt-16", "moqt-18", "moqt-19", "moqt-22"} {
		for _, tt := range tests {
			t.Run(draft+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHall(t, secret, own)
					e := h.encoder(studio(t, tt.namespace), draft, tt.dial)
					if r := e.refused(t); r == nil || r.Code != tt.code || !strings.Contains(r.Reason, tt.reason) {
						t.Errorf("refused with %+v", r)
					}
					if h.said(tt.log) != 1 {
						t.Errorf("the log does not say %q:\n%s", tt.log, h.log.String())
					}
					if h.said("secret") > 0 || h.said("guess") > 0 {
						t.Errorf("the log has tokens:\n%s", h.log.String())
					}
				})
			})
		}
	}
}

func TestATokenMayBeShownInManyPlaces(t *testing.T) {
	for name, dial := range map[string]sim.Dial{
		"SETUP": {Token: "a b"}, "announcement": {RequestToken: "a b"}, "PUBLISH": {RequestToken: "a b", Push: true},
		"path": {Path: "/live?x=1&token=a+b"}, "URL": {Path: "/live?token=a%20b", WebTransport: true},
	} {
		for _, draft := range []string{"moq-00", "moqt-16", "moqt-18", "moqt-19", "moqt-22", "moq-lite-05"} {
			if strings.HasPrefix(draft, "moq-lite") && dial.Path == "" {
				continue // which has tokens nowhere else
			}
			t.Run(draft+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHall(t, subscriber.Permit{Namespace: []string{"live"}, Below: true, Token: "a b"})
					r := h.follow("live", "one")
					h.encoder(studio(t, "live/one"), draft, dial)
					elapse(3 * time.Second)
					r.seamless("video-360", 25*2)
				})
			})
		}
	}
}

// ended returns why the encoder did, which it must have.
func (e *encoder) ended(t *testing.T) error {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-e.done:
		return err
	default:
		t.Error("the session goes on")
		return nil
	}
}

func TestAWrongTokenInSetupEndsTheSession(t *testing.T) {
	for _, draft := range []string{"moq-00", "moqt-16", "moqt-18", "moq-lite-05"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, subscriber.Permit{Namespace: []string{"live"}, Below: true, Token: "secret"})
				dial := sim.Dial{Token: "guess", Path: "/?token=guess"}
				e := h.encoder(studio(t), draft, dial)
				elapse(time.Second)
				var closed *transport.CloseError
				if err := e.ended(t); !errors.As(err, &closed) || closed.Code != 2 || !closed.Remote {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

func TestWhoPublishesNothingIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		e := h.encoder(studio(t), "moqt-18", sim.Dial{})
		elapse(9 * time.Second)
		if len(e.done) > 0 {
			t.Fatal(<-e.done)
		}
		elapse(2 * time.Second)
		var closed *transport.CloseError
		if err := e.ended(t); !errors.As(err, &closed) || closed.Code != 2 {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestAnEncoderThatReturnsGoesOn(t *testing.T) {
	for _, draft := range []string{"moq-00", "moqt-16", "moqt-18", "moqt-19", "moqt-20", "moqt-22", "moq-lite-05"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				r := h.follow("live", "one")
				p := studio(t, "live/one")
				e := h.encoder(p, draft, sim.Dial{})
				elapse(6 * time.Second)
				e.stop()
				elapse(3 * time.Second)
				h.encoder(p, draft, sim.Dial{})
				elapse(6 * time.Second)
				r.seamless("video-360", 8*14) // what it made meanwhile is fetched
				r.seamless("audio-en", 8*14)
			})
		})
	}
}

func TestTheSecondPublisherStandsIn(t *testing.T) {
	for name, gone := range map[string]func(h *hall, e *encoder){
		"the first one leaves":   func(_ *hall, e *encoder) { e.stop() },
		"the first one vanishes": func(h *hall, e *encoder) { h.net.Cut(e.node.LocalAddr(), true) },
		"the first one says nothing": func(_ *hall, e *encoder) {
			e.SetFaults(sim.Faults{Delay: func(string, media.Location) time.Duration { return time.Hour }})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				r := h.follow("live", "one")
				first := h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
				elapse(2 * time.Second)
				second := h.encoder(studio(t, "live/one"), "moqt-19", sim.Dial{})
				elapse(4 * time.Second)
				if s := r.state(); s.Relay != first.node.LocalAddr().String() {
					t.Errorf("%s is followed, which came later", s.Relay)
				}
				gone(h, first)
				elapse(15 * time.Second)
				if s := r.state(); s.Phase != subscriber.Live || s.Relay != second.node.LocalAddr().String() {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestAPublisherThatWantsToLeaveIsRelieved(t *testing.T) {
	for _, draft := range []string{"moq-00", "moqt-16", "moqt-18", "moqt-19", "moqt-22"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				r := h.follow("live", "one")
				p := studio(t, "live/one")
				first := h.encoder(p, draft, sim.Dial{})
				elapse(6 * time.Second)
				p.Goaway("")
				elapse(time.Second)
				second := h.encoder(p, draft, sim.Dial{})
				elapse(5 * time.Second)
				if s := r.state(); s.Relay != second.node.LocalAddr().String() {
					t.Errorf("%+v", s)
				}
				first.stop()
				elapse(5 * time.Second)
				r.seamless("video-360", 8*16)
				r.with(func() {
					for _, s := range r.states[2:] { // before, nobody was there
						if s.Phase == subscriber.Connecting {
							t.Errorf("interrupted: %+v", r.states)
						}
					}
				})
			})
		})
	}
}

func TestPublishersAreAskedToLeave(t *testing.T) {
	for _, draft := range []string{"moq-00", "moqt-16", "moqt-17", "moqt-18", "moqt-19", "moqt-22"} {
		t.Run(draft, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, anyUnder("live"))
				e := h.encoder(studio(t, "live/one"), draft, sim.Dial{})
				elapse(3 * time.Second)
				h.stop()
				if err := e.ended(t); !errors.Is(err, sim.ErrGoaway) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

func TestWatchTellsWhatIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"), subscriber.Permit{Namespace: []string{"live", "fixed"}}, anyUnder("live", "deep"))
		told := make(chan string, 16)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			_ = h.r.Watch(ctx, []string{"live"}, true, func(ns []string, active bool) { told <- fmt.Sprint(strings.Join(ns, "/"), " ", active) })
		}()
		is := func(want ...string) {
			t.Helper()
			elapse(time.Second)
			for _, w := range want {
				select {
				case got := <-told:
					if got != w {
						t.Errorf("told %q, want %q", got, w)
					}
				default:
					t.Errorf("not told %q", w)
				}
			}
			if len(told) > 0 {
				t.Errorf("told %q", <-told)
			}
		}
		is()
		one := h.encoder(studio(t, "live/one"), "moqt-18", sim.Dial{})
		is("live/one true")
		two := h.encoder(studio(t, "live/one", "live/fixed", "live/deep/one"), "moqt-18", sim.Dial{Push: true})
		is("live/one true") // anew: another one; the others are no affair of this permit
		one.stop()
		is()
		two.stop()
		is("live/one false")
	})
}

func TestWatchTellsInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, anyUnder("live"))
		var want []string
		for _, name := range []string{"live/g", "live/c", "live/f", "live/a", "live/e", "live/b", "live/d"} {
			h.encoder(studio(t, name), "moqt-18", sim.Dial{})
			elapse(time.Second)
			want = append(want, name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = h.r.Watch(ctx, []string{"live"}, true, func(ns []string, _ bool) { got = append(got, strings.Join(ns, "/")) })
		}()
		elapse(time.Second)
		cancel()
		<-done
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

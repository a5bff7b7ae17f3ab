package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/config"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/server"
)

// board is a stage that remembers what is on it, and a log.
type board struct {
	mu       sync.Mutex // guards what follows
	channels map[string]server.Channel
	text     bytes.Buffer
}

func (b *board) Put(c server.Channel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.channels[c.Status().Name] = c
}

func (b *board) Remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.channels, name)
}

func (b *board) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// said is how many lines of the log have the words.
func (b *board) said(words string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), words)
}

// states are those of all channels, as "name: state".
func (b *board) states() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.channels)) {
		all = append(all, fmt.Sprintf("%s: %s", name, b.channels[name].Status().State))
	}
	return all
}

func (b *board) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := b.states(); !slices.Equal(got, want) {
		t.Errorf("on stage: %q, want %q", got, want)
	}
}

// edge is the slot of the channel's first rendition that is being filled, and whether it has ended.
func (b *board) edge(t *testing.T, name string) (slot uint64, ended bool) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.channels[name].Output()
	if out == nil {
		t.Fatalf("%s has nothing to show", name)
	}
	s := out.Renditions[0].Timeline.Load()
	return s.Position().N, s.Ended
}

// scene is a relay on a network that has broadcasts, and an origin that discovers them.
type scene struct {
	*board
	t    *testing.T
	net  *sim.Network
	node net.PacketConn
	pub  *sim.Publisher
	stop func()
	cfg  config.Config
	door *door

	metrics http.Handler // set by run
}

func newScene(t *testing.T, namespaces ...string) *scene {
	s := &scene{board: &board{channels: map[string]server.Channel{}}, t: t, net: sim.NewNetwork(sim.Path{Latency: 10 * time.Millisecond})}
	t.Cleanup(s.net.Close)
	s.node = s.net.Listen()
	s.cfg = config.Default()
	s.publish(namespaces...)
	return s
}

// small is a broadcast of a small picture and of sound, in few objects: what becomes of many broadcasts does not depend on theirs.
func small(t *testing.T, namespace string) live.Broadcast {
	t.Helper()
	b, err := live.Demo(strings.Split(namespace, "/")...)
	if err != nil {
		t.Fatal(err)
	}
	b.Tracks = b.Tracks[2:4]
	for i := range b.Tracks {
		b.Tracks[i].Packing.Frames = 10
	}
	return b
}

// publish has the relay go, if there is one, and one with these broadcasts come.
func (s *scene) publish(namespaces ...string) {
	s.t.Helper()
	var c sim.Config
	if s.pub != nil {
		s.stop()
		c.Certificate = s.pub.KeyPair()
	}
	for _, ns := range namespaces {
		c.Broadcasts = append(c.Broadcasts, small(s.t, ns))
	}
	var err error
	if s.pub, err = sim.New(c); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	served, p := make(chan error, 1), s.pub
	go func() { served <- p.Serve(ctx, s.node) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
	s.t.Cleanup(s.stop)
}

// run runs the origin's channels, all under a namespace or a pattern of one, until the test ends, and returns what ends them.
func (s *scene) run(draft string, namespaces ...string) <-chan error {
	s.t.Helper()
	for _, ns := range namespaces {
		ch := config.DefaultChannel()
		ch.Relays, ch.Namespace = []string{fmt.Sprintf("moqt://%s?draft=%s", s.node.LocalAddr(), draft)}, ns
		ch.TLS.Fingerprint = fmt.Sprintf("%x", s.pub.Fingerprint())
		s.cfg.Channels = append(s.cfg.Channels, ch)
	}
	s.cfg.Complete()
	if err := s.cfg.Validate(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	o, err := newOrigin(ctx, &s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	o.packet = func() (net.PacketConn, error) { return s.net.Listen(), nil }
	for i := range s.cfg.Channels {
		if err := o.add(&s.cfg.Channels[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	s.door = o.door
	s.metrics = o.metrics.handler
	l := newLineup(o, s.board, slog.New(slog.NewTextHandler(s.board, nil)))
	ended, result := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		result <- l.run(ctx)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
		if err := o.stores.close(); err != nil {
			s.t.Error(err)
		}
	})
	return result
}

func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// everyFamily runs test in a bubble for a draft of each way to discover namespaces.
func everyFamily(t *testing.T, test func(t *testing.T, draft string)) {
	for _, draft := range []string{"18", "16", "14", "lite-04"} {
		t.Run(draft, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, draft) }) })
	}
}

func TestEveryBroadcastUnderAPrefixIsAChannel(t *testing.T) {
	everyFamily(t, func(t *testing.T, draft string) {
		s := newScene(t, "live/a", "live/eu/b", "other/c")
		s.run(draft, "live/*")
		elapse(8 * time.Second)
		s.expect(t, "a: live", "eu/b: live")
		s.publish("live/a", "live/d")
		elapse(15 * time.Second)
		s.expect(t, "a: live", "d: live", "eu/b: stalled")
		elapse(withdrawnFor)
		s.expect(t, "a: live", "d: live", "eu/b: ended")
		if _, ended := s.edge(t, "eu/b"); !ended {
			t.Error("what is not announced any longer is no recording")
		}
	})
}

func TestAChannelWhoseBroadcastEndedGoesOnWhenItComesAnew(t *testing.T) {
	for _, recorded := range []bool{false, true} {
		t.Run(fmt.Sprintf("recorded %v", recorded), func(t *testing.T) {
			everyFamily(t, func(t *testing.T, draft string) {
				s := newScene(t, "live/a")
				if recorded {
					s.cfg.Storage.Disk.Dir = t.TempDir()
				}
				s.run(draft, "live/*")
				elapse(10 * time.Second)
				if err := s.pub.End([]string{"live", "a"}); err != nil {
					t.Fatal(err)
				}
				elapse(2 * time.Minute)
				s.expect(t, "a: ended")
				last, ended := s.edge(t, "a")
				if !ended {
					t.Error("the recording has no end")
				}
				s.publish("live/a")
				elapse(10 * time.Second)
				s.expect(t, "a: live")
				if now, ended := s.edge(t, "a"); ended || now <= last {
					t.Errorf("at slot %d (ended %v) after %d", now, ended, last)
				}
			})
		})
	}
}

func TestARelayThatIsAwayEndsNoChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, "live/a")
		s.run("18", "live/*")
		elapse(8 * time.Second)
		s.stop()
		elapse(5 * withdrawnFor)
		s.expect(t, "a: stalled")
		s.publish("live/a")
		elapse(15 * time.Second)
		s.expect(t, "a: live")
	})
}

func TestChannelsThatAppearAreBounded(t *testing.T) {
	everyFamily(t, func(t *testing.T, draft string) {
		s := newScene(t, "live/a", "live/b", "live/c")
		s.cfg.MaxChannels = 2
		s.run(draft, "live/*")
		elapse(30 * time.Second)
		if len(s.states()) != 2 || s.said("--max-channels") != 1 {
			t.Errorf("%q are there, %d complaints", s.states(), s.said("--max-channels"))
		}
		gone, _, _ := strings.Cut(s.states()[0], ":")
		if err := s.pub.End([]string{"live", gone}); err != nil {
			t.Fatal(err)
		}
		elapse(20 * time.Second)
		if len(s.states()) != 2 || strings.Contains(strings.Join(s.states(), " "), gone) || s.said("made room") != 1 {
			t.Errorf("%q are there after the end of %s", s.states(), gone)
		}
		w := httptest.NewRecorder()
		s.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if label := fmt.Sprintf("channel=%q", gone); !strings.Contains(w.Body.String(), `channel="`) || strings.Contains(w.Body.String(), label) {
			t.Errorf("%s is still counted", label)
		}
	})
}

func TestNamesThatCollideAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, "live/a", "live/b", "more/b", "live/"+strings.Repeat("x", 300), "live")
		s.run("18", "other/a", "live/*", "more/*")
		elapse(10 * time.Second)
		s.expect(t, "b: live")
		if s.said("another channel called") != 2 || s.said("longer than 200 bytes") != 1 || s.said("the prefix itself") != 1 {
			t.Errorf("the log:\n%s", &s.text)
		}
	})
}

func TestEveryNamespaceHasANameOfItsOwn(t *testing.T) {
	for want, fields := range map[string][]string{
		"a": {"a"}, "a/b": {"a", "b"}, "a%2Fb": {"a/b"}, "a%252Fb": {"a%2Fb"}, "50%25": {"50%"}, "a b/ü": {"a b", "ü"}, "%2F/%2F": {"/", "/"},
	} {
		if got := nameOf(fields); got != want {
			t.Errorf("%q is called %q, want %q", fields, got, want)
		}
	}
}

func TestARelayThatCannotDiscoverIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, "live/a")
		err := errors.New("it goes on")
		select {
		case err = <-s.run("14", "*"): // up to 15 a prefix has one field at least
		case <-time.After(10 * time.Second):
		}
		if !strings.Contains(err.Error(), s.node.LocalAddr().String()) || !strings.Contains(err.Error(), "name each of them instead") {
			t.Errorf("error %v", err)
		}
	})
}

package channel

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/subscriber"
)

// world is a bubble with a lossy network, one publisher's address and any number of packagers.
type world struct {
	t       *testing.T
	g       *errgroup.Group
	ctx     context.Context
	stop    context.CancelFunc
	network *sim.Network
	addr    net.PacketConn // the publisher's
	cert    *tls.Certificate
}

// packager is one instance of the whole line.
type packager struct {
	*Channel
	store   *storage.Memory
	log     *logbook
	metrics *prometheus.Registry
	kill    context.CancelFunc
	dead    chan struct{} // closed when Run has returned
	ears    *ears
}

// ears are the sockets of a packager.
type ears struct {
	network *sim.Network

	mu   sync.Mutex // guards what follows
	all  []net.PacketConn
	deaf bool
}

func (e *ears) listen() (net.PacketConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	conn := e.network.Listen()
	e.network.Cut(conn.LocalAddr(), e.deaf)
	e.all = append(e.all, conn)
	return conn, nil
}

// close cuts the packager off from every relay.
func (e *ears) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = true
	for _, conn := range e.all {
		e.network.Cut(conn.LocalAddr(), true)
	}
}

// logbook keeps what is logged at Info and above.
type logbook struct {
	mu   sync.Mutex // guards what follows
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// lines are those that contain all of the words.
func (l *logbook) lines(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			found = append(found, line)
		}
	}
	return found
}

// inWorld runs f in a bubble and waits for everything in it to end.
func inWorld(t *testing.T, path sim.Path, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		g, ctx := errgroup.WithContext(ctx)
		w := &world{t: t, g: g, ctx: ctx, stop: stop, network: sim.NewNetwork(path)}
		w.addr = w.network.Listen()
		// Let the clock start anywhere but at the beginning of a slot.
		time.Sleep(12345 * time.Millisecond)
		defer func() {
			stop()
			if err := g.Wait(); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			w.network.Close()
		}()
		f(w)
	})
}

// publish puts the demo's broadcast on the air until the publisher is killed or the world ends.
func (w *world) publish(faults sim.Faults, change func(*live.Broadcast)) *sim.Publisher {
	w.t.Helper()
	b, err := live.Demo("demo")
	if err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		change(&b)
	}
	return w.air(sim.Config{Broadcasts: []live.Broadcast{b}, Faults: faults})
}

// air starts a publisher, under the certificate of the one before.
func (w *world) air(c sim.Config) *sim.Publisher {
	w.t.Helper()
	c.Certificate = w.cert
	p, err := sim.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.cert == nil {
		w.cert = p.KeyPair()
	}
	w.g.Go(func() error {
		_ = p.Serve(w.ctx, w.addr) // a killed publisher is what some tests want
		return nil
	})
	return p
}

// join starts a packager.
func (w *world) join(p *sim.Publisher, draft string) *packager {
	return w.joinAs(p, draft, segmenter.DefaultConfig())
}

// joinAs starts a packager with a configuration of its own.
func (w *world) joinAs(p *sim.Publisher, draft string, seg segmenter.Config) *packager {
	w.t.Helper()
	return w.joinWith(p, draft, func(c *Config) { c.Segmenter = seg })
}

// joinWith starts a packager whose configuration change has had a hand in.
func (w *world) joinWith(p *sim.Publisher, draft string, change func(*Config)) *packager {
	w.t.Helper()
	log := &logbook{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	cfg := subscriber.DefaultConfig()
	cfg.Logger = logger
	cfg.Relays = []string{"moqt://" + w.addr.LocalAddr().String() + "?draft=" + draft}
	cfg.Namespace, cfg.Channel = []string{"demo"}, "demo"
	cfg.TLS.Fingerprint = fmt.Sprintf("%x", p.Fingerprint())
	hears := &ears{network: w.network}
	cfg.Packet = hears.listen
	src, err := subscriber.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	metrics, store := prometheus.NewRegistry(), storage.NewMemory(256<<20)
	c := Config{
		Name: "demo", Source: src, Segmenter: segmenter.DefaultConfig(), Memory: store, Logger: logger,
		Metrics: NewMetrics(metrics),
	}
	change(&c)
	ch, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(w.ctx)
	dead := make(chan struct{})
	w.g.Go(func() error {
		defer close(dead)
		if err := ch.Run(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	})
	return &packager{ch, store, log, metrics, kill, dead, hears}
}

// media is everything that the packager has published, by key.
func (p *packager) media(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, err := range p.store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		out[key] = string(slices.Concat(b.Pieces...))
	}
	return out
}

// snapshots are the timelines of the demo's five tracks.
func (p *packager) snapshots(t *testing.T) map[string]*timeline.Snapshot {
	t.Helper()
	return p.timelines(t, 5)
}

// timelines are those of so many tracks, by name.
func (p *packager) timelines(t *testing.T, want int) map[string]*timeline.Snapshot {
	t.Helper()
	out := p.Output()
	if out == nil {
		t.Fatal("nothing was published")
	}
	m := map[string]*timeline.Snapshot{}
	for _, r := range out.Renditions {
		m[r.Track.Name] = r.Timeline.Load()
	}
	if len(m) != want {
		t.Fatalf("%d renditions, want %d", len(m), want)
	}
	return m
}

// sameMedia fails if a name that both published has two contents, or if they share too few names to tell.
func sameMedia(t *testing.T, a, b map[string]string, atLeast int) {
	t.Helper()
	shared := 0
	for key, body := range a {
		other, ok := b[key]
		if !ok {
			continue
		}
		shared++
		if body != other {
			t.Errorf("%s: two contents, %d and %d bytes", key, len(body), len(other))
		}
	}
	if shared < atLeast {
		t.Errorf("only %d names are shared, want %d at least", shared, atLeast)
	}
}

// count is the value of a counter for a track.
func (p *packager) count(t *testing.T, name, track string) float64 {
	t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == "track" && l.GetValue() == track {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return 0
}

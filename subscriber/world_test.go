package subscriber_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// recorder is a Receiver that wants everything, checks what every receiver may rely on, and keeps it.
type recorder struct {
	t  *testing.T
	mu sync.Mutex

	catalogs []*catalog.Catalog
	states   []subscriber.State
	objects  map[string][]media.Object // without statuses
	ends     map[string]int            // groups whose end was told
	reborn   bool                      // locations may go back where an object is lost
	refuse   func(track string, o media.Object) error
	block    chan struct{} // not nil: Object waits until it is closed
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, objects: map[string][]media.Object{}, ends: map[string]int{}}
}

func (r *recorder) Catalog(_ context.Context, c *catalog.Catalog) (want []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.catalogs = append(r.catalogs, c)
	for _, t := range c.Tracks {
		want = append(want, t.Name)
	}
	return want, nil
}

func (r *recorder) Object(ctx context.Context, track string, o media.Object) error {
	r.mu.Lock()
	block := r.block
	r.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.Last {
		r.ends[track]++
	}
	if o.Status != media.Normal {
		return nil
	}
	if all := r.objects[track]; len(all) > 0 {
		if last := all[len(all)-1]; !last.Before(o.Location) && !(r.reborn && o.Lost) {
			r.t.Errorf("%s: %v after %v", track, o.Location, last.Location)
		}
	}
	r.objects[track] = append(r.objects[track], o)
	if r.refuse != nil {
		return r.refuse(track, o)
	}
	return nil
}

func (r *recorder) State(_ context.Context, s subscriber.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, s)
}

// hold has Object wait until the function that it returns is called.
func (r *recorder) hold() (release func()) {
	block := make(chan struct{})
	r.with(func() { r.block = block })
	return func() {
		r.with(func() { r.block = nil })
		close(block)
	}
}

// with calls f while nothing is added.
func (r *recorder) with(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *recorder) count(track string) (n int) {
	r.with(func() { n = len(r.objects[track]) })
	return n
}

// state is the last one that was reported.
func (r *recorder) state() (s subscriber.State) {
	r.with(func() { s = r.states[len(r.states)-1] })
	return s
}

// seamless fails unless the track begins with a group and has no hole from there; min is how many objects there must be.
func (r *recorder) seamless(track string, min int) {
	r.t.Helper()
	r.with(func() {
		all := r.objects[track]
		if len(all) < min {
			r.t.Errorf("%s: %d objects, want %d or more", track, len(all), min)
			return
		}
		if all[0].Object != 0 {
			r.t.Errorf("%s begins with %v", track, all[0].Location)
		}
		for i, o := range all[1:] {
			before := all[i].Location
			next := o.Location == media.Location{Group: before.Group, Object: before.Object + 1} || o.Location == media.Location{Group: before.Group + 1}
			if !next || o.Lost {
				r.t.Errorf("%s: %v (lost %v) after %v", track, o.Location, o.Lost, before)
			}
		}
	})
}

// world is a publisher and a source on a network.
type world struct {
	t    *testing.T
	net  *sim.Network
	node net.PacketConn // the publisher's
	pub  *sim.Publisher
	stop func() // ends the publisher
	cfg  subscriber.Config
}

func newWorld(t *testing.T, draft string, c sim.Config) *world {
	return newWorldOver(t, sim.Path{Latency: 10 * time.Millisecond}, draft, c)
}

func newWorldOver(t *testing.T, path sim.Path, draft string, c sim.Config) *world {
	w := &world{t: t, net: sim.NewNetwork(path)}
	t.Cleanup(w.net.Close)
	w.node = w.net.Listen()
	w.replace(c)
	w.serve()
	w.cfg = subscriber.DefaultConfig()
	w.cfg.Relays = []string{fmt.Sprintf("moqt://%s/live?draft=%s", w.node.LocalAddr(), draft)}
	w.cfg.Namespace = []string{"demo"}
	w.cfg.TLS.Fingerprint = fmt.Sprintf("%x", w.pub.Fingerprint())
	w.cfg.Packet = func() (net.PacketConn, error) { return w.net.Listen(), nil }
	return w
}

// replace makes another publisher, with the certificate of the one before. It is not served yet.
func (w *world) replace(c sim.Config) {
	w.t.Helper()
	if w.pub != nil {
		c.Certificate = w.pub.KeyPair()
	}
	p, err := sim.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.pub = p
}

// serve serves the publisher until stop is called or the test ends.
func (w *world) serve() {
	ctx, cancel := context.WithCancel(w.t.Context())
	served := make(chan error, 1)
	p, node := w.pub, w.node
	go func() { served <- p.Serve(ctx, node) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil && !errors.Is(err, sim.ErrKilled) {
			w.t.Errorf("serve: %v", err)
		}
	})
	w.t.Cleanup(w.stop)
}

// run runs a source until the test ends, and returns what Run will return.
func (w *world) run(r *recorder) <-chan error {
	w.t.Helper()
	s, err := subscriber.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	ran, result := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ran)
		result <- s.Run(ctx, r)
	}()
	w.t.Cleanup(func() { cancel(); <-ran })
	return result
}

func demo(t *testing.T, d live.Delivery) live.Broadcast {
	t.Helper()
	b, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Tracks {
		b.Tracks[i].Delivery = d
	}
	return b
}

func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// names are the tracks of the demo.
func names() []string { return []string{"video-360", "video-270", "video-180", "audio-en", "audio-sv"} }

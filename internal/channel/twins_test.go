package channel

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// number is what the environment says, or what it is without.
func number(t *testing.T, variable string, otherwise uint64) uint64 {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// TestTwins has two instances package one broadcast, each with a disk of its own and one bucket for both, while everything that can
// go wrong does. What goes wrong, and when, follows from the seed. MOQPACK_SEEDS says how many worlds there are, MOQPACK_SEED which
// one is the first.
func TestTwins(t *testing.T) {
	first := number(t, "MOQPACK_SEED", 1)
	for seed := first; seed < first+number(t, "MOQPACK_SEEDS", 24); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("again: MOQPACK_SEED=%d MOQPACK_SEEDS=1 go test -run TestTwins ./internal/channel", seed)
				}
			})
			synctest.Test(t, func(t *testing.T) { newTwins(t, seed).run() })
		})
	}
}

// stage is a stretch of the broadcast by one publisher.
type stage struct {
	from, to time.Time
	tracks   []media.Track
	objects  []due
}

// due is an object and when it reaches those who are near.
type due struct {
	at    time.Time
	track string
	media.Object
}

// stretch is a time in which something is wrong.
type stretch struct{ from, to time.Time }

func (s stretch) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// twins is a bubble with a broadcast, a bucket and two instances.
type twins struct {
	t      *testing.T
	seed   uint64
	stages []stage
	end    time.Time
	outage stretch // of the bucket, for both
	bucket *vault
	names  *names

	rng *rand.Rand // of whoever makes the world

	wg   sync.WaitGroup
	both [2]*twin
}

// twin is one instance through its lives.
type twin struct {
	*twins
	name   string
	delay  time.Duration // of its network
	disk   *storage.Memory
	kills  []time.Time     // when it dies
	rests  []time.Duration // how long it is dead then
	losses map[string][]stretch
	life   atomic.Pointer[life]
	log    *logbook
}

// life is an instance from a start to a kill.
type life struct {
	*Channel
	number int
	dead   atomic.Bool
	memory *storage.Memory

	mu      sync.Mutex // guards what follows
	count   map[string]int
	trouble time.Time // when the bucket failed last
}

// troubled reports whether the bucket failed not longer ago than that.
func (l *life) troubled(ago time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.trouble) < ago
}

func newTwins(t *testing.T, seed uint64) *twins {
	w := &twins{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), names: newNames(t)}
	time.Sleep(time.Duration(w.rng.Int64N(int64(time.Hour)))) // anywhere in a slot
	w.stages = w.script()
	w.end = w.stages[len(w.stages)-1].to
	w.bucket = &vault{Memory: storage.NewMemory(0), names: w.names, documents: true}
	begun := time.Now()
	if w.rng.IntN(2) == 0 {
		// Away from where epochs begin: what instances do that cannot reach the bucket then is theirs alone.
		from := begun.Add(8*time.Second + time.Duration(w.rng.IntN(4000))*time.Millisecond)
		w.outage = stretch{from, from.Add(time.Duration(2+w.rng.IntN(10)) * time.Second)}
	}
	for i := range w.both {
		w.both[i] = w.newTwin(i, begun)
	}
	return w
}

func (w *twins) newTwin(i int, begun time.Time) *twin {
	x := &twin{
		twins: w, name: string(rune('a' + i)), delay: time.Duration(1+w.rng.IntN(200)) * time.Millisecond,
		disk: storage.NewMemory(0), losses: map[string][]stretch{}, log: &logbook{},
	}
	length := w.end.Sub(begun)
	for range w.rng.IntN(3) {
		x.kills = append(x.kills, begun.Add(2*time.Second+time.Duration(w.rng.Int64N(int64(length-20*time.Second)))))
	}
	// Whoever starts while there is no bucket cannot know what others have begun.
	x.kills = slices.DeleteFunc(x.kills, func(t time.Time) bool {
		return stretch{w.outage.from.Add(-8 * time.Second), w.outage.to}.has(t)
	})
	for range x.kills {
		x.rests = append(x.rests, time.Duration(w.rng.IntN(3000))*time.Millisecond)
	}
	slices.SortFunc(x.kills, time.Time.Compare)
	for _, track := range w.stages[0].tracks {
		for range w.rng.IntN(3) {
			// Not the very end, after which nothing comes that could tell of a loss.
			from := begun.Add(time.Duration(w.rng.Int64N(int64(length - 5*time.Second))))
			x.losses[track.Name] = append(x.losses[track.Name], stretch{from, from.Add(time.Duration(w.rng.Int64N(int64(3 * time.Second))))})
		}
	}
	return x
}

// script is the broadcast: up to three publishers in turn, each on a time base of its own or on that of Unix.
func (w *twins) script() (all []stage) {
	at := time.Now()
	near := rand.New(rand.NewPCG(w.seed, 3))
	for i := range 1 + w.rng.IntN(3) {
		b := of(w.t, [...]string{"hevc-25.mp4", "av1-25.mp4"}[w.rng.IntN(2)], "opus-48000.mp4")
		for j := range b.Tracks {
			b.Tracks[j].Name = [...]string{"v", "a"}[j]
			b.Tracks[j].Packing.Frames = [...]int{5, 10}[j]
		}
		if w.rng.IntN(2) == 0 {
			// Now and then so near to the one before that it could be of the same time base.
			b.Epoch = at.Add(-time.Duration(5*i*near.IntN(2))*time.Minute - time.Duration(w.rng.Int64N(int64(time.Minute))))
		}
		if i > 0 {
			at = at.Add(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
		}
		to := at.Add(time.Duration(26+w.rng.IntN(14)) * time.Second)
		all = append(all, w.stage(b, at, to))
		at = to
	}
	return all
}

func (w *twins) stage(b live.Broadcast, from, to time.Time) stage {
	opened, err := live.Open(b)
	if err != nil {
		w.t.Fatal(err)
	}
	s := stage{from: from, to: to}
	for _, src := range opened.Sources() {
		track := media.Track{
			Namespace: []string{"demo"}, Name: src.Name, Kind: src.Clip.Kind, Packaging: media.CMAF, Codec: src.Clip.Codec, Init: src.Init(),
			Width: src.Clip.Width, Height: src.Clip.Height, Bitrate: src.Clip.Bitrate, MaxGroupDuration: time.Second,
		}
		s.tracks = append(s.tracks, track)
		l, _ := src.Largest(from)
		for l.Object = 0; src.Due(l).Before(to); l = src.Next(l) {
			payload, err := src.Payload(l)
			if err != nil {
				w.t.Fatal(err)
			}
			s.objects = append(s.objects, due{src.Due(l), src.Name, media.Object{Location: l, Payload: payload}})
		}
	}
	slices.SortStableFunc(s.objects, func(a, b due) int { return a.at.Compare(b.at) })
	return s
}

// run lets the twins live, and looks at what they say as a viewer who asks now the one and now the other.
func (w *twins) run() {
	ctx, stop := context.WithCancel(w.t.Context())
	defer w.wg.Wait()
	defer stop()
	for _, x := range w.both {
		w.wg.Go(func() { x.live(ctx) })
	}
	v := newViewer(w)
	over := w.end.Add(45 * time.Second) // heads are read every half minute
	for time.Now().Before(over) {
		time.Sleep(700 * time.Millisecond)
		v.look(w.both[w.rng.IntN(2)])
		for _, x := range w.both {
			w.names.look(x)
		}
	}
	v.finish()
	w.compare()
	if w.t.Failed() {
		w.tell()
	}
}

// tell is for whoever looks for the cause.
func (w *twins) tell() {
	for i, s := range w.stages {
		w.t.Logf("publisher %d from %v to %v: first object %v", i, s.from.UTC(), s.to.UTC(), s.objects[0].Location)
	}
	w.t.Logf("no bucket from %v to %v", w.outage.from.UTC(), w.outage.to.UTC())
	for _, x := range w.both {
		w.t.Logf("instance %s: delay %v, kills %v, losses %v\n%s", x.name, x.delay, x.kills, x.losses, strings.Join(x.log.lines(""), ""))
	}
}

// live is one life after the other, until ctx ends.
func (x *twin) live(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		lctx, cancel := context.WithCancel(ctx)
		l := x.start(i)
		x.life.Store(l)
		var kill <-chan time.Time
		if i < len(x.kills) {
			kill = time.After(time.Until(x.kills[i]))
		}
		done := make(chan error, 1)
		x.wg.Go(func() { done <- l.run(lctx, func(ctx context.Context) error { return x.feed(ctx, l) }) })
		select {
		case <-kill:
			l.dead.Store(true) // nothing that it does from now on reaches a store
			x.life.Store(nil)
		case <-ctx.Done():
		}
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			x.t.Errorf("instance %s: %v", x.name, err)
		}
		if ctx.Err() == nil {
			time.Sleep(x.rests[i])
		}
	}
}

func (x *twin) start(i int) *life {
	l := &life{number: i, memory: storage.NewMemory(0), count: map[string]int{}}
	cfg := segmenter.DefaultConfig()
	cfg.Window = 4
	c, err := New(Config{
		Name: "demo", Segmenter: cfg, Memory: l.memory, Stale: 6 * time.Second, Incomplete: true, Logger: slog.New(slog.NewTextHandler(x.log, nil)).With("life", x.name),
		Disk: &storagetest.Faulty{Store: &vault{Memory: x.disk, names: x.names}, Plan: func(op storagetest.Op, key string) storagetest.Fault {
			return x.diskFault(l, op, key)
		}},
		S3: &storagetest.Faulty{Store: x.bucket, Plan: func(op storagetest.Op, key string) storagetest.Fault {
			return x.bucketFault(l, op, key)
		}},
		Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		x.t.Fatal(err)
	}
	l.Channel = c
	return l
}

// feed is what the relay delivers to an instance from now on.
func (x *twin) feed(ctx context.Context, l *life) error {
	joined := time.Now()
	lost := map[string]bool{}
	for _, s := range x.stages {
		if !joined.Before(s.to) {
			continue
		}
		if err := until(ctx, s.from.Add(x.delay)); err != nil {
			return err
		}
		if _, err := l.Catalog(ctx, &catalog.Catalog{Tracks: s.tracks}); err != nil {
			return err
		}
		for _, o := range s.objects {
			if o.at.Before(joined.Add(-time.Second)) {
				continue
			}
			if err := until(ctx, o.at.Add(x.delay)); err != nil {
				return err
			}
			if slices.ContainsFunc(x.losses[o.track], func(s stretch) bool { return s.has(o.at) }) {
				lost[o.track] = true
				continue
			}
			o.Lost, lost[o.track] = lost[o.track], false
			if err := l.Object(ctx, o.track, o.Object); err != nil {
				return err
			}
		}
	}
	return until(ctx, x.end.Add(x.delay+100*time.Millisecond))
}

func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errDead, errTrouble = errors.New("the process is dead"), errors.New("trouble")

// diskFault: a disk works until its machine does not.
func (x *twin) diskFault(l *life, op storagetest.Op, key string) storagetest.Fault {
	if l.dead.Load() {
		return storagetest.Fault{Before: errDead}
	}
	return storagetest.Fault{Delay: time.Duration(x.draw(l, "disk", op, key).IntN(5)) * time.Millisecond}
}

// bucketFault: a bucket is slow, fails now and then, before or after the deed, and is away for a while.
func (x *twin) bucketFault(l *life, op storagetest.Op, key string) storagetest.Fault {
	switch {
	case l.dead.Load():
		return storagetest.Fault{Before: errDead}
	case x.outage.has(time.Now()):
		return storagetest.Fault{Delay: 100 * time.Millisecond, Before: errTrouble}
	}
	rng := x.draw(l, "bucket", op, key)
	f := storagetest.Fault{Delay: time.Duration(1+rng.IntN(60)) * time.Millisecond}
	switch rng.IntN(20) {
	case 0:
		f.Before = errTrouble
	case 1:
		f.After = errTrouble
	case 2:
		f.Delay += time.Second
	}
	if strings.HasSuffix(key, "/plan.json") || strings.Contains(key, "/epoch-") {
		f.Delay %= time.Second // who cannot claim in time goes on alone
	}
	if f.Before != nil || f.After != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.trouble = time.Now()
	}
	return f
}

// draw is for one operation: it does not depend on the order in which goroutines come.
func (x *twin) draw(l *life, store string, op storagetest.Op, key string) *rand.Rand {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := fmt.Sprint(x.name, store, l.number, op, key)
	l.count[id]++
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, id, l.count[id]) // a hash cannot fail
	return rand.New(rand.NewPCG(x.seed, h.Sum64()))
}

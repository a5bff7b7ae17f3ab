package channel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/s3"
	"github.com/moqpack/moqpack/storage/storagetest"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// measured is the track whose parts are timed.
const measured = "video-360"

// feeder hands one broadcast, in real time, to several channels, and knows from a segmenter of its own which object completes a
// part: all segmenters cut alike.
type feeder struct {
	tb      testing.TB
	cfg     segmenter.Config
	on      *live.Broadcast
	at      map[string]media.Location // of the next object, by track
	oracle  *segmenter.Segmenter
	lines   []*liveLine
	turn    int // which line is first; it goes round so that none is always served with a warm cache
	stopped chan struct{}
}

// liveLine is a channel, its origin, and how long its parts took.
type liveLine struct {
	name    string
	channel *Channel
	origin  http.Handler
	trouble atomic.Pointer[storagetest.Fault] // of its troubled stores; nil: none
	met     atomic.Int64                      // operations that met it
	answer  chan time.Time                    // when the request under way was answered; nil: none is
	took    []time.Duration
}

// nowhere is a sink for who only wants to know where the cuts are.
type nowhere struct{}

func (nowhere) Put(context.Context, segmenter.Media) error { return nil }

var errDown = errors.New("connection refused")

func newFeeder(tb testing.TB) *feeder {
	demo, err := live.Demo("demo")
	if err != nil {
		tb.Fatal(err)
	}
	on, err := live.Open(demo)
	if err != nil {
		tb.Fatal(err)
	}
	f := &feeder{tb: tb, cfg: segmenter.DefaultConfig(), on: on, at: map[string]media.Location{}, stopped: make(chan struct{})}
	if f.oracle, err = segmenter.New(f.cfg, nowhere{}, nil, nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { close(f.stopped) })
	return f
}

// troubled is a store that has the line's trouble.
func (l *liveLine) troubled(store storage.Durable) storage.Durable {
	return &storagetest.Faulty{Store: store, Plan: func(storagetest.Op, string) storagetest.Fault {
		if t := l.trouble.Load(); t != nil {
			l.met.Add(1)
			return *t
		}
		return storagetest.Fault{}
	}}
}

// disk is an empty one.
func (f *feeder) disk() storage.Durable {
	d, err := disk.Open(f.tb.TempDir(), 0)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { _ = d.Close() })
	return d
}

// join adds a line that is recorded in these stores; nil: not there.
func (f *feeder) join(l *liveLine, disk, bucket storage.Durable) {
	cfg := Config{
		Name: l.name, Segmenter: f.cfg, Memory: storage.NewMemory(256 << 20), Disk: disk, S3: bucket,
		Logger: slog.New(slog.DiscardHandler),
	}
	var err error
	if l.channel, err = New(cfg); err != nil {
		f.tb.Fatal(err)
	}
	s, err := server.New(server.Config{}, []server.Channel{l.channel})
	if err != nil {
		f.tb.Fatal(err)
	}
	l.origin = s.Handler()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.channel.run(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	f.tb.Cleanup(func() {
		stop()
		<-done
	})
	f.lines = append(f.lines, l)
}

// begin gives everyone the catalog.
func (f *feeder) begin() {
	text, err := f.on.Catalog(time.Now(), nil, false)
	if err != nil {
		f.tb.Fatal(err)
	}
	c, err := catalog.NewDecoder(catalog.Config{Namespace: f.on.Namespace}).Decode(media.Object{Payload: text})
	if err != nil {
		f.tb.Fatal(err)
	}
	if err := f.oracle.Catalog(f.tb.Context(), time.Now(), c.Tracks); err != nil {
		f.tb.Fatal(err)
	}
	for _, l := range f.lines {
		if _, err := l.channel.Catalog(f.tb.Context(), c); err != nil {
			f.tb.Fatal(err)
		}
	}
	for _, s := range f.on.Sources() {
		newest, _ := s.Largest(time.Now())
		f.at[s.Name] = media.Location{Group: newest.Group + 1}
	}
}

// next waits until the next object of the broadcast is due, and returns it.
func (f *feeder) next() (track string, o media.Object) {
	var first *live.Source
	for _, s := range f.on.Sources() {
		if first == nil || s.Due(f.at[s.Name]).Before(first.Due(f.at[first.Name])) {
			first = s
		}
	}
	o.Location = f.at[first.Name]
	next := first.Next(o.Location)
	f.at[first.Name], o.Last = next, next.Group != o.Group
	body, err := first.Payload(o.Location)
	if err != nil {
		f.tb.Fatal(err)
	}
	o.Payload = body
	<-time.After(time.Until(first.Due(o.Location)))
	return first.Name, o
}

// position is where the measured track is.
func (f *feeder) position() timeline.Position {
	if out := f.oracle.Output(); out != nil {
		for _, r := range out.Renditions {
			if r.Track.Name == measured {
				return r.Timeline.Load().Position()
			}
		}
	}
	return timeline.Position{}
}

// step gives everyone one object, and reports whether that completed a part of the measured track, which it has timed then.
func (f *feeder) step() bool {
	track, o := f.next()
	before := f.position()
	if err := f.oracle.Object(f.tb.Context(), time.Now(), track, o); err != nil {
		f.tb.Fatal(err)
	}
	after := f.position()
	part := before.N > 0 && (after.N == before.N && after.Parts > before.Parts || after.N > before.N && f.parts(before.N) > before.Parts)
	f.turn++
	for i := range f.lines {
		l := f.lines[(i+f.turn)%len(f.lines)]
		began := time.Now()
		if err := l.channel.Object(f.tb.Context(), track, o); err != nil {
			f.tb.Fatal(err)
		}
		if part && l.answer != nil {
			l.took = append(l.took, (<-l.answer).Sub(began))
		}
		if part {
			l.ask(f.tb.Context(), after)
		}
	}
	return part
}

// part gives everyone the objects up to the end of a part of the measured track.
func (f *feeder) part() {
	for !f.step() {
	}
}

// parts is how many parts slot n of the measured track has.
func (f *feeder) parts(n uint64) int {
	for _, r := range f.oracle.Output().Renditions {
		if s := r.Timeline.Load().Segment(n); s != nil && r.Track.Name == measured {
			return len(s.Parts)
		}
	}
	return 0
}

// ask sends what a player has under way all the time: the request for the playlist that has the next part.
func (l *liveLine) ask(ctx context.Context, next timeline.Position) {
	answer := make(chan time.Time, 1)
	url := fmt.Sprintf("/%s/%s/index.m3u8?_HLS_msn=%d&_HLS_part=%d", l.name, measured, next.N, next.Parts)
	go func() {
		w := httptest.NewRecorder()
		l.origin.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, url, nil))
		part := manifest.Name{Kind: manifest.Part, Channel: l.name, Track: measured, N: next.N, Part: next.Parts}
		p := httptest.NewRecorder()
		l.origin.ServeHTTP(p, httptest.NewRequestWithContext(ctx, http.MethodGet, "/"+part.Key(), nil))
		at := time.Now()
		if w.Code != http.StatusOK || p.Code != http.StatusOK {
			at = at.Add(time.Hour) // no number that anybody could take for one
		}
		answer <- at
	}()
	l.answer = answer
}

// BenchmarkLivePath is from the last object of a part to the viewer of the origin having the playlist that it waited for, and then
// the part: with nothing recorded, on the disk, and with an S3 server that is well, slow (each request takes half a second
// longer), away (each request fails at once) and dead (no request ever ends). All lines get the same objects in real time, in
// turns, so that what disturbs the machine disturbs all. An op is a part, 333 ms.
func BenchmarkLivePath(b *testing.B) {
	srv := s3test.Start(b, "live")
	bucket, err := s3.New(b.Context(), s3.Config{
		Bucket: "live", Endpoint: srv.Endpoint, Region: "us-east-1", PathStyle: true, AccessKey: srv.Access, SecretKey: srv.Secret,
	}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	f := newFeeder(b)
	f.join(&liveLine{name: "none"}, nil, nil)
	f.join(&liveLine{name: "disk"}, f.disk(), nil)
	for _, name := range []string{"well", "slow", "down", "dead"} {
		l := &liveLine{name: name}
		f.join(l, f.disk(), l.troubled(bucket))
	}
	f.begin()
	for range 12 { // two segments
		f.part()
	}
	for _, l := range f.lines {
		l.took = nil
		switch l.name {
		case "slow":
			l.trouble.Store(&storagetest.Fault{Delay: 500 * time.Millisecond})
		case "down":
			l.trouble.Store(&storagetest.Fault{Before: errDown})
		case "dead":
			l.trouble.Store(&storagetest.Fault{Delay: 24 * time.Hour})
		}
	}
	for b.Loop() {
		f.part()
	}
	b.StopTimer()
	f.tell(b)
}

// tell reports the distribution of every line, and its middle as a multiple of that of the first.
func (f *feeder) tell(b *testing.B) {
	base := 0.0
	for i, l := range f.lines {
		slices.Sort(l.took)
		at := func(percent int) float64 {
			return float64(l.took[min(len(l.took)*percent/100, len(l.took)-1)].Microseconds())
		}
		if i == 0 {
			base = at(50)
		}
		b.ReportMetric(at(50), l.name+"-p50-µs")
		b.ReportMetric(at(99), l.name+"-p99-µs")
		b.ReportMetric(at(50)/base, l.name+"-p50/none")
	}
}

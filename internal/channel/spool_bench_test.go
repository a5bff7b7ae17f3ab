package channel

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/s3test"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/disk"
	"github.com/moqpack/moqpack/storage/s3"
)

// outage is how many slots of 2 s an S3 server is away in BenchmarkSpool: ten minutes.
const outage = 300

// spooled are the renditions of BenchmarkSpool and their bits per second: 10.2 Mbit/s in all.
var spooled = []struct {
	name string
	rate int
}{{"v1", 6_000_000}, {"v2", 3_000_000}, {"v3", 1_000_000}, {"a1", 128_000}, {"a2", 128_000}}

// reel is ten minutes of a channel, published as fast as somebody takes them.
type reel struct {
	out    *segmenter.Output
	memory *storage.Memory
	bodies map[string][]byte
	edge   uint64
}

func newReel(b *testing.B) *reel {
	r := &reel{
		memory: storage.NewMemory(0), bodies: map[string][]byte{}, edge: 897_620_400,
		out: &segmenter.Output{Plan: segmenter.Plan{
			Grid: timeline.Grid{Num: 2, Den: 1}, TargetDuration: 2, PartTarget: 334 * time.Millisecond, Window: 30, Independent: true,
		}},
	}
	for _, t := range spooled {
		track := &media.Track{Namespace: []string{"demo"}, Name: t.name, Kind: media.Video, Packaging: media.CMAF, Bitrate: int64(t.rate), AltGroup: 1}
		init := &media.Init{Kind: media.Video, Codec: "avc1.64001f", Timescale: 1000, Width: 640, Height: 360, VideoRange: "SDR", Bytes: []byte(t.name)}
		if t.name[0] == 'a' {
			track.Kind, track.AltGroup = media.Audio, 2
			init = &media.Init{Kind: media.Audio, Codec: "mp4a.40.2", Timescale: 1000, SampleRate: 48000, Channels: 2, Bytes: []byte(t.name)}
		}
		init.Digest = storage.Digest([][]byte{init.Bytes})[:8]
		line := timeline.New(r.out.Plan.Window, 40)
		if err := line.Begin(timeline.Epoch{First: r.edge, Init: init, Frame: 40}); err != nil {
			b.Fatal(err)
		}
		r.out.Renditions = append(r.out.Renditions, segmenter.Rendition{Track: track, Timeline: line})
		r.put(b, manifest.Name{Kind: manifest.Init, Channel: "demo", Track: t.name, Digest: init.Digest}, track, init.Bytes)
		r.bodies[t.name] = make([]byte, t.rate/8*2)
	}
	return r
}

func (r *reel) put(b *testing.B, name manifest.Name, t *media.Track, body []byte) {
	blob := storage.Blob{Pieces: [][]byte{body}, ContentType: name.ContentType(t.Kind)}
	blob.Digest = storage.Digest(blob.Pieces)
	if err := r.memory.Put(context.Background(), name.Key(), blob); err != nil {
		b.Fatal(err)
	}
}

// play publishes the next slot of every rendition.
func (r *reel) play(b *testing.B) {
	for _, line := range r.out.Renditions {
		name := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: line.Track.Name, N: r.edge}
		body := r.bodies[line.Track.Name]
		copy(body, fmt.Sprint(name.Key())) // digested at once, and stored in a copy
		r.put(b, name, line.Track, append([]byte(nil), body...))
		part := timeline.Part{Start: int64(r.edge) * 2000, Dur: 2000, Size: int64(len(body)), Independent: true}
		if err := line.Timeline.Append(r.edge, 0, part); err != nil {
			b.Fatal(err)
		}
		if err := line.Timeline.Close(r.edge, timeline.Full); err != nil {
			b.Fatal(err)
		}
		if name.N -= uint64(2*r.out.Plan.Window + 2); name.N >= 897_620_400 {
			_ = r.memory.Delete(b.Context(), name.Key())
		}
	}
	r.edge++
}

// await is a segmenter's.
func (r *reel) await(ctx context.Context, old *segmenter.Output) (*segmenter.Output, error) {
	if old == nil {
		return r.out, nil
	}
	<-ctx.Done()
	return old, ctx.Err()
}

// run runs an archive of the reel until the benchmark is over.
func (r *reel) run(b *testing.B, cfg archive.Config) *archive.Archive {
	cfg.Channel = "demo"
	a := archive.New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, r.await) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return a
}

// reach waits until the archive has recorded all before slot n.
func reach(b *testing.B, a *archive.Archive, n uint64) {
	for {
		if edge, ok := a.Edge(); ok && edge >= n {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-b.Context().Done():
			b.Fatal(a.Status().Err)
		}
	}
}

// BenchmarkSpool puts ten minutes of a channel of five renditions on the disk, as fast as the disk takes them, and then from there
// into an S3 server that knows nothing of them: what an outage leaves behind. An op is both; the multiples are of real time.
func BenchmarkSpool(b *testing.B) {
	srv := s3test.Start(b, "spool")
	turn := 0
	var onDisk, onS3 time.Duration
	for b.Loop() {
		turn++
		r := newReel(b)
		d, err := disk.Open(b.TempDir(), 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = d.Close() })
		bucket, err := s3.New(b.Context(), s3.Config{
			Bucket: "spool", Prefix: fmt.Sprint(turn), Endpoint: srv.Endpoint, Region: "us-east-1", PathStyle: true,
			AccessKey: srv.Access, SecretKey: srv.Secret,
		}, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		near := r.run(b, archive.Config{Name: "disk", Store: d, Media: r.memory})
		for n := range uint64(outage) {
			r.play(b)
			if n > 20 { // the disk may be behind by as much as memory has anyway
				reach(b, near, r.edge-20)
			}
		}
		reach(b, near, r.edge)
		spooled := time.Now()
		far := r.run(b, archive.Config{Name: "s3", Store: bucket, Media: storage.NewTiers(r.memory, d), Nearer: near})
		reach(b, far, r.edge)
		onDisk, onS3 = onDisk+spooled.Sub(began), onS3+time.Since(spooled)
		if near.Status().Lost+far.Status().Lost > 0 || far.First() > r.edge-outage {
			b.Fatalf("not all of it came: %+v, %+v from %d", near.Status(), far.Status(), far.First())
		}
	}
	bytes := 0.0
	for _, t := range spooled {
		bytes += float64(t.rate) / 8 * 2 * outage
	}
	for name, took := range map[string]time.Duration{"disk": onDisk, "s3": onS3} {
		seconds := took.Seconds() / float64(turn)
		b.ReportMetric(float64(len(spooled)*outage)/seconds, name+"-segments/s")
		b.ReportMetric(bytes/1e6/seconds, name+"-MB/s")
		b.ReportMetric(outage*2/seconds, name+"-x-real-time")
	}
}

package archive

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// broadcast is a make-believe channel of one instance: timelines, and the media of the newest slots in memory. Instances that play
// the same slots have the same media.
type broadcast struct {
	t      testing.TB
	plan   segmenter.Plan
	memory *storage.Memory
	keep   uint64 // slots that stay in memory
	lines  []segmenter.Rendition
	epoch  int
	edge   uint64
	events []timeline.Event
	out    *segmenter.Output

	former  []segmenter.Rendition
	changes []segmenter.Change

	mu   sync.Mutex
	more chan struct{}       // closed when
	next *segmenter.Output   // there is one
	lost map[string][]uint64 // slots that do not come, by track
}

const begin = 897_620_400 // the first slot of most tests: 2026-11-21T06:00:00Z in segments of 2 s

func newBroadcast(t testing.TB, window int, tracks ...string) *broadcast {
	b := &broadcast{
		t: t, memory: storage.NewMemory(0), keep: uint64(2*window + 2), more: make(chan struct{}), lost: map[string][]uint64{},
		plan: segmenter.Plan{Grid: timeline.Grid{Num: 2, Den: 1}, TargetDuration: 2, PartTarget: 334 * time.Millisecond, Window: window, Independent: true},
	}
	for _, name := range tracks {
		track := &media.Track{Namespace: []string{"demo"}, Name: name, Kind: media.Video, Packaging: media.CMAF, Bitrate: 1_000_000, AltGroup: 1}
		if name[0] == 'a' {
			track.Kind, track.AltGroup = media.Audio, 2
		}
		if name[0] == 's' {
			track.Kind, track.AltGroup = media.Text, 3
		}
		b.lines = append(b.lines, segmenter.Rendition{Track: track, Timeline: timeline.New(window, 0)})
	}
	b.out = &segmenter.Output{Plan: b.plan, Renditions: b.lines}
	return b
}

func (b *broadcast) init(track *media.Track) *media.Init {
	i := &media.Init{Kind: track.Kind, Codec: "avc1.64001f", Timescale: 1000, Width: 640, Height: 360, VideoRange: "SDR"}
	if track.Kind == media.Audio {
		i = &media.Init{Kind: track.Kind, Codec: "mp4a.40.2", Timescale: 48000, SampleRate: 48000, Channels: 2}
	}
	if track.Kind == media.Text {
		return subtitleInit(b.t, fmt.Sprintf("WEBVTT %d", b.epoch))
	}
	i.Bytes = fmt.Appendf(nil, "header %d of %s", b.epoch, track.Name)
	i.Digest = storage.Digest([][]byte{i.Bytes})[:8]
	return i
}

// start opens an epoch at slot n in every rendition.
func (b *broadcast) start(n uint64) {
	for _, r := range b.lines {
		b.fill(r, n)
		init := b.init(r.Track)
		e := timeline.Epoch{Index: b.epoch, First: n, Init: init, Frame: int64(init.Timescale) / 25}
		if b.epoch > 0 {
			e.Origin = b.plan.Grid.Start(n, init.Timescale)
		}
		must(b.t, r.Timeline.Begin(e))
		name := manifest.Name{Kind: manifest.Init, Channel: "demo", Track: r.Track.Name, Digest: init.Digest}
		b.put(name, r.Track, init.Bytes)
	}
	b.epoch++
}

func (b *broadcast) fill(r segmenter.Rendition, n uint64) {
	if s := r.Timeline.Load(); !s.Empty() {
		e := s.Current()
		must(b.t, r.Timeline.Skip(n, func(n uint64) (int64, int64) {
			return b.plan.Grid.Start(n, e.Init.Timescale) - e.Origin, b.plan.Grid.Start(1, e.Init.Timescale)
		}))
	}
}

func (b *broadcast) put(name manifest.Name, t *media.Track, body []byte) {
	blob := storage.Blob{Pieces: [][]byte{body}, ContentType: name.ContentType(t.Kind)}
	blob.Digest = storage.Digest(blob.Pieces)
	must(b.t, b.memory.Put(context.Background(), name.Key(), blob))
}

// play publishes slot n in every rendition, as parts and whole, but for what is lost.
func (b *broadcast) play(n uint64) {
	for _, r := range b.lines {
		if !r.Timeline.Load().Ended {
			b.playTrack(r, n)
		}
	}
	b.edge = n + 1
}

func (b *broadcast) playTrack(r segmenter.Rendition, n uint64) {
	if slices.Contains(b.lost[r.Track.Name], n) {
		return
	}
	b.fill(r, n)
	e := r.Timeline.Load().Current()
	start := b.plan.Grid.Start(n, e.Init.Timescale) - e.Origin
	dur := b.plan.Grid.Start(1, e.Init.Timescale)
	var body []byte
	if r.Track.Kind == media.Text {
		var err error
		body, err = mux.Fragment(1, []media.Sample{{DTS: start, Dur: uint32(dur), Sync: true, Data: demux.CueSample(demux.Cue{Text: fmt.Sprint(n)})}})
		must(b.t, err)
		must(b.t, r.Timeline.Append(n, 0, timeline.Part{Start: start, Dur: dur, Size: int64(len(body)), Independent: true}))
	}
	for p := range 2 {
		if r.Track.Kind == media.Text {
			break
		}
		part := fmt.Appendf(nil, "part %d.%d of %s in %d;", n, p, r.Track.Name, e.Index)
		body = append(body, part...)
		must(b.t, r.Timeline.Append(n, p, timeline.Part{Start: start + int64(p)*dur/2, Dur: dur / 2, Size: int64(len(part)), Independent: p == 0}))
	}
	b.put(manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: n}, r.Track, body)
	must(b.t, r.Timeline.Close(n, timeline.Full))
	old := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: n - b.keep}
	must(b.t, b.memory.Delete(context.Background(), old.Key()))
}

// live plays slots from, ..., to-1, each when it is over.
func (b *broadcast) live(from, to uint64) {
	for n := from; n < to; n++ {
		time.Sleep(2 * time.Second)
		b.play(n)
	}
}

func (b *broadcast) end() {
	for _, r := range b.lines {
		must(b.t, r.Timeline.End())
	}
}

// change makes a new Output.
func (b *broadcast) change(lines []segmenter.Rendition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = lines
	b.next = &segmenter.Output{Plan: b.plan, Renditions: lines, Former: b.former, Changes: b.changes, Events: b.events}
	close(b.more)
	b.more = make(chan struct{})
}

// happen announces an event, so many milliseconds after the first slot.
func (b *broadcast) happen(ms int64, data string) {
	start := int64(begin)*2000 + ms
	e := timeline.Event{Start: start, Dur: 1000, ID: fmt.Sprintf("%x-%d", data, start), Scheme: "com.example", Data: []byte(data), Known: int64(len(b.events))}
	b.events, _ = timeline.Merge(b.events, []timeline.Event{e})
	b.change(b.lines)
}

// await is a segmenter's.
func (b *broadcast) await(ctx context.Context, old *segmenter.Output) (*segmenter.Output, error) {
	for {
		b.mu.Lock()
		out, more := b.out, b.more
		if b.next != nil {
			out = b.next
		}
		b.mu.Unlock()
		if out != old {
			return out, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return old, ctx.Err()
		}
	}
}

// documents are what an origin serves for the broadcast, by key.
func (b *broadcast) documents() map[string]string {
	p := manifest.Present("demo", &segmenter.Output{Plan: b.plan, Renditions: b.lines, Former: b.former, Changes: b.changes, Events: b.events}, 0)
	docs := map[string]string{}
	add := func(n manifest.Name, d manifest.Document, err error) {
		must(b.t, err)
		n.Channel = "demo"
		docs[n.Key()] = string(d.Body)
	}
	for _, r := range p.Renditions {
		d, err := legacy.Media(p, r.Track.Name)
		add(manifest.Name{Kind: manifest.LegacyPlaylist, Track: r.Track.Name}, d, err)
	}
	d, err := legacy.Multivariant(p)
	add(manifest.Name{Kind: manifest.LegacyMultivariant}, d, err)
	d, err = dash.Legacy(p)
	add(manifest.Name{Kind: manifest.LegacyMPD}, d, err)
	return docs
}

// bucket is a store that keeps the promises of an archive: what a document lists is there, and its live edge never goes back. plan
// says what goes wrong; Load counts as Get and Swap as Put.
type bucket struct {
	t testing.TB
	*storage.Memory
	plan func(op storagetest.Op, key string) storagetest.Fault

	mu    sync.Mutex
	edges map[string]uint64
	puts  map[string]int
	first map[string]string // the first version of each document
	gaps  int               // versions of documents that list a gap
}

func newBucket(t testing.TB) *bucket {
	return &bucket{t: t, Memory: storage.NewMemory(0), edges: map[string]uint64{}, puts: map[string]int{}, first: map[string]string{}}
}

func (b *bucket) faulty() *storagetest.Faulty {
	return &storagetest.Faulty{Store: b.Memory, Plan: func(op storagetest.Op, key string) storagetest.Fault {
		b.mu.Lock()
		defer b.mu.Unlock()
		if op == storagetest.Put {
			b.puts[key]++
		}
		if b.plan == nil {
			return storagetest.Fault{}
		}
		return b.plan(op, key)
	}}
}

func (b *bucket) Put(ctx context.Context, key string, blob storage.Blob) error {
	return b.faulty().Put(ctx, key, blob)
}

func (b *bucket) Get(ctx context.Context, key string) (storage.Blob, error) {
	return b.faulty().Get(ctx, key)
}

func (b *bucket) Load(ctx context.Context, key string) (storage.Blob, storage.Version, error) {
	if _, err := b.faulty().Get(ctx, key); err != nil {
		return storage.Blob{}, "", err
	}
	return b.Memory.Load(ctx, key)
}

// Swap is disturbed by a Put of the same key into a store that is thrown away.
func (b *bucket) Swap(ctx context.Context, key string, blob storage.Blob, old storage.Version) (v storage.Version, err error) {
	f := b.faulty()
	f.Store = &swapper{Store: b.Memory, do: func() (err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if v, err = b.Memory.Swap(ctx, key, blob, old); err == nil && !strings.HasSuffix(key, ".json") {
			b.check(key, blob)
		}
		return err
	}}
	if err := f.Put(ctx, key, blob); err != nil {
		return "", err
	}
	return v, nil
}

type swapper struct {
	storage.Store
	do func() error
}

func (s *swapper) Put(context.Context, string, storage.Blob) error { return s.do() }

// between is what stands between two texts, if anything does. Documents are checked so often that regular expressions are too slow.
func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, found := strings.Cut(text, after)
	if !found {
		return ""
	}
	return text
}

// check fails the test if the document names what is not there, or ends earlier than it did. The caller holds mu.
func (b *bucket) check(key string, blob storage.Blob) {
	text := string(slices.Concat(blob.Pieces...))
	if b.first[key] == "" {
		b.first[key] = text
	}
	if strings.Contains(text, "#EXT-X-GAP") {
		b.gaps++
	}
	var edge uint64
	dir := key[:strings.LastIndexByte(key, '/')+1]
	if strings.HasSuffix(key, ".mpd") {
		edge = b.checkMPD(key, dir, text)
	} else {
		gap := false
		for _, line := range strings.Split(text, "\n") {
			gap = gap || line == "#EXT-X-GAP"
			uri := line
			if strings.HasPrefix(line, "#") {
				uri = between(line, `URI="`, `"`)
			}
			if uri == "" {
				continue
			}
			if stem, ok := strings.CutSuffix(strings.Replace(uri, ".vtt", ".m4s", 1), ".m4s"); ok {
				n, _ := strconv.ParseUint(stem, 10, 64)
				edge = n + 1
			}
			if !gap {
				b.exists(key, dir+uri)
			}
			if !strings.HasPrefix(line, "#") {
				gap = false
			}
		}
	}
	if edge < b.edges[key] {
		b.t.Errorf("%s: the live edge went back from %d to %d", key, b.edges[key], edge)
	}
	b.edges[key] = edge
}

func (b *bucket) checkMPD(key, dir, text string) (edge uint64) {
	for rep := range strings.SplitSeq(text, "<Representation ") {
		start, init := between(rep, `startNumber="`, `"`), between(rep, `initialization="`, `"`)
		if !strings.HasPrefix(rep, `id="`) || start == "" || init == "" {
			continue
		}
		b.exists(key, dir+init)
		n, _ := strconv.ParseUint(start, 10, 64)
		for _, s := range strings.Split(rep, "<S ")[1:] {
			more, _ := strconv.ParseUint(between(between("<"+s, "<", ">"), ` r="`, `"`), 10, 64)
			n += 1 + more
		}
		edge = max(edge, n)
	}
	if edge == 0 {
		b.t.Errorf("%s lists nothing:\n%s", key, text)
	}
	return edge
}

func (b *bucket) exists(doc, key string) {
	if _, err := b.Memory.Get(context.Background(), key); err != nil {
		b.t.Errorf("%s lists %s, which is not there", doc, key)
	}
}

// documents are those in the bucket, by key.
func (b *bucket) documents() map[string]string {
	docs := map[string]string{}
	for key, err := range b.List(context.Background(), "") {
		must(b.t, err)
		if strings.HasSuffix(key, ".m3u8") || strings.HasSuffix(key, ".mpd") {
			blob, err := b.Memory.Get(context.Background(), key)
			must(b.t, err)
			docs[key] = string(slices.Concat(blob.Pieces...))
		}
	}
	return docs
}

// segments are the keys of the segments in the bucket.
func (b *bucket) segments() (keys []string) {
	for key := range b.List(context.Background(), "") {
		if strings.HasSuffix(key, ".m4s") {
			keys = append(keys, key)
		}
	}
	return keys
}

func (b *bucket) setPlan(plan func(op storagetest.Op, key string) storagetest.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plan = plan
}

// running is an archive that runs.
type running struct {
	*Archive
	cancel context.CancelFunc
	done   chan error
	log    *logbook
}

type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func start(t testing.TB, b *broadcast, cfg Config) *running {
	log := &logbook{}
	cfg.Channel, cfg.Logger = "demo", slog.New(slog.NewTextHandler(log, nil))
	if cfg.Media == nil {
		cfg.Media = b.memory
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{New(cfg), cancel, make(chan error, 1), log}
	go func() { r.done <- r.Run(ctx, b.await) }()
	t.Cleanup(cancel)
	return r
}

// stop ends the archive and waits for it.
func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	must(t, <-r.done)
}

// inBubble runs f in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// compare fails the test where documents differ.
func compare(t testing.TB, want, got map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if diff := cmp.Diff(strings.Split(want[key], "\n"), strings.Split(got[key], "\n")); diff != "" {
			t.Errorf("%s, -want +got:\n%s", key, diff)
		}
	}
}

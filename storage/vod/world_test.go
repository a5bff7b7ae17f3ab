package vod_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/storage/vod"
)

// begin is when the broadcasts of the tests begin, in the middle of a slot of 2 s: 2026-11-21T10:00:00.7Z in nanoseconds.
const begin = 1795255200_700_000_000

// world is a store with the recording of a broadcast, and what was sent.
type world struct {
	t       testing.TB
	store   *storage.Memory
	sources []*live.Source
	from    int64 // nanoseconds
	entries map[string][]archive.Entry
	head    archive.Head
}

// broadcast records so many seconds of the demo's broadcast as channel "demo".
func broadcast(t testing.TB, seconds int) *world {
	t.Helper()
	demo, err := live.Demo("demo")
	if err != nil {
		t.Fatal(err)
	}
	return record(t, seconds, demo)
}

// reordered is a broadcast of 30000/1001 frames per second that are not decoded in the order in which they are shown, and of sound
// at another odd rate.
func reordered(t testing.TB) live.Broadcast {
	t.Helper()
	b := live.Broadcast{Namespace: []string{"demo"}}
	for name, file := range map[string]string{"v": "h264-2997.mp4", "a": "aac-44100.mp4"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/cmaf", file))
		if err != nil {
			t.Fatal(err)
		}
		clip, err := live.Load(data)
		if err != nil {
			t.Fatal(err)
		}
		b.Tracks = append(b.Tracks, live.Track{Name: name, Clip: clip})
	}
	return b
}

// record records so many seconds of a broadcast as channel "demo".
func record(t testing.TB, seconds int, broadcast live.Broadcast) *world {
	t.Helper()
	b, err := live.Open(broadcast)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: storage.NewMemory(0), sources: b.Sources(), from: begin, entries: map[string][]archive.Entry{}}
	cfg := segmenter.DefaultConfig()
	cfg.Window = seconds
	hot := storage.NewHot(w.store, "demo", seconds, nil)
	s, err := segmenter.New(cfg, hot, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Catalog(t.Context(), time.Unix(0, w.from), w.tracks()); err != nil {
		t.Fatal(err)
	}
	for _, o := range w.objects(seconds) {
		if err := s.Object(t.Context(), o.at, o.track, o.Object); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.take(s.Output())
	w.save()
	return w
}

func (w *world) tracks() []media.Track {
	var tracks []media.Track
	for _, s := range w.sources {
		tracks = append(tracks, media.Track{
			Namespace: []string{"demo"}, Name: s.Name, Kind: s.Clip.Kind, Packaging: media.CMAF, Init: s.Init(),
			Bitrate: s.Clip.Bitrate, Language: s.Language, MaxGroupDuration: time.Duration(int64(s.Clip.Group) * int64(time.Second) / int64(s.Clip.Timescale)),
		})
	}
	return tracks
}

type object struct {
	track string
	at    time.Time
	media.Object
}

// objects are those that are due within so many seconds, in the order of time.
func (w *world) objects(seconds int) []object {
	var all []object
	for _, s := range w.sources {
		l, _ := s.Largest(time.Unix(0, w.from))
		for l = s.Next(l); s.Due(l).UnixNano() <= w.from+int64(seconds)*1e9; l = s.Next(l) {
			payload, err := s.Payload(l)
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, object{s.Name, s.Due(l), media.Object{Location: l, Payload: payload, Last: !s.Has(media.Location{Group: l.Group, Object: l.Object + 1})}})
		}
	}
	slices.SortStableFunc(all, func(a, b object) int { return a.at.Compare(b.at) })
	return all
}

// take makes the entries of a record of what was published.
func (w *world) take(out *segmenter.Output) {
	w.head = archive.Head{Format: 1, Plan: out.Plan}
	for _, r := range out.Renditions {
		s := r.Timeline.Load()
		w.head.Tracks = append(w.head.Tracks, archive.Track{Track: *r.Track, Epochs: s.Epochs, Ended: true})
		for _, e := range s.Segments {
			entry := archive.Entry{Segment: e}
			if e.State == timeline.Full {
				entry.Digest = storage.Digest(w.get(manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: e.N}.Key()))
			}
			w.entries[r.Track.Name] = append(w.entries[r.Track.Name], entry)
		}
	}
}

func (w *world) get(key string) [][]byte {
	w.t.Helper()
	b, err := w.store.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return b.Pieces
}

// save writes the record.
func (w *world) save() {
	w.t.Helper()
	chunks := map[uint64]*archive.Chunk{}
	for track, entries := range w.entries {
		for _, e := range entries {
			from := e.N - e.N%256
			if chunks[from] == nil {
				chunks[from] = &archive.Chunk{From: from, Tracks: map[string][]archive.Entry{}}
			}
			chunks[from].Tracks[track] = append(chunks[from].Tracks[track], e)
		}
	}
	w.write(manifest.PrivateKey("demo", "record.json"), w.head)
	for from, c := range chunks {
		w.write(manifest.PrivateKey("demo", fmt.Sprintf("record-%d.json", from)), c)
	}
}

func (w *world) write(key string, v any) {
	w.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	_, version, _ := w.store.Load(w.t.Context(), key)
	if _, err := w.store.Swap(w.t.Context(), key, storage.Blob{Pieces: [][]byte{body}, ContentType: "application/json"}, version); err != nil {
		w.t.Fatal(err)
	}
}

// lose makes gaps of the segments of the track, counted from its first.
func (w *world) lose(track string, segments ...int) {
	for _, i := range segments {
		e := &w.entries[track][i]
		e.State, e.Digest, e.Size = timeline.Gap, "", 0
	}
	w.save()
}

func (w *world) open() *vod.Recording {
	w.t.Helper()
	r, err := vod.Open(w.t.Context(), w.store, "demo")
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// cutOut is the range between two times as people write them.
func (w *world) cutOut(r *vod.Recording, start, end string) vod.Range {
	w.t.Helper()
	from, err := vod.ParseWhen(start)
	if err != nil {
		w.t.Fatal(err)
	}
	to, err := vod.ParseWhen(end)
	if err != nil {
		w.t.Fatal(err)
	}
	g, err := r.Range(from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// frame is a frame of a broadcast.
type frame struct {
	pts, dur int64 // ticks of Unix time
	size     int
}

// sent are the frames of the track that are recorded, in the order of time.
func (w *world) sent(track string) (frames []frame, scale int64) {
	w.t.Helper()
	for _, s := range w.sources {
		if s.Name != track {
			continue
		}
		c := demuxer(w.t, s.Init())
		var samples []media.Sample
		for _, e := range w.entries[track] {
			if e.State != timeline.Full {
				continue
			}
			var body []byte
			for _, p := range w.get(manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: track, N: e.N}.Key()) {
				body = append(body, p...)
			}
			var err error
			if samples, err = c.Samples(samples, body); err != nil {
				w.t.Fatal(err)
			}
		}
		for _, m := range samples {
			frames = append(frames, frame{m.PTS(), int64(m.Dur), len(m.Data)})
		}
		slices.SortFunc(frames, func(a, b frame) int { return cmp.Compare(a.pts, b.pts) })
		return frames, int64(s.Clip.Timescale)
	}
	w.t.Fatalf("no track %q", track)
	return nil, 0
}

package channel

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
)

// names are all under which anything was ever published, anywhere, with the digest of the one content that there may be.
type names struct {
	t *testing.T

	mu   sync.Mutex // guards what follows
	of   map[string]string
	seen map[*life]map[string]bool
}

func newNames(t *testing.T) *names {
	return &names{t: t, of: map[string]string{}, seen: map[*life]map[string]bool{}}
}

// put files a content and fails if there was another one.
func (n *names) put(where, key string, b storage.Blob) {
	if name, err := manifest.Parse(key); err != nil || name.Kind != manifest.Init && name.Kind != manifest.Segment && name.Kind != manifest.Part {
		return // claims and books are no media
	}
	digest := storage.Digest(b.Pieces)
	n.mu.Lock()
	defer n.mu.Unlock()
	if old, ok := n.of[key]; ok && old != digest {
		n.t.Errorf("%v: %s has two contents: %s in %s, %s before", time.Now().UTC(), key, digest, where, old)
	}
	n.of[key] = digest
}

// look files what is new in an instance's memory.
func (n *names) look(x *twin) {
	l := x.life.Load()
	if l == nil {
		return
	}
	if n.seen[l] == nil {
		n.seen[l] = map[string]bool{}
	}
	for key := range l.memory.List(context.Background(), "") {
		if n.seen[l][key] {
			continue
		}
		if b, err := l.memory.Get(context.Background(), key); err == nil {
			n.seen[l][key] = true
			n.put("the memory of "+x.name, key, b)
		}
	}
}

// vault is a durable store that looks at what is put into it.
type vault struct {
	*storage.Memory
	names     *names
	documents bool // hold documents to their promises

	mu   sync.Mutex
	last map[string]playlist // by key
}

func (v *vault) Put(ctx context.Context, key string, b storage.Blob) error {
	v.names.put("a store", key, b)
	return v.Memory.Put(ctx, key, b)
}

// Swap checks that playlists name only what is there, and that none of their numbers goes back.
func (v *vault) Swap(ctx context.Context, key string, b storage.Blob, old storage.Version) (storage.Version, error) {
	if !v.documents || !strings.HasSuffix(key, "/legacy.m3u8") || strings.Count(key, "/") != 2 {
		return v.Memory.Swap(ctx, key, b, old)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	version, err := v.Memory.Swap(ctx, key, b, old)
	if err != nil {
		return version, err
	}
	p := parse(v.names.t, string(slices.Concat(b.Pieces...)))
	for _, s := range p.segments {
		if name := strings.TrimSuffix(key, "legacy.m3u8") + s.uri; !s.gap {
			if _, err := v.Get(context.WithoutCancel(ctx), name); err != nil {
				v.names.t.Errorf("%s lists %s, which is not there", key, name)
			}
		}
	}
	if before, ok := v.last[key]; ok && (p.first < before.first || p.edge() < before.edge() || p.discontinuities < before.discontinuities || before.ended && !p.ended && p.edge() == before.edge()) {
		v.names.t.Errorf("%s goes back from %v to %v", key, before, p)
	}
	if v.last == nil {
		v.last = map[string]playlist{}
	}
	v.last[key] = p
	return version, nil
}

// playlist is what a viewer reads in a media playlist.
type playlist struct {
	first, discontinuities uint64
	segments               []listed
	ended                  bool
}

// listed is a segment in a playlist.
type listed struct {
	uri, duration, date string
	discontinuity       uint64
	gap                 bool
}

// edge is the number of the segment after the last one.
func (p *playlist) edge() uint64 { return p.first + uint64(len(p.segments)) }

func parse(t *testing.T, text string) (p playlist) {
	var s listed
	number := func(v string) uint64 {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Errorf("%q: %v", v, err)
		}
		return n
	}
	var count uint64
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		tag, value, _ := strings.Cut(line, ":")
		switch {
		case tag == "#EXT-X-MEDIA-SEQUENCE":
			p.first = number(value)
		case tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
			p.discontinuities = number(value)
		case line == "#EXT-X-DISCONTINUITY":
			count++
		case line == "#EXT-X-GAP":
			s.gap = true
		case line == "#EXT-X-ENDLIST":
			p.ended = true
		case tag == "#EXT-X-PROGRAM-DATE-TIME":
			s.date = value
		case tag == "#EXTINF":
			s.duration = value
		case line != "" && line[0] != '#':
			s.uri, s.discontinuity = line, p.discontinuities+count
			if want := strconv.FormatUint(p.edge(), 10) + ".m4s"; line != want {
				t.Errorf("segment %s stands where %s should:\n%s", line, want, text)
			}
			p.segments = append(p.segments, s)
			s = listed{}
		}
	}
	return p
}

// viewer reads playlists, now of one instance and then of the other.
type viewer struct {
	*twins
	known map[string]map[uint64]listed // by track and number
	last  map[string]playlist          // by track
	looks int
	worst uint64 // by how many segments the live edge was behind what was seen before
}

func newViewer(w *twins) *viewer {
	return &viewer{twins: w, known: map[string]map[uint64]listed{}, last: map[string]playlist{}}
}

// back is by how many segments a playlist may be older than one that the viewer has seen: an instance says that it is stale after
// three target durations, when it has looked into the bucket, and segments may just be coming.
const back = 6

func (v *viewer) look(x *twin) {
	l := x.life.Load()
	if l == nil || l.Output() == nil || l.Doubt() != "" {
		return
	}
	if now := time.Now(); now.After(v.outage.from) && now.Before(v.outage.to.Add(15*time.Second)) || l.troubled(3*time.Second) {
		clear(v.last) // whoever cannot read the bucket cannot know that the other one has more
	}
	p := manifest.Present("demo", l.Output(), l.From())
	for _, r := range p.Renditions {
		doc, err := hls.Media(p, r.Track.Name, hls.Options{})
		if err != nil {
			continue // nothing yet
		}
		v.read(x, l, r.Track.Name, parse(v.t, string(doc.Body)))
	}
}

func (v *viewer) read(x *twin, l *life, track string, p playlist) {
	v.looks++
	if v.known[track] == nil {
		v.known[track] = map[uint64]listed{}
	}
	for i, s := range p.segments {
		n := p.first + uint64(i)
		if old, ok := v.known[track][n]; ok {
			// Where a publisher is replaced within a slot, one instance may have the old one's gap and the other the new one's segment.
			if !old.gap && !s.gap && (old.discontinuity != s.discontinuity || old.duration != s.duration || old.date != s.date) {
				v.t.Errorf("%v: %s of instance %s says of %d %+v, but it was %+v", time.Now().UTC(), track, x.name, n, s, old)
			}
			if s.gap {
				continue
			}
		}
		v.known[track][n] = s
		if !s.gap && !v.somewhere(x, l, "demo/"+track+"/"+s.uri) {
			v.t.Errorf("%v: %s of instance %s lists %s, which is nowhere", time.Now().UTC(), track, x.name, s.uri)
		}
	}
	if old, ok := v.last[track]; ok {
		if old.edge() > p.edge() {
			v.worst = max(v.worst, old.edge()-p.edge())
		}
		if old.edge() > p.edge()+back || old.first > p.first+back {
			v.t.Errorf("%v: %s goes back from %d-%d to %d-%d at instance %s", time.Now().UTC(), track, old.first, old.edge(), p.first, p.edge(), x.name)
		}
	}
	v.last[track] = p
}

// somewhere reports whether an instance can serve the key.
func (v *viewer) somewhere(x *twin, l *life, key string) bool {
	for _, s := range []*storage.Memory{l.memory, x.disk, v.bucket.Memory} {
		if _, err := s.Get(context.Background(), key); err == nil {
			return true
		}
	}
	return false
}

// finish checks that there was something to see.
func (v *viewer) finish() {
	if v.looks < 50 {
		v.t.Errorf("the viewer saw %d playlists", v.looks)
	}
}

// compare holds what the archives have against each other, and what the instances say at the end.
func (w *twins) compare() {
	bucket := w.entries(w.bucket.Memory)
	union := map[string]map[uint64]archive.Entry{}
	for _, x := range w.both {
		for track, entries := range w.entries(x.disk) {
			for n, e := range entries {
				if e.State != timeline.Full {
					continue
				}
				if union[track] == nil {
					union[track] = map[uint64]archive.Entry{}
				}
				union[track][n] = e
				if n < first(bucket[track]) {
					continue // the record in the bucket begins later, and a record does not grow backwards
				}
				if b, ok := bucket[track][n]; !ok || b.State != timeline.Full || b.Digest != e.Digest || b.Epoch != e.Epoch || b.Start != e.Start || b.Dur != e.Dur {
					w.t.Errorf("%s %d is on the disk of %s as %+v, in the bucket as %+v", track, n, x.name, e, b)
				}
			}
		}
	}
	for track, entries := range bucket {
		for n, e := range entries {
			if e.State != timeline.Full {
				continue
			}
			name := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: track, N: n}
			if b, err := w.bucket.Get(context.Background(), name.Key()); err != nil || storage.Digest(b.Pieces) != e.Digest {
				w.t.Errorf("%s is in the record and not in the bucket: %v", name.Key(), err)
			}
		}
		if len(union[track]) < 5 {
			w.t.Errorf("only %d segments of %s were recorded", len(union[track]), track)
		}
	}
	for key, p := range w.bucket.last {
		if !p.ended {
			w.t.Errorf("%s has no end", key)
		}
	}
}

// first is the lowest number of entries.
func first(entries map[uint64]archive.Entry) uint64 {
	return slices.Min(append(slices.Collect(maps.Keys(entries)), math.MaxUint64))
}

// entries are what the record in a store says, by track and number.
func (w *twins) entries(s *storage.Memory) map[string]map[uint64]archive.Entry {
	a := archive.New(archive.Config{Name: "test", Channel: "demo", Store: s, Media: s})
	all := map[string]map[uint64]archive.Entry{}
	begun := uint64(w.stages[0].from.Unix()) / 2
	for _, track := range []string{"v", "a"} {
		all[track] = map[uint64]archive.Entry{}
		entries, err := a.Segments(context.Background(), track, begun-1000, begun+1000)
		if err != nil {
			w.t.Error(err)
		}
		for _, e := range entries {
			all[track][e.N] = e
		}
	}
	return all
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// vault is a store that fails the test when something is deleted that a document in it lists.
type vault struct {
	*bucket
}

func (v *vault) Delete(ctx context.Context, keys ...string) error {
	docs := v.documents()
	for _, key := range keys {
		for doc, text := range docs {
			if lists(doc, text, key) {
				v.t.Errorf("%s is deleted, which %s lists", key, doc)
			}
		}
	}
	return v.Memory.Delete(ctx, keys...)
}

// lists reports whether a document names the segment or header under key.
func lists(doc, text, key string) bool {
	name, err := manifest.Parse(key)
	if err != nil {
		return false
	}
	of, err := manifest.Parse(doc)
	if err != nil {
		return false
	}
	switch of.Kind {
	case manifest.LegacyPlaylist:
		return of.Track == name.Track && strings.Contains(text, "\n"+name.URI(of)+"\n") ||
			of.Track == name.Track && name.Kind == manifest.Init && strings.Contains(text, name.URI(of))
	case manifest.LegacyMPD:
		if name.Kind == manifest.Init {
			return strings.Contains(text, name.URI(of))
		}
		return name.N >= least(text, `startNumber="`, '"')
	}
	return false
}

func keeperOf(store storage.Durable, channel string, retain Retain) (*Keeper, *logbook) {
	log := &logbook{}
	return NewKeeper(KeeperConfig{
		Name: "disk", Channel: channel, Store: store, Retain: retain, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), log
}

// chunksIn are the chunks of channel c that are in the store, and how many segments they and other segments there have.
func chunksIn(t testing.TB, store storage.Store, channel string) (froms []uint64, segments map[uint64]int) {
	t.Helper()
	segments = map[uint64]int{}
	for key, err := range store.List(context.Background(), channel+"/") {
		must(t, err)
		if n, ok := numbered(key, manifest.PrivateKey(channel, "record-")); ok {
			froms = append(froms, n)
		}
		if name, err := manifest.Parse(key); err == nil && name.Kind == manifest.Segment {
			segments[chunkOf(name.N)]++
		}
	}
	slices.Sort(froms)
	return froms, segments
}

// An archive, two keepers and a broadcast of half an hour: what is too old goes, and nothing that is listed.
func TestRetentionFollowsABroadcast(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := &vault{newBucket(t)}
		b := newBroadcast(t, 30, "v", "a")
		b.start(begin)
		a := start(t, b, Config{Name: "disk", Store: v})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			k, _ := keeperOf(v, "demo", Retain{Age: 10 * time.Minute})
			wg.Go(func() { k.Run(ctx) })
		}
		b.live(begin, begin+900)
		time.Sleep(3 * time.Minute)
		cancel()
		wg.Wait()
		a.stop(t)
		froms, segments := chunksIn(t, v, "demo")
		first := chunkOf(begin + 900 - 300)
		if froms[0] != first || a.First() != first {
			t.Errorf("the oldest chunk is %d, the first slot %d, want %d", froms[0], a.First(), first)
		}
		if len(segments) != len(froms) || segments[first] != 2*chunkSlots {
			t.Errorf("there are %v segments for the chunks %v", segments, froms)
		}
	})
}

// What the documents of an archive list does not matter for its retention in the following tests: they have these.
func (r *recording) documents(first uint64, tracks ...string) {
	r.t.Helper()
	for _, track := range tracks {
		r.document(manifest.Name{Kind: manifest.LegacyPlaylist, Channel: "c", Track: track}, fmt.Sprintf("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:%d\n", first))
	}
	r.document(manifest.Name{Kind: manifest.LegacyMPD, Channel: "c"}, fmt.Sprintf(`<MPD><SegmentTemplate startNumber="%d"/></MPD>`, first))
}

func (r *recording) document(n manifest.Name, text string) {
	r.t.Helper()
	_, v, err := r.store.Load(r.t.Context(), n.Key())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		r.t.Fatal(err)
	}
	_, err = r.store.Swap(r.t.Context(), n.Key(), storage.Blob{Pieces: [][]byte{[]byte(text)}}, v)
	must(r.t, err)
}

// media puts the segments of slots and the headers of epochs.
func (r *recording) media(track string, from, to uint64, epochs ...timeline.Epoch) {
	r.t.Helper()
	for n := from; n < to; n++ {
		must(r.t, r.store.Put(r.t.Context(), manifest.Name{Kind: manifest.Segment, Channel: "c", Track: track, N: n}.Key(), content(n)))
	}
	for _, e := range epochs {
		must(r.t, r.store.Put(r.t.Context(), initKey("c", track, e.Init.Digest), content(uint64(e.Index))))
	}
}

// hour is a recording of 1,800 slots from slot 0 on, with an epoch for every 600, whose documents list the last 30.
func hour(t testing.TB) *recording { return recordedSlots(t, 600, "v", "a") }

// recordedSlots has three epochs of some slots each.
func recordedSlots(t testing.TB, slots uint64, tracks ...string) *recording {
	r := newRecording(t, storage.NewMemory(0))
	epochs := []timeline.Epoch{epochOf(0, 0), epochOf(1, slots), epochOf(2, 2*slots)}
	r.head(planOf2s(30), epochs, tracks...)
	for _, track := range tracks {
		for i, e := range epochs {
			r.add(track, fulls(e.First, e.First+slots, i)...)
		}
		r.media(track, 0, 3*slots, epochs...)
	}
	r.documents(3*slots-30, tracks...)
	return r
}

// passes lets a keeper do all that it would in half an hour.
func passes(t testing.TB, k *Keeper) {
	t.Helper()
	for range 4 {
		_, err := k.pass(t.Context(), false)
		must(t, err)
		time.Sleep(10 * time.Minute)
	}
}

func (r *recording) first() uint64 {
	r.t.Helper()
	h, _, err := r.books.head(r.t.Context())
	must(r.t, err)
	return h.First
}

func TestRetentionKeepsWhatItMust(t *testing.T) {
	const minutes = 30 // slots
	slot := 2 * (content(1000).Size())
	for _, tt := range []struct {
		name   string
		retain Retain
		want   uint64 // the first chunk that is kept
	}{
		{"everything without bounds", Retain{}, 0},
		{"what is not too old", Retain{Age: 20 * time.Minute}, chunkOf(1800 - 20*minutes)},
		{"what is older than the archive", Retain{Age: 100 * time.Hour}, 0},
		{"the live window in any case", Retain{Age: time.Second, Bytes: 1}, chunkOf(1770)},
		{"as many bytes as allowed", Retain{Bytes: slot * (1800 - 1280)}, 1280},
		{"a chunk less for a byte less", Retain{Bytes: slot*(1800-1280) - 1}, 1536},
		{"the smaller of both", Retain{Age: 20 * time.Minute, Bytes: slot * (1800 - 1280)}, 1280},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := hour(t)
				k, _ := keeperOf(r.store, "c", tt.retain)
				passes(t, k)
				froms, segments := chunksIn(t, r.store, "c")
				if froms[0] != tt.want || r.first() != tt.want || len(segments) != len(froms) || segments[tt.want] != min(512, int(3600-2*tt.want)) {
					t.Errorf("first slot %d, chunks from %d on with %v segments, want from %d on", r.first(), froms[0], segments, tt.want)
				}
			})
		})
	}
}

func TestWhatADocumentListsStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		r.documents(600, "a") // of an instance that has not heard yet; it wrote the MPD too
		k, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
		passes(t, k)
		if froms, _ := chunksIn(t, r.store, "c"); froms[0] != 512 || r.first() != 1536 {
			t.Errorf("first slot %d, oldest chunk %d", r.first(), froms[0])
		}
		r.documents(1770, "a")
		_, err := k.pass(t.Context(), false)
		must(t, err)
		time.Sleep(leastStay - time.Second)
		_, err = k.pass(t.Context(), false)
		must(t, err)
		if froms, _ := chunksIn(t, r.store, "c"); froms[0] != 512 {
			t.Error("media was deleted before the grace time was over")
		}
		time.Sleep(time.Second)
		_, err = k.pass(t.Context(), false)
		must(t, err)
		if froms, _ := chunksIn(t, r.store, "c"); froms[0] != 1536 {
			t.Errorf("oldest chunk %d after the grace time", froms[0])
		}
	})
}

// The playlist of a track that left is deleted with what it lists, but never one that viewers can find.
func TestThePlaylistOfATrackThatLeftGoes(t *testing.T) {
	for _, named := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			r := hour(t)
			key := manifest.Name{Kind: manifest.LegacyPlaylist, Channel: "c", Track: "gone"}
			r.document(key, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:10\n#EXTINF:2,\n10.m4s\n")
			overview := "#EXTM3U\nv/legacy.m3u8\n"
			if named {
				overview += "gone/legacy.m3u8\n"
			}
			r.document(manifest.Name{Kind: manifest.LegacyMultivariant, Channel: "c"}, overview)
			_, err := r.books.updateHead(t.Context(), func(h *Head) bool {
				h.Tracks = append(h.Tracks, Track{Track: h.Tracks[0].Track, Ended: true})
				h.Tracks[2].Name = "gone"
				return true
			})
			must(t, err)
			k, _ := keeperOf(r.store, "c", Retain{Age: time.Minute})
			passes(t, k)
			froms, _ := chunksIn(t, r.store, "c")
			if _, err := r.store.Get(t.Context(), key.Key()); (err == nil) != named || (froms[0] == 0) != named {
				t.Errorf("named %v: the playlist is there: %v; chunks %v", named, err == nil, froms)
			}
		})
	}
}

type pending uint64

func (p pending) Pending(n uint64) bool { return n >= uint64(p) }

func TestWhatTheFartherArchiveNeedsStaysUntilThereIsNoRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		k, log := keeperOf(r.store, "c", Retain{Age: time.Minute})
		k.cfg.Farther = pending(700)
		passes(t, k)
		if froms, _ := chunksIn(t, r.store, "c"); froms[0] != 512 {
			t.Errorf("oldest chunk %d, the farther archive needs slot 700", froms[0])
		}
		k.cfg.Retain.Bytes = 1
		passes(t, k)
		if froms, _ := chunksIn(t, r.store, "c"); froms[0] != 1536 || log.count("outgrows") != 1 {
			t.Errorf("oldest chunk %d; the log says %s", froms[0], log.text.String())
		}
	})
}

// When a Put was refused, a chunk that was not listed for the grace time goes at once, and after it another one if that was not enough;
// the live window stays.
func TestRoomIsMadeAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hour(t)
		k, log := keeperOf(r.store, "c", Retain{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		time.Sleep(leastStay)
		for i := range 8 {
			time.Sleep(time.Second)
			k.MakeRoom()
			time.Sleep(2 * passSoon)
			froms, _ := chunksIn(t, r.store, "c")
			if want := min(uint64(i+1)*chunkSlots, 1536); froms[0] != want {
				t.Errorf("after %d requests the oldest chunk is %d, want %d", i+1, froms[0], want)
			}
		}
		k.MakeRoom()
		time.Sleep(time.Second)
		if n := log.count("the store is full"); n != 1 {
			t.Errorf("%d alarms: %s", n, log.text.String())
		}
		cancel()
		wg.Wait()
	})
}

// A disk that is too small for the broadcast loses the oldest, and not what comes.
func TestAnArchiveGoesOnInAStoreThatIsFull(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := &vault{newBucket(t)}
		v.Memory = storage.NewMemory(60_000) // two chunks or three, with the record of them
		b := newBroadcast(t, 30, "v")
		b.start(begin)
		k, log := keeperOf(v, "demo", Retain{})
		a := start(t, b, Config{Name: "disk", Store: v, Full: k.MakeRoom})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		const slots = 1500
		b.live(begin, begin+slots)
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		entries, err := a.Segments(t.Context(), "v", a.First(), begin+slots)
		must(t, err)
		for i, e := range entries {
			if e.State != timeline.Full || e.N != a.First()+uint64(i) {
				t.Fatalf("slot %d is %+v", a.First()+uint64(i), e)
			}
		}
		if len(entries) < 256 || a.First() <= begin || len(entries) != int(begin+slots-a.First()) {
			t.Errorf("the archive has %d segments from slot %d on", len(entries), a.First())
		}
		if st := a.Status(); st.State != OK || st.Lost != 0 || log.count("level=ERROR") != 0 {
			t.Errorf("%+v; the log says %s", st, log.text.String())
		}
		a.stop(t)
	})
}

// Who needs room has it as soon as the documents are written, not when the head is read the next time.
func TestDocumentsFollowRetentionAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, v := newBroadcast(t, 10, "v"), &vault{newBucket(t)}
		a := start(t, b, Config{Store: v})
		b.start(begin)
		b.live(begin, begin+chunkSlots+30)
		k := NewKeeper(KeeperConfig{Channel: "demo", Store: v, Raised: a.Refresh})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		time.Sleep(time.Second)
		k.MakeRoom()
		time.Sleep(3 * passSoon)
		if froms, _ := chunksIn(t, v, "demo"); len(froms) > 2 || a.First() == 0 {
			t.Errorf("there are still %v, listed from %d on", froms, a.First())
		}
		cancel()
		wg.Wait()
		a.stop(t)
	})
}

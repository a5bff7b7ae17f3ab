package channel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim"
	"github.com/moqpack/moqpack/internal/sim/live"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// shelf is a store that may be away, and that somebody else deletes from.
type shelf struct {
	*storage.Memory
	away atomic.Bool
}

func (s *shelf) open() storage.Durable {
	return &storagetest.Faulty{Store: s.Memory, Plan: func(storagetest.Op, string) (f storagetest.Fault) {
		if s.away.Load() {
			f.Before = errors.New("no route to the store")
		}
		return f
	}}
}

// trim does what retention does, at once: it raises the first slot of the record, waits until the archive has heard, and deletes.
func (s *shelf) trim(t *testing.T, k *keep, first uint64) {
	t.Helper()
	key := manifest.PrivateKey("demo", "record.json")
	for {
		b, v, err := s.Load(t.Context(), key)
		if err != nil {
			return // nothing is recorded
		}
		head := map[string]json.RawMessage{}
		if err := json.Unmarshal(slices.Concat(b.Pieces...), &head); err != nil {
			t.Fatal(err)
		}
		var was uint64
		if err := json.Unmarshal(head["first"], &was); err != nil {
			t.Fatal(err)
		}
		if was >= first {
			return
		}
		head["first"] = fmt.Append(nil, first)
		body, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Swap(t.Context(), key, storage.Blob{Pieces: [][]byte{body}, ContentType: b.ContentType}, v); err == nil {
			break
		}
	}
	for range 60 {
		if k.archive.First() >= first {
			break
		}
		time.Sleep(time.Second)
	}
	if k.archive.First() < first {
		t.Fatal("the archive does not hear of what is given up")
	}
	for key := range s.List(t.Context(), "demo/") {
		if n, err := manifest.Parse(key); err == nil && n.Kind == manifest.Segment && n.N < first {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A packager, a disk and a bucket that are away now and then, lose what is old, or are not there after a restart: whatever
// documents list is in one of them or in memory.
func TestNothingIsListedThatIsInNoStore(t *testing.T) {
	for seed := range number(t, "MOQPACK_SEEDS", 1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, seed))
			disk, bucket := &shelf{Memory: storage.NewMemory(0)}, &shelf{Memory: storage.NewMemory(0)}
			shelves := map[string]*shelf{onDisk: disk, onS3: bucket}
			inWorld(t, sim.Path{Latency: 20 * time.Millisecond, Loss: rng.IntN(4), Seed: seed}, func(w *world) {
				pub := w.publish(sim.Faults{}, func(b *live.Broadcast) {
					for i := range b.Tracks {
						b.Tracks[i].Packing.Frames = 5 // it is segments that are listed, kept and lost
					}
				})
				start := func(which int) *packager {
					return w.joinWith(pub, "18", func(c *Config) {
						rewinding(c)
						if which != 1 {
							c.Disk = disk.open()
						}
						if which != 2 {
							c.S3 = bucket.open()
						}
						if rng.IntN(3) == 0 {
							c.Memory = storage.NewMemory(12 << 20) // what is not in the live window goes early
						}
					})
				}
				p, listed, most := start(0), 0, 0
				time.Sleep(20 * time.Second)
				for range 60 {
					time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
					k := p.keeps[rng.IntN(len(p.keeps))]
					s := shelves[k.name]
					switch rng.IntN(8) {
					case 0, 1:
						s.away.Store(true)
					case 2, 3, 4:
						s.away.Store(false)
					case 5, 6:
						if out := p.Output(); out != nil && !s.away.Load() {
							edge := out.Renditions[0].Timeline.Load().Position().N
							s.trim(w.t, k, edge-min(edge, uint64(1+rng.IntN(16))))
						}
					case 7:
						if rng.IntN(2) == 0 {
							p.kill()
							<-p.dead
							time.Sleep(time.Duration(rng.IntN(5000)) * time.Millisecond)
							p = start(rng.IntN(3))
						}
					}
					n := p.somewhere(w.t, disk, bucket)
					listed, most = listed+n, max(most, n)
				}
				if listed < 60*5 || most < 5*12 {
					w.t.Errorf("%d segments were listed in all, %d at most: that proves nothing", listed, most)
				}
			})
		})
	}
}

// somewhere fails the test if a segment that the packager lists is neither in memory nor in any store that it has. It returns how
// many segments are listed.
func (p *packager) somewhere(t *testing.T, disk, bucket *shelf) (listed int) {
	t.Helper()
	out := p.Output()
	if out == nil {
		return 0
	}
	// Time stands still meanwhile.
	places := []storage.Getter{p.memory}
	for _, k := range p.keeps {
		places = append(places, map[string]storage.Getter{onDisk: disk.Memory, onS3: bucket.Memory}[k.name])
	}
	present := manifest.Present("demo", out, p.From())
	for i := range present.Renditions {
		r := &present.Renditions[i]
		for _, s := range present.Listed(r) {
			if s.State != timeline.Full {
				continue
			}
			listed++
			key := manifest.Name{Kind: manifest.Segment, Channel: "demo", Track: r.Track.Name, N: s.N}.Key()
			if !slices.ContainsFunc(places, func(g storage.Getter) bool {
				_, err := g.Get(t.Context(), key)
				return err == nil
			}) {
				t.Errorf("%s is listed from %d on, and in no store", key, p.From())
			}
		}
	}
	return listed
}

// A lost segment is a gap in memory and in every archive: viewers may still go back behind it.
func TestAGapDoesNotEndRewinding(t *testing.T) {
	disk := storage.NewMemory(0)
	inWorld(t, sim.Path{Latency: 20 * time.Millisecond}, func(w *world) {
		bad := uint64(time.Now().Unix()) + 16
		pub := w.publish(sim.Faults{Corrupt: func(track string, l media.Location, payload []byte) []byte {
			if track == "video-270" && l.Group == bad && l.Object >= 20 {
				return bytes.Replace(payload, []byte("mdat"), []byte("mdxx"), 1)
			}
			return payload
		}}, nil)
		p := w.joinWith(pub, "18", func(c *Config) {
			rewinding(c)
			c.Disk = disk
		})
		time.Sleep(42 * time.Second)
		gaps := 0
		for _, s := range p.snapshots(t) {
			for _, seg := range s.Segments {
				if seg.State == timeline.Gap {
					gaps++
				}
			}
		}
		if n := p.gettable(w.t); gaps == 0 || n+gaps != 5*15 {
			t.Errorf("%d segments are listed, and %d gaps, want 15 of each of 5 tracks", n, gaps)
		}
	})
}

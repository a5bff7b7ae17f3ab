package archive

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// recalled is the broadcast as another process goes on with it that knows only what the store knows. It is nil if that is nothing.
func (b *broadcast) recalled(s *bucket) *broadcast {
	past, err := Past(b.t.Context(), s, "demo", b.plan.Window, quiet())
	must(b.t, err)
	if past == nil || len(past.Renditions) < len(b.lines) {
		return nil
	}
	c := newBroadcast(b.t, b.plan.Window)
	c.epoch, c.keep = b.epoch, b.keep
	for _, p := range past.Renditions {
		line, err := timeline.Restore(b.plan.Window, 0, p.Epochs, p.Segments)
		must(b.t, err)
		track := p.Track
		c.lines = append(c.lines, segmenter.Rendition{Track: &track, Timeline: line})
	}
	c.out.Renditions = c.lines
	return c
}

func TestAKillAtAnyInstantCostsAGapAtMost(t *testing.T) {
	for seed := range uint64(24) {
		inBubble(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			b, s := newBroadcast(t, 6, "v1", "v2", "a"), newBucket(t)
			slow := func() func(storagetest.Op, string) storagetest.Fault {
				r := rand.New(rand.NewPCG(seed, 4))
				return func(storagetest.Op, string) storagetest.Fault {
					return storagetest.Fault{Delay: time.Duration(r.IntN(400)) * time.Millisecond}
				}
			}
			var dead atomic.Bool
			plan := slow()
			s.setPlan(func(op storagetest.Op, key string) storagetest.Fault {
				f := plan(op, key)
				if dead.Load() {
					f = storagetest.Fault{Before: errDisturbed}
				}
				return f
			})
			a := start(t, b, Config{Store: s})
			b.start(begin)
			b.live(begin, begin+10)
			time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
			dead.Store(true)
			// What was under way when the process died may still arrive.
			after(time.Second)
			a.cancel()
			must(t, <-a.done)

			next := newBucket(t)
			next.Memory, next.edges, next.first = s.Memory, s.edges, s.first
			next.setPlan(slow())
			c := b.recalled(next)
			if c == nil {
				t.Fatalf("seed %d: the store knows nothing after 20 seconds", seed)
			}
			a = start(t, c, Config{Store: next})
			from := begin + 14 + rng.Uint64N(3)
			c.start(from)
			c.live(from, from+12)
			c.end()
			after(10 * time.Second)
			compare(t, c.documents(), next.documents())
			entries, err := a.Segments(t.Context(), "v1", begin, from+12)
			must(t, err)
			for i, e := range entries {
				if e.N != begin+uint64(i) {
					t.Fatalf("seed %d: the record has no slot %d", seed, begin+i)
				}
				if e.State == timeline.Gap && (e.N < begin+9 || e.N >= from) {
					t.Errorf("seed %d: slot %d is a gap", seed, e.N-begin)
				}
				key := fmt.Sprintf("demo/v1/%d.m4s", e.N)
				if _, err := s.Memory.Get(t.Context(), key); err != nil && e.State == timeline.Full {
					t.Errorf("seed %d: %s is recorded and not there", seed, key)
				}
			}
			if st := a.Status(); st.Segments != 0 || st.Conflicts != 0 {
				t.Errorf("seed %d: %+v", seed, st)
			}
			if n := a.log.count("level=ERROR"); n > 0 && strings.Contains(a.log.text.String(), "other content") {
				t.Errorf("seed %d: %s", seed, a.log.text.String())
			}
			a.stop(t)
		})
	}
}

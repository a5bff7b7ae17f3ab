package archive

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

// restored is a broadcast that goes on after a restart with what another store knows: the timelines list it, and memory has none
// of it, not even the headers.
func (b *broadcast) restored() {
	var keys []string
	for key, err := range b.memory.List(context.Background(), "") {
		must(b.t, err)
		keys = append(keys, key)
	}
	must(b.t, b.memory.Delete(context.Background(), keys...))
	for _, r := range b.lines {
		for _, e := range r.Timeline.Load().Epochs {
			e.Init.Bytes = nil
		}
	}
}

// has fails the test unless the record of "v" has media and gaps just there.
func (b *bucket) has(t *testing.T, media, gaps []uint64) {
	t.Helper()
	r := newReader(b, "demo", quiet())
	froms, err := r.listChunks(t.Context())
	must(t, err)
	chunks, err := r.readChunks(t.Context(), froms)
	must(t, err)
	var full, lost []uint64
	for _, c := range chunks {
		for _, e := range c.Tracks["v"] {
			if e.State == timeline.Gap {
				lost = append(lost, e.N)
			} else {
				full = append(full, e.N)
			}
		}
	}
	if !slices.Equal(full, media) || !slices.Equal(lost, gaps) {
		t.Errorf("the record has the media of %d and gaps at %d, not %d and %d", full, lost, media, gaps)
	}
}

func slots(from, to uint64) (all []uint64) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func TestAnEmptyStoreBeginsWithWhatMemoryHas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 20, "v", "a"), newBucket(t)
		b.start(begin)
		b.live(begin, begin+10)
		b.restored()
		a := start(t, b, Config{Store: s})
		after(time.Second)
		b.start(begin + 10) // with another header
		b.live(begin+10, begin+14)
		after(time.Second)
		s.has(t, slots(begin+10, begin+14), nil)
		if st := a.Status(); st.Lost != 0 || st.State != OK || a.log.count("level=") != 0 {
			t.Errorf("%+v\n%s", st, a.log.text.String())
		}
		a.stop(t)
	})
}

func TestAStoreThatWasLeftBehindHasGapsForWhatIsElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 20, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+4)
		a.stop(t)
		b.live(begin+4, begin+6)
		b.start(begin + 6)
		b.live(begin+6, begin+10)
		b.restored()
		a = start(t, b, Config{Store: s})
		after(time.Second)
		b.start(begin + 10)
		b.live(begin+10, begin+14)
		after(time.Second)
		s.has(t, append(slots(begin, begin+4), slots(begin+10, begin+14)...), slots(begin+4, begin+10))
		if st := a.Status(); st.Lost != 0 || st.State != OK || a.log.count("level=") != 0 {
			t.Errorf("%+v\n%s", st, a.log.text.String())
		}
		a.stop(t)
	})
}

func TestAStoreThatWasLeftFarBehindBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 400, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+4)
		a.stop(t)
		b.live(begin+4, begin+304)
		b.restored()
		a = start(t, b, Config{Store: s})
		b.start(begin + 304)
		b.live(begin+304, begin+308)
		after(time.Second)
		s.has(t, append(slots(begin, begin+4), slots(begin+304, begin+308)...), nil)
		if st := a.Status(); st.Lost != 0 || st.State != OK {
			t.Errorf("%+v\n%s", st, a.log.text.String())
		}
		a.stop(t)
	})
}

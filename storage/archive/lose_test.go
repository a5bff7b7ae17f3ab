package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// Two instances keep one archive. What it has lost is a gap, also where both have long since read it as media, whatever the store
// does with the writes of that.
func TestWhatTheStoreHasLostBecomesAGap(t *testing.T) {
	trouble := errors.New("trouble")
	for name, fault := range map[string]storagetest.Fault{
		"well": {}, "before": {Before: trouble}, "after": {After: trouble},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, s := newBroadcast(t, 300, "v", "a"), newBucket(t)
				one, two := start(t, b, Config{Store: s}), start(t, b, Config{Store: s})
				b.start(begin)
				b.live(begin, begin+160)
				after(time.Second)
				lost := one.books.segmentKey("v", begin+5)
				must(t, s.Memory.Delete(t.Context(), lost))
				left := map[string]int{}
				s.setPlan(func(op storagetest.Op, key string) storagetest.Fault {
					if op != storagetest.Put || !strings.Contains(key, "/record") && !strings.HasSuffix(key, ".m3u8") || left[key] > 1 {
						return storagetest.Fault{}
					}
					left[key]++
					return fault
				})
				if gone, err := one.Gone(t.Context(), "v", begin+5, one.Digest("v", begin+5)); !gone || err != nil {
					t.Fatalf("gone %v, %v", gone, err)
				}
				one.Forget("v", begin+5)
				one.Forget("v", begin+500) // not there at all
				after(5 * time.Second)
				s.has(t, append(slots(begin, begin+5), slots(begin+6, begin+160)...), slots(begin+5, begin+6))
				s.lists(t, begin+5)
				b.live(begin+160, begin+170)
				after(time.Second)
				s.has(t, append(slots(begin, begin+5), slots(begin+6, begin+170)...), slots(begin+5, begin+6))
				s.lists(t, begin+5)
				if n := one.Status().Lost; n != 1 {
					t.Errorf("%d are counted as lost", n)
				}
				if two.Has("v", begin+5) || !two.Has("v", begin+6) {
					t.Error("the other instance does not know")
				}
				one.stop(t)
				two.stop(t)
			})
		})
	}
}

// lists fails the test unless the playlist of "v" has one gap, which is n, and that of "a" none.
func (b *bucket) lists(t *testing.T, n uint64) {
	t.Helper()
	docs := b.documents()
	v := docs["demo/v/legacy.m3u8"]
	_, text, _ := strings.Cut(v, "#EXT-X-GAP\n")
	if strings.Count(v, "#EXT-X-GAP") != 1 || !strings.HasPrefix(text, "#EXTINF:2.000,\n"+uri(n)) || strings.Contains(docs["demo/a/legacy.m3u8"], "GAP") {
		t.Errorf("the gap is not slot %d:\n%s", n, v)
	}
}

func TestAStoreThatDoesNotAnswerHasLostNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 20, "v"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+5)
		after(time.Second)
		if gone, err := a.Gone(t.Context(), "v", begin, a.Digest("v", begin)); gone || err != nil {
			t.Errorf("what is there is gone: %v, %v", gone, err)
		}
		if gone, err := a.Gone(t.Context(), "v", begin, "0123456789abcdef"); !gone || err != nil {
			t.Errorf("other content is not: %v, %v", gone, err)
		}
		s.setPlan(func(storagetest.Op, string) storagetest.Fault { return storagetest.Fault{Before: errors.New("away")} })
		if gone, err := a.Gone(t.Context(), "v", begin, a.Digest("v", begin)); gone || err == nil {
			t.Errorf("gone %v, %v", gone, err)
		}
		a.stop(t)
	})
}

// A line says what the record says, whichever way it has changed.
func TestALineFollowsTheRecordBothWays(t *testing.T) {
	l := newLine(10, 5)
	l.take([]Entry{whole(5, "x"), whole(6, "y"), whole(7, "z")})
	l.stale = false
	l.take([]Entry{lostEntry(6)})
	if e, _ := l.at(6); e.State != timeline.Gap || e.Digest != "" || !l.stale {
		t.Errorf("%+v, stale %v", e, l.stale)
	}
	l.take([]Entry{whole(6, "y")})
	if e, _ := l.at(6); e.State != timeline.Full {
		t.Errorf("%+v", e)
	}
}

func uri(n uint64) string { return fmt.Sprintf("%d.m4s\n", n) }

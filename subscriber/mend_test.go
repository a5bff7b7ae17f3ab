package subscriber

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

func TestWhatIsMissingIsAskedFor(t *testing.T) {
	mendable := func() *bench {
		b := newBench()
		b.repairs = true
		b.filled(media.Location{}, false)
		b.objects(false, 1, 0)
		return b
	}
	asks := func(t *testing.T, b *bench, want *span) {
		t.Helper()
		if diff := cmp.Diff(want, b.wanted, cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	rest := &span{media.Location{Group: 1, Object: 1}, media.Location{Group: 1, Object: moqt.WholeGroup}}

	t.Run("at once if a stream was reset", func(t *testing.T) {
		b := mendable()
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Reset: true})
		b.objects(false, 2, 0)
		asks(t, b, rest)
		b.pass(2*time.Second - 1)
		b.want(t, "1/0")
		b.objects(true, 1, 1, 2)
		b.mended(*rest, true)
		b.drain()
		b.want(t, "1/1, 1/2, 1/3 end, 2/0")
	})
	t.Run("a while later if it may only be slow", func(t *testing.T) {
		b := mendable()
		b.objects(false, 1, 2)
		b.pass(time.Second/2 - 1)
		asks(t, b, nil)
		if at, ok := b.deadline(); !ok || at.Sub(b.now) != 1 {
			t.Errorf("looked at again at %v, %v", at.Sub(b.now), ok)
		}
		b.pass(1)
		asks(t, b, &span{media.Location{Group: 1, Object: 1}, media.Location{Group: 1, Object: 1}})
		b.objects(false, 1, 1) // it was
		b.want(t, "1/0, 1/1, 1/2")
	})
	t.Run("once, and until patience ends", func(t *testing.T) {
		b := mendable()
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Reset: true})
		b.objects(false, 2, 0)
		b.wanted = nil
		b.mended(*rest, false)
		b.pass(time.Second / 2)
		asks(t, b, nil)
		b.want(t, "1/0, 2/0 lost")
	})
	t.Run("and groups that nothing came of", func(t *testing.T) {
		b := mendable()
		b.fin(1, 0, true)
		b.objects(false, 5, 0)
		b.pass(time.Second / 2)
		all := &span{media.Location{Group: 1, Object: 1}, media.Location{Group: 4, Object: moqt.WholeGroup}}
		asks(t, b, all)
		b.objects(true, 2, 0)
		b.objects(true, 4, 0)
		b.mended(*all, true)
		b.drain()
		b.want(t, "1/0, 1/1 end, 2/0, 4/0, 4/1 end, 5/0")
	})
	t.Run("but no datagrams, and not of a peer without a past", func(t *testing.T) {
		b := mendable()
		b.ended(moqt.StreamEvent{Group: 1, Objects: 1, Datagram: true})
		b.objects(false, 1, 2)
		b.pass(time.Second)
		asks(t, b, nil)
		b = liveBench()
		b.objects(false, 1, 0, 2)
		b.pass(time.Second)
		asks(t, b, nil)
	})
}

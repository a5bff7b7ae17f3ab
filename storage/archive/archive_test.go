package archive

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDocumentsEqualThoseOfTheOrigin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 8, "v1", "v2", "a"), newBucket(t)
		a := start(t, b, Config{Name: "s3", Store: s})
		b.start(begin)
		b.live(begin, begin+5)
		synctest.Wait()
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.lost["v1"] = []uint64{begin + 6}
		b.live(begin+5, begin+12)
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.start(begin + 14)
		b.live(begin+14, begin+20)
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		b.end()
		time.Sleep(time.Second)
		compare(t, b.documents(), s.documents())
		if st := a.Status(); st.State != OK || st.Segments != 0 {
			t.Errorf("status %+v", st)
		}
		a.stop(t)
	})
}

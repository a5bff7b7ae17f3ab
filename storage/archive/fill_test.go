package archive

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/storagetest"
)

// pair is an instance with a disk and a way to the bucket that may be cut, and one without a disk that is cut off from the broadcast
// for twenty slots just then.
type pair struct {
	t         *testing.T
	one, two  *broadcast
	disk, s3  *bucket
	cut       atomic.Bool
	near, far *running
	other     *running
}

func newPair(t *testing.T, window int) *pair {
	p := &pair{t: t, one: newBroadcast(t, window, "v", "a"), two: newBroadcast(t, window, "v", "a"), disk: newBucket(t), s3: newBucket(t)}
	p.two.lost["v"] = slots(begin+10, begin+30)
	p.startOne()
	p.other = start(t, p.two, Config{Name: "s3", Store: p.s3})
	p.one.start(begin)
	p.two.start(begin)
	return p
}

func (p *pair) startOne() {
	way := &storagetest.Faulty{Store: p.s3, Plan: func(op storagetest.Op, _ string) storagetest.Fault {
		if p.cut.Load() {
			return storagetest.Fault{Before: errDisturbed}
		}
		return storagetest.Fault{}
	}}
	p.near = start(p.t, p.one, Config{Name: "disk", Store: p.disk})
	p.far = start(p.t, p.one, Config{Name: "s3", Store: way, Nearer: p.near.Archive, Media: first{p.one.memory, p.disk}})
}

// live has both instances play slots.
func (p *pair) live(from, to uint64) {
	for n := from; n < to; n++ {
		time.Sleep(2 * time.Second)
		p.one.play(n)
		p.two.play(n)
	}
}

// united fails the test unless the bucket has all before slot to, and its documents list it.
func (p *pair) united(to uint64) {
	p.t.Helper()
	p.s3.has(p.t, slots(begin, to), nil)
	whole := newBroadcast(p.t, p.one.plan.Window, "v", "a")
	whole.start(begin)
	for n := uint64(begin); n < to; n++ {
		whole.play(n)
	}
	compare(p.t, whole.documents(), p.s3.documents())
	for _, r := range []*running{p.near, p.far, p.other} {
		if st := r.Status(); st.Lost != 0 || st.Conflicts != 0 {
			p.t.Errorf("%+v\n%s", st, r.log.text.String())
		}
		r.stop(p.t)
	}
}

// An instance is killed before the bucket has what is on its disk, and the other one, which has not seen that, records gaps. After the
// restart all of it gets to the bucket, while the other one goes on writing the same documents.
func TestWhatOnlyTheDiskOfAKilledInstanceHasGetsToTheBucket(t *testing.T) {
	for _, disturbed := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			p := newPair(t, 300)
			p.live(begin, begin+10)
			p.cut.Store(true)
			p.live(begin+10, begin+30)
			p.far.stop(t)
			p.near.stop(t)
			p.cut.Store(false)
			p.live(begin+30, begin+170)
			after(time.Second)
			p.s3.has(t, append(slots(begin, begin+10), slots(begin+30, begin+170)...), slots(begin+10, begin+30))
			p.one.restored()
			if disturbed { // the first attempts of everything fail, after they had their effect
				seen := map[string]bool{}
				p.s3.setPlan(func(op storagetest.Op, key string) storagetest.Fault {
					if op != storagetest.Put || seen[key] {
						return storagetest.Fault{}
					}
					seen[key] = true
					return storagetest.Fault{After: errDisturbed}
				})
			}
			p.startOne()
			p.live(begin+170, begin+180)
			p.s3.setPlan(nil)
			p.live(begin+180, begin+200)
			after(time.Minute)
			p.united(begin + 200)
		})
	}
}

// The same without a kill: the way to the bucket comes back after memory and timelines have forgotten what only the disk has.
func TestWhatTheOtherInstanceRecordedAsAGapComesFromTheDisk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := newPair(t, 6)
		p.live(begin, begin+10)
		p.cut.Store(true)
		p.live(begin+10, begin+50)
		p.cut.Store(false)
		p.live(begin+50, begin+80)
		after(time.Minute)
		p.united(begin + 80)
	})
}

// The same while the disk is behind with its record, too: what it is about to record is waited for.
func TestAGapOfTheOtherInstanceDoesNotStandForWhatTheDiskIsAboutToRecord(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := newPair(t, 6)
		p.two.lost["v"] = slots(begin+10, begin+50)
		p.live(begin, begin+10)
		p.cut.Store(true)
		p.live(begin+10, begin+28)
		p.disk.setPlan(func(op storagetest.Op, key string) (f storagetest.Fault) {
			if op == storagetest.Put && strings.Contains(key, "record-") {
				f.Before = errDisturbed
			}
			return f
		})
		p.live(begin+28, begin+54)
		p.cut.Store(false)
		p.live(begin+54, begin+57)
		p.disk.setPlan(nil)
		p.live(begin+57, begin+100)
		after(time.Minute)
		p.united(begin + 100)
	})
}

// The same with a disk that is never written again: there is a bucket still.
func TestADiskThatDiesDoesNotStopTheBucket(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := newPair(t, 6)
		p.two.lost["v"] = slots(begin+10, begin+3*patience)
		p.live(begin, begin+10)
		p.cut.Store(true)
		p.live(begin+10, begin+28)
		p.disk.setPlan(func(op storagetest.Op, _ string) (f storagetest.Fault) {
			if op == storagetest.Put || op == storagetest.Swap {
				f.Before = errDisturbed
			}
			return f
		})
		p.live(begin+28, begin+54)
		p.cut.Store(false)
		p.live(begin+54, begin+3*patience)
		if e, known := p.far.entry("v", begin+3*patience-20); !known || e.State != timeline.Full || p.far.Status().State != OK {
			t.Errorf("%+v, %+v", e, p.far.Status())
		}
		p.disk.setPlan(nil)
		for _, r := range []*running{p.near, p.far, p.other} {
			r.stop(t)
		}
	})
}

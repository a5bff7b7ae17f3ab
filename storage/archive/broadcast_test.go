package archive

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/storagetest"
)

func TestAnotherSegmentDurationIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+2)
		a.stop(t)
		c := newBroadcast(t, 6, "v")
		c.plan.Grid.Num = 4
		c.out.Plan = c.plan
		x := start(t, c, Config{Store: s})
		if err := <-x.done; !errors.Is(err, ErrOtherGrid) {
			t.Errorf("%v", err)
		}
		if x.Pending(begin) || x.Status().State != Stopped {
			t.Error("it waits for more")
		}
	})
}

func TestWhatIsWholeGetsOutAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		s.setPlan(func(storagetest.Op, string) storagetest.Fault {
			return storagetest.Fault{Delay: 300 * time.Millisecond}
		})
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+5)
		b.playTrack(b.lines[0], begin+5) // and the others never will
		a.stop(t)
		want, got := b.documents(), s.documents()
		for _, key := range []string{"demo/v/legacy.m3u8", "demo/a/legacy.m3u8", "demo/legacy.mpd"} {
			if want[key] != got[key] {
				t.Errorf("%s is\n%s\nwant\n%s", key, got[key], want[key])
			}
		}
	})
}

// again is the broadcast as another process goes on with it.
func (b *broadcast) again() *broadcast {
	c := newBroadcast(b.t, b.plan.Window)
	c.epoch, c.edge, c.keep = b.epoch, b.edge, b.keep
	for _, r := range b.lines {
		s := r.Timeline.Load()
		line, err := timeline.Restore(b.plan.Window, 0, s.Epochs, s.Segments)
		must(b.t, err)
		c.lines = append(c.lines, segmenter.Rendition{Track: r.Track, Timeline: line})
	}
	c.out.Renditions = c.lines
	return c
}

func TestARestartGoesOnWhereTheRecordEnds(t *testing.T) {
	for _, away := range []uint64{0, 3, 100, 1000} {
		inBubble(t, func(t *testing.T) {
			b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
			a := start(t, b, Config{Store: s})
			b.start(begin)
			b.live(begin, begin+10)
			a.stop(t)
			time.Sleep(time.Duration(2*away) * time.Second)
			c := b.again()
			next := begin + 10 + away
			a = start(t, c, Config{Store: s})
			c.start(next)
			c.live(next, next+8)
			after(2 * time.Second)
			compare(t, c.documents(), s.documents())
			if st := a.Status(); st.State != OK || st.Conflicts != 0 {
				t.Errorf("away for %d: %+v", away, st)
			}
			a.stop(t)
		})
	}
}

func TestABroadcastThatComesBackGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		b.end()
		after(2 * time.Second)
		ended := s.documents()
		for key, want := range map[string]string{"demo/v/legacy.m3u8": "#EXT-X-ENDLIST", "demo/legacy.mpd": `type="static"`} {
			if !strings.Contains(ended[key], want) {
				t.Errorf("%s of the recording:\n%s", key, ended[key])
			}
			blob, err := s.Get(t.Context(), key)
			must(t, err)
			if blob.CacheControl != "public, max-age=30" {
				t.Errorf("%s may be cached: %s", key, blob.CacheControl)
			}
		}
		lines := slices.Clone(b.lines)
		for i := range lines {
			lines[i].Timeline = timeline.New(6, 0)
		}
		b.change(lines)
		time.Sleep(20 * time.Second)
		b.start(begin + 20)
		b.live(begin+20, begin+30)
		after(2 * time.Second)
		compare(t, b.documents(), s.documents())
		a.stop(t)
	})
}

// Who watched live has seen the last of it a minute after the end. Then the MPD begins at zero, for those who come later.
func TestTheMPDOfARecordingBeginsAtZero(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.UnixMilli(2000 * begin)))
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+10)
		b.end()
		after(2 * time.Second)
		if mpd := s.documents()["demo/legacy.mpd"]; !strings.Contains(mpd, `type="static"`) || strings.Contains(mpd, ` start="PT0S"`) {
			t.Errorf("just after the end:\n%s", mpd)
		}
		after(2 * time.Minute)
		if mpd := s.documents()["demo/legacy.mpd"]; !strings.Contains(mpd, ` start="PT0S" duration="PT12S"`) || !strings.Contains(mpd, ` mediaPresentationDuration="PT12S"`) {
			t.Errorf("long after the end:\n%s", mpd)
		}
		a.stop(t)
	})
}

func TestTracksComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v1", "v2", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+6)
		gone := b.lines[1]
		must(t, gone.Timeline.End())
		late := newBroadcast(t, 6, "v3")
		late.epoch = 0
		gone.Until, gone.Place, late.lines[0].From = begin+7, 1, begin+9
		b.former = []segmenter.Rendition{gone}
		b.changes = []segmenter.Change{
			{First: begin + 7, Went: map[string]int{"v2": 1}}, {Index: 1, First: begin + 9, Came: []string{"v3"}},
		}
		b.change([]segmenter.Rendition{b.lines[0], late.lines[0], b.lines[2]})
		late.memory = b.memory
		late.start(begin + 6)
		for n := uint64(begin + 6); n < begin+20; n++ {
			time.Sleep(2 * time.Second)
			b.play(n)
			if n == begin+10 { // the window has all of it
				after(time.Second)
				compare(t, b.documents(), s.documents())
				if mpd := s.documents()["demo/legacy.mpd"]; strings.Count(mpd, "<Period ") != 3 || strings.Count(mpd, `"v2"`) != 1 {
					t.Errorf("%s", mpd)
				}
			}
		}
		after(2 * time.Second)
		compare(t, b.documents(), s.documents())
		if !strings.Contains(s.documents()["demo/v2/legacy.m3u8"], "#EXT-X-ENDLIST") {
			t.Error("the playlist of the track that left does not end")
		}
		h := a.heading()
		var names []string
		for _, track := range h.Tracks {
			names = append(names, track.Name)
		}
		if diff := cmp.Diff([]string{"v1", "v3", "a", "v2"}, names); diff != "" {
			t.Error(diff)
		}
		a.stop(t)
	})
}

func TestASegmentThatBrokeIsAGapOfItsSlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 6, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+3)
		line := b.lines[0].Timeline
		must(t, line.Append(begin+3, 0, timeline.Part{Start: 2000 * (begin + 3), Dur: 320, Size: 5}))
		must(t, line.Close(begin+3, timeline.Gap))
		b.playTrack(b.lines[1], begin+3)
		b.live(begin+4, begin+9)
		after(2 * time.Second)
		compare(t, b.documents(), s.documents())
		a.stop(t)
	})
}

func TestAStoreThatIsAwayAtTheStartGetsWhatTheNearerOneHas(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, disk, s3 := newBroadcast(t, 6, "v", "a"), newBucket(t), newBucket(t)
		s3.setPlan(outage)
		near := start(t, b, Config{Name: "disk", Store: disk})
		far := start(t, b, Config{Name: "s3", Store: s3, Nearer: near.Archive, Media: first{b.memory, disk}})
		b.start(begin)
		b.live(begin, begin+300)
		s3.setPlan(nil)
		b.live(begin+300, begin+330)
		after(time.Second)
		compare(t, b.documents(), s3.documents())
		if n := len(s3.segments()); n != 2*330 {
			t.Errorf("%d segments, want %d", n, 2*330)
		}
		near.stop(t)
		far.stop(t)
	})
}

func TestWhatTheNearerArchiveLostIsAGapInTheFartherOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, disk, s3 := newBroadcast(t, 6, "v", "a"), newBucket(t), newBucket(t)
		near := start(t, b, Config{Name: "disk", Store: disk})
		far := start(t, b, Config{Name: "s3", Store: s3, Nearer: near.Archive, Media: first{b.memory, disk}})
		b.start(begin)
		b.live(begin, begin+10)
		s3.setPlan(outage)
		b.live(begin+10, begin+40)
		disk.setPlan(outage)
		b.live(begin+40, begin+100)
		disk.setPlan(nil)
		b.live(begin+100, begin+150)
		s3.setPlan(nil)
		b.live(begin+150, begin+180)
		after(time.Second)
		compare(t, b.documents(), s3.documents())
		if n, m := len(s3.segments()), len(disk.segments()); n != m || n < 2*120 || n > 2*160 {
			t.Errorf("%d segments, the disk has %d", n, m)
		}
		entries, err := far.Segments(t.Context(), "v", begin, begin+180)
		if err != nil || len(entries) != 180 {
			t.Errorf("the record has %d of 180 slots, %v", len(entries), err)
		}
		if near.log.count("the archive has a gap") != 2 {
			t.Error("the disk did not say what it lost")
		}
		near.stop(t)
		far.stop(t)
	})
}

func TestWhatIsNotKeptAnyMoreIsNotListed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := newBroadcast(t, 20, "v", "a"), newBucket(t)
		a := start(t, b, Config{Store: s})
		b.start(begin)
		b.live(begin, begin+15)
		after(time.Second)
		other := books{s, "demo"} // somebody who retains less
		_, err := other.updateHead(t.Context(), func(h *Head) bool { h.First = begin + 10; return true })
		must(t, err)
		after(headEvery + 2*time.Second)
		for key, doc := range s.documents() {
			if strings.Contains(doc, "897620409") {
				t.Errorf("%s lists what is not kept:\n%s", key, doc)
			}
		}
		if a.First() != begin+10 || a.Has("v", begin+9) || !a.Has("v", begin+10) {
			t.Errorf("it does not know what is kept: from %d on", a.First())
		}
		a.stop(t)
	})
}

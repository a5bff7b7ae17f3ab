package segmenter_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// moq-cli takes its times from FLV, which has whole milliseconds, while a frame of AAC lasts 21.33 or 23.22 of them; and it makes a group
// of each. Nothing of that is a loss or an overlap, it does not add up, and who joins later makes the same of it.
func TestAudioInWholeMillisecondsHasNoHoles(t *testing.T) {
	for _, rate := range []int{44100, 48000} {
		track := media.Track{
			Name: "a", Kind: media.Audio, Packaging: media.Legacy, Namespace: []string{"x"},
			Codec: "mp4a.40.2", SampleRate: rate, Channels: "2",
		}
		var all []object
		for i := range 60 * rate / 1024 {
			ms := uint64(unix)*1000 + uint64(i*1024*1000/rate)
			payload := binary.BigEndian.AppendUint64(nil, 3<<62|ms*1000)
			loc := media.Location{Group: uint64(i)}
			all = append(all, object{"a", int64(ms+22) * 1000, media.Object{Location: loc, Last: true, Payload: fmt.Appendf(payload, "frame %d", i)}})
		}
		join := func(all []object) *channel {
			c := newChannel(t, cfg())
			if err := c.Catalog(t.Context(), time.Unix(unix, 0), []media.Track{track}); err != nil {
				t.Fatal(err)
			}
			c.send(all...)
			return c
		}
		first := join(all)
		s := first.line("a").Timeline.Load()
		for _, g := range s.Segments {
			nominal, frame := 2*int64(rate), int64(1024+rate/1000)
			if g.State != timeline.Full || g.Dur < nominal-frame || g.Dur > nominal+frame {
				t.Errorf("%d Hz: %+v", rate, g)
			}
		}
		if e := first.Events(); e.BadInput+e.Losses+e.Gaps+e.Epochs > 0 || len(s.Segments) < 28 {
			t.Errorf("%d Hz: %d segments, events %+v", rate, len(s.Segments), e)
		}
		for _, late := range []int{1, 7, 100, 333} {
			if n := agree(t, first.store, join(all[late:]).store); n < 100 {
				t.Errorf("%d Hz, %d frames late: %d names in common", rate, late, n)
			}
		}
	}
}

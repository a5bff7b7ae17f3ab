package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// Ticks of a slot and of a part of the track of pictures.
const slotTicks, partTicks = 60000, 15000

// pictures is a show with a track of real video, "p", in which every part is one picture.
type pictures struct {
	*show
	init *media.Init
}

func newPictures(t testing.TB) *pictures {
	s := &pictures{show: newShow(t)}
	file, err := os.ReadFile("../testdata/cmaf/h264-2997.mp4")
	s.must(err)
	head, _, err := demux.Head(file)
	s.must(err)
	s.init, err = mux.ParseInit(head)
	s.must(err)
	track := &media.Track{Name: "p", Kind: media.Video, Namespace: []string{"demo"}}
	line := timeline.New(showWindow, 1)
	s.must(s.hot.Put(context.Background(), segmenter.Media{Track: track, What: segmenter.InitSegment, Digest: s.init.Digest, Body: [][]byte{s.init.Bytes}}))
	s.must(line.Begin(timeline.Epoch{First: first, Init: s.init}))
	s.ready.Renditions = append(s.ready.Renditions, segmenter.Rendition{Track: track, Timeline: line})
	return s
}

// begins is the tick at which slot n begins.
func begins(n uint64) int64 { return int64(n) * slotTicks }

// picture is part p of slot n: the first and the third stand by themselves.
func picture(n uint64, p int) media.Sample {
	return media.Sample{
		DTS: begins(n) + int64(p)*partTicks, Dur: partTicks, Sync: p%2 == 0, Data: fmt.Appendf(nil, "picture %d of %d", p, n),
	}
}

// publish publishes so many parts of slot n, and closes it if it is whole.
func (s *pictures) publish(n uint64, count int) {
	s.Helper()
	r := s.timeline("p")
	whole := segmenter.Media{Track: r.Track, What: segmenter.MediaSegment, N: n}
	for p := range count {
		body, err := mux.Fragment(mux.Sequence(n, p), []media.Sample{picture(n, p)})
		s.must(err)
		whole.Body = append(whole.Body, body)
		s.must(s.hot.Put(context.Background(), segmenter.Media{Track: r.Track, What: segmenter.MediaPart, N: n, Part: p, Body: [][]byte{body}}))
		s.must(r.Timeline.Append(n, p, timeline.Part{Start: picture(n, p).DTS, Dur: partTicks, Size: int64(len(body)), Independent: p == 0}))
	}
	if count == parts {
		s.must(s.hot.Put(context.Background(), whole))
		s.must(r.Timeline.Close(n, timeline.Full))
	}
}

// shown are the samples of an answer.
func (s *pictures) shown(body []byte) []media.Sample {
	s.Helper()
	c, err := demux.NewCMAF(s.init.Bytes)
	s.must(err)
	samples, err := c.Samples(nil, body)
	s.must(err)
	return samples
}

func TestThePictureStaysInAGap(t *testing.T) {
	s := newPictures(t)
	line := s.timeline("p").Timeline
	s.publish(first, parts)
	s.must(line.Gap(first+1, begins(first+1), slotTicks))
	s.publish(first+2, 3) // three pictures, and then no more
	s.must(line.Break(first+2, begins(first+3)))
	s.must(line.Gap(first+3, begins(first+3), slotTicks))
	s.must(line.Begin(timeline.Epoch{Index: 1, First: first + 4, Init: s.init}))
	s.must(line.Gap(first+4, 7, slotTicks)) // in another time, and before it there is nothing of its epoch
	server := newServer(t, Config{}, s)

	still := func(n uint64, p int, from, dur int64) media.Sample {
		m := picture(n, p)
		m.DTS, m.Dur = from, uint32(dur)
		return m
	}
	for n, want := range map[uint64][]media.Sample{
		first + 1: {still(first, 2, begins(first+1), slotTicks)},
		first + 2: {picture(first+2, 0), picture(first+2, 1), picture(first+2, 2), still(first+2, 2, begins(first+2)+3*partTicks, partTicks)},
		first + 3: {still(first+2, 2, begins(first+3), slotTicks)},
	} {
		w := get(server, fmt.Sprintf("/demo/p/%d.m4s", n))
		expect(t, w, 200, oneSecond)
		if w.Header().Get("Content-Type") != "video/mp4" || w.Header().Get("ETag") == "" {
			t.Errorf("%d: %v", n, w.Header())
		}
		if diff := cmp.Diff(want, s.shown(w.Body.Bytes())); diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
		if again := get(server, fmt.Sprintf("/demo/p/%d.m4s", n)); !bytes.Equal(again.Body.Bytes(), w.Body.Bytes()) {
			t.Errorf("%d: another answer the second time", n)
		}
	}
	expect(t, get(server, fmt.Sprintf("/demo/p/%d.m4s", first+4)), 204, oneSecond)
	expect(t, get(server, fmt.Sprintf("/demo/p/%d.3.m4s", first+2)), 404, oneMinute) // of parts there are no stills
}

// A still fills the time between the pictures, which is not that of its slot.
func TestAStillIsFromPictureToPicture(t *testing.T) {
	s := newPictures(t)
	line := s.timeline("p").Timeline
	s.publish(first, parts)
	s.publish(first+1, parts-1)
	end := begins(first+2) - partTicks + 300
	body, err := mux.Fragment(1, []media.Sample{picture(first+1, 0)})
	s.must(err)
	s.must(s.store.Put(t.Context(), "demo/p/901.m4s", storage.Blob{Pieces: [][]byte{body}}))
	s.must(line.Append(first+1, parts-1, timeline.Part{Start: end - 300, Dur: 300, Size: 1}))
	s.must(line.Close(first+1, timeline.Full))
	s.must(line.Gap(first+2, begins(first+2), slotTicks))
	s.must(line.Append(first+3, 0, timeline.Part{Start: begins(first+3) + 500, Dur: 1, Size: 1}))
	want := picture(first+1, 0)
	want.DTS, want.Dur = end, uint32(begins(first+3)+500-end)
	if diff := cmp.Diff([]media.Sample{want}, s.shown(get(newServer(t, Config{}, s), "/demo/p/902.m4s").Body.Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestMediaThatCannotBeReadIsNoStill(t *testing.T) {
	s := newPictures(t)
	s.publish(first, parts)
	s.must(s.timeline("p").Timeline.Gap(first+1, begins(first+1), slotTicks))
	s.must(s.store.Delete(t.Context(), "demo/p/900.m4s"))
	server := newServer(t, Config{}, s)
	expect(t, get(server, "/demo/p/901.m4s"), 204, oneSecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w := do(ctx, server, http.MethodGet, "/demo/p/901.m4s"); w.Code == 200 {
		t.Errorf("%d", w.Code)
	}
}

package server

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// subtitled is a show with a track of subtitles, "s".
func subtitled(t testing.TB) *show {
	s := newShow(t)
	header := mp4.CreateEmptyInit()
	s.must(header.AddEmptyTrack(1000, "wvtt", "en").SetWvttDescriptor("WEBVTT"))
	var b bytes.Buffer
	s.must(header.Encode(&b))
	init, err := mux.ParseInit(b.Bytes())
	s.must(err)
	track := &media.Track{Name: "s", Kind: media.Text, Namespace: []string{"demo"}, Language: "en", Role: "subtitle"}
	line := timeline.New(showWindow, 1)
	s.must(s.hot.Put(context.Background(), segmenter.Media{Track: track, What: segmenter.InitSegment, Digest: init.Digest, Body: [][]byte{init.Bytes}}))
	s.must(line.Begin(timeline.Epoch{First: first, Init: init}))
	s.ready.Renditions = append(s.ready.Renditions, segmenter.Rendition{Track: track, Timeline: line})
	return s
}

// say publishes slot n of the subtitles.
func (s *show) say(n uint64, text string) {
	s.Helper()
	r := s.timeline("s")
	at := int64(n) * 2000
	body, err := mux.Fragment(1, []media.Sample{{DTS: at, Dur: 2000, Sync: true, Data: demux.CueSample(demux.Cue{Text: text})}})
	s.must(err)
	m := segmenter.Media{Track: r.Track, What: segmenter.MediaPart, N: n, Body: [][]byte{body}}
	s.must(s.hot.Put(context.Background(), m))
	s.must(r.Timeline.Append(n, 0, timeline.Part{Start: at, Dur: 2000, Size: int64(len(body)), Independent: true}))
	m.What = segmenter.MediaSegment
	s.must(s.hot.Put(context.Background(), m))
	s.must(r.Timeline.Close(n, timeline.Full))
}

func TestSubtitlesAreServedAsTextAndAsMP4(t *testing.T) {
	show := subtitled(t)
	show.segments(first, first+3)
	show.say(first, "hello")
	s := newServer(t, Config{}, show)
	w := get(s, "/demo/s/900.vtt")
	expect(t, w, 200, "public, max-age=31536000, immutable")
	const want = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:162000000\n\n00:00:00.000 --> 00:00:02.000\nhello\n"
	if w.Header().Get("Content-Type") != "text/vtt" || w.Body.String() != want || w.Header().Get("ETag") == "" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	if w := get(s, "/demo/s/900.m4s"); w.Code != 200 || !strings.Contains(w.Body.String(), "hello") || w.Header().Get("Content-Type") != "application/mp4" {
		t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	for _, url := range []string{"/demo/v/900.vtt", "/demo/s/900.0.vtt", "/demo/s/990.vtt", "/demo/x/900.vtt"} {
		if w := get(s, url); w.Code != 404 {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	if w := get(s, "/demo/s/index.m3u8"); !strings.Contains(w.Body.String(), "\n900.vtt\n") {
		t.Errorf("%s", w.Body)
	}
}

func TestSubtitlesToComeAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := subtitled(t)
		show.segments(first, first+3)
		show.say(first, "hello")
		s := newServer(t, Config{}, show)
		segment := begin(t.Context(), s, "GET", "/demo/s/901.vtt")
		list := begin(t.Context(), s, "GET", "/demo/s/index.m3u8?_HLS_msn=901")
		part := begin(t.Context(), s, "GET", "/demo/s/index.m3u8?_HLS_msn=901&_HLS_part=0")
		if segment.done || list.done || part.done {
			t.Fatal("answered too early")
		}
		time.Sleep(time.Second)
		show.say(first+1, "world")
		synctest.Wait()
		if !segment.done || segment.Code != 200 || !strings.Contains(segment.Body.String(), "world") {
			t.Errorf("%d %q", segment.Code, segment.Body)
		}
		for _, p := range []*pending{list, part} {
			if !p.done || !strings.Contains(p.Body.String(), "\n901.vtt\n") {
				t.Errorf("%d %s", p.Code, p.Body)
			}
		}
	})
}

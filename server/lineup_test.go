package server

import (
	"strings"
	"sync"
	"testing"
)

func TestChannelsComeAndGoWhileTheServerAnswers(t *testing.T) {
	show := newShow(t)
	show.segments(first, first+3)
	s := newServer(t, Config{})
	expect(t, get(s, "/demo/index.m3u8"), 404, "public, max-age=10")
	s.Put(show)
	expect(t, get(s, "/demo/index.m3u8"), 200, "public, max-age=2")
	again := newShow(t)
	again.segments(first, first+3)
	if s.Put(again); len(s.Channels()) != 1 || s.Channels()[0] != Channel(again) {
		t.Errorf("%d channels", len(s.Channels()))
	}
	if list := get(s, "/api/channels").Body.String(); strings.Count(list, `"name":"demo"`) != 1 {
		t.Errorf("the list: %s", list)
	}
	var g sync.WaitGroup
	g.Go(func() { // for the race detector
		for range 50 {
			get(s, "/demo/index.m3u8")
			get(s, "/readyz")
		}
	})
	for range 50 {
		s.Remove("demo")
		s.Put(show)
	}
	g.Wait()
	s.Remove("demo")
	expect(t, get(s, "/demo/index.m3u8"), 404, "public, max-age=10")
	if list := get(s, "/api/channels").Body.String(); strings.TrimSpace(list) != "[]" {
		t.Errorf("the list: %s", list)
	}
}

package segmenter_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
)

// span is when a rendition came and went, relative to zero.
type span struct {
	Track       string
	From, Until int64
	Place       int
}

func spans(lines []segmenter.Rendition) (all []span) {
	relative := func(n uint64) int64 {
		if n == 0 {
			return 0
		}
		return int64(n - zero)
	}
	for _, r := range lines {
		all = append(all, span{r.Track.Name, relative(r.From), relative(r.Until), r.Place})
	}
	return all
}

func (c *channel) wantSpans(now, former []span, changes ...uint64) {
	c.t.Helper()
	out := c.Output()
	if diff := cmp.Diff(now, spans(out.Renditions)); diff != "" {
		c.t.Error("there:", diff)
	}
	if diff := cmp.Diff(former, spans(out.Former)); diff != "" {
		c.t.Error("gone:", diff)
	}
	for i := range changes {
		changes[i] += zero
	}
	if diff := cmp.Diff(changes, out.Changes); diff != "" {
		c.t.Error("changes:", diff)
	}
}

func TestWhoWatchesLearnsOfRenditionsByAChange(t *testing.T) {
	v, a := plain()
	b := audio("b", 44100, 1024, unix*44100)
	all := interleave(v.seconds(t, 100), a.seconds(t, 100), b.seconds(t, 100))
	catalog := func(c *channel, at int64, sources ...source) {
		t.Helper()
		var tracks []media.Track
		for _, s := range sources {
			tracks = append(tracks, s.track(t))
		}
		if err := c.Catalog(t.Context(), time.Unix(unix+at, 0), tracks); err != nil {
			t.Fatal(err)
		}
	}
	c := newChannel(t, cfg(), v, a)
	c.send(between(all, 0, 9)...)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"a", 0, 0, 0}}, nil)

	catalog(c, 9, v, a, b)
	c.send(between(all, 9, 20)...)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"a", 0, 0, 0}, {"b", 7, 0, 0}}, nil, 7)

	// What ends is in the former ones before anybody who waits for more of it can wake up.
	removed := c.line("a").Timeline
	catalog(c, 20, v, b)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"b", 7, 0, 0}}, []span{{"a", 0, 10, 1}}, 7, 10)
	if last := removed.Load().Position().N - zero; last > 10 {
		t.Errorf("it has published until slot %d", last)
	}

	catalog(c, 20, v, a, b) // it comes back, in a timeline of its own
	c.send(between(all, 20, 30)...)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"a", 12, 0, 0}, {"b", 7, 0, 0}}, []span{{"a", 0, 10, 1}}, 7, 10, 12)

	c.send(between(all, 30, 100)...)
	catalog(c, 100, v)
	c.wantSpans([]span{{"v", 0, 0, 0}}, []span{{"a", 12, 50, 1}, {"b", 7, 50, 1}}, 12, 50)
}

func TestWhatTakesItsTimeComesWithAChange(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 40), a.seconds(t, 40))
	c := newChannel(t, cfg(), v, a)
	for _, o := range all {
		if at := float64(o.at)/1e6 - unix; at < 25 && o.track == "v" || at > 20 && at < 40 && o.track == "a" {
			c.send(o)
		}
	}
	if from := int64(c.line("a").From - zero); from < 10 || from > 14 {
		t.Errorf("it comes with slot %d", from)
	}
}

func TestWhatComesWhileAChannelBeginsIsNoChange(t *testing.T) {
	v, a := plain()
	all := interleave(v.seconds(t, 20), a.seconds(t, 20))
	c := newChannel(t, cfg(), v)
	c.send(between(all, 0, 5)...)
	if err := c.Catalog(t.Context(), time.Unix(unix+5, 0), []media.Track{v.track(t), a.track(t)}); err != nil {
		t.Fatal(err)
	}
	c.send(between(all, 5, 20)...)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"a", 0, 0, 0}}, nil)
}

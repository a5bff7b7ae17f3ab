package segmenter_test

import (
	"errors"
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
	var slots []uint64
	for _, change := range out.Changes {
		slots = append(slots, change.First)
	}
	if diff := cmp.Diff(changes, slots); diff != "" {
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
	c.wantSpans([]span{{"v", 0, 0, 0}}, []span{{"a", 12, 50, 1}, {"b", 7, 50, 1}}, 7, 10, 12, 50)
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

// Two instances that share a ledger hear of the same at different times.
func TestInstancesAgreeOnChanges(t *testing.T) {
	v, a := plain()
	b := audio("b", 44100, 1024, unix*44100)
	all := interleave(v.seconds(t, 60), a.seconds(t, 60), b.seconds(t, 60))
	l := &ledger{}
	one, two := share(t, l, v, a), share(t, l, v, a)
	tell := func(c *channel, at int64, sources ...source) {
		t.Helper()
		var tracks []media.Track
		for _, s := range sources {
			tracks = append(tracks, s.track(t))
		}
		if err := c.Catalog(t.Context(), time.Unix(unix+at, 0), tracks); err != nil {
			t.Fatal(err)
		}
	}
	send := func(c *channel, from, to float64) { c.send(between(all, from, to)...) }
	same := func() {
		t.Helper()
		o, w := one.Output(), two.Output()
		if diff := cmp.Diff(spans(o.Renditions), spans(w.Renditions)); diff != "" {
			t.Error("there:", diff)
		}
		if diff := cmp.Diff(spans(o.Former), spans(w.Former)); diff != "" {
			t.Error("gone:", diff)
		}
		if diff := cmp.Diff(o.Changes, w.Changes); diff != "" {
			t.Error("changes:", diff)
		}
	}
	send(one, 0, 10)
	send(two, 0, 10)
	tell(one, 10, v, a, b) // b comes
	send(one, 10, 20)
	send(two, 10, 14)
	tell(two, 14, v, a, b) // later, for this one
	send(two, 14, 20)
	same()
	if len(l.changes) != 1 {
		t.Errorf("%+v", l.changes)
	}
	tell(one, 20, v, b) // a goes,
	send(one, 20, 26)
	tell(one, 26, v, a, b) // and comes again, which the other one learns at once
	send(one, 26, 34)
	send(two, 20, 26)
	tell(two, 26, v, b)
	tell(two, 26, v, a, b)
	send(two, 26, 34)
	same()
	if from := one.line("a").From; from == 0 || len(l.changes) != 3 {
		t.Errorf("a came again with %d: %+v", from, l.changes)
	}

	tell(one, 34, v, a) // b goes, and an instance starts anew
	send(one, 34, 40)
	past := one.past()
	again := &channel{t: t, store: newStore(t), ledger: l}
	var err error
	if again.Segmenter, err = segmenter.New(cfg(), again.store, l, past); err != nil {
		t.Fatal(err)
	}
	tell(again, 40, v, a)
	if diff := cmp.Diff(one.Output().Changes, again.Output().Changes); diff != "" || len(l.changes) != 4 {
		t.Errorf("%+v: %s", l.changes, diff)
	}
	if diff := cmp.Diff(one.line("a").From, again.line("a").From); diff != "" {
		t.Error(diff)
	}
}

// What an instance has not seen happen, another one has.
func TestAChangeThatOnlyOthersSawIsTaken(t *testing.T) {
	v, a := plain()
	b := audio("b", 44100, 1024, unix*44100)
	all := interleave(v.seconds(t, 40), a.seconds(t, 40), b.seconds(t, 40))
	l := &ledger{changes: []segmenter.Change{{First: zero + 6, Came: []string{"x"}}, {Index: 1, First: zero + 7, Came: []string{"b"}}}}
	c := share(t, l, v, a)
	c.send(between(all, 0, 10)...)
	if err := c.Catalog(t.Context(), time.Unix(unix+10, 0), []media.Track{v.track(t), a.track(t), b.track(t)}); err != nil {
		t.Fatal(err)
	}
	c.send(between(all, 10, 20)...)
	c.wantSpans([]span{{"v", 0, 0, 0}, {"a", 0, 0, 0}, {"b", 7, 0, 0}}, nil, 6, 7)

	l.fail = func(bool) error { return errors.New("away") }
	if err := c.Catalog(t.Context(), time.Unix(unix+20, 0), []media.Track{v.track(t), b.track(t)}); !errors.Is(err, segmenter.ErrLedger) {
		t.Errorf("%v", err)
	}
	c.wantSpans([]span{{"v", 0, 0, 0}, {"b", 7, 0, 0}}, []span{{"a", 0, 10, 1}}, 6, 7, 10) // it goes on alone
}

func TestAnImpossibleChangeIsNotTaken(t *testing.T) {
	v, a := plain()
	for _, won := range []segmenter.Change{{Index: 0, First: 1 << 60, Came: []string{"a"}}, {Index: 3, First: zero + 5}} {
		l := &ledger{turn: func(segmenter.Change) segmenter.Change { return won }}
		c := share(t, l, v, a)
		c.send(between(interleave(v.seconds(t, 10), a.seconds(t, 10)), 0, 10)...)
		if err := c.Catalog(t.Context(), time.Unix(unix+10, 0), []media.Track{v.track(t)}); !errors.Is(err, segmenter.ErrLedger) {
			t.Errorf("%+v: %v", won, err)
		}
		c.wantSpans([]span{{"v", 0, 0, 0}}, []span{{"a", 0, 5, 1}}, 5)
	}
}

func TestLives(t *testing.T) {
	changes := []segmenter.Change{
		{First: 5, Came: []string{"b", "c"}},
		{First: 7, Went: map[string]int{"a": 2, "b": 0}},
		{First: 9, Came: []string{"a"}},
	}
	for track, want := range map[string][]segmenter.Life{
		"a": {{Until: 7, Place: 2}, {From: 9}},
		"b": {{From: 5, Until: 7}},
		"c": {{From: 5}},
		"d": {{}},
	} {
		if diff := cmp.Diff(want, segmenter.Lives(changes, track)); diff != "" {
			t.Errorf("%s: %s", track, diff)
		}
	}
}

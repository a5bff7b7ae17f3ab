package manifesttest

import (
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Track is a make-believe track.
type Track struct {
	media.Track
	Init  media.Init
	Frame int64 // ticks
	Group int   // frames of a group of pictures; 1 for audio
}

// Channel is a make-believe broadcast.
type Channel struct {
	Name   string
	Plan   segmenter.Plan
	Events []timeline.Event
	lines  []*line
	epoch  int
}

// New starts a broadcast whose media time is Unix time from start milliseconds on. kept is how many segments the timelines
// keep, at least what the plan lists.
func New(plan segmenter.Plan, kept int, start int64, tracks ...Track) *Channel {
	c := &Channel{Name: "demo", Plan: plan}
	for i := range tracks {
		t := &tracks[i]
		l := &line{Track: t, grid: plan.Grid, Timeline: timeline.New(max(kept, plan.Window), t.Frame)}
		ts := int64(t.Init.Timescale)
		group := t.Frame * int64(t.Group)
		l.next = (start*ts/1000 + group - 1) / group * group
		l.partFrames = max(int(plan.PartTarget.Milliseconds()*ts/1000/t.Frame), 1)
		init := t.Init
		must(l.Begin(timeline.Epoch{First: l.slot(l.next), Init: &init}))
		c.lines = append(c.lines, l)
	}
	return c
}

// Play publishes everything that is complete at the instant ms of Unix time.
func (c *Channel) Play(ms int64) {
	for _, l := range c.lines {
		ts := int64(l.Init.Timescale)
		for until := ms * ts / 1000; l.next+l.origin+l.Frame <= until; {
			l.frame()
		}
	}
}

// Lose makes slot n a gap in the rendition, or in all of them if track is empty. It must not have begun.
func (c *Channel) Lose(n uint64, track string) {
	for _, l := range c.lines {
		if track == "" || l.Track.Name == track {
			l.lost = append(l.lost, n)
		}
	}
}

// Restart makes the publisher come back at slot n with media time that starts from zero and another init: a new epoch for all.
func (c *Channel) Restart(n uint64) {
	c.epoch++
	for _, l := range c.lines {
		must(l.close(timeline.Full))
		at := c.Plan.Grid.Start(n, l.Init.Timescale)
		l.fill(n)
		init := *l.Current().Init
		init.Digest = fmt.Sprintf("%07x%d", len(l.Track.Name), c.epoch)
		must(l.Begin(timeline.Epoch{Index: c.epoch, First: n, Origin: at, Init: &init}))
		l.next, l.origin, l.phase = 0, at, 0
	}
}

// End ends the broadcast.
func (c *Channel) End() {
	for _, l := range c.lines {
		must(l.close(timeline.Full))
		must(l.Timeline.End())
	}
}

// Present is what there is now.
func (c *Channel) Present() manifest.Presentation {
	out := &segmenter.Output{Plan: c.Plan, Events: c.Events}
	for _, l := range c.lines {
		out.Renditions = append(out.Renditions, segmenter.Rendition{Track: &l.Track.Track, Timeline: l.Timeline})
	}
	return manifest.Present(c.Name, out, 0)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

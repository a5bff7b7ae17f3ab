package channel

import (
	"context"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/server"
)

// doubts finds out whether viewers are better off with another instance of the channel. It is driven by one goroutine.
type doubts struct {
	after time.Duration // without anything new that a rendition may be
	seen  map[string]sighting
}

// sighting is where a rendition was, and since when.
type sighting struct {
	at    timeline.Position
	since time.Time
}

// lagging are the renditions of out that have had nothing new for too long; all: there is none that has.
func (d *doubts) lagging(out *segmenter.Output, now time.Time) (late []segmenter.Rendition, all bool) {
	live := 0
	for _, r := range out.Renditions {
		s := r.Timeline.Load()
		if s.Ended {
			continue
		}
		live++
		was, known := d.seen[r.Track.Name]
		switch at := s.Position(); {
		case !known: // perhaps restored from a past that was long ago: slots are wall clock
			was = sighting{at, earlier(now, time.UnixMilli(out.Plan.Grid.Start(at.N, 1000)))}
			d.seen[r.Track.Name] = was
		case at != was.at:
			was = sighting{at, now}
			d.seen[r.Track.Name] = was
		}
		if now.Sub(was.since) > d.after {
			late = append(late, r)
		}
	}
	return late, live > 0 && len(late) == live
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// doubtEvery is how often the live edge is looked at.
const doubtEvery = time.Second

// watch keeps the channel's doubt up to date until ctx ends.
func (c *Channel) watch(ctx context.Context, fold *segmenter.Segmenter) {
	if c.stale == 0 {
		return
	}
	d := doubts{after: c.stale, seen: map[string]sighting{}}
	clock := time.NewTicker(doubtEvery)
	defer clock.Stop()
	if out := fold.Output(); out != nil { // restored: doubtful until it is known whether others have more
		if late, all := d.lagging(out, time.Now()); all || len(late) > 0 && c.incomplete {
			reason := server.Stale
			c.doubt.Store(&reason)
		}
	}
	for now := time.Now(); ; {
		reason := ""
		if out := fold.Output(); out != nil {
			reason = c.judge(ctx, &d, out, now)
		}
		if was := c.doubt.Swap(&reason); was == nil && reason != "" || was != nil && *was != reason {
			c.log.Warn("doubt changed", "reason", reason)
		}
		select {
		case now = <-clock.C:
		case <-ctx.Done():
			return
		}
	}
}

// judge is why viewers should go to another instance, or empty. If the shared store shows that no other instance has more, none
// is better than this one; without a shared store, nobody can tell, and the operator wanted viewers to go.
func (c *Channel) judge(ctx context.Context, d *doubts, out *segmenter.Output, now time.Time) string {
	late, all := d.lagging(out, now)
	if len(late) == 0 || !all && !c.incomplete {
		return ""
	}
	reason := server.Incomplete
	if all {
		reason = server.Stale
	}
	if !c.shared {
		return reason
	}
	for _, r := range late {
		edge := r.Timeline.Load().Position().N
		if len(c.ledger.Published(ctx, r.Track.Name, edge, edge+1)) > 0 {
			return reason
		}
	}
	return ""
}

// Doubt implements server.Doubter.
func (c *Channel) Doubt() string {
	if reason := c.doubt.Load(); reason != nil {
		return *reason
	}
	return ""
}

package segmenter

import (
	"context"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// held is a unit that waits for the plan.
type held struct {
	track *track
	unit  unit
	now   time.Time // when it came
}

// What a held unit and each of its samples cost beside the payload, in bytes.
const (
	unitCost   = 160
	sampleCost = 48
)

// cost is what counts of it in Config.HoldBytes.
func (h *held) cost() int { return h.unit.size + unitCost + sampleCost*len(h.unit.samples) }

// hold measures a unit and keeps it until all tracks are measured.
func (s *Segmenter) hold(ctx context.Context, now time.Time, t *track, u *unit) error {
	if t.text == nil { // nobody goes by the time of text
		if s.doubt != nil {
			s.anew(now, t, u)
		}
		t.measure(u)
		t.date(now, u)
	}
	u.samples = slices.Clone(u.samples)
	if len(s.held) == 0 {
		s.since = now
	}
	h := held{t, *u, now}
	s.held = append(s.held, h)
	s.heldBytes += h.cost()
	full := s.heldBytes > s.cfg.HoldBytes
	err := s.settle(ctx, now, full)
	if full && !s.settled {
		s.drop(len(s.held))
	}
	return err
}

func (t *track) measure(u *unit) {
	if t.gauge.timescale != u.init.Timescale {
		t.gauge = gauge{kind: t.info.Kind, timescale: u.init.Timescale, promised: t.info.MaxGroupDuration}
	}
	t.gauge.add(u)
}

// settle fixes the plan, if there is none, as soon as enough is known, or when it waited too long, and lets go of what is held.
func (s *Segmenter) settle(ctx context.Context, now time.Time, force bool) error {
	if s.settled || len(s.held) == 0 || !force && !s.measured(now.Sub(s.since)) {
		return nil
	}
	var gauges []*gauge
	for _, t := range s.tracks {
		if t.gauge.samples > 0 {
			gauges = append(gauges, &t.gauge)
		}
	}
	if len(gauges) == 0 { // ends of groups, and no media yet
		if force {
			s.held, s.heldBytes = nil, 0
		}
		return nil
	}
	var err error
	if s.plan == nil {
		err = s.fix(ctx, makePlan(s.cfg, gauges))
	}
	waits, fault := s.waits(ctx, now)
	if err = join(err, fault); waits {
		return err
	}
	s.settled = true
	for _, t := range s.tracks {
		if t.gauge.samples > 0 {
			s.start(t)
		}
	}
	s.startTexts()
	// Video first: audio begins with the slot that video begins with.
	units := s.held
	s.held, s.heldBytes = nil, 0
	err = join(err, s.replay(ctx, units, media.Video))
	s.align()
	err = join(err, s.replay(ctx, units, media.Audio))
	err = join(err, s.replay(ctx, units, media.Text))
	err = join(err, s.subtitles(ctx))
	return join(err, s.offer(ctx))
}

func (s *Segmenter) replay(ctx context.Context, units []held, kind media.Kind) (err error) {
	for i := range units {
		if h := &units[i]; h.track.info.Kind == kind && !h.track.done {
			err = join(err, s.admit(ctx, h.now, h.track, &h.unit))
		}
	}
	return err
}

// measured reports whether the plan can be fixed after so much waiting: every track has shown its frame duration, and the group
// duration is known. Where the origin must be taken from arrival time, the burst of a join must be over; where somebody else may tell it,
// that is waited for.
func (s *Segmenter) measured(waited time.Duration) bool {
	const patience = maxGroup * time.Second // with tracks that do send
	video, group := false, false
	for _, t := range s.tracks {
		g := &t.gauge
		switch {
		case t.text != nil:
			continue
		case g.samples == 0 && waited < s.cfg.Patience:
			return false
		case g.samples == 0:
			continue
		case !t.dated() && (waited < burst || s.untold() && waited < s.cfg.Patience):
			return false
		case !g.fine() && waited < patience:
			return false
		}
		if g.kind == media.Video {
			video = true
			group = group || g.group > 0 || g.promised > 0 || g.ticks > maxGroup*int64(g.timescale)
		}
	}
	return !video || group || s.plan != nil || waited >= patience
}

// start lets a track publish under the plan, in the timeline that it has, or in a new one.
func (s *Segmenter) start(t *track) {
	f := t.gauge.frame()
	if t.line == nil {
		t.line = timeline.New(s.plan.Window, f.nominal())
	}
	t.cut, t.started = newCut(s.plan, t.header.init, f, t.info.Packaging), true
	t.cut.floor = s.room
	t.resume()
	if t.info.Bitrate == 0 {
		// Only what the catalog lacks altogether is measured: instances that joined at different times measure differently.
		info := *t.info
		info.Bitrate, info.AvgBitrate = t.gauge.bitrate()
		t.info = &info
	}
}

// align makes the tracks that have published nothing yet begin with the first slot of video.
func (s *Segmenter) align() {
	first := int64(-1)
	for _, t := range s.tracks {
		if t.line == nil || t.info.Kind != media.Video {
			continue
		}
		n := int64(-1)
		if oldest, ok := t.line.Load().First(); ok {
			n = int64(oldest)
		} else if t.cut.continuous {
			n = t.cut.begins()
		}
		if n >= 0 && (first < 0 || n < first) {
			first = n
		}
	}
	for _, t := range s.tracks {
		if t.line != nil && t.info.Kind != media.Video {
			t.cut.floor = max(t.cut.floor, first)
		}
	}
}

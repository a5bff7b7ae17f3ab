package segmenter

import (
	"context"
	"slices"
	"time"
)

// longJump is a hole in media time that is rather a new time base or a restart than a loss, in seconds.
const longJump = 10

// admit holds a unit against the media time of its track before its samples are folded in.
func (s *Segmenter) admit(ctx context.Context, now time.Time, t *track, u *unit) error {
	if t.text != nil {
		return s.subtitle(ctx, t, u)
	}
	if t.landing != nil {
		t.landing.keep(now, t, u)
		return s.land(ctx, now, t, u.ended || t.landing.bytes > s.cfg.HoldBytes)
	}
	if len(u.samples) == 0 {
		return s.endOf(ctx, now, t, u)
	}
	if !t.started {
		t.measure(u)
		s.start(t)
		return join(s.offer(ctx), s.follow(ctx, now, t, u))
	}
	return s.follow(ctx, now, t, u)
}

// follow holds a unit with samples against those before it.
func (s *Segmenter) follow(ctx context.Context, now time.Time, t *track, u *unit) error {
	c := &t.cut
	first, second := u.samples[0].DTS, int64(c.timescale)
	d := c.gap(first)
	switch {
	case u.init.Timescale != c.timescale: // another clock: there is nothing to compare
		d = 0
	case jumps(d, u):
		return s.jump(ctx, now, t, u)
	case d < -c.half || c.timed && first <= c.last:
		return s.bad(t, u.loc, errOverlap)
	}
	var err error
	if t.suspect != nil { // it was alone: the track goes on where it was
		err = s.bad(t, t.suspect.loc, errJump)
		t.suspect = nil
	}
	u.lost = u.lost || d > second || d > c.half && (t.doubt || u.doubt)
	t.doubt = false
	err = join(err, s.fold(ctx, now, t, u))
	if u.ended {
		err = join(err, s.finish(ctx, t, !u.doubt))
	}
	return err
}

// jumps reports whether a unit that begins d after the end of the media before it is far from that.
func jumps(d int64, u *unit) bool {
	second := int64(u.init.Timescale)
	return d > longJump*second || d <= -second
}

// confirms reports whether u follows on from p.
func confirms(p, u *unit) bool {
	last, second := &p.samples[len(p.samples)-1], int64(u.init.Timescale)
	d := u.samples[0].DTS - last.DTS - int64(last.Dur)
	return d > -second && d <= second && u.samples[0].DTS > last.DTS && p.init == u.init
}

// endOf takes the end of a group or of the track that comes without samples.
func (s *Segmenter) endOf(ctx context.Context, now time.Time, t *track, u *unit) error {
	if !t.started {
		return nil
	}
	if t.suspect != nil && t.suspect.loc.Group == u.loc.Group {
		t.suspect.last = true
		return nil
	}
	err := s.fold(ctx, now, t, u)
	if u.ended {
		err = join(err, s.finish(ctx, t, !u.doubt))
	}
	return err
}

// jump waits for a second object that confirms the time of the first: one object with a wild time is bad input, not a new time
// base.
func (s *Segmenter) jump(ctx context.Context, now time.Time, t *track, u *unit) error {
	var err error
	if p := t.suspect; p != nil {
		t.suspect = nil
		if confirms(p, u) {
			t.doubt = false
			t.landing = &landing{since: now, whole: !p.lost && !p.doubt}
			p.lost = false // the jump says so
			t.landing.keep(now, t, p)
			t.landing.keep(now, t, u)
			b, hops := s.hops(now, t, u.samples[0].DTS, t.landing.lag)
			return s.land(ctx, now, t, hops || !b.arrival)
		}
		err = s.bad(t, p.loc, errJump)
	}
	p := *u
	p.samples = slices.Clone(u.samples)
	t.suspect = &p
	return err
}

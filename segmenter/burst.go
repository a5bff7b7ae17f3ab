package segmenter

import (
	"context"
	"math/big"
	"slices"
	"time"
)

// burst is how long objects may come at once that were made one after the other, when a track is joined or comes back: of them, the
// newest tells how far media time is behind the clock.
const burst = time.Second / 2

// landing is a track's media on a new time base, which nothing in the stream relates to the clock, until the burst is over.
type landing struct {
	since time.Time
	units []held
	bytes int
	lag   *big.Rat // seconds of clock minus media time at the live edge
	whole bool     // no media is missing before it
}

// live is the decode time of the newest sample.
func (l *landing) live() int64 {
	for i := len(l.units) - 1; i >= 0; i-- {
		if s := l.units[i].unit.samples; len(s) > 0 {
			return s[len(s)-1].DTS
		}
	}
	return 0
}

// keep takes a unit along.
func (l *landing) keep(now time.Time, t *track, u *unit) {
	k := *u
	k.samples = slices.Clone(u.samples)
	l.units = append(l.units, held{t, k, now})
	l.bytes += unitCost + sampleCost*len(k.samples)
	for i := range k.samples {
		l.bytes += len(k.samples[i].Data)
	}
	if n := len(k.samples); n > 0 {
		if lag := behind(k.clock(now), k.samples[n-1].DTS+int64(k.samples[n-1].Dur), k.init.Timescale); l.lag == nil || lag.Cmp(l.lag) < 0 {
			l.lag = lag
		}
	}
}

// land lets t go on on its new time base, if it has one and the burst is over.
func (s *Segmenter) land(ctx context.Context, now time.Time, t *track, force bool) error {
	l := t.landing
	if l == nil || !force && now.Sub(l.since) < burst {
		return nil
	}
	t.landing = nil
	err := s.rebase(ctx, now, t, l)
	for i := range l.units {
		h := &l.units[i]
		if i == 0 {
			err = join(err, s.fold(ctx, h.now, t, &h.unit))
		} else if !t.done {
			err = join(err, s.admit(ctx, h.now, t, &h.unit))
		}
	}
	return err
}

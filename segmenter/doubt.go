package segmenter

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Who joins a channel that was published before, and finds media whose time is not the clock's, cannot tell whether the publisher is
// the one of the record: it may have begun anew with its clock moved by so little that the media fits the old time base. Who was there
// saw that, and claims an epoch. So whoever joins holds its media until nothing has been heard of an epoch for as long as a claim may
// take. If there is none, nobody is there who knows better, and whoever joins after that does the same: the newest epoch that is known
// goes on, behind all that may have been published of it before.
//
// Media that is held when the publisher begins anew, or changes a header, is of an epoch before, and is dropped. Whoever joins has then
// been there, too: it takes the claim of another instance that has seen the same, or claims an epoch itself.

// Witness is a Ledger that knows what other instances do. With one that does not, or none, nobody else publishes the channel.
type Witness interface {
	// Since returns the epochs that were claimed from an index on, ascending, and the newest slot that was recorded; 0 if none was.
	Since(ctx context.Context, index int) (claims []Epoch, newest uint64, err error)
}

const (
	// wallTolerance is how far media time may be from the clock if the stream is to tell what time it is.
	wallTolerance = 5 * time.Second
	// askEvery is the time between two looks at what others do.
	askEvery = time.Second
	// quiet is how long it may take that another instance sees a jump, that a second object confirms it, and that a store has the claim.
	quiet = 6 * time.Second
	// stray is how far apart instances see the same: how long media of before an epoch may still come when the epoch has been claimed.
	stray = 3 * time.Second
	// longDoubt is how long a publisher that jumps about keeps an instance in doubt.
	longDoubt = time.Minute
)

// doubt is about the time base of the media that is held.
type doubt struct {
	witness  Witness
	began    time.Time // when the first media came
	raised   time.Time
	until    time.Time // until when media is held, if nothing is heard of an epoch
	asked    time.Time // the last time,
	answered time.Time // and that the store answered,
	heard    time.Time // and that it had a new claim
	saw      time.Time // when media time last jumped back while media was held; zero: it did not
}

// doubtful reports whether media time is not the clock's.
func (s *Segmenter) doubtful() bool {
	return slices.ContainsFunc(s.tracks, func(t *track) bool {
		return t.lag != nil && new(big.Rat).Abs(t.lag).Cmp(seconds(wallTolerance)) > 0
	})
}

// waits reports whether what is held must be held longer, because its time base is in doubt.
func (s *Segmenter) waits(ctx context.Context, now time.Time) (waits bool, err error) {
	d := s.doubt
	switch {
	case d == nil:
		return false, nil
	case !d.raised.IsZero():
	case len(s.epochs) == 0 || !s.doubtful():
		s.doubt = nil
		return false, nil
	case now.Sub(d.began) < burst: // it may only be the beginning of a long group
		return true, nil
	default:
		d.raised, d.answered = now, now
	}
	if now.Sub(d.asked) < askEvery {
		return true, nil
	}
	d.asked = now
	if waits, err = s.ask(ctx, now); !waits {
		s.resolve()
	}
	return waits, err
}

// resolve ends the doubt.
func (s *Segmenter) resolve() {
	d := s.doubt
	s.doubt = nil
	saw := !d.saw.IsZero()
	if saw && !d.heard.Before(d.saw.Add(-stray)) {
		return // the claim is of what was seen: all that is published of it is what comes here
	}
	s.renewed, s.room = saw, s.newest()+1+unrecorded
}

// ask looks at what others have done, and reports whether that leaves the doubt.
func (s *Segmenter) ask(ctx context.Context, now time.Time) (waits bool, err error) {
	d := s.doubt
	claims, newest, err := d.witness.Since(ctx, s.epochs[len(s.epochs)-1].index+1)
	switch {
	case err == nil:
		d.answered = now
	case now.Sub(d.answered) < quiet:
		return true, nil
	default: // the live line waits for no store
		return false, fmt.Errorf("%w: whether the publisher is the one of the record: %w", ErrLedger, err)
	}
	if newest >= maxSlot {
		return false, fmt.Errorf("%w: slot %d of the record is beyond any clock", ErrLedger, newest)
	}
	s.reach = int64(newest)
	if err = s.learn(claims); err != nil {
		return false, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	if len(claims) > 0 {
		d.heard = now
		d.extend(now)
	}
	live := s.held[len(s.held)-1].now // that there is no epoch while there is no media says nothing
	return live.Before(d.until) && now.Sub(d.raised) < longDoubt, nil
}

// extend waits for media, or a claim, that may be on its way.
func (d *doubt) extend(now time.Time) {
	if until := now.Add(stray); d.until.Before(until) {
		d.until = until
	}
}

// hurry makes the next look the last one.
func (d *doubt) hurry(now time.Time) { d.began, d.until, d.asked = time.Time{}, now, time.Time{} }

// anew drops what is held of before the publisher began anew, or changed a header, if that is what u confirms.
func (s *Segmenter) anew(now time.Time, t *track, u *unit) {
	d := s.doubt
	if d.began.IsZero() { // all that happened before this came has been claimed, and heard, when it was quiet for so long
		d.began, d.until = now, now.Add(quiet)
	}
	if len(u.samples) == 0 {
		return
	}
	var last [3]int // of t's units, newest first
	n := 0
	for i := len(s.held) - 1; i >= 0 && n < len(last); i-- {
		if h := &s.held[i]; h.track == t && len(h.unit.samples) > 0 {
			last[n], n = i, n+1
		}
	}
	if n < 2 || !confirms(&s.held[last[0]].unit, u) {
		return
	}
	back := false
	for _, i := range last[1:n] { // one with a wild time may be among them
		differs, before := s.held[i].unit.differs(&s.held[last[0]].unit)
		if !differs {
			return
		}
		back = back || before
	}
	switch {
	case now.Sub(d.began) <= stray: // the past may have the claim already
		d.until = now.Add(quiet)
	case back: // what is new otherwise, the media itself shows
		d.saw = now
		fallthrough
	default:
		d.extend(now)
	}
	s.drop(last[0])
}

// differs reports whether next is of another publisher than u, or has another header, and whether its time jumps back.
func (u *unit) differs(next *unit) (differs, before bool) {
	last := &u.samples[len(u.samples)-1]
	d := next.samples[0].DTS - last.DTS - int64(last.Dur)
	jumps := jumps(d, next)
	return jumps || next.init.Digest != u.init.Digest, jumps && d < 0
}

// drop forgets the first n units that are held, and how far their time is behind the clock.
func (s *Segmenter) drop(n int) {
	for i := range s.held[:n] {
		s.heldBytes -= s.held[i].cost()
	}
	s.held = slices.Delete(s.held, 0, n)
	for _, t := range s.tracks {
		t.lag = nil
	}
	for i := range s.held {
		if h := &s.held[i]; h.track.text == nil {
			h.track.date(h.now, &h.unit)
		}
	}
	if len(s.held) > 0 {
		s.since = s.held[0].now
	}
}

package segmenter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// fold takes one object's samples into t's timeline.
func (s *Segmenter) fold(ctx context.Context, now time.Time, t *track, u *unit) error {
	var err error
	c := &t.cut
	if u.lost {
		s.events.Losses++
		err = s.lose(t)
	}
	if len(u.samples) > 0 {
		if u.init.Digest != c.init.Digest {
			err = join(err, s.change(ctx, now, t, u))
		}
		if !c.based {
			err = join(err, s.found(ctx, now, t, u))
		}
		err = join(err, s.hear(t, u))
	}
	for i := range u.samples {
		err = join(err, s.sample(ctx, t, u, &u.samples[i]))
		if t.done {
			return err
		}
	}
	if u.last && c.inGroup && c.group == u.loc.Group {
		err = join(err, s.closeIf(ctx, t, c.complete(true)))
		c.inGroup = false
	}
	return err
}

// sample takes the next sample into the segment it belongs to.
func (s *Segmenter) sample(ctx context.Context, t *track, u *unit, m *media.Sample) error {
	c := &t.cut
	groupStart := c.enterGroup(u.loc, m)
	c.join(m)
	c.timed, c.next, c.last = true, m.DTS+int64(m.Dur), m.DTS
	slot, opens, forced := c.opens(m, groupStart)
	var err error
	if opens {
		if forced {
			s.events.ForcedCuts++
		}
		err = s.open(ctx, t, slot, m)
	}
	if c.live && (c.splits(m) || !c.follows(m)) {
		err = join(err, s.flush(ctx, t))
	}
	if !c.live {
		return err
	}
	c.take(m)
	if c.cellOf(c.next) > c.cell {
		err = join(err, s.flush(ctx, t))
	}
	return join(err, s.closeIf(ctx, t, c.complete(false)))
}

// open closes the segment before, records what is missing, begins the epochs on the way, and begins slot n.
func (s *Segmenter) open(ctx context.Context, t *track, n int64, m *media.Sample) error {
	c := &t.cut
	err := s.closeIf(ctx, t, c.live)
	c.slot, c.known = n, true
	e := s.advance(ctx, t, n)
	if err = join(err, e); t.done || e != nil && !errors.Is(e, ErrLedger) {
		return err
	}
	c.live = true
	c.start, c.shown, c.cell = m.DTS, c.reorder, 0
	c.pieces = make([][]byte, 0, 8)
	c.began()
	return err
}

// advance brings t's timeline to slot n: through gaps, and into the epochs that begin by then.
func (s *Segmenter) advance(ctx context.Context, t *track, n int64) error {
	c := &t.cut
	err := s.store(ctx, t)
	if err != nil {
		return err
	}
	if t.rejoins {
		s.borrow(ctx, t, uint64(n))
	}
	for i := range s.epochs {
		e := &s.epochs[i]
		joins := t.line.Load().Empty()
		if e.index <= t.epoch || e.from > n && t.epoch >= 0 || joins && i+1 < len(s.epochs) && s.epochs[i+1].from <= n {
			continue // begun, still to come, or over before the track joins
		}
		if err = join(err, s.skip(t, e.from)); t.done {
			return err
		}
		fault := t.line.Begin(timeline.Epoch{
			Index: e.index, First: uint64(max(e.first, 0)), Init: c.init, Frame: c.frame.nominal(),
			Origin: c.base.origin(c.grid, c.timescale), Arrival: c.base.arrival,
		})
		if fault != nil {
			return join(err, s.stop(t, fault))
		}
		t.epoch, t.base = e.index, c.base
	}
	err = join(err, s.skip(t, n))
	t.lent = nil
	return err
}

// borrow asks what another instance has published of t between its past and slot n.
func (s *Segmenter) borrow(ctx context.Context, t *track, n uint64) {
	t.rejoins = false
	p := t.line.Load()
	if from := p.Position().N; s.ledger != nil && !p.Empty() && from < n {
		t.lent = s.ledger.Published(ctx, t.info.Name, max(from, n-min(n, uint64(s.plan.Window))), n)
	}
}

// catchUp takes what other instances have published of t since its past into its timeline, which ends before this run had anything.
func (s *Segmenter) catchUp(ctx context.Context, t *track) error {
	w, ok := s.ledger.(Witness)
	if !ok || !t.rejoins {
		return nil
	}
	_, newest, err := w.Since(ctx, maxEpochs)
	switch {
	case err != nil:
		return fmt.Errorf("%w: how far others have come with %q: %w", ErrLedger, t.info.Name, err)
	case newest >= maxSlot:
		return nil
	}
	s.borrow(ctx, t, newest+1)
	n := len(t.lent)
	if n == 0 {
		return nil
	}
	end := t.lent[n-1].N + 1
	if t.cut.based {
		return s.advance(ctx, t, int64(end))
	}
	return s.adopt(t, end)
}

// adopt takes what is lent of the slots before n into t's timeline. What does not fit there is not taken.
func (s *Segmenter) adopt(t *track, n uint64) error {
	p := t.line.Load()
	from := p.Position().N
	for len(t.lent) > 0 && t.lent[0].N < from {
		t.lent = t.lent[1:]
	}
	if len(t.lent) == 0 || t.lent[0].N >= n {
		return nil
	}
	i := 0
	for i < len(t.lent) && t.lent[i].N < n && p.Epoch(t.lent[i].Epoch) != nil {
		i++
	}
	err := s.miss(t, t.lent[0].N)
	if err == nil {
		if e := t.line.Adopt(t.lent[:i]); e != nil {
			err, i = fmt.Errorf("%w: segments of %q from slot %d on: %w", ErrLedger, t.info.Name, t.lent[0].N, e), len(t.lent)
		}
	}
	t.lent = t.lent[i:]
	return err
}

// skip brings t's timeline to slot n: with what is lent, and gaps.
func (s *Segmenter) skip(t *track, n int64) error {
	p := t.line.Load()
	if p.Empty() || n <= int64(p.Position().N) {
		return nil
	}
	var err error
	if len(t.lent) > 0 {
		err = s.adopt(t, uint64(n))
	}
	if t.done {
		return err
	}
	return join(err, s.miss(t, uint64(n)))
}

// miss records the slots before n that are missing.
func (s *Segmenter) miss(t *track, n uint64) error {
	p := t.line.Load()
	if n <= p.Position().N {
		return nil
	}
	s.events.Gaps += n - p.Position().N
	c := t.cut
	c.grid = s.plan.Grid // c is not in use yet where a timeline ends before this run had anything
	if scale := p.Current().Init.Timescale; scale != c.timescale {
		c.timescale, c.phase = scale, 0 // of the epoch before
	}
	if err := t.line.Skip(n, c.nominal(t.base, c.phase)); err != nil {
		return s.stop(t, err)
	}
	return nil
}

// store puts the header in force, unless it is there already.
func (s *Segmenter) store(ctx context.Context, t *track) error {
	init := t.cut.init
	if t.stored == init.Digest {
		return nil
	}
	err := s.sink.Put(ctx, Media{Track: t.info, What: InitSegment, Digest: init.Digest, Body: [][]byte{init.Bytes}})
	if err != nil {
		return fmt.Errorf("segmenter: put header of %q: %w", t.info.Name, err)
	}
	t.stored = init.Digest
	return nil
}

// flush publishes the part that is being collected.
func (s *Segmenter) flush(ctx context.Context, t *track) error {
	c := &t.cut
	if len(c.part) == 0 {
		return nil
	}
	n, p := uint64(c.slot), len(c.pieces)
	first, last := &c.part[0], &c.part[len(c.part)-1]
	part := timeline.Part{Start: first.DTS + c.shown, Dur: last.DTS + int64(last.Dur) - first.DTS, Independent: first.Sync}
	body, err := mux.Fragment(mux.Sequence(n, p), c.part)
	clear(c.part) // the payloads may go
	c.part, c.bytes = c.part[:0], 0
	if err != nil {
		return s.stop(t, err)
	}
	part.Size = int64(len(body))
	c.pieces = append(c.pieces, body)
	err = s.sink.Put(ctx, Media{Track: t.info, What: MediaPart, N: n, Part: p, Body: c.pieces[p : p+1 : p+1]})
	if err != nil {
		c.pieces = c.pieces[:p]
		return join(fmt.Errorf("segmenter: put part %d.%d of %q: %w", n, p, t.info.Name, err), s.abandon(t))
	}
	if err := t.line.Append(n, p, part); err != nil {
		return s.stop(t, err)
	}
	return nil
}

// closeIf completes the segment that is being written, if it is whole.
func (s *Segmenter) closeIf(ctx context.Context, t *track, whole bool) error {
	c := &t.cut
	if !whole {
		return nil
	}
	if err := s.flush(ctx, t); err != nil || !c.live || len(c.pieces) == 0 {
		return err
	}
	n := uint64(c.slot)
	if err := s.sink.Put(ctx, Media{Track: t.info, What: MediaSegment, N: n, Body: c.pieces}); err != nil {
		return join(fmt.Errorf("segmenter: put segment %d of %q: %w", n, t.info.Name, err), s.abandon(t))
	}
	c.live, c.pieces = false, nil
	if err := t.line.Close(n, timeline.Full); err != nil {
		return s.stop(t, err)
	}
	return nil
}

// lose notes that media of t is missing for ever.
func (s *Segmenter) lose(t *track) error {
	t.cut.continuous, t.cut.inGroup = false, false
	return s.abandon(t)
}

// abandon gives up the segment being written. What was published of it stays; nothing more will come, because what is whole
// elsewhere must not have other bytes here.
func (s *Segmenter) abandon(t *track) error {
	c := &t.cut
	clear(c.part)
	c.part, c.bytes = c.part[:0], 0
	if !c.live {
		return nil
	}
	published := len(c.pieces) > 0
	c.live, c.pieces = false, nil
	if !published {
		return nil // the slot is recorded as missing when the next one opens
	}
	s.events.Gaps++
	start, dur := c.nominal(t.base, c.phase)(uint64(c.slot))
	if err := t.line.Break(uint64(c.slot), start+dur); err != nil {
		return s.stop(t, err)
	}
	return nil
}

// stop ends a track whose invariants are broken. The others go on.
func (s *Segmenter) stop(t *track, err error) error {
	t.done = true
	if o := t.line.Load().Open; o != nil {
		err = join(err, t.line.Break(o.N, o.End()))
	}
	err = join(err, t.line.End())
	return fmt.Errorf("segmenter: track %q stops: %w", t.info.Name, err)
}

// finish ends t's timeline; the open segment is whole if the track is known to be.
func (s *Segmenter) finish(ctx context.Context, t *track, whole bool) error {
	if t.done || t.line == nil {
		t.done = true
		return nil
	}
	var err error
	for t.landing != nil { // what it keeps may jump again
		err = join(err, s.land(ctx, t.landing.since, t, true))
	}
	if s.ended {
		err = join(err, s.catchUp(ctx, t))
	}
	err = join(err, s.closeIf(ctx, t, whole && t.cut.live && !t.doubt))
	err = join(err, s.abandon(t))
	t.done = true
	return join(err, t.line.End())
}

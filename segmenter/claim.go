package segmenter

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// joining is said to clear when media comes for the first time in this run.
const joining = true

// unrecorded is how many slots others may have published beyond the past of who joins: the open one, and one on its way into the
// record.
const unrecorded = 2

// maxClaims is how many epochs that were claimed for other media are passed over to find a place for ours.
const maxClaims = 16

// epochOf is a claim as this instance holds to it.
func epochOf(e *Epoch) epoch {
	return epoch{
		index: e.Index, first: int64(e.First), from: int64(e.First),
		base: base{shift: e.Shift, arrival: e.Arrival}, inits: e.Inits,
	}
}

// plausible reports whether the numbers can be computed with.
func (e *Epoch) plausible() bool {
	return e.Index >= 0 && e.Index < maxEpochs && e.First < maxSlot && absolute(e.Shift) < maxSlot && e.Shift > -maxSlot
}

// fix makes p the plan, or the one that was claimed before.
func (s *Segmenter) fix(ctx context.Context, p plan) error {
	s.plan = &p
	if s.ledger == nil {
		return nil
	}
	claimed, err := s.ledger.Plan(ctx, p.Plan)
	if err != nil {
		return fmt.Errorf("%w: claim the plan: %w", ErrLedger, err)
	}
	q, err := planOf(claimed, s.cfg)
	if err != nil {
		return fmt.Errorf("%w: the plan in force: %w", ErrLedger, err)
	}
	s.plan = &q
	if err := sameCuts(&claimed, s.cfg); err != nil {
		return fmt.Errorf("%w: the plan in force: %w: configure all instances alike", ErrLedger, err)
	}
	return nil
}

// join decides which epoch the media is in that comes first in this run: the newest one that is known, or the first one from there
// on that fits it.
func (s *Segmenter) join(ctx context.Context, now time.Time, raw int64, b base) (opened bool, err error) {
	fits := false
	if n := len(s.epochs); n > 0 && !s.renewed {
		e := &s.epochs[n-1]
		if fits = s.suits(now, e, e.base, raw); fits && s.sameInits(e, nil) {
			return false, nil
		} else if fits {
			b = e.base
		}
	}
	if !fits {
		b = s.clear(b, raw, joining)
	}
	_, err = s.claim(ctx, now, raw, b, nil, s.headers())
	return true, err
}

// headers are the digests of those that all tracks go on with, as far as anyone knows: by them, who did not see a rendition in an
// epoch tells whether it goes on there.
func (s *Segmenter) headers() map[string]string {
	inits := map[string]string{}
	for _, t := range s.tracks {
		if d := t.digests(); len(d) > 0 {
			inits[t.info.Name] = d[0]
		}
	}
	return inits
}

// begin opens a new epoch of the whole presentation: t's media goes on at raw, the slot were media time Unix time.
func (s *Segmenter) begin(ctx context.Context, now time.Time, t *track, raw int64, b base) (*epoch, error) {
	inits := s.headers()
	inits[t.info.Name] = t.header.init.Digest
	return s.claim(ctx, now, raw, b, t, inits)
}

// claim settles with the other instances what the next epoch is and enters it into the books. opener is the track whose media
// began it, nil when this instance joins. If the ledger does not answer or makes no sense, the epoch is what this instance takes
// it to be, and the error says so.
func (s *Segmenter) claim(ctx context.Context, now time.Time, raw int64, b base, opener *track, inits map[string]string) (*epoch, error) {
	least := s.newest() + 1
	e := epoch{first: max(raw+b.shift, least), base: b, inits: maps.Clone(inits)}
	discontinuity := len(s.epochs) > 0
	if discontinuity {
		e.index = s.epochs[len(s.epochs)-1].index + 1
	}
	agreed, err := s.agree(ctx, now, raw, e, opener)
	agreed.from = max(agreed.first, least)
	if agreed.index == 0 {
		agreed.from = agreed.first
	}
	s.epochs = append(s.epochs[max(0, len(s.epochs)-epochsKept+1):len(s.epochs):len(s.epochs)], agreed)
	if discontinuity {
		s.events.Epochs++
	}
	return &s.epochs[len(s.epochs)-1], err
}

// clear is b, or the base that puts raw behind everything that has been published, where b would leave too many slots empty, or
// was only guessed. Who joins may find media again that has been published, and does not know yet what others are about to publish.
func (s *Segmenter) clear(b base, raw int64, joins bool) base {
	least, most := s.newest()+1, int64(maxStepBack)
	if joins && least > 0 {
		least += unrecorded
		if !s.renewed {
			most = s.slots(sameTolerance)
		}
	}
	if late := least - (raw + b.shift); late > most || late > 0 && b.arrival {
		return base{shift: least - raw, arrival: true}
	}
	return b
}

// agree proposes e to the ledger, under the first index from its own on that is not taken by other media, and returns what is in
// force.
func (s *Segmenter) agree(ctx context.Context, now time.Time, raw int64, e epoch, opener *track) (epoch, error) {
	if s.ledger == nil {
		return e, nil
	}
	var err error
	for range maxClaims {
		claimed, fault := s.ledger.Begin(ctx, Epoch{
			Index: e.index, First: uint64(max(e.first, 0)), Shift: e.base.shift, Arrival: e.base.arrival, Inits: maps.Clone(e.inits),
		})
		if fault != nil {
			return e, join(err, fmt.Errorf("%w: claim epoch %d: %w", ErrLedger, e.index, fault))
		}
		if claimed.Index != e.index {
			return e, join(err, fmt.Errorf("%w: asked for epoch %d it gives epoch %d", ErrLedger, e.index, claimed.Index))
		}
		c := epochOf(&claimed)
		switch plausible := claimed.plausible(); {
		case plausible && !s.takes(&c, &e, opener): // other media
		case plausible && c.first <= raw+c.base.shift+s.slots(farTolerance):
			return c, err
		default:
			err = join(err, fmt.Errorf("%w: epoch %d is claimed from slot %d on with shift %d, which cannot be",
				ErrLedger, e.index, claimed.First, claimed.Shift))
		}
		e.index++
	}
	return e, join(err, fmt.Errorf("%w: the last %d epochs before %d are claimed for other media", ErrLedger, maxClaims, e.index))
}

// takes reports whether a claim is of the media that ours is of.
func (s *Segmenter) takes(claimed, ours *epoch, opener *track) bool {
	apart := absolute(claimed.base.shift - ours.base.shift)
	switch {
	case !claimed.base.arrival && !ours.base.arrival && apart != 0, apart > s.slots(sameTolerance):
		return false
	case opener != nil && ours.first-claimed.first > s.slots(sameTolerance):
		return false // an earlier discontinuity, which was none here
	}
	return s.sameInits(claimed, opener)
}

// suits reports whether media whose slot is raw, were its time Unix time, can be of an epoch on a base.
func (s *Segmenter) suits(now time.Time, e *epoch, b base, raw int64) bool {
	n, clock := raw+b.shift, int64(s.plan.Grid.Slot(now.UnixNano(), uint32(time.Second)))
	tolerance := sameTolerance
	if b.shift == 0 {
		tolerance = unixTolerance
	}
	same, newest := s.slots(sameTolerance), s.newest()
	// Numbers may have left Unix time behind, when a publisher's clock stepped back.
	near := absolute(n-clock) <= s.slots(tolerance) || newest >= 0 && absolute(n-newest) <= same
	return near && e.first <= n+same && newest <= n+same
}

// sameInits reports whether an epoch is of the headers in force, as far as both are known: those of one track, or of all.
func (s *Segmenter) sameInits(e *epoch, only *track) bool {
	for _, t := range s.tracks {
		have, want := t.digests(), e.inits[t.info.Name]
		if t.line != nil {
			if in := t.line.Load().Epoch(e.index); in != nil {
				want = in.Init.Digest // the record is newer than the claim
			}
		}
		if len(have) == 0 || want == "" || only != nil && t != only {
			continue
		}
		if have[0] != want && have[len(have)-1] != want {
			return false
		}
	}
	return true
}

// digests are those of the headers that t is known to have: the one to come, and the one in force.
func (t *track) digests() (d []string) {
	if t.next != nil && t.next.header.init != nil {
		d = append(d, t.next.header.init.Digest)
	}
	if t.header.init != nil {
		d = append(d, t.header.init.Digest)
	}
	return d
}

// slots is how many fit into d, rounded up.
func (s *Segmenter) slots(d time.Duration) int64 {
	return int64(s.plan.Grid.Slot(int64(d), uint32(time.Second))) + 1
}

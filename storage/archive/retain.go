package archive

import (
	"context"
	"errors"
	"log/slog"
	"math/bits"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// Retain says how much of a channel an archive keeps. The window that live documents list is kept in any case.
type Retain struct {
	Age   time.Duration // of media, behind the newest segment; 0: for ever
	Bytes int64         // of all segments that are listed; 0: without bound
	// Grace is how long media stays after the documents have dropped it, for those who still hold an older one. 0: twice as
	// long as any cache keeps documents, and a minute at least.
	Grace time.Duration
}

// Pending tells whether a farther archive may still need segments of slot n, or later ones. *Archive does.
type Pending interface {
	Pending(n uint64) bool
}

var _ Pending = (*Archive)(nil)

// KeeperConfig of a Keeper.
type KeeperConfig struct {
	Name    string // of the store, for people and metrics
	Channel string
	Store   storage.Durable
	Retain  Retain
	// Farther is the archive that takes what it has not seen itself from this one, or nil. Nothing that it may still need is
	// deleted, unless this archive would outgrow Retain.Bytes, or its store is full.
	Farther Pending
	// Raised is called when Head.First has risen, and must not wait; nil: the archive hears of it when it reads the head. Its Refresh
	// fits.
	Raised  func()
	Logger  *slog.Logger // nil discards
	Metrics *Metrics     // nil counts nothing
}

// Keeper deletes what an archive need not keep any longer: first the documents drop it, because Head.First rises, then, after a
// grace time, the media goes, and last the chunk of the record that names it. So whatever is interrupted is found and finished.
// Each instance may run a Keeper on the same store.
type Keeper struct {
	cfg  KeeperConfig
	r    *reader
	log  *slog.Logger
	room chan struct{} // somebody needs room

	// Owned by Run.
	sizes    map[uint64]int64        // bytes of the media of a chunk, by From; the newest ones grow
	listed   floors                  // how documents came to list less
	kept     floors                  // how Head.First rose
	inits    map[string]storage.Blob // headers that this Keeper has deleted, should they be needed again
	spilling bool                    // what is deleted is missing in the farther archive
	cramped  bool                    // the store is full and nothing may be deleted
}

// floors are slots that a limit has not been below since some time, ascending in both.
type floors []floor

type floor struct {
	slot uint64
	at   time.Time
}

// since is the slot that the limit, which is at slot now, has not been below for the grace time: 0 while that is not known.
func (f *floors) since(slot uint64, now time.Time, grace time.Duration) uint64 {
	l := *f
	for len(l) > 0 && l[len(l)-1].slot > slot {
		l = l[:len(l)-1] // it has sunk
	}
	if len(l) == 0 || l[len(l)-1].slot < slot {
		l = append(l, floor{slot, now})
	}
	*f = l
	for i := len(l) - 1; i >= 0; i-- {
		if now.Sub(l[i].at) >= grace {
			*f = l[i:]
			return l[i].slot
		}
	}
	return 0
}

const (
	passEvery = time.Minute
	passSoon  = 2 * time.Second // while somebody needs room
	leastStay = time.Minute     // other instances may take half of it to hear that Head.First has risen
)

// NewKeeper returns a Keeper that Run brings to life.
func NewKeeper(cfg KeeperConfig) *Keeper {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	log := cfg.Logger.With("store", cfg.Name)
	r := newReader(cfg.Store, cfg.Channel, log)
	return &Keeper{cfg: cfg, r: r, log: r.log, room: make(chan struct{}, 1), sizes: map[uint64]int64{}, inits: map[string]storage.Blob{}}
}

// MakeRoom asks for room at once, as a Put has been refused with storage.ErrFull. It may be called by anyone and does not wait:
// what is refused should be tried again.
func (k *Keeper) MakeRoom() {
	select {
	case k.room <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. What fails is tried again.
func (k *Keeper) Run(ctx context.Context) {
	failing, urgent := false, false
	for ctx.Err() == nil {
		freed, err := k.pass(ctx, urgent)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, storage.ErrFull) && !failing:
			k.log.Error("the store is full to the last byte, so that nothing in it can be given up either: make room", "err", err)
		case err != nil && !failing:
			k.log.Warn("retention cannot delete and keeps trying", "err", err)
		case err == nil && failing:
			k.log.Info("retention goes on")
		}
		failing = err != nil
		k.cfg.Metrics.cramped(k.cfg.Name, k.cfg.Channel, k.cramped || errors.Is(err, storage.ErrFull))
		wait := passEvery
		if urgent = urgent && !freed && !k.cramped; urgent {
			wait = passSoon
		}
		if freed {
			select {
			case <-k.room: // asked before there was room
			default:
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-k.room:
			urgent = true
			t.Stop()
			if !rest(ctx, passSoon/4) { // a store that refuses everything asks all the time
				return
			}
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// pass does what there is to do. urgent: the store is full. freed: something was deleted.
func (k *Keeper) pass(ctx context.Context, urgent bool) (freed bool, err error) {
	h, ok, err := k.r.readHead(ctx)
	if err != nil || !ok {
		return false, err
	}
	froms, err := k.r.listChunks(ctx)
	if err != nil || len(froms) == 0 {
		return false, err
	}
	newest, err := k.measure(ctx, froms)
	if err != nil {
		return false, err
	}
	if err := k.r.retire(ctx, &h, newest); err != nil {
		return false, err
	}
	to, err := k.deletable(ctx, &h, urgent)
	if err != nil {
		return false, err
	}
	if freed, err = k.clean(ctx, &h, froms, to); err != nil {
		return freed, err
	}
	// Who needs room gets another chunk, once the documents have dropped those before and these did not suffice.
	return freed, k.raise(ctx, &h, froms, newest, urgent, urgent && !freed && to >= h.First)
}

// measure learns the sizes of chunks that it does not know, and of the newest ones, and the newest slot of each track in these.
func (k *Keeper) measure(ctx context.Context, froms []uint64) (newest map[string]uint64, err error) {
	const growing = 2 // chunks
	var unknown []uint64
	for i, from := range froms {
		if _, known := k.sizes[from]; !known || i >= len(froms)-growing {
			unknown = append(unknown, from)
		}
	}
	if k.cfg.Retain.Bytes == 0 { // sizes do not matter
		unknown = froms[max(0, len(froms)-growing):]
	}
	chunks, err := k.r.readChunks(ctx, unknown)
	if err != nil {
		return nil, err
	}
	newest = map[string]uint64{}
	for i := range chunks {
		size := int64(0)
		for track, entries := range chunks[i].Tracks {
			for j := range entries {
				size += entries[j].Size
			}
			if n := len(entries); n > 0 {
				newest[track] = max(newest[track], entries[n-1].N)
			}
		}
		k.sizes[chunks[i].From] = size
	}
	for from := range k.sizes {
		if from < froms[0] {
			delete(k.sizes, from)
		}
	}
	return newest, nil
}

// raise decides which slot is the first to be kept, and writes that to the head: at least one more chunk goes, if more is wanted.
func (k *Keeper) raise(ctx context.Context, h *Head, froms []uint64, newest map[string]uint64, urgent, more bool) error {
	edge := uint64(0)
	for _, n := range newest {
		edge = max(edge, n)
	}
	window := chunkOf(edge + 1 - min(edge+1, uint64(h.Plan.Window)))
	byBytes := min(k.byBytes(froms), window)
	if more {
		byBytes = max(byBytes, min(oneMore(froms, h.First), window))
	}
	if !urgent || more {
		k.cram(more && byBytes <= h.First)
	}
	byAge := min(k.byAge(h.Plan.Grid, edge), window)
	if k.cfg.Farther != nil {
		for byAge > max(h.First, froms[0]) && k.cfg.Farther.Pending(byAge-1) {
			byAge -= chunkSlots
		}
		k.spill(h.First, byBytes)
	}
	first := max(byAge, byBytes)
	if first <= h.First {
		return nil
	}
	_, err := k.r.updateHead(ctx, func(h *Head) bool {
		if h.Format == 0 || h.First >= first {
			return false
		}
		h.First = first
		return true
	})
	if err == nil && k.cfg.Raised != nil {
		k.cfg.Raised()
	}
	return err
}

// byAge is the first slot of the chunk in which media is not yet too old. Media counts, not the clock.
func (k *Keeper) byAge(g timeline.Grid, edge uint64) uint64 {
	if k.cfg.Retain.Age <= 0 {
		return 0
	}
	slots := g.Slot(int64(k.cfg.Retain.Age)-1, uint32(time.Second)) + 1
	return chunkOf(edge + 1 - min(edge+1, slots))
}

// byBytes is the first slot of the oldest chunk that can stay, so that all from there on have no more than the bytes allowed.
func (k *Keeper) byBytes(froms []uint64) uint64 {
	if k.cfg.Retain.Bytes <= 0 {
		return 0
	}
	sum := uint64(0)
	for i := len(froms) - 1; i >= 0; i-- {
		var over uint64
		if sum, over = bits.Add64(sum, uint64(k.sizes[froms[i]]), 0); over > 0 || sum > uint64(k.cfg.Retain.Bytes) {
			return froms[i] + chunkSlots
		}
	}
	return 0
}

// oneMore is the end of the oldest chunk that is still listed.
func oneMore(froms []uint64, first uint64) uint64 {
	for _, from := range froms {
		if from+chunkSlots > first {
			return from + chunkSlots
		}
	}
	return first
}

// spill notes whether the slots before to are given up although the farther archive does not have them.
func (k *Keeper) spill(first, to uint64) {
	if to > first && k.cfg.Farther.Pending(to-1) {
		k.cfg.Metrics.overflow(k.cfg.Name, k.cfg.Channel)
		if !k.spilling {
			k.log.Error("the archive outgrows its bounds before the next one has everything: the oldest is dropped, and will be missing there",
				"before", to)
		}
		k.spilling = true
	} else if !k.cfg.Farther.Pending(first) {
		k.spilling = false
	}
}

// cram notes whether the store is full although nothing may be deleted.
func (k *Keeper) cram(is bool) {
	if is && !k.cramped {
		k.log.Error("the store is full and all that is in it must be kept: make room, or lower the limits of dvr or retain")
	}
	k.cramped = is
}

// deletable is the slot before which media may go: no document has listed it for the grace time. If it is urgent it need not be that
// long since Head.First says so, of which only those hear who read the record.
func (k *Keeper) deletable(ctx context.Context, h *Head, urgent bool) (uint64, error) {
	first, err := k.r.listed(ctx, h)
	if err != nil {
		return 0, err
	}
	grace := k.cfg.Retain.Grace
	if grace <= 0 {
		grace = max(leastStay, 3*time.Second*time.Duration(h.Plan.TargetDuration))
	}
	now := time.Now()
	listed, kept := k.listed.since(first, now, grace), k.kept.since(h.First, now, grace)
	if urgent {
		kept = h.First
	}
	return min(listed, kept), nil
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
)

// errAway is what calls return while the store is not asked, because it did not answer a moment ago.
var errAway = errors.New("archive: the store did not answer a moment ago, and is asked again later")

const (
	awayFor  = 10 * time.Second // how long a store that did not answer is not asked
	maxAlone = 16               // epochs begun alone that are remembered
	// retryWait is the first wait between two attempts. It is short, and not left to chance as an archive's: patience is.
	retryWait = 50 * time.Millisecond
)

// Ledger settles the plan and the epochs of a channel among its instances, through one store that all of them use. A claim is one
// conditional Put: the first one stays for ever, the others read it. Its methods may be called concurrently.
type Ledger struct {
	// Exclusive says that no other instance writes to the store, so that none is waited for. It is set before the first call.
	Exclusive bool

	books    books
	store    storage.Durable
	channel  string
	patience time.Duration
	log      *slog.Logger

	mu     sync.Mutex
	away   time.Time // until then the store is not asked
	quiet  time.Time // until then no other instance is waited for
	newest int       // index of the newest epoch that the caller has heard of; -1: none
	// What was decided while the store was away, until it is known what the others did.
	alonePlan *segmenter.Plan
	alone     map[int]segmenter.Epoch
}

var (
	_ segmenter.Ledger  = (*Ledger)(nil)
	_ segmenter.Witness = (*Ledger)(nil)
)

// NewLedger returns the ledger of a channel. No claim takes longer than patience, if the store honours its context; when it was
// in vain, calls fail at once for a while, so that a store that is down does not slow every discontinuity.
func NewLedger(store storage.Durable, channel string, patience time.Duration, log *slog.Logger) *Ledger {
	return &Ledger{
		books: books{store, channel}, store: store, channel: channel, patience: patience, log: log,
		newest: -1, alone: map[int]segmenter.Epoch{},
	}
}

// Plan fixes p, or returns the plan that was fixed before. With an error, the caller's own plan is in force.
func (l *Ledger) Plan(ctx context.Context, p segmenter.Plan) (segmenter.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	won, err := l.claimPlan(ctx, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.alonePlan = &p
		return segmenter.Plan{}, err
	}
	l.alonePlan = nil
	return won, nil
}

// Begin claims e, or returns what was claimed before under its index. With an error, the caller's own epoch is in force here; when
// it turns out later that another instance began it otherwise, that is logged.
func (l *Ledger) Begin(ctx context.Context, e segmenter.Epoch) (segmenter.Epoch, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	won, err := l.claimEpoch(ctx, e)
	l.heard(e.Index)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.alone[e.Index] = e
		if len(l.alone) > maxAlone {
			delete(l.alone, slices.Min(slices.Collect(maps.Keys(l.alone))))
		}
		return segmenter.Epoch{}, err
	}
	l.makeUp(ctx)
	return won, nil
}

// Turn claims c, or returns what was claimed before under its index. With an error, the caller's own change is in force here.
func (l *Ledger) Turn(ctx context.Context, c segmenter.Change) (segmenter.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	key := changeKey(l.channel, c.Index)
	won, err := l.claim(ctx, key, c)
	if err != nil {
		return segmenter.Change{}, err
	}
	return decodeChange(key, won, c.Index)
}

// Since returns the epochs that were claimed from an index on, ascending, and the newest slot in the record; 0 if it is empty.
func (l *Ledger) Since(ctx context.Context, index int) (claims []segmenter.Epoch, newest uint64, err error) {
	if l.isAway() {
		return nil, 0, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	err = twice(ctx, func() error {
		if newest, err = l.newestSlot(ctx); err != nil {
			return err
		}
		claims, err = claimedEpochs(ctx, l.store, l.channel, index) // after the record: of an epoch that is in it, there is a claim
		return err
	})
	if err == nil && len(claims) > 0 {
		l.heard(claims[len(claims)-1].Index)
	}
	return claims, newest, err
}

func (l *Ledger) heard(index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = max(l.newest, index)
}

func (l *Ledger) claimPlan(ctx context.Context, p segmenter.Plan) (segmenter.Plan, error) {
	key := planKey(l.channel)
	won, err := l.claim(ctx, key, p)
	if err != nil {
		return segmenter.Plan{}, err
	}
	return decodePlan(key, won)
}

func (l *Ledger) claimEpoch(ctx context.Context, e segmenter.Epoch) (segmenter.Epoch, error) {
	key := epochKey(l.channel, e.Index)
	won, err := l.claim(ctx, key, e)
	if err != nil {
		return segmenter.Epoch{}, err
	}
	return decodeEpoch(key, won, e.Index)
}

// claim puts mine under key, and returns what is there then for ever. An acknowledgement that was lost does no harm: the same
// content may be put again.
func (l *Ledger) claim(ctx context.Context, key string, mine any) (storage.Blob, error) {
	b, err := written(mine)
	if err != nil {
		return b, err
	}
	if l.isAway() {
		return b, errAway
	}
	err = retry(ctx, func() error { return l.store.Put(ctx, key, b) })
	if errors.Is(err, storage.ErrConflict) {
		err = retry(ctx, func() (err error) {
			b, err = l.store.Get(ctx, key)
			return err
		})
	}
	if err != nil {
		l.fails(err)
		return b, fmt.Errorf("archive: claim: %w", err)
	}
	return b, nil
}

// retry repeats what may succeed the next time, until it does or ctx is done.
func retry(ctx context.Context, do func() error) error {
	for wait := retryWait; ; wait *= 2 {
		err := do()
		if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if !rest(ctx, wait) {
			return err
		}
	}
}

func (l *Ledger) isAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.away)
}

// fails leaves the store alone for a while.
func (l *Ledger) fails(err error) {
	if errors.Is(err, context.Canceled) { // the channel ends
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = time.Now().Add(awayFor)
	l.log.Warn("the store does not settle what instances must agree on: this one goes on alone for now", "err", err)
}

// makeUp claims what was decided alone while the store was away.
func (l *Ledger) makeUp(ctx context.Context) {
	l.mu.Lock()
	plan, alone := l.alonePlan, maps.Clone(l.alone)
	l.mu.Unlock()
	if plan != nil {
		if won, err := l.claimPlan(ctx, *plan); err == nil {
			if won != *plan {
				l.log.Error("another instance has fixed another plan while the store was away: restart this one to follow it")
			}
			l.mu.Lock()
			l.alonePlan = nil
			l.mu.Unlock()
		}
	}
	for _, index := range slices.Sorted(maps.Keys(alone)) {
		e := alone[index]
		if won, err := l.claimEpoch(ctx, e); err != nil {
			return
		} else if won.First != e.First || won.Shift != e.Shift {
			l.log.Error("another instance began an epoch otherwise while the store was away: names after it may differ",
				"epoch", index, "first", e.First, "shift", e.Shift, "theirFirst", won.First, "theirShift", won.Shift)
		}
		l.mu.Lock()
		delete(l.alone, index)
		l.mu.Unlock()
	}
}

// claimedEpochs are the claims of epochs from index from on, ascending.
func claimedEpochs(ctx context.Context, s storage.Store, channel string, from int) ([]segmenter.Epoch, error) {
	indexes, err := claimed(ctx, s, epochPrefix(channel))
	if err != nil {
		return nil, fmt.Errorf("archive: epochs: %w", err)
	}
	at, _ := slices.BinarySearch(indexes, from)
	return readClaims(ctx, s, indexes[at:], func(index int) string { return epochKey(channel, index) }, decodeEpoch)
}

// claimedChanges are the claims of the newest changes, ascending.
func claimedChanges(ctx context.Context, s storage.Store, channel string) ([]segmenter.Change, error) {
	indexes, err := claimed(ctx, s, changePrefix(channel))
	if err != nil {
		return nil, fmt.Errorf("archive: changes: %w", err)
	}
	newest := indexes[max(0, len(indexes)-segmenter.MaxChanges):]
	return readClaims(ctx, s, newest, func(index int) string { return changeKey(channel, index) }, decodeChange)
}

// claimed are the indexes of the claims whose keys begin with prefix, ascending.
func claimed(ctx context.Context, s storage.Store, prefix string) (indexes []int, err error) {
	for key, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if n, ok := numbered(key, prefix); ok && n < math.MaxInt32 {
			indexes = append(indexes, int(n))
		}
	}
	slices.Sort(indexes)
	return indexes, nil
}

func readClaims[C any](ctx context.Context, s storage.Store, indexes []int, keyOf func(int) string, decode func(string, storage.Blob, int) (C, error)) ([]C, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	claims := make([]C, len(indexes))
	err := each(ctx, len(indexes), func(ctx context.Context, i int) error {
		key := keyOf(indexes[i])
		b, err := s.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("archive: %s: %w", key, err)
		}
		claims[i], err = decode(key, b, indexes[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	return claims, nil
}

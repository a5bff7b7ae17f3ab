package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
)

// Tiers reads immutable blobs from several places, nearest first: memory, a disk, a bucket. What one does not have, or fails
// to give, the next is asked for. What is not in the first is fetched once for all who wait for it, and kept for a while.
//
// The fields are set before the first Get.
type Tiers struct {
	// Cache is how many bytes of what farther tiers gave are kept, the least recently used going first; 0 keeps nothing.
	// What is deleted in its tier may still be got from here.
	Cache int64
	// Want returns the Digest that the blob must have, or the beginning of it, or "" if that is not known. A blob with another
	// digest is ErrCorrupt, and the next tier is asked. If the tier has a method Quarantine(key), it is called, and what a
	// farther tier has is put in the blob's place. nil knows nothing. It is called concurrently.
	Want func(key string) string
	// Report is told what went wrong in some tiers while another one had the blob: nobody else is. nil is for nobody. It is
	// called concurrently.
	Report func(key string, err error)

	tiers  []Getter
	flight singleflight.Group
	cache  cache
}

var _ Getter = (*Tiers)(nil)

// quarantiner is a tier in which corrupt blobs can be replaced.
type quarantiner interface {
	Quarantine(key string) error
	Put(ctx context.Context, key string, b Blob) error
}

// fetchTime is how long all tiers together may take for a blob. Each store gives up long before.
const fetchTime = time.Minute

// NewTiers returns a reader of the tiers, nearest first, of which there is at least one.
func NewTiers(tiers ...Getter) *Tiers { return &Tiers{tiers: tiers} }

// Get returns the blob from the nearest tier that has it. If none has, the error is ErrNotFound, or, if one failed, what went
// wrong there.
func (t *Tiers) Get(ctx context.Context, key string) (Blob, error) {
	b, err := t.tiers[0].Get(ctx, key)
	if err == nil && t.check(key, b) == nil {
		return b, nil
	}
	if err := ctx.Err(); err != nil {
		return Blob{}, fmt.Errorf("get %s: %w", key, err)
	}
	if b, ok := t.cache.get(key); ok {
		return b, nil
	}
	// What others wait for too must not end with this ctx. They do not wait for long after it: the stores give up, or fetchTime.
	done := t.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
		defer cancel()
		return t.fetch(ctx, key)
	})
	select {
	case r := <-done:
		return r.Val.(Blob), r.Err
	case <-ctx.Done():
		return Blob{}, fmt.Errorf("get %s: %w", key, ctx.Err())
	}
}

// fetch asks all tiers in turn.
func (t *Tiers) fetch(ctx context.Context, key string) (Blob, error) {
	var faults []error
	var replace []quarantiner
	for i, tier := range t.tiers {
		b, err := tier.Get(ctx, key)
		if err == nil {
			err = t.check(key, b)
			if q, ok := tier.(quarantiner); ok && err != nil {
				if qerr := q.Quarantine(key); qerr != nil {
					err = errors.Join(err, qerr)
				} else {
					replace = append(replace, q)
				}
			}
		}
		switch {
		case err == nil:
			for _, q := range replace {
				faults = append(faults, q.Put(ctx, key, b))
			}
			if err := errors.Join(faults...); err != nil && t.Report != nil {
				t.Report(key, err)
			}
			if i > 0 {
				t.cache.put(key, b, t.Cache)
			}
			return b, nil
		case !errors.Is(err, ErrNotFound):
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 {
		faults = append(faults, ErrNotFound)
	}
	return Blob{}, fmt.Errorf("get %s: %w", key, errors.Join(faults...))
}

// check compares the digest of b with the one that is wanted.
func (t *Tiers) check(key string, b Blob) error {
	if t.Want == nil {
		return nil
	}
	want := t.Want(key)
	if want == "" {
		return nil
	}
	if b.Digest == "" {
		b.Digest = Digest(b.Pieces)
	}
	if !strings.HasPrefix(b.Digest, want) {
		return fmt.Errorf("%s: %w: its digest is %s and not %s", key, ErrCorrupt, b.Digest, want)
	}
	return nil
}

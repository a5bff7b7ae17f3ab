package channel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
)

// recallPatience is how long a start waits for a store that does not answer. One that does is listened to until it has told what was
// published before: a month takes longer than a minute.
const (
	recallPatience = 5 * time.Second
	recallAgain    = 200 * time.Millisecond
)

// mended is how many of a track's last segments are looked at on the disk: those that may have been on their way there.
const mended = 4

// begin makes the fold, with what was published before this run.
func (c *Channel) begin(ctx context.Context) (*segmenter.Segmenter, error) {
	fold, err := segmenter.New(c.cfg, c.hot, c.others(), c.recall(ctx))
	if err != nil {
		return nil, fmt.Errorf("channel %q: %w", c.name, err)
	}
	c.fold.Store(fold)
	return fold, nil
}

// others is where the fold settles things with other instances. Where there are none, it is no Witness of them.
func (c *Channel) others() segmenter.Ledger {
	switch {
	case c.shared:
		return c.ledger
	case c.ledger != nil:
		return struct{ segmenter.Ledger }{c.ledger}
	}
	return nil
}

// recall is what was published before, as the stores know it; nil if nothing was. A store that does not answer is passed over:
// what it knows beyond the others is missing until the next start, but the broadcast goes on.
func (c *Channel) recall(ctx context.Context) *segmenter.Past {
	var past *segmenter.Past
	for _, k := range c.keeps {
		if k.name == onDisk {
			if err := archive.Mend(ctx, k.store, c.name, mended, c.log); err != nil {
				c.log.Warn("disk not looked through for what a crash has torn", "err", err)
			}
		}
		p, err := c.recallFrom(ctx, k)
		if err != nil {
			c.log.Error("archive not readable: going on without what it knows", "store", k.name, "err", err)
			continue
		}
		past = archive.MergePast(past, p, c.log)
	}
	return past
}

func (c *Channel) recallFrom(ctx context.Context, k *keep) (*segmenter.Past, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(recallPatience, cancel)
	defer silence.Stop()
	store := &answering{k.store, func() { silence.Reset(recallPatience) }}
	// Slots last at least half of what is aimed at.
	slots := max(c.cfg.Window, int(c.cfg.DVR/(c.cfg.Target/2))+1)
	// To begin without what others have published costs much more than to wait: their epochs are counted on from here.
	for began := time.Now(); ; {
		past, err := archive.Past(ctx, store, c.name, slots, c.log.With("store", k.name))
		if err == nil {
			return past, nil
		}
		if time.Since(began) >= recallPatience {
			return nil, err
		}
		select {
		case <-time.After(recallAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// answering is a store that reports when a read of it succeeds.
type answering struct {
	storage.Durable
	answered func()
}

// Get implements storage.Getter.
func (a *answering) Get(ctx context.Context, key string) (storage.Blob, error) {
	b, err := a.Durable.Get(ctx, key)
	a.note(err)
	return b, err
}

// Load implements storage.Documents.
func (a *answering) Load(ctx context.Context, key string) (storage.Blob, storage.Version, error) {
	b, v, err := a.Durable.Load(ctx, key)
	a.note(err)
	return b, v, err
}

// List implements storage.Store.
func (a *answering) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range a.Durable.List(ctx, prefix) {
			a.note(err)
			if !yield(key, err) {
				return
			}
		}
	}
}

func (a *answering) note(err error) {
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		a.answered()
	}
}

package archive

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/moqpack/moqpack/storage"
)

// Between two attempts lies a random time up to a ceiling that doubles.
const (
	firstCeiling = 100 * time.Millisecond
	lastCeiling  = 10 * time.Second
)

// backoff counts attempts that failed.
type backoff int

func (b *backoff) next() time.Duration {
	ceiling := min(firstCeiling<<min(*b, 7), lastCeiling)
	*b++
	return rand.N(ceiling)
}

// rest waits, and reports whether ctx is not done.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// insist tries until it works, or fails for good, or ctx ends. what names the attempt in the books of troubles.
func (a *Archive) insist(ctx context.Context, what string, try func() error) error {
	var b backoff
	for {
		err := try()
		if err == nil || permanent(err) {
			a.well(what)
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.ill(what, err)
		if !rest(ctx, b.next()) {
			return ctx.Err()
		}
	}
}

// permanent reports whether trying again is in vain.
func permanent(err error) bool { return errors.Is(err, ErrOtherGrid) || errors.Is(err, errLost) }

// calm is how often an archive that is now well and now ill says so in the log.
const calm = 10 * time.Second

// ill notes that an attempt has failed and will be made again.
func (a *Archive) ill(what string, err error) {
	a.metrics.retried(a.cfg)
	a.mu.Lock()
	news := !a.told && time.Since(a.warned) >= calm
	if news {
		a.warned, a.told = time.Now(), true
	}
	a.troubles[what] = err
	a.mu.Unlock()
	if a.cfg.Full != nil && errors.Is(err, storage.ErrFull) {
		a.cfg.Full()
	}
	if news {
		a.log.Warn("archive cannot write and keeps trying", "what", what, "err", err)
	}
}

// well notes that an attempt has worked.
func (a *Archive) well(what string) {
	a.mu.Lock()
	delete(a.troubles, what)
	over := a.told && len(a.troubles) == 0
	if over {
		a.told = false
	}
	a.mu.Unlock()
	if over {
		a.log.Info("archive writes again")
	}
}

package subscriber

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces repeated attempts: each wait is drawn at random between 0 and a limit that doubles (full jitter), so that
// those who lost the same relay do not return together.
type backoff struct {
	first, max time.Duration
	limit      time.Duration
}

// next is how long to wait before the next attempt.
func (b *backoff) next() time.Duration {
	b.limit = min(max(b.first, 2*b.limit), b.max)
	return rand.N(b.limit)
}

func (b *backoff) reset() { b.limit = 0 }

// sleep waits, at most until ctx ends; then it returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 { // a timer that is due at once crashes the race detector in a synctest bubble (Go 1.26.8)
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

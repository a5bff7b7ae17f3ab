package subscriber

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrStalled ends a session in which no track says anything any more: a publisher or relay that was killed gives no other
// sign for half a minute.
var ErrStalled = errors.New("no media arrives")

// pulse tells whether media is flowing.
type pulse struct {
	last atomic.Int64 // Unix time of the last sign of life in nanoseconds
	busy atomic.Int32 // objects that the receiver is working on: it is not the publisher who keeps us waiting
	subs atomic.Int32 // accepted subscriptions to media
}

func (p *pulse) beat() { p.last.Store(time.Now().UnixNano()) }

// subscribed counts a subscription until the function that it returns is called.
func (p *pulse) subscribed() (over func()) {
	p.beat()
	p.subs.Add(1)
	return func() { p.subs.Add(-1) }
}

// quiet returns nil when there was no sign of life for d.
func (p *pulse) quiet(ctx context.Context, d time.Duration) error {
	for {
		rest := d - time.Since(time.Unix(0, p.last.Load()))
		if p.busy.Load() > 0 {
			rest = d
		}
		if rest <= 0 {
			return nil
		}
		if err := sleep(ctx, rest); err != nil {
			return err
		}
	}
}

// watch returns ErrStalled when there are subscriptions but was no sign of life for d. When there are none, it calls silent
// instead, again and again.
func (p *pulse) watch(ctx context.Context, d time.Duration, silent func()) error {
	p.beat()
	for {
		if err := p.quiet(ctx, d); err != nil {
			return err
		}
		if p.subs.Load() > 0 {
			return ErrStalled
		}
		silent()
		p.beat()
	}
}

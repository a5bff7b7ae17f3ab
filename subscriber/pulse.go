package subscriber

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt"
)

// ErrStalled ends a session in which no track says anything any more: a publisher or relay that was killed gives no other
// sign for half a minute.
var ErrStalled = errors.New("no media arrives")

// pulse tells whether media is flowing.
type pulse struct {
	last  atomic.Int64 // Unix time of the last sign of life in nanoseconds
	media atomic.Int64 // of the last object
	busy  atomic.Int32 // objects that the receiver is working on: it is not the publisher who keeps us waiting
	subs  atomic.Int32 // accepted subscriptions to media

	track atomic.Pointer[moqt.TrackName] // of an object that came lately; nil: none ever came
}

// beat is for every object.
func (p *pulse) beat() {
	now := time.Now().UnixNano()
	p.last.Store(now)
	p.media.Store(now)
}

// subscribed counts a subscription until the function that it returns is called.
func (p *pulse) subscribed() (over func()) {
	p.last.Store(time.Now().UnixNano())
	p.subs.Add(1)
	return func() { p.subs.Add(-1) }
}

// quiet returns nil when nothing came for d: no sign of life, or no object. Subscriptions that are accepted to a track that has
// ended, again and again, are the former only.
func (p *pulse) quiet(ctx context.Context, last *atomic.Int64, d time.Duration) error {
	for {
		rest := d - time.Since(time.Unix(0, last.Load()))
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
		if err := p.quiet(ctx, &p.last, d); err != nil {
			return err
		}
		if p.subs.Load() > 0 {
			return ErrStalled
		}
		silent()
		p.beat()
	}
}

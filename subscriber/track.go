package subscriber

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// track is one track that the receiver wants. It outlives sessions, and remembers where the last one broke off.
type track struct {
	*feed
	name    moqt.TrackName
	channel string
	cfg     *Config
	recv    Receiver
	pulse   *pulse
	mute    *atomic.Bool
	report  *reporter
	log     *slog.Logger

	quit context.CancelCauseFunc // ends run

	// owned by pump
	last    time.Time // when an object was handed over last
	refused bool      // the receiver could not use it
	warned  time.Time
}

// run follows the track on a session until ctx or the track ends, the receiver has enough of it, or it is broken for good.
func (t *track) run(ctx context.Context, s asker) error {
	ctx, t.quit = context.WithCancelCause(ctx)
	defer t.quit(nil)
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return t.pump(inner, t.hand) })
	g.Go(func() error { return t.keep(inner, s) })
	err := g.Wait()
	if errors.Is(context.Cause(ctx), ErrEnough) {
		t.order = reorder{limits: t.cfg.limits()} // nobody waits for what is left
		return ErrEnough
	}
	t.order.leave()
	return err
}

// keep subscribes, again and again until the session ends or the publisher calls the track malformed.
func (t *track) keep(ctx context.Context, s asker) error {
	again := backoff{first: 250 * time.Millisecond, max: 5 * time.Second}
	for {
		began := time.Now()
		err := t.subscribe(ctx, s, request{name: t.name, back: t.back, mute: t.mute, alive: t.pulse.subscribed})
		if fatal(ctx, err) || malformed(err) {
			return err
		}
		if time.Since(began) > again.max {
			again.reset()
		}
		t.log.Debug("subscription ended", "track", t.name.Name, "err", err)
		if err := sleep(ctx, again.after(err)); err != nil {
			return err
		}
	}
}

// back is the group to fetch from: the one where the last subscription broke off, if that is not too long ago, or as many
// before the newest as a start needs.
func (t *track) back(r *reorder, largest media.Location) uint64 {
	at, ok := r.position()
	if ok && at.Group <= largest.Group && time.Since(t.last) <= t.cfg.Repair {
		return at.Group
	}
	return largest.Group - min(t.cfg.Backfill, largest.Group)
}

// hand gives an object to the receiver. What the receiver cannot use is its publisher's fault, and no reason to stop.
func (t *track) hand(ctx context.Context, o media.Object) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.pulse.busy.Add(1)
	err := t.recv.Object(ctx, t.name.Name, o)
	t.pulse.busy.Add(-1)
	t.pulse.beat()
	t.pulse.track.Store(&t.name)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.last = time.Now()
	t.cfg.Metrics.object(t.channel, t.name.Name, len(o.Payload))
	t.cfg.Metrics.reordered(t.channel, t.name.Name, t.order.dropped, t.order.holes)
	t.order.dropped, t.order.holes = 0, 0
	if t.report.phase() != Live {
		t.report.live(ctx)
	}
	if errors.Is(err, ErrEnough) {
		t.quit(err)
		return nil // it is taken
	}
	if err != nil {
		t.cfg.Metrics.refuse(t.channel, t.name.Name)
		if !t.refused && time.Since(t.warned) > 10*time.Second {
			t.warned = time.Now()
			t.log.Warn("object refused", "track", t.name.Name, "group", o.Group, "object", o.Object, "err", err)
		}
	}
	t.refused = err != nil
	return nil
}

// fatal reports whether err ends more than one subscription.
func fatal(ctx context.Context, err error) bool {
	var session *moqt.SessionError
	if _, elsewhere := destination(err); elsewhere {
		return true
	}
	return ctx.Err() != nil || errors.As(err, &session) || errors.Is(err, moqt.ErrGoingAway) || errors.Is(err, errMute)
}

func malformed(err error) bool {
	var done *moqt.DoneError
	return errors.Is(err, moqt.ErrMalformed) || errors.As(err, &done) && done.Status == moqt.Malformed
}

// retryAfter is how long the peer wants to be left alone.
func retryAfter(err error) time.Duration {
	var refused *moqt.RequestError
	if errors.As(err, &refused) && refused.Retry {
		return min(refused.RetryAfter, time.Minute)
	}
	return 0
}

package subscriber

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

const (
	failBack = 30 * time.Second // between attempts to get back to a relay that is preferred
	farewell = 10 * time.Second // for all subscriptions to go over to another session
)

// attempt connects to a relay and follows the broadcast until something breaks, be it there or where it was handed over to
// meanwhile: last is where that was.
func (f *follower) attempt(ctx context.Context, at relay) (last relay, err error) {
	f.cfg.Metrics.connect(f.cfg.Channel)
	l, err := f.dial(ctx, at)
	if err != nil {
		return at, err
	}
	t := &trunk{now: l, attend: f.attend}
	f.report.connected(ctx, l.at.addr, l.Draft(), l.how)
	s := f.record(t)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.Run(gctx) })
	g.Go(func() error { return f.pulse.watch(gctx, f.cfg.Stall, func() { f.report.silent(gctx) }) })
	g.Go(func() error { return f.follow(gctx, s) })
	err = g.Wait()
	if f.report.phase() == Connecting {
		f.guessAgain(at)
	}
	return t.line().at, err
}

// attend serves the trunk's line, and puts another one in its place when the peer wants it to be left or a better relay is to
// be had. It returns when the line that is in use ends, and why.
func (f *follower) attend(ctx context.Context, t *trunk) error {
	l := t.line()
	stop := l.serve(ctx)
	defer func() { stop() }()
	for {
		next, stopNext, err := f.successor(ctx, l)
		if err != nil {
			return err
		}
		f.log.Info("handing over", "from", l.at.addr, "relay", next.at.addr)
		t.relieve(next)
		f.report.connected(ctx, next.at.addr, next.Draft(), next.how)
		timer := time.NewTimer(farewell)
		select {
		case <-l.idle:
		case <-l.over:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		stop()
		l, stop = next, stopNext
	}
}

// successor waits until there is a line to hand over to, which it serves, or until l has ended: then it says why.
func (f *follower) successor(ctx context.Context, l *line) (next *line, stop func(), err error) {
	again := backoff{first: time.Second, max: failBack}
	moving := l.moving()
	timer := time.NewTimer(failBack)
	defer timer.Stop()
	for {
		select {
		case <-l.over:
			return nil, nil, l.err
		case <-moving:
			moving = nil
		case <-timer.C:
		}
		for _, at := range f.candidates(l) {
			if next, stop, err = f.probe(ctx, l, at); err == nil {
				return next, stop, nil
			}
			f.log.Debug("cannot hand over", "relay", at.addr, "err", err)
		}
		if timer.Reset(failBack); l.moved() != nil {
			timer.Reset(again.next())
		}
	}
}

// candidates are the relays to hand l over to: where its peer leads and all others if it wants to be left, else those that are
// preferred to it.
func (f *follower) candidates(l *line) (all []relay) {
	where := l.moved()
	if where == nil {
		return f.relays[:max(f.rank(l.at), 0)]
	}
	if to, ok := l.at.moved(where); ok {
		all = append(all, to)
	}
	for _, r := range f.relays {
		if r.addr != l.at.addr {
			all = append(all, r)
		}
	}
	return all
}

// probe connects to a relay, serves the session and makes sure that the broadcast is to be had there, as long as l lasts.
func (f *follower) probe(ctx context.Context, l *line, at relay) (next *line, stop func(), err error) {
	pctx, cancel := context.WithCancel(ctx)
	var g errgroup.Group
	defer func() { cancel(); _ = g.Wait() }()
	g.Go(func() error {
		select {
		case <-l.over:
			cancel()
		case <-pctx.Done():
		}
		return nil
	})
	f.cfg.Metrics.connect(f.cfg.Channel)
	if next, err = f.dial(pctx, at); err != nil {
		return nil, nil, err
	}
	stop = next.serve(ctx)
	if err = f.glimpse(pctx, next); err != nil {
		stop()
		return nil, nil, err
	}
	return next, stop, nil
}

// errNothingThere says that a relay takes a subscription to anything, and then has nothing.
var errNothingThere = errors.New("the relay has no object of the broadcast")

// glimpse returns nil when the line's peer has something of a track that came lately. If none ever did, nothing can be lost.
func (f *follower) glimpse(ctx context.Context, l *line) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	seen := make(sight, 1)
	name := f.pulse.track.Load()
	if name == nil {
		return nil
	}
	sub, err := l.Subscribe(ctx, *name, moqt.SubscribeOptions{}, seen)
	if err != nil {
		return err
	}
	defer sub.Close()
	if _, ok := sub.Largest(); ok {
		return nil
	}
	select {
	case <-seen:
		return nil
	case <-sub.Done():
		return sub.Err()
	case <-ctx.Done():
		return errNothingThere
	}
}

// sight is a sink that only looks whether anything comes.
type sight chan struct{}

func (s sight) Object(context.Context, media.Object) error {
	select {
	case s <- struct{}{}:
	default:
	}
	return nil
}

func (s sight) Stream(context.Context, moqt.StreamEvent) {}

var _ moqt.Sink = sight(nil)

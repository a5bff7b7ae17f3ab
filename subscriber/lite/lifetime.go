package lite

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

const (
	drainTimeout = 2 * time.Second // how long streams may take to begin after the publisher said that it is done
	startGrace   = 2 * time.Second // how long a publisher that has the track may take to say where it begins
	infoTimeout  = 3 * time.Second // how long objects wait for what TRACK tells
)

// lifetime is what Subscription.run knows while it runs. It alone touches it, but for the channels.
type lifetime struct {
	*Subscription
	g sync.WaitGroup

	events chan event
	begun  bool        // accepted
	known  bool        // the publisher has the track
	grace  *time.Timer // until that is enough

	failed chan error    // a reader's error, which ends the subscription
	ended  chan struct{} // a reader has ended
	live   int           // readers

	publisher error // the publisher is done
	drain     *time.Timer
	waited    bool // no more streams are to be expected
}

// event is an answer to SUBSCRIBE, or what TRACK told. Without a message it is the end of the answers (err nil: a FIN).
type event struct {
	m   dialect.Message
	err error
}

// serve waits for whatever happens to the subscription. It waits for nothing else, so that nobody has to wait for it.
func (l *lifetime) serve(ctx context.Context) (err error) {
	l.g.Go(func() { l.ask(ctx) })
	l.g.Go(func() { l.learn(ctx) })
	l.g.Go(func() { l.serveDatagrams(ctx) })
	for err == nil && (l.publisher == nil || l.live > 0 || !l.waited) {
		select {
		case e := <-l.events:
			err = l.event(e)
		case st := <-l.streams:
			l.live++
			first := st.group
			l.begin(&first)
			l.g.Go(func() { l.read(ctx, st) })
		case <-l.ended:
			l.live--
		case err = <-l.failed:
		case <-l.grace.C:
			l.begin(nil)
		case <-l.drain.C:
			l.waited = true
		case <-l.stop:
			err = moqt.ErrClosed
		case <-ctx.Done():
			err = l.s.sessionError(context.Cause(ctx))
		}
	}
	if err == nil {
		err = l.publisher
	}
	return err
}

// ask sends SUBSCRIBE and then delivers its answers.
func (l *lifetime) ask(ctx context.Context) {
	err := l.s.ask(ctx, l.request(), func(r *wire.Reader) error {
		for {
			m, err := l.s.d.ReadAnswer(r)
			if m == nil || !l.tell(ctx, event{m: m}) {
				return err
			}
		}
	})
	l.tell(ctx, event{err: err})
}

// learn asks what timestamps count in, and lets objects go that wait for it.
func (l *lifetime) learn(ctx context.Context) {
	defer close(l.timed)
	if !l.s.d.Timed {
		return
	}
	tctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	err := l.s.ask(tctx, &dialect.TrackRequest{Track: track(l.name)}, func(r *wire.Reader) error {
		m, err := l.s.d.ReadTrackInfo(r)
		if err == nil {
			l.timescale = m.Timescale
			l.tell(ctx, event{m: &m})
		}
		return err
	})
	if err != nil {
		l.s.c.Logger.Debug("no timestamps", "track", l.name.Name, "err", err)
	}
}

// tell delivers e, unless the subscription has ended.
func (l *lifetime) tell(ctx context.Context, e event) bool {
	select {
	case l.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lifetime) event(e event) error {
	switch m := e.m.(type) {
	case nil:
		return l.answered(e.err)
	case *dialect.TrackInfo:
		l.exists()
	case *dialect.SubscribeOK:
		if first, ok := l.s.d.First(m); ok {
			l.begin(&first)
		}
		l.exists()
	default:
		// SUBSCRIBE_END will be followed by a FIN, which says more. Of what SUBSCRIBE_DROP gives up, that it does not come is
		// all that our caller can know.
		l.s.c.Logger.Debug("publisher says", "track", l.name.Name, "message", m)
	}
	return nil
}

// begin accepts the subscription, which begins with the group first; nil: with one that is not known.
func (l *lifetime) begin(first *uint64) {
	if !l.begun {
		l.begun, l.first = true, first
		close(l.accepted)
	}
}

// exists notes that the publisher has the track. It may have no group yet.
func (l *lifetime) exists() {
	if !l.known {
		l.known = true
		l.grace.Reset(startGrace)
	}
}

// answered is the end of the answers. A FIN says that all groups have been sent, but their streams may be on their way; a reset
// that no further ones will be. Neither says that the broadcast has ended: moq-dev's publishers do so whenever their input ends,
// and come back.
func (l *lifetime) answered(err error) error {
	reset, isReset := errors.AsType[*transport.ResetError](err)
	cut := errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case violation(err):
		return fatalError{err}
	case isReset && !l.begun:
		return refused("subscribe", reset)
	case isReset:
		l.publisher = &moqt.DoneError{Status: moqt.Failed, Code: meant(reset), Reason: "stream reset"}
		l.waited = true
	case (err == nil || cut) && !l.begun && !l.known:
		return unanswered("subscribe")
	case cut:
		l.publisher = &moqt.DoneError{Status: moqt.Failed, Reason: err.Error()}
		l.waited = true
	case err == nil:
		l.publisher = &moqt.DoneError{Status: moqt.TrackEnded}
		l.drain.Reset(drainTimeout)
	}
	return nil // with the connection the session ends, and says why
}

// fail ends the subscription with err, unless it has ended.
func (l *lifetime) fail(ctx context.Context, err error) {
	select {
	case l.failed <- err:
	case <-ctx.Done():
	}
}

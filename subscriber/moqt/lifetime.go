package moqt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// drainTimeout is how long streams may take to begin after the publisher said that it is done.
const drainTimeout = 2 * time.Second

// lifetime is what Subscription.run knows while it runs. It alone touches it, but for the channels.
type lifetime struct {
	*Subscription
	g sync.WaitGroup

	opened  chan opening
	request *request // nil until opened
	alias   *uint64  // nil until accepted

	failed chan error    // a reader's error, which ends the subscription
	ended  chan struct{} // a reader has ended
	live   uint64        // readers
	seen   uint64        // readers that ever began

	publisher *DoneError // the publisher is done
	streams   uint64     // how many streams it opened, as it says; 0 unknown
	drain     *time.Timer
	waited    bool // drainTimeout is over
}

// opening is the outcome of sending a request.
type opening struct {
	q   *request
	err error
}

// fatalError has to end the session.
type fatalError struct{ error }

// serve waits for whatever happens to the subscription. It waits for nothing else, so that nobody has to wait for it.
func (l *lifetime) serve(ctx context.Context) (err error) {
	if l.offered == nil {
		l.g.Go(func() { l.open(ctx) })
	} else if err := l.take(ctx); err != nil {
		return err
	}
	l.g.Go(func() { l.serveDatagrams(ctx) })
	for err == nil && !l.drained() {
		var events chan event
		if l.request != nil {
			events = l.request.events
		}
		select {
		case o := <-l.opened:
			err = l.begin(o)
		case e := <-events:
			err = l.event(ctx, e)
		case st := <-l.Subscription.streams:
			l.live, l.seen = l.live+1, l.seen+1
			l.g.Go(func() { l.read(ctx, st) })
		case <-l.ended:
			l.live--
		case err = <-l.failed:
		case <-l.drain.C:
			l.waited = true
		case <-l.stop:
			err = ErrClosed
		case <-ctx.Done():
			err = l.s.sessionError(context.Cause(ctx))
		}
	}
	if err == nil {
		err = l.publisher
	}
	return err
}

// open sends SUBSCRIBE and then delivers its answers.
func (l *lifetime) open(ctx context.Context) {
	q, err := l.s.link.request(ctx, func(id uint64) dialect.Message {
		return &dialect.Subscribe{RequestID: id, Track: l.name, Params: l.o.params(l.s.d)}
	})
	l.opened <- opening{q, err} // has room
	if err != nil {
		return
	}
	if err := q.serve(ctx); err != nil {
		l.fail(ctx, fatalError{err})
	}
}

// take accepts what the peer has offered. Its objects may be here already, so its alias comes before the answer.
func (l *lifetime) take(ctx context.Context) error {
	o := l.offered
	l.request, l.update = o.request, o.request.update
	if err := l.accept(&dialect.SubscribeOK{Alias: o.Alias, Params: dialect.Params{Largest: l.largest}, Properties: l.properties}); err != nil {
		return err
	}
	l.g.Go(func() {
		if err := o.answer(ctx, o.acceptance(l.s.d)...); err != nil {
			return // the peer is gone, or has taken the offer back: its stream says so
		}
		if err := o.request.serve(ctx); err != nil {
			l.fail(ctx, fatalError{err})
		}
	})
	return nil
}

func (l *lifetime) begin(o opening) error {
	if o.err != nil {
		return onlyReset(o.err)
	}
	l.request, l.id, l.update = o.q, o.q.id, o.q.update
	return nil
}

// onlyReset leaves errors of the connection out: the session will end too, and say why.
func onlyReset(err error) error {
	if e, ok := errors.AsType[*ResetError](err); ok {
		return e
	}
	return nil
}

func (l *lifetime) event(ctx context.Context, e event) error {
	accepted := l.alias != nil
	switch m := e.m.(type) {
	case nil:
		return l.requestEnded(e.err)
	case *dialect.SubscribeOK:
		if !accepted {
			return l.accept(m)
		}
	case *dialect.RequestOK:
		if q := l.fill.Load(); q != nil {
			return l.answered(q, e)
		}
		if l.offered != nil {
			return nil // it forwards now
		}
	case *dialect.RequestError:
		if !accepted {
			l.over.Store(true)
			return refused("subscribe", l.s.d, m, len(l.o.Tokens))
		}
		if q := l.fill.Load(); q != nil {
			return l.answered(q, e)
		}
		if l.offered != nil {
			return nil // it will say that it is done
		}
	case *dialect.PublishDone:
		if l.publisher == nil {
			l.streams = m.Streams
			l.finished(&DoneError{Status: l.s.d.Status(m.Code), Code: m.Code, Reason: m.Reason})
			return nil
		}
	case *dialect.RequestUpdate:
		if l.offered != nil {
			return l.updated(ctx, m)
		}
	case *dialect.Goaway:
		return &DoneError{Status: GoingAway, Reason: "moves to " + m.URI}
	}
	return fatalError{unexpected(e.m, "answer to SUBSCRIBE")}
}

// updated accepts what the publisher changes of its offer: nothing that we go by.
func (l *lifetime) updated(ctx context.Context, m *dialect.RequestUpdate) error {
	if err := l.s.asking.take(m, false); err != nil {
		return fatalError{err}
	}
	l.g.Go(func() { _ = l.offered.answer(ctx, l.s.d.Accept(m)) }) // a peer that is gone needs no answer
	return nil
}

// answered hands the answer to an update over.
func (l *lifetime) answered(q *request, e event) error {
	if err := q.deliver(e); err != nil {
		return fatalError{err}
	}
	return nil
}

func (l *lifetime) accept(m *dialect.SubscribeOK) error {
	if typ, ok := l.s.d.Mandatory(m.Properties); ok {
		return mandatory("subscribe", typ)
	}
	if err := l.s.tracks.bind(m.Alias, l.Subscription); err != nil {
		return fatalError{err}
	}
	l.alias, l.largest, l.properties = &m.Alias, m.Params.Largest, m.Properties
	close(l.accepted)
	return nil
}

// requestEnded is the end of the request's stream: err nil is a FIN, which should follow PUBLISH_DONE.
func (l *lifetime) requestEnded(err error) error {
	switch {
	case l.publisher != nil:
		return nil
	case err != nil:
		return onlyReset(err)
	case l.alias == nil:
		l.over.Store(true)
		return &RequestError{Op: "subscribe", Kind: ErrRefused, Reason: "closed without an answer"}
	}
	l.finished(&DoneError{Status: Failed, Reason: "closed without PUBLISH_DONE"})
	return nil
}

// finished notes that the publisher is done. What is in flight is still read.
func (l *lifetime) finished(e *DoneError) {
	l.over.Store(true)
	l.publisher = e
	l.drain.Reset(drainTimeout)
}

// drained says that the publisher is done and nothing more is to be expected. Its count of streams is a hint: some always
// say 0.
func (l *lifetime) drained() bool {
	if l.publisher == nil || l.live > 0 {
		return false
	}
	return l.alias == nil || l.waited || l.streams > 0 && l.seen >= l.streams
}

// fail ends the subscription with err, unless it has ended.
func (l *lifetime) fail(ctx context.Context, err error) {
	select {
	case l.failed <- err:
	case <-ctx.Done():
	}
}

// close ends all that serve began, and the request; session ends with the session.
func (l *lifetime) close(session context.Context, cancel func()) {
	cancelled := !l.over.Swap(true)
	if l.alias != nil {
		l.s.tracks.unbind(*l.alias, l.Subscription)
	}
	if l.request != nil {
		l.request.end(session, cancelled)
	}
	cancel()
	l.g.Wait()
	select {
	case o := <-l.opened: // too late
		if o.q != nil {
			o.q.end(session, true)
		}
	default:
	}
	l.drain.Stop()
}

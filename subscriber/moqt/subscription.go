package moqt

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// Subscription is one accepted SUBSCRIBE, or PUBLISH.
type Subscription struct {
	s       *Session
	name    TrackName
	o       SubscribeOptions
	sink    Sink
	offered *offer // by PUBLISH; nil: we asked

	streams   chan dataStream   // taken by run until done is closed
	datagrams chan media.Object // taken by serveDatagrams; what does not fit is dropped
	over      atomic.Bool       // set by run: the publisher is done

	filled atomic.Bool             // it has been asked for what lies before
	fill   atomic.Pointer[request] // that asked; nil: none

	accepted   chan struct{} // closed by run when the four below are set
	id         uint64
	update     func(ctx context.Context, build func(id uint64) dialect.Message) error // see request
	largest    *media.Location
	properties []media.Property

	quit func()        // closes the channel that run waits for
	stop chan struct{} // closed by quit
	done chan struct{} // closed by run when err is set
	err  error
}

// Subscribe asks for a track and returns once the publisher accepted. ctx bounds the wait for the answer; the subscription
// lives until Close, the publisher's end, or the session's.
//
// The error is a *RequestError if the peer refused, a *SessionError if the session ended meanwhile, or ctx's.
// Objects may reach sink before Subscribe returns.
func (s *Session) Subscribe(ctx context.Context, name TrackName, o SubscribeOptions, sink Sink) (*Subscription, error) {
	sub := newSubscription(s, name, o, sink)
	if err := s.start(ctx, sub.run); err != nil {
		return nil, err
	}
	select {
	case <-sub.accepted:
		return sub, nil
	case <-sub.done:
		return nil, sub.err
	case <-ctx.Done():
		sub.Close()
		return nil, context.Cause(ctx)
	}
}

func newSubscription(s *Session, name TrackName, o SubscribeOptions, sink Sink) *Subscription {
	stop := make(chan struct{})
	return &Subscription{
		s: s, name: name, o: o, sink: sink,
		streams: make(chan dataStream), datagrams: make(chan media.Object, 256),
		accepted: make(chan struct{}), done: make(chan struct{}),
		stop: stop, quit: sync.OnceFunc(func() { close(stop) }),
	}
}

// Track is the name that was asked for.
func (s *Subscription) Track() TrackName { return s.name }

// Tokens are those that the peer's offer came with.
func (s *Subscription) Tokens() []Token {
	if s.offered == nil {
		return nil
	}
	return s.offered.Params.Tokens
}

// Largest is the location of the newest object when the publisher accepted; ok is false when there was none, or when the
// publisher does not say.
func (s *Subscription) Largest() (l media.Location, ok bool) {
	if s.largest == nil {
		return l, false
	}
	return *s.largest, true
}

// Properties are the track's properties (16: track extensions).
func (s *Subscription) Properties() []media.Property { return s.properties }

// Done is closed when the subscription has ended and no further call of its Sink will be made.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err is why the subscription ended: a *DoneError, a *ResetError (the publisher reset the request), a *SessionError, what
// Sink.Object returned, or ErrClosed after Close. It is nil before Done is closed.
func (s *Subscription) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Close unsubscribes and returns when the Sink is no longer called. It must not be called from the Sink.
func (s *Subscription) Close() {
	s.quit()
	<-s.done
}

// run owns the subscription until it ends; on a violation it ends the session.
func (s *Subscription) run(session context.Context) error {
	ctx, cancel := context.WithCancel(session)
	defer cancel()
	l := &lifetime{
		Subscription: s,
		opened:       make(chan opening, 1), failed: make(chan error), ended: make(chan struct{}),
		drain: time.NewTimer(drainTimeout),
	}
	l.drain.Stop()
	err := l.serve(ctx)
	l.close(session, cancel)
	fatal, isFatal := err.(fatalError)
	if isFatal {
		err = s.s.sessionError(fatal.error)
	}
	s.err = err
	close(s.done)
	if isFatal {
		return err
	}
	return nil
}

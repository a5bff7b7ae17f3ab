package lite

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// Subscription is one accepted SUBSCRIBE.
type Subscription struct {
	s    *Session
	id   uint64
	name moqt.TrackName
	o    moqt.SubscribeOptions
	sink moqt.Sink

	streams   chan groupStream      // taken by run until done is closed
	datagrams chan dialect.Datagram // taken by serveDatagrams; what does not fit is dropped

	timed     chan struct{} // closed when timescale is set
	timescale uint64        // of timestamps; 0 unknown

	accepted chan struct{} // closed by run when first is set
	first    *uint64       // the group that it begins with; nil unknown

	quit func()        // closes the channel that run waits for
	stop chan struct{} // closed by quit
	done chan struct{} // closed by run when err is set
	err  error
}

// maxLatency is how much older than the newest group one may be before the publisher gives it up: 0 would leave us nothing but
// the newest. What is later than our caller's patience is of no use, but it is not for the publisher to guess that.
const maxLatency = 30 * time.Second

// Subscribe asks for a track and returns once the publisher accepted. ctx bounds the wait for the answer; the subscription
// lives until Close, the publisher's end, or the session's.
//
// It begins with the head of the newest group unless o says from which group on: there is no way to ask for less. Tokens are
// not sent: the protocol has none, they belong into the path.
//
// The error is a *moqt.RequestError if the peer refused, a *moqt.SessionError if the session ended meanwhile, or ctx's.
// Objects may reach sink before Subscribe returns.
func (s *Session) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (*Subscription, error) {
	stop := make(chan struct{})
	sub := &Subscription{
		s: s, id: s.next.Add(1) - 1, name: name, o: o, sink: sink,
		streams: make(chan groupStream), datagrams: make(chan dialect.Datagram, 256),
		timed: make(chan struct{}), accepted: make(chan struct{}), done: make(chan struct{}),
		stop: stop, quit: sync.OnceFunc(func() { close(stop) }),
	}
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

// Largest is the head of the group with which the subscription begins; ok is false when the publisher has not said.
func (s *Subscription) Largest() (l media.Location, ok bool) {
	if s.first == nil {
		return l, false
	}
	return media.Location{Group: *s.first}, true
}

// Properties are none: what there is to say of the track goes with every object.
func (s *Subscription) Properties() []media.Property { return nil }

// Done is closed when the subscription has ended and no further call of its Sink will be made.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err is why the subscription ended: a *moqt.DoneError, a *moqt.SessionError, what Sink.Object returned, or moqt.ErrClosed after
// Close. It is nil before Done is closed.
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
		events:       make(chan event), failed: make(chan error), ended: make(chan struct{}),
		grace: time.NewTimer(time.Hour), drain: time.NewTimer(time.Hour),
	}
	l.grace.Stop()
	l.drain.Stop()
	s.s.register(s)
	err := l.serve(ctx)
	s.s.forget(s)
	cancel()
	l.g.Wait()
	l.grace.Stop()
	l.drain.Stop()
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

func (s *Session) register(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[sub.id] = sub
}

func (s *Session) forget(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subs, sub.id)
}

// track is what the wire calls a track.
func track(name moqt.TrackName) dialect.Track {
	return dialect.Track{Broadcast: strings.Join(name.Namespace, "/"), Name: name.Name}
}

// priority turns the order around: in MoQ Transport lower is more urgent, here higher is. 0 means the middle.
func priority(p uint8) uint8 {
	if p == 0 {
		return 128
	}
	return 255 - p
}

func (s *Subscription) request() *dialect.Subscribe {
	m := &dialect.Subscribe{ID: s.id, Track: track(s.name)}
	m.Delivery = dialect.Delivery{Priority: priority(s.o.Priority), Ordered: true, MaxLatency: maxLatency}
	if s.o.Start == moqt.At {
		m.Start = new(min(s.o.From.Group, 1<<62-2))
	}
	return m
}

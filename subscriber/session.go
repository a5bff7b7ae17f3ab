package subscriber

import (
	"context"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/lite"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// session is a connection to one peer, in whichever protocol. Errors are those of package moqt: a *moqt.SessionError when it
// has ended, a *moqt.RequestError when the peer refused.
type session interface {
	// Run serves the session until it or ctx ends, and then closes the connection. All else waits for it.
	Run(ctx context.Context) error
	// Draft is the protocol that was agreed upon, such as "moqt-18".
	Draft() string

	asker
}

// asker is what one can ask of a session.
type asker interface {
	Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error)
	// Fetch brings past objects. Those that lead up to a subscription may be asked for as such: then join is it.
	Fetch(ctx context.Context, r moqt.FetchRequest, join subscription, sink moqt.Sink) error
}

// mover is a session that can say that the peer wants it to be left while it goes on.
type mover interface {
	Moving() <-chan struct{}   // closed when it does
	Moved() *moqt.SessionError // then, where to go
}

// subscription is an accepted one.
type subscription interface {
	// Largest is the newest location when it was accepted, if there was one and the peer says.
	Largest() (l media.Location, ok bool)
	Properties() []media.Property
	Done() <-chan struct{}
	Err() error // why it ended
	Close()
}

// moqtSession is a session of MoQ Transport.
type moqtSession struct {
	*moqt.Session
	tokens []moqt.Token // for every request
}

func (s moqtSession) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	o.Tokens = s.tokens
	sub, err := s.Session.Subscribe(ctx, name, o, sink)
	if err != nil { // not a nil *Subscription in an interface
		return nil, err
	}
	return sub, nil
}

func (s moqtSession) Fetch(ctx context.Context, r moqt.FetchRequest, join subscription, sink moqt.Sink) error {
	r.Tokens = s.tokens
	if sub, ok := join.(*moqt.Subscription); ok {
		r.Join, r.Groups = sub, r.End.Group-r.Start.Group
	}
	return s.Session.Fetch(ctx, r, sink)
}

// liteSession is a session of moq-lite.
type liteSession struct{ *lite.Session }

func (s liteSession) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	sub, err := s.Session.Subscribe(ctx, name, o, sink)
	if err != nil { // not a nil *Subscription in an interface
		return nil, err
	}
	return sub, nil
}

func (s liteSession) Fetch(ctx context.Context, r moqt.FetchRequest, join subscription, sink moqt.Sink) error {
	sub, _ := join.(*lite.Subscription)
	return s.Session.Fetch(ctx, r, sub, sink)
}

var (
	_ reporting    = moqtSession{}
	_ reporting    = liteSession{}
	_ mover        = moqtSession{}
	_ mover        = liteSession{}
	_ subscription = (*moqt.Subscription)(nil)
	_ subscription = (*lite.Subscription)(nil)
)

package subscriber

import (
	"context"
	"sync"

	"github.com/moqpack/moqpack/subscriber/moqt"
)

// trunk is what a broadcast is followed over: a session at a time, which another one can relieve without an interruption. Then
// each subscription goes over by itself (feed.subscribe), and the old session ends when all have.
type trunk struct {
	attend func(ctx context.Context, t *trunk) error // see Run

	mu  sync.Mutex // guards now
	now *line
}

var _ session = (*trunk)(nil)

// line is a session in use.
type line struct {
	session
	at       relay
	how      string        // "quic" or "webtransport"; empty: not known
	over     chan struct{} // closed by run when err is set
	err      error
	relieved <-chan struct{} // closed by relieve: another line has taken its place
	relieve  func()
	onRelief func(f func()) (stop func() bool) // has f called then

	mu    sync.Mutex // guards users
	users int
	idle  chan struct{} // closed by left
	left  func()        // once: nobody uses it any more, and nobody will
}

func newLine(s session, at relay) *line {
	idle := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	return &line{
		session: s, at: at, over: make(chan struct{}), relieved: ctx.Done(), relieve: cancel,
		onRelief: func(f func()) func() bool { return context.AfterFunc(ctx, f) },
		idle:     idle, left: sync.OnceFunc(func() { close(idle) }),
	}
}

// serve runs a line until it ends or the function that it returns is called, which waits for it.
func (l *line) serve(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(l.over)
		l.err = l.Run(ctx)
	}()
	return func() { cancel(); <-l.over }
}

// moved says whether the peer wants the line to be left, where that can be known before it ends.
func (l *line) moved() (where *moqt.SessionError) {
	if m, ok := l.session.(mover); ok {
		where = m.Moved()
	}
	return where
}

// moving is closed when it does; nil: never.
func (l *line) moving() <-chan struct{} {
	if m, ok := l.session.(mover); ok {
		return m.Moving()
	}
	return nil
}

func (l *line) gone() bool { return over(l.relieved) }

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// enter counts a user until the function that it returns is called.
func (l *line) enter() (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.users--; l.users == 0 && l.gone() {
			l.left()
		}
	})
}

func (t *trunk) line() *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// relieve puts next in the place of the line that is in use.
func (t *trunk) relieve(next *line) {
	t.mu.Lock()
	l := t.now
	t.now = next
	t.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.relieve()
	if l.users == 0 {
		l.left()
	}
}

// Run serves the line that is in use until it ends with no other in its place, or ctx ends.
func (t *trunk) Run(ctx context.Context) error { return t.attend(ctx, t) }

// Draft implements session.
func (t *trunk) Draft() string { return t.line().Draft() }

// lease is a subscription on a line, which it keeps alive.
type lease struct {
	subscription
	line  *line
	leave func()
}

func (s *lease) Close() {
	s.subscription.Close()
	s.leave()
}

// Subscribe implements session. What a line has not answered when it is relieved is asked of the next.
func (t *trunk) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	for {
		l := t.line()
		leave := l.enter()
		lctx, cancel := context.WithCancel(ctx)
		stop := l.onRelief(cancel)
		sub, err := l.session.Subscribe(lctx, name, o, sink)
		stop()
		cancel()
		if err == nil {
			return &lease{sub, l, leave}, nil
		}
		if leave(); !l.gone() || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Fetch implements session.
func (t *trunk) Fetch(ctx context.Context, r moqt.FetchRequest, join subscription, sink moqt.Sink) error {
	if s, ok := join.(*lease); ok {
		return s.line.session.Fetch(ctx, r, s.subscription, sink)
	}
	l := t.line()
	defer l.enter()()
	return l.session.Fetch(ctx, r, nil, sink)
}

// relieved is closed when another line has taken the place of the one that s is on.
func relieved(s subscription) <-chan struct{} {
	if r, ok := s.(recordedSubscription); ok {
		s = r.subscription
	}
	if l, ok := s.(*lease); ok {
		return l.line.relieved
	}
	return nil
}

package subscriber

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/lite"
	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
)

// guest is a publisher that has connected to us.
type guest struct {
	r       *Reception
	conn    transport.Conn
	addr    string
	session session
	peer    func(ctx context.Context) (path string, tokens []moqt.Token, err error)
	serve   func(func() error) // has receive run a function and wait for it

	known    chan struct{} // closed by accepted
	accepted func()        // once: something has been

	dismiss context.CancelCauseFunc // ends the session
	mute    atomic.Bool             // it did not answer a FETCH

	kept atomic.Int64 // bytes that pushes keep

	mu      sync.Mutex       // guards what follows
	stays   map[string]*stay // by namespace
	pushes  map[string]*push // by track: the newest of each
	offered int              // pushes that have not ended
	guesses int              // wrong tokens
	pushed  chan struct{}    // closed and replaced when a push comes
}

var errNothing = errors.New("nothing that may be published here was announced in time")

// receive serves a publisher's session until it ends, or until ctx does and it has had time to leave.
func (r *Reception) receive(ctx context.Context, conn transport.Conn) {
	g, err := r.guest(conn)
	if err != nil {
		conn.Close(dialect.NoError, "no common protocol")
		r.cfg.Metrics.refusePublisher("no_protocol")
		return
	}
	defer r.cfg.Metrics.publisherCame()()
	sctx, dismiss := context.WithCancelCause(context.WithoutCancel(ctx))
	defer dismiss(nil)
	defer context.AfterFunc(ctx, func() {
		last := drain
		if !g.goaway() {
			last = 0
		}
		time.AfterFunc(last, func() { dismiss(context.Cause(ctx)) })
	})()
	grp, gctx := errgroup.WithContext(sctx)
	g.serve, g.dismiss = grp.Go, dismiss
	grp.Go(func() error { return g.session.Run(gctx) })
	grp.Go(func() error { return g.prove(gctx) })
	if l, ok := g.session.(liteSession); ok {
		grp.Go(func() error { return g.ask(gctx, l) })
	}
	err = grp.Wait()
	g.leaveAll()
	level := slog.LevelDebug // strangers do not fill the log
	if over(g.known) {
		level = slog.LevelInfo
	}
	r.log.Log(ctx, level, "publisher left", "peer", g.addr, "err", err)
}

// guest begins a session with whoever is at the other end.
func (r *Reception) guest(conn transport.Conn) (*guest, error) {
	known := make(chan struct{})
	g := &guest{
		r: r, conn: conn, addr: conn.RemoteAddr().String(), stays: map[string]*stay{}, pushes: map[string]*push{},
		pushed: make(chan struct{}), known: known, accepted: sync.OnceFunc(func() { close(known) }),
	}
	metrics := r.cfg.Metrics.session()
	if dialect.ByALPN(conn.Protocol()) == nil {
		s, err := lite.New(conn, lite.Config{Logger: r.log, Metrics: metrics})
		if err != nil {
			return nil, err
		}
		g.session = liteSession{s}
		g.peer = func(ctx context.Context) (string, []moqt.Token, error) {
			path, err := s.Path(ctx)
			return path, nil, err
		}
		return g, nil
	}
	s, err := moqt.Accept(conn, moqt.Config{
		Announced: g.announced, Withdrawn: g.withdrawn, Published: g.published, Logger: r.log, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	g.session = moqtSession{s, nil}
	g.peer = func(ctx context.Context) (string, []moqt.Token, error) {
		p, err := s.Peer(ctx)
		return p.Path, p.Tokens, err
	}
	return g, nil
}

// prove ends the session of a guest that shows the wrong token, or has nothing accepted in time.
func (g *guest) prove(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, probation)
	defer cancel()
	tokens, err := g.credentials(soon) // in moq-lite they need never come
	if err != nil && soon.Err() == nil {
		return nil // the session says why
	}
	if err == nil && !g.r.welcome(tokens) {
		g.r.complain(g, nil, errBadToken)
		return &moqt.SessionError{Code: dialect.NoEntry, Reason: errBadToken.Error(), Err: errBadToken}
	}
	select {
	case <-g.known:
		transport.Welcome(g.conn)
		return nil
	case <-soon.Done():
	}
	if ctx.Err() != nil {
		return nil
	}
	g.r.complain(g, nil, errNothing)
	return &moqt.SessionError{Code: dialect.NoEntry, Reason: errNothing.Error(), Err: errNothing}
}

// credentials are the tokens that the guest has shown for the whole session: in its SETUP, and in the query of where it wants to go.
func (g *guest) credentials(ctx context.Context) (tokens []string, err error) {
	path, said, err := g.peer(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range said {
		tokens = append(tokens, string(t.Value))
	}
	for _, p := range []string{path, transport.Path(g.conn)} {
		if u, err := url.Parse(p); err == nil {
			tokens = append(tokens, u.Query()["token"]...)
		}
	}
	return tokens, nil
}

// ask has a guest that speaks moq-lite announce what it has.
func (g *guest) ask(ctx context.Context, s liteSession) error {
	if _, err := g.credentials(ctx); err != nil {
		return nil // the session says why
	}
	err := s.Namespaces(ctx, nil, func(namespace []string, active bool) {
		if !active {
			g.withdrawn(namespace)
			return
		}
		g.withdrawn(namespace)          // one that is told of twice has begun anew
		_ = g.announced(namespace, nil) // is logged, and there is no way to say so
	})
	if _, refused := errors.AsType[*moqt.RequestError](err); refused {
		return &moqt.SessionError{Reason: errNothing.Error(), Err: errNothing}
	}
	g.leaveAll() // none may be taken to exist any longer
	return nil   // the session says why, if it has ended
}

// goaway asks the guest to leave, where there is a way to.
func (g *guest) goaway() bool {
	s, ok := g.session.(moqtSession)
	if ok {
		s.Goaway()
	}
	return ok
}

// moving reports whether the guest wants to be left.
func (g *guest) moving() bool {
	m, ok := g.session.(mover)
	return ok && m.Moved() != nil
}

// admit checks whether the guest may publish something in the namespace.
func (g *guest) admit(namespace []string, tokens []moqt.Token) (Permit, error) {
	if err := validNamespace(namespace); err != nil {
		return Permit{}, err
	}
	shown, err := g.credentials(context.Background()) // does not wait: they are there before any request
	if err != nil {
		return Permit{}, err
	}
	for _, t := range tokens {
		shown = append(shown, string(t.Value))
	}
	return g.r.permit(namespace, shown)
}

// announced takes in an announcement, or says why not.
func (g *guest) announced(namespace []string, tokens []moqt.Token) error {
	return g.settle(namespace, tokens, func(s *stay) error { s.announced++; return nil })
}

// settle has the guest stay in the namespace's room, for what note notes unless it fails.
func (g *guest) settle(namespace []string, tokens []moqt.Token, note func(*stay) error) error {
	p, err := g.admit(namespace, tokens)
	fresh := false
	if err == nil {
		fresh, err = g.stay(namespace, p, note)
	}
	if err != nil {
		g.r.complain(g, namespace, err)
		g.guessed(err)
		return err
	}
	g.accepted()
	if fresh {
		g.r.cfg.Metrics.acceptPublisher()
		g.r.log.Info("publisher came", "peer", g.addr, "namespace", FormatNamespace(namespace), "draft", g.session.Draft(),
			"webtransport", g.conn.WebTransport())
	}
	return nil
}

// stay enters the room that p is the permit for, unless the guest is there already.
func (g *guest) stay(namespace []string, p Permit, note func(*stay) error) (fresh bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stays[spell(namespace)]
	if fresh = s == nil; fresh {
		s = &stay{guest: g, namespace: namespace, over: make(chan struct{})}
		if len(g.stays) == maxAnnounced {
			return true, errTooMuch
		}
	}
	if err := note(s); err != nil {
		return fresh, err
	}
	if fresh {
		g.stays[spell(namespace)] = s
		g.r.enter(s, p)
	}
	return fresh, nil
}

// guessed ends the session of a guest that shows one wrong token after the other.
func (g *guest) guessed(err error) {
	if !errors.Is(err, errBadToken) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.guesses++; g.guesses == maxGuesses {
		g.dismiss(&moqt.SessionError{Code: dialect.NoEntry, Reason: errBadToken.Error(), Err: errBadToken})
	}
}

// withdrawn takes the end of an announcement in.
func (g *guest) withdrawn(namespace []string) {
	g.unsettle(namespace, func(s *stay) { s.announced = max(0, s.announced-1) })
}

// unsettle ends the guest's stay if nothing that note leaves keeps it there.
func (g *guest) unsettle(namespace []string, note func(*stay)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stays[spell(namespace)]
	if s == nil {
		return
	}
	if note(s); s.announced > 0 || s.offers > 0 {
		return
	}
	delete(g.stays, spell(namespace))
	g.r.leave(s)
}

func (g *guest) leaveAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, s := range g.stays {
		delete(g.stays, key)
		g.r.leave(s)
	}
}

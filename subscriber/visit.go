package subscriber

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt"
)

// visit is a stay as a session: it ends with the stay, and not the guest's session with it, which others may share.
type visit struct {
	session
	stay   *stay
	barren func() bool // there is no catalog yet
}

var (
	_ session = (*visit)(nil)
	_ mover   = (*visit)(nil)
)

// visit waits for somebody who publishes the broadcast to us.
func (f *follower) visit(ctx context.Context) (*line, error) {
	s, err := f.cfg.Reception.publisher(ctx, f.cfg.Namespace, func() { f.report.waiting(ctx, errNobody) })
	if err != nil {
		return nil, err
	}
	f.mute.Store(s.mute.Load() || hostOf(s.addr) == f.choked)
	f.log.Info("taking what is published to us", "peer", s.addr, "draft", s.session.Draft())
	barren := func() bool { return f.report.phase() == Waiting && f.pulse.subs.Load() == 0 }
	return newLine(&visit{s.session, s, barren}, relay{addr: s.addr}), nil
}

// hostOf is the host of an address. Who chokes on a FETCH does so in every session, and those that come from elsewhere are not like it.
func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// noCatalogFor is how long a publisher may announce a broadcast and have no catalog of it before that is no beginning any more.
const noCatalogFor = 30 * time.Second

var errNoCatalog = errors.New("the publisher announces the broadcast, and has no catalog of it")

var errNobody = errors.New("nobody is connected who publishes it")

// Run implements session. A guest that has nothing to say any more lets others go first.
func (v *visit) Run(ctx context.Context) error {
	clock := time.NewTicker(noCatalogFor)
	defer clock.Stop()
	for ctx.Err() == nil {
		select {
		case <-v.stay.over:
			return &moqt.SessionError{Remote: true, Reason: "the publisher has left", Err: moqt.ErrClosed}
		case <-clock.C:
			if v.barren() && v.stay.r.yield(v.stay) {
				return errNoCatalog
			}
		case <-ctx.Done():
		}
	}
	err := context.Cause(ctx)
	switch {
	case errors.Is(err, ErrStalled), errors.Is(err, errEnded):
		v.stay.r.yield(v.stay)
	case errors.Is(err, errMute):
		v.stay.mute.Store(true) // and the follower remembers the host
	}
	return err
}

// Subscribe implements session.
func (v *visit) Subscribe(ctx context.Context, name moqt.TrackName, o moqt.SubscribeOptions, sink moqt.Sink) (subscription, error) {
	if p := v.stay.find(ctx, name); p != nil {
		return p.pull(ctx, sink), nil
	}
	sub, err := v.session.Subscribe(ctx, name, o, sink)
	if v.stay.mute.Load() && errors.Is(err, context.DeadlineExceeded) { // it may never answer anything again
		v.stay.dismiss(&moqt.SessionError{Reason: "requests are not answered: begin another session", Err: fmt.Errorf("subscribe to %q: %w", name.Name, err)})
	}
	return sub, err
}

// Moving implements mover.
func (v *visit) Moving() <-chan struct{} {
	if m, ok := v.session.(mover); ok {
		return m.Moving()
	}
	return nil
}

// Moved implements mover.
func (v *visit) Moved() *moqt.SessionError {
	if m, ok := v.session.(mover); ok {
		return m.Moved()
	}
	return nil
}

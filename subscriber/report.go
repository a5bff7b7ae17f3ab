package subscriber

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// reporter tells the receiver about every change of state, and the log about those that are news.
type reporter struct {
	channel string
	recv    Receiver
	log     *slog.Logger
	metrics *Metrics

	mu     sync.Mutex // guards what follows
	state  State
	logged string // what the last line was about
}

// connecting reports an attempt to connect to relay, after err if it is not the first one.
func (r *reporter) connecting(ctx context.Context, relay string, err error) {
	r.change(ctx, func(s *State) {
		*s = State{Phase: Connecting, Relay: relay, Err: err, Attempts: s.Attempts + 1}
	})
}

// failed reports why an attempt has failed, before the next one.
func (r *reporter) failed(ctx context.Context, err error) {
	r.change(ctx, func(s *State) { *s = State{Phase: Connecting, Relay: s.Relay, Err: err, Attempts: s.Attempts} })
}

func (r *reporter) connected(ctx context.Context, relay, draft, transport string) {
	r.change(ctx, func(s *State) { s.Relay, s.Draft, s.Transport = relay, draft, transport })
}

// waiting reports that there is nothing to read yet; err says what is wrong, if anything is.
func (r *reporter) waiting(ctx context.Context, err error) {
	r.change(ctx, func(s *State) { s.Phase, s.Err = Waiting, err })
}

// silent reports that there is nothing to read any more, if there was.
func (r *reporter) silent(ctx context.Context) {
	if r.phase() == Live {
		r.waiting(ctx, nil)
	}
}

func (r *reporter) live(ctx context.Context) {
	r.change(ctx, func(s *State) { s.Phase, s.Err, s.Attempts = Live, nil, 0 })
}

func (r *reporter) ended(ctx context.Context) {
	r.change(ctx, func(s *State) { s.Phase, s.Err = Ended, nil })
}

func (r *reporter) phase() Phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Phase
}

func (r *reporter) change(ctx context.Context, to func(*State)) {
	s, changed, news := r.update(to)
	if !changed {
		return
	}
	r.metrics.enter(r.channel, s.Phase)
	log := r.log.With("phase", s.Phase.String(), "relay", s.Relay, "draft", s.Draft)
	switch {
	case news && s.Err != nil:
		log.Warn("source changed", "err", s.Err)
	case news:
		log.Info("source changed")
	}
	r.recv.State(ctx, s)
}

// update changes the state. It is news when it differs by more than the numbers in an error, such as our port.
func (r *reporter) update(to func(*State)) (s State, changed, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.state
	to(&r.state)
	about := r.state.Phase.String() + withoutDigits(r.state.Err)
	news = about != r.logged && (r.state.Phase != Connecting || r.state.Err != nil || r.logged == "")
	if news {
		r.logged = about
	}
	same := r.state
	same.Err, before.Err = nil, nil // an error's type need not be comparable
	return r.state, news || same != before, news
}

func withoutDigits(err error) string {
	if err == nil {
		return ""
	}
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return -1
		}
		return c
	}, err.Error())
}

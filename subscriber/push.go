package subscriber

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// push is a track that a guest publishes without having been asked (PUBLISH). It is taken as it comes, for a peer that pushes may not
// answer a SUBSCRIBE; who wants it gets what there is of its newest group, and then what follows.
type push struct {
	g          *guest
	sub        *moqt.Subscription
	properties []media.Property // of the track: sub's own may be read only when it has been accepted

	mu    sync.Mutex // guards what follows
	to    *pull      // nil: nobody wants it
	group uint64     // the newest one
	news  []news     // of that group; nil: there was too much of it
	kept  int        // its bytes
	full  bool       // there was
}

// news is an object, or the end of a stream.
type news struct {
	object media.Object
	end    *moqt.StreamEvent
}

// published takes a track of the peer's in, or says why not.
func (g *guest) published(sub *moqt.Subscription) (moqt.Sink, error) {
	name := sub.Track()
	p := &push{g: g, sub: sub, properties: sub.Properties()}
	err := g.settle(name.Namespace, sub.Tokens(), func(s *stay) error {
		if g.offered == maxAnnounced {
			return errTooMuch
		}
		g.offered++
		s.offers++
		g.pushes[spellTrack(name)] = p // the one before, if any, ends: what is in flight of it may still come
		close(g.pushed)
		g.pushed = make(chan struct{})
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.serve(func() error {
		<-sub.Done()
		g.unsettle(name.Namespace, func(s *stay) { s.offers-- })
		p.forget()
		return nil
	})
	return p, nil
}

// forget ends a push.
func (p *push) forget() {
	p.g.mu.Lock()
	p.g.offered--
	if key := spellTrack(p.sub.Track()); p.g.pushes[key] == p {
		delete(p.g.pushes, key)
	}
	p.g.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func spellTrack(t moqt.TrackName) string { return spell(append(slices.Clone(t.Namespace), t.Name)) }

// pushedSoon is how long to wait for a track of a guest that has announced nothing and so may be about to push it.
const pushedSoon = 2 * time.Second

// find is the guest's push of a track, if there is one or will be soon.
func (s *stay) find(ctx context.Context, name moqt.TrackName) *push {
	timer := time.NewTimer(pushedSoon)
	defer timer.Stop()
	for {
		s.mu.Lock()
		p, pushed, announced := s.pushes[spellTrack(name)], s.pushed, s.announced > 0
		s.mu.Unlock()
		if p != nil || announced {
			return p
		}
		select {
		case <-pushed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// Object implements moqt.Sink.
func (p *push) Object(ctx context.Context, o media.Object) error {
	t := p.note(o.Group, weight(o), news{object: o})
	if t == nil {
		return nil
	}
	defer t.users.Done()
	t.follow(ctx, news{object: o})
	return nil // it goes on, whatever became of who wanted it
}

// Stream implements moqt.Sink.
func (p *push) Stream(ctx context.Context, e moqt.StreamEvent) {
	if t := p.note(e.Group, weight(media.Object{}), news{end: &e}); t != nil {
		defer t.users.Done()
		t.follow(ctx, news{end: &e})
	}
}

// note keeps n if it is of the newest group and there is room, and returns who is to have it, as one of its users.
func (p *push) note(group uint64, bytes int, n news) *pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	if group > p.group {
		p.clear()
		p.group = group
	}
	if group == p.group && !p.full {
		if p.g.kept.Add(int64(bytes)) > maxKept {
			p.g.kept.Add(-int64(bytes))
			p.clear()
			p.full = true
		} else {
			p.news, p.kept = append(p.news, n), p.kept+bytes
		}
	}
	if p.to != nil {
		p.to.users.Add(1)
	}
	return p.to
}

// clear gives up what is kept; mu is held.
func (p *push) clear() {
	p.g.kept.Add(-int64(p.kept))
	p.news, p.kept, p.full = nil, 0, false
}

// pull is a push that somebody wants: a subscription that does not reach the peer. Where the live edge is it does not say, so that
// nothing is fetched of a peer that pushes.
type pull struct {
	p    *push
	hand func(ctx context.Context, n news) // to the sink, until the pull ends
	past chan struct{}                     // closed when all has been handed over that was kept

	users sync.WaitGroup // calls of follow; what is added is added under p.mu while p.to is this
	g     sync.WaitGroup
	end   func(error) // once
	done  chan struct{}
	err   error // set before done is closed
}

var _ subscription = (*pull)(nil)

// pull hands the track over to sink. There is one who has it at a time: the last one.
func (p *push) pull(ctx context.Context, sink moqt.Sink) *pull {
	tctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &pull{p: p, past: make(chan struct{}), done: make(chan struct{})}
	var once sync.Once
	t.end = func(err error) { once.Do(func() { t.err = err; cancel(); close(t.done) }) }
	t.hand = func(ctx context.Context, n news) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(tctx, stop)()
		if n.end != nil {
			sink.Stream(ctx, *n.end)
		} else if err := sink.Object(ctx, n.object); err != nil && tctx.Err() == nil && ctx.Err() == nil {
			t.end(err)
		}
	}
	p.mu.Lock()
	before, kept := p.to, slices.Clone(p.news)
	p.to = t
	p.mu.Unlock()
	if before != nil {
		before.end(moqt.ErrClosed)
	}
	t.g.Go(func() {
		for _, n := range kept {
			if tctx.Err() == nil {
				t.hand(tctx, n)
			}
		}
		close(t.past)
		select {
		case <-p.sub.Done():
			t.end(p.sub.Err())
		case <-tctx.Done():
		}
	})
	return t
}

// follow hands over what comes behind what was kept: a stream must not seem to have ended before its objects.
func (t *pull) follow(ctx context.Context, n news) {
	select {
	case <-t.past:
		t.hand(ctx, n)
	case <-t.done:
	case <-ctx.Done():
	}
}

// Close implements subscription. The push goes on.
func (t *pull) Close() {
	t.p.mu.Lock()
	if t.p.to == t {
		t.p.to = nil
	}
	t.p.mu.Unlock()
	t.end(moqt.ErrClosed)
	t.users.Wait()
	t.g.Wait()
}

// Largest implements subscription.
func (t *pull) Largest() (l media.Location, ok bool) { return l, false }

// Properties implements subscription.
func (t *pull) Properties() []media.Property { return t.p.properties }

// Done implements subscription.
func (t *pull) Done() <-chan struct{} { return t.done }

// Err implements subscription.
func (t *pull) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

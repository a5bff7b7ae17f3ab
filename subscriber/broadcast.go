package subscriber

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// broadcast is a follower's work on one session.
type broadcast struct {
	*follower
	session asker
	draft   string
	serve   func(func() error) // has follow run a function and wait for it; its error ends the session

	// owned by the goroutine that applies catalogs
	running  map[string]*running
	complete bool // the catalog has said so

	mu    sync.Mutex      // guards what follows
	ended map[string]bool // wanted tracks of which nothing more will come
}

// running is a track that is being followed.
type running struct {
	cancel context.CancelFunc
	done   chan struct{} // closed by its goroutine
}

// follow reads the catalog, and the tracks that the receiver wants of it, until ctx ends or something ends the session.
func (f *follower) follow(ctx context.Context, s session) error {
	g, ctx := errgroup.WithContext(ctx)
	b := &broadcast{follower: f, session: s, draft: s.Draft(), running: map[string]*running{}, ended: map[string]bool{}}
	b.serve = g.Go
	g.Go(func() error { return b.keepCatalog(ctx) })
	return g.Wait()
}

// apply takes a catalog: it asks the receiver what it wants, unless it knows the catalog already, and follows just that.
func (b *broadcast) apply(ctx context.Context, c *catalog.Catalog) error {
	if b.complete {
		return nil
	}
	if c.Complete {
		b.complete = true
		b.serve(func() error { return b.drain(ctx, c) })
		return nil
	}
	if !reflect.DeepEqual(c, b.catalog) {
		want, err := b.recv.Catalog(ctx, c)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if b.news(err) {
				b.log.Warn("catalog refused", "err", err)
			}
			return nil
		}
		b.catalog, b.want = c, want
	}
	b.reconcile(ctx, c)
	if len(b.want) == 0 {
		b.report.waiting(ctx, fmt.Errorf("none of the %d tracks of the catalog can be packaged", len(c.Tracks)+len(c.Skipped)))
	}
	return nil
}

// drain ends the broadcast once what is still on its way has come.
func (b *broadcast) drain(ctx context.Context, c *catalog.Catalog) error {
	b.pulse.beat()
	if err := b.pulse.quiet(ctx, &b.pulse.media, b.cfg.Patience); err != nil {
		return err
	}
	if _, err := b.recv.Catalog(ctx, c); err != nil {
		b.log.Warn("catalog refused", "err", err)
	}
	return errEnded
}

// reconcile stops following what is not wanted any more, and begins to follow what is. The others run on untouched.
func (b *broadcast) reconcile(ctx context.Context, c *catalog.Catalog) {
	names := map[string]moqt.TrackName{}
	for _, t := range c.Tracks {
		if slices.Contains(b.want, t.Name) {
			names[t.Name] = moqt.TrackName{Namespace: t.Namespace, Name: t.Name}
		}
	}
	for key, t := range b.tracks {
		if !reflect.DeepEqual(names[key], t.name) {
			b.stop(key)
			delete(b.tracks, key)
		}
	}
	for _, t := range c.Tracks { // in the catalog's order
		if name, ok := names[t.Name]; ok {
			b.start(ctx, name)
		}
	}
}

func (b *broadcast) stop(key string) {
	if r := b.running[key]; r != nil {
		r.cancel()
		<-r.done
		delete(b.running, key)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ended, key)
}

func (b *broadcast) start(ctx context.Context, name moqt.TrackName) {
	t, key := b.tracks[name.Name], name.Name
	if r := b.running[key]; r != nil {
		select {
		case <-r.done: // it ended or was broken, and a catalog is a reason to try again
		default:
			t.renew.Store(true)
			return
		}
	}
	if t == nil {
		t = &track{
			feed: newFeed(b.cfg.limits()), name: name, channel: b.cfg.Channel, cfg: &b.cfg,
			recv: b.recv, pulse: &b.pulse, mute: &b.mute, report: b.report, log: b.log,
		}
		b.tracks[key] = t
	}
	b.setEnded(key, false)
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, done: make(chan struct{})}
	b.running[key] = r
	b.serve(func() error {
		defer close(r.done)
		defer cancel()
		return b.outcome(ctx, t, t.run(ctx, b.session))
	})
}

// outcome judges why a track is not followed any more: nil when the session can go on.
func (b *broadcast) outcome(ctx context.Context, t *track, err error) error {
	switch {
	case ctx.Err() != nil: // not wanted any more, or the session is over
		return nil
	case errors.Is(err, errTrackEnded), errors.Is(err, ErrEnough):
		b.log.Info("track ended", "track", t.name.Name, "err", err)
		if b.setEnded(t.name.Name, true) {
			return errEnded
		}
		return nil
	case malformed(err):
		b.log.Warn("track given up until the catalog changes", "track", t.name.Name, "err", err)
		return nil
	}
	return err
}

// setEnded records whether a wanted track has ended, and reports whether all have.
func (b *broadcast) setEnded(key string, ended bool) (all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended[key] = ended; !ended {
		return false
	}
	for _, e := range b.ended {
		all = e
		if !e {
			return false
		}
	}
	return all
}

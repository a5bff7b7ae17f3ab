package channel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Config of a Channel.
type Config struct {
	Name      string // in URLs
	Namespace string // of the broadcast, for people
	Source    *subscriber.Source
	Segmenter segmenter.Config
	Store     storage.Store
	Logger    *slog.Logger
	Metrics   *Metrics
}

// Channel is one broadcast on its way from a relay to the viewers.
type Channel struct {
	name, namespace string

	source  *subscriber.Source
	store   storage.Store
	fold    *segmenter.Segmenter
	log     *slog.Logger
	metrics *Metrics

	// events is unbuffered: an object waits in its stream until the fold takes it. Never closed; senders give up with ctx.
	events chan event
	status status
}

// event is one call of the Source, on its way to the fold.
type event struct {
	catalog *catalog.Catalog // or
	track   string
	object  media.Object
}

// tick is how often the fold looks at the clock for tracks that keep silent.
const tick = 250 * time.Millisecond

// New returns a channel that Run brings to life.
func New(cfg Config) (*Channel, error) {
	if err := cfg.Segmenter.Validate(); err != nil {
		return nil, fmt.Errorf("channel %q: %w", cfg.Name, err)
	}
	hot := storage.NewHot(cfg.Store, cfg.Name, cfg.Segmenter.Window)
	return &Channel{
		name: cfg.Name, namespace: cfg.Namespace, source: cfg.Source, store: cfg.Store,
		fold: segmenter.New(cfg.Segmenter, hot),
		log:  cfg.Logger.With("channel", cfg.Name), metrics: cfg.Metrics,
		events: make(chan event),
	}, nil
}

// Run reads the broadcast until ctx ends. When the broadcast itself ends, Run makes it a recording and goes on serving it.
func (c *Channel) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	ended := make(chan struct{}) // closed by the source's goroutine
	g.Go(func() error {
		if err := c.source.Run(ctx, c); err != nil {
			return err
		}
		close(ended)
		return nil
	})
	g.Go(func() error { return c.foldAll(ctx, ended) })
	return g.Wait()
}

// foldAll is the one goroutine that drives the segmenter.
func (c *Channel) foldAll(ctx context.Context, ended <-chan struct{}) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case e := <-c.events:
			c.apply(ctx, e)
		case now := <-clock.C:
			c.report(c.fold.Tick(ctx, now), "")
		case <-ended:
			c.report(c.fold.End(ctx), "")
			c.log.Info("broadcast ended")
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Channel) apply(ctx context.Context, e event) {
	if e.catalog != nil {
		c.report(c.fold.Catalog(ctx, time.Now(), e.catalog.Tracks), "")
		return
	}
	c.report(c.fold.Object(ctx, time.Now(), e.track, e.object), e.track)
}

// report counts what the segmenter refused, and logs it once for each track until the track is well again.
func (c *Channel) report(err error, track string) {
	switch {
	case err == nil:
		c.status.accept(track)
	case errors.Is(err, context.Canceled):
	default:
		c.metrics.refused(c.name, track)
		if c.status.refuse(track, err) {
			c.log.Warn("media refused", "track", track, "err", err)
		}
	}
}

// Catalog implements subscriber.Receiver. The last one need not list the tracks any more: they are the recording.
func (c *Channel) Catalog(ctx context.Context, cat *catalog.Catalog) (want []string, err error) {
	if cat.Complete {
		return nil, nil
	}
	c.status.setCatalog(cat)
	for _, s := range cat.Skipped {
		c.log.Info("track skipped", "track", s.Name, "reason", s.Reason)
	}
	if err := c.send(ctx, event{catalog: cat}); err != nil {
		return nil, err
	}
	for i := range cat.Tracks {
		want = append(want, cat.Tracks[i].Name)
	}
	return want, nil
}

// Object implements subscriber.Receiver.
func (c *Channel) Object(ctx context.Context, track string, o media.Object) error {
	return c.send(ctx, event{track: track, object: o})
}

// State implements subscriber.Receiver.
func (c *Channel) State(_ context.Context, s subscriber.State) { c.status.setSource(s) }

func (c *Channel) send(ctx context.Context, e event) error {
	select {
	case c.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Output implements server.Channel.
func (c *Channel) Output() *segmenter.Output { return c.fold.Output() }

// Store implements server.Channel.
func (c *Channel) Store() storage.Store { return c.store }

// Status implements server.Channel.
func (c *Channel) Status() server.Status {
	s := server.Status{Name: c.name, Namespace: c.namespace}
	c.status.words(&s, c.fold.Output() != nil)
	return s
}

var (
	_ subscriber.Receiver = (*Channel)(nil)
	_ server.Channel      = (*Channel)(nil)
)

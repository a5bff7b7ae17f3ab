package channel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/server"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
	"github.com/moqpack/moqpack/subscriber"
	"github.com/moqpack/moqpack/subscriber/catalog"
)

// Config of a Channel.
type Config struct {
	Name      string // in URLs
	Namespace string // of the broadcast, for people
	Source    Source
	Segmenter segmenter.Config

	Memory *storage.Memory // for the live window
	// Disk and S3 are where the channel is recorded; nil: not there. Other instances of the channel may share S3.
	Disk, S3 storage.Durable
	// Retain bounds what is kept in each.
	Retain archive.Retain
	// Elsewhere is the URL, with a slash at the end, under which viewers reach what is in S3. Empty: older media is passed on.
	Elsewhere string
	// Stale is how long a rendition may have nothing new before viewers are sent to another instance. 0: they never are.
	Stale time.Duration
	// Incomplete sends them there even if other renditions have something new.
	Incomplete bool
	// FairPlay is the URI that FairPlay asks keys with, see media.Protection.KeyURI. Empty: by key id.
	FairPlay string

	Logger  *slog.Logger
	Metrics *Metrics
	Archive *archive.Metrics
}

// Source gives a broadcast to a Receiver until it ends, which returns nil.
type Source interface {
	Run(ctx context.Context, recv subscriber.Receiver) error
}

// Channel is one broadcast on its way from a relay to the viewers.
type Channel struct {
	name, namespace string

	cfg     segmenter.Config
	source  Source
	memory  *storage.Memory
	keeps   []*keep        // nearest first
	media   storage.Getter // memory, and behind it the keeps
	losses  *losses
	ledger  *archive.Ledger // nil without keeps
	shared  bool            // the ledger is one that other instances read
	hot     *storage.Hot    // driven by foldAll
	log     *slog.Logger
	metrics *Metrics
	counted segmenter.Events // passed on so far; owned by foldAll

	fold       atomic.Pointer[segmenter.Segmenter] // driven by foldAll; nil until the past is known
	floor      *floor
	elsewhere  string
	stale      time.Duration
	incomplete bool
	fairPlay   string
	doubt      atomic.Pointer[string]

	enough sync.Map // by name: tracks of which nothing more is needed, until that is said

	// events is unbuffered: an object waits in its stream until the fold takes it. Never closed; senders give up with ctx.
	events chan event
	status status
}

// event is one call of the Source, on its way to the fold.
type event struct {
	catalog *catalog.Catalog // with
	want    chan<- []string  // for the names of the tracks to subscribe to; or
	lost    *manifest.Name   // a segment that is in no store any more; or
	track   string
	object  media.Object
}

// claimPatience is how long the fold waits for a claim.
const claimPatience = 2 * time.Second

// tick is how often the fold looks at the clock for tracks that keep silent.
const tick = 250 * time.Millisecond

// New returns a channel that Run brings to life.
func New(cfg Config) (*Channel, error) {
	if err := cfg.Segmenter.Validate(); err != nil {
		return nil, fmt.Errorf("channel %q: %w", cfg.Name, err)
	}
	if cfg.Segmenter.DVR > 0 && cfg.Disk == nil && cfg.S3 == nil {
		return nil, fmt.Errorf("channel %q: rewinding needs a store: what leaves memory must be somewhere", cfg.Name)
	}
	c := &Channel{
		name: cfg.Name, namespace: cfg.Namespace, cfg: cfg.Segmenter, source: cfg.Source, memory: cfg.Memory,
		log: cfg.Logger.With("channel", cfg.Name), metrics: cfg.Metrics,
		elsewhere: cfg.Elsewhere, stale: cfg.Stale, incomplete: cfg.Incomplete, fairPlay: cfg.FairPlay, shared: cfg.S3 != nil,
		events: make(chan event), losses: newLosses(),
	}
	c.keeps, c.media = newKeeps(&cfg, c.memory, c.losses, c.log)
	if n := len(c.keeps); n > 0 {
		c.ledger = archive.NewLedger(c.keeps[n-1].store, c.name, claimPatience, c.log)
		c.ledger.Exclusive = !c.shared
	}
	c.floor = newFloor(c.keeps, c.Output)
	c.hot = storage.NewHot(c.memory, c.name, cfg.Segmenter.Window, c.floor.leave)
	return c, nil
}

// Run reads the broadcast until ctx ends. When the broadcast itself ends, Run makes it a recording and goes on serving it.
func (c *Channel) Run(ctx context.Context) error {
	return c.run(ctx, func(ctx context.Context) error { return c.source.Run(ctx, c) })
}

// run is Run for what read gives to the channel until it returns nil, which is the end of the broadcast.
func (c *Channel) run(ctx context.Context, read func(context.Context) error) error {
	fold, err := c.begin(ctx)
	if err != nil {
		c.status.fail(err)
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ended := make(chan struct{}) // closed by the source's goroutine
	g.Go(func() error {
		if err := read(ctx); err != nil {
			return err
		}
		close(ended)
		return nil
	})
	g.Go(func() error { return c.foldAll(ctx, fold, ended) })
	for _, k := range c.keeps {
		g.Go(func() error {
			k.record(ctx, fold, c.log)
			return nil
		})
		g.Go(func() error {
			k.keeper.Run(ctx)
			return nil
		})
	}
	g.Go(func() error {
		c.watch(ctx, fold)
		return nil
	})
	if len(c.keeps) > 0 {
		g.Go(func() error {
			c.mourn(ctx)
			return nil
		})
	}
	return g.Wait()
}

// foldAll is the one goroutine that drives the segmenter.
func (c *Channel) foldAll(ctx context.Context, fold *segmenter.Segmenter, ended <-chan struct{}) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case e := <-c.events:
			c.apply(ctx, fold, e)
		case now := <-clock.C:
			c.report(fold.Tick(ctx, now), "")
			c.count(fold)
		case <-ended:
			c.report(fold.End(ctx), "")
			c.count(fold)
			c.log.Info("broadcast ended")
			return c.outlive(ctx, fold)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// outlive is foldAll after the end: what is kept may still be lost.
func (c *Channel) outlive(ctx context.Context, fold *segmenter.Segmenter) error {
	for len(c.keeps) > 0 {
		select {
		case e := <-c.events:
			c.apply(ctx, fold, e)
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (c *Channel) apply(ctx context.Context, fold *segmenter.Segmenter, e event) {
	switch {
	case e.catalog != nil:
		e.want <- c.follow(ctx, fold, e.catalog)
		return
	case e.lost != nil:
		fold.Lose(e.lost.Track, e.lost.N)
		return
	}
	err := fold.Object(ctx, time.Now(), e.track, e.object)
	c.report(err, e.track)
	if err == nil && len(e.object.Payload) > 0 {
		c.status.accept(e.track)
	}
	if fold.Enough(e.track) {
		c.enough.Store(e.track, true)
	}
}

// follow tells the fold what the broadcast consists of, and returns the names of the tracks that it can package.
func (c *Channel) follow(ctx context.Context, fold *segmenter.Segmenter, cat *catalog.Catalog) (want []string) {
	refused := map[string]bool{}
	skipped := slices.Clone(cat.Skipped)
	for _, err := range leaves(fold.Catalog(ctx, time.Now(), c.keyed(cat.Tracks))) {
		var bad *segmenter.BadInput
		if !errors.As(err, &bad) {
			c.report(err, "")
			continue
		}
		refused[bad.Track] = true
		skipped = append(skipped, catalog.Skipped{Name: bad.Track, Reason: bad.Err.Error()})
		c.metrics.refused(c.name, bad.Track)
	}
	c.metrics.skip(c.name, skipped)
	for _, s := range c.status.setCatalog(cat, skipped) {
		c.log.Warn("track skipped", "track", s.Track, "reason", s.Reason)
	}
	for i := range cat.Tracks {
		if name := cat.Tracks[i].Name; !refused[name] {
			want = append(want, name)
		}
	}
	c.hot.Retain(want)
	return want
}

// keyed are the tracks with the URI that FairPlay asks for their keys with: protected ones have that system then.
func (c *Channel) keyed(tracks []media.Track) []media.Track {
	if c.fairPlay == "" {
		return tracks
	}
	tracks = slices.Clone(tracks)
	for i := range tracks {
		keys := slices.Clone(tracks[i].Protections)
		if len(keys) == 0 {
			continue
		}
		at := slices.IndexFunc(keys, func(k media.Protection) bool { return k.System == media.FairPlay })
		if at < 0 {
			at, keys = len(keys), append(keys, media.Protection{System: media.FairPlay})
		}
		keys[at].KeyURI = c.fairPlay
		tracks[i].Protections = keys
	}
	return tracks
}

// report counts what the segmenter refused or could not publish, and logs it once for each track until the track is well again.
func (c *Channel) report(err error, track string) {
	for _, err := range leaves(err) {
		if errors.Is(err, context.Canceled) {
			continue
		}
		if errors.Is(err, segmenter.ErrLedger) {
			c.alarm(err)
			continue
		}
		whose := track
		var bad *segmenter.BadInput
		if errors.As(err, &bad) {
			whose = bad.Track
		}
		c.metrics.refused(c.name, whose)
		if c.status.refuse(whose, err, time.Now()) {
			c.log.Warn("media refused or not published", "track", whose, "err", err)
		}
	}
}

// alarm says that names may have other content than other instances give them. No media was refused.
func (c *Channel) alarm(err error) {
	c.metrics.disagreed(c.name)
	if c.status.disagree(err, time.Now()) {
		c.log.Error("instances may not agree from here on", "err", err)
	}
}

// count passes on what the fold has counted.
func (c *Channel) count(fold *segmenter.Segmenter) {
	events := fold.Events()
	c.metrics.happened(c.name, c.counted, events)
	c.status.setEvents(events)
	c.counted = events
}

// leaves are the errors that were joined. One that wraps several says more than these, and is a leaf.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok || errors.Join(joined.Unwrap()...).Error() != err.Error():
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// Catalog implements subscriber.Receiver. The last one need not list the tracks any more: they are the recording.
func (c *Channel) Catalog(ctx context.Context, cat *catalog.Catalog) (want []string, err error) {
	if cat.Complete {
		return nil, nil
	}
	answer := make(chan []string, 1) // one answer at most, so that the fold does not wait
	if err := c.send(ctx, event{catalog: cat, want: answer}); err != nil {
		return nil, err
	}
	select {
	case want = <-answer:
		return want, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Object implements subscriber.Receiver.
func (c *Channel) Object(ctx context.Context, track string, o media.Object) error {
	if _, left := c.enough.LoadAndDelete(track); left {
		return subscriber.ErrEnough
	}
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
func (c *Channel) Output() *segmenter.Output {
	if fold := c.fold.Load(); fold != nil {
		return fold.Output()
	}
	return nil
}

// Store implements server.Channel.
func (c *Channel) Store() storage.Getter { return c.media }

// Status implements server.Channel.
func (c *Channel) Status() server.Status {
	s := server.Status{Name: c.name, Namespace: c.namespace}
	c.status.words(&s, c.Output() != nil, time.Now())
	c.archives(&s)
	if out := c.Output(); out != nil && slices.ContainsFunc(out.Renditions, byArrival) {
		s.Clock = server.Arrival
	}
	return s
}

// byArrival reports whether the rendition's time is known from when its objects came only.
func byArrival(r segmenter.Rendition) bool {
	s := r.Timeline.Load()
	return !s.Empty() && s.Current().Arrival
}

var (
	_ Source              = (*subscriber.Source)(nil)
	_ subscriber.Receiver = (*Channel)(nil)
	_ server.Channel      = (*Channel)(nil)
	_ server.Doubter      = (*Channel)(nil)
	_ server.Redirector   = (*Channel)(nil)
)

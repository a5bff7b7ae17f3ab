package subscriber

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// keepCatalog follows the catalog track, again and again until the session ends. That there is none yet is a normal state.
func (b *broadcast) keepCatalog(ctx context.Context) error {
	again := backoff{first: 250 * time.Millisecond, max: 5 * time.Second}
	for {
		got, err := b.readCatalog(ctx)
		if fatal(ctx, err) || errors.Is(err, errEnded) {
			return err
		}
		if got {
			again.reset()
		}
		if b.pulse.subs.Load() == 0 {
			if errors.Is(err, moqt.ErrNotFound) || got {
				b.report.waiting(ctx, nil)
			} else {
				b.report.waiting(ctx, err)
			}
		}
		b.log.Debug("catalog subscription ended", "err", err)
		if err := sleep(ctx, max(again.next(), retryAfter(err))); err != nil {
			return err
		}
	}
}

// readCatalog follows the catalog track until the subscription ends, and returns why; got says that there was a catalog.
func (b *broadcast) readCatalog(ctx context.Context) (got bool, err error) {
	name := moqt.TrackName{Namespace: b.cfg.Namespace, Name: "catalog"}
	d := catalog.NewDecoder(catalog.Config{Namespace: b.cfg.Namespace, Track: name.Name})
	limits := b.cfg.limits()
	limits.latest = true
	f := newFeed(limits)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return f.pump(gctx, func(_ context.Context, o media.Object) error {
			if len(o.Payload) == 0 { // the end of a group, which some relays write as an empty object
				return nil
			}
			c, err := b.decode(ctx, d, name, o)
			if err != nil {
				b.badCatalog(err)
				return nil
			}
			got, b.ill = true, false
			return b.apply(ctx, c)
		})
	})
	g.Go(func() error {
		return f.subscribe(gctx, b.session, request{
			name:  name,
			back:  func(_ *reorder, largest media.Location) uint64 { return largest.Group },
			mute:  &b.mute,
			alive: func() func() { return func() {} },
		})
	})
	err = g.Wait()
	return got, err
}

// decode applies an object to the catalog. If those before it were lost, the group is fetched once more, from its complete
// catalog on.
func (b *broadcast) decode(ctx context.Context, d *catalog.Decoder, name moqt.TrackName, o media.Object) (*catalog.Catalog, error) {
	c, err := d.Decode(o)
	if !errors.Is(err, catalog.ErrNoBase) || b.mute.Load() {
		return c, err
	}
	var group collector
	fctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	end := media.Location{Group: o.Group, Object: o.Object}
	ferr := b.session.Fetch(fctx, moqt.FetchRequest{Track: name, Start: media.Location{Group: o.Group}, End: end}, nil, &group)
	if ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	for _, o := range group.sorted() {
		if c, err = d.Decode(o); err != nil {
			b.badCatalog(err)
		}
	}
	return c, err
}

// badCatalog counts a catalog object that was not applied, and logs the first one of a row.
func (b *broadcast) badCatalog(err error) {
	b.cfg.Metrics.badCatalog(b.cfg.Channel)
	if !b.ill {
		b.log.Warn("catalog update not applied", "err", err)
	}
	b.ill = true
}

// collector keeps the objects of a fetch, up to a bound.
type collector struct {
	mu      sync.Mutex
	bytes   int
	objects []media.Object
}

const maxCatalogGroup = 8 << 20

var errCatalogGroup = errors.New("the catalog's group is larger than 8 MiB")

func (c *collector) Object(_ context.Context, o media.Object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes += weight(o); c.bytes > maxCatalogGroup {
		return errCatalogGroup
	}
	if len(o.Payload) > 0 {
		c.objects = append(c.objects, o)
	}
	return nil
}

func (c *collector) Stream(context.Context, moqt.StreamEvent) {}

func (c *collector) sorted() []media.Object {
	slices.SortFunc(c.objects, func(a, b media.Object) int { return cmp.Compare(a.Object, b.Object) })
	return c.objects
}

var _ moqt.Sink = (*collector)(nil)

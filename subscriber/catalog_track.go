package subscriber

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// keepCatalog follows the broadcast's catalog, again and again until the session ends. That there is none yet is a normal state.
func (b *broadcast) keepCatalog(ctx context.Context) error {
	again, came := backoff{first: 250 * time.Millisecond, max: 5 * time.Second}, time.Now()
	for {
		began := time.Now()
		got, err := b.seek(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case fatal(ctx, err), errors.Is(err, errEnded):
			return err
		}
		if time.Since(began) > again.max { // one that is over at once, or lacks a header, may be so for ever
			again.reset()
		}
		if b.pulse.subs.Load() == 0 {
			switch {
			case got:
				b.report.waiting(ctx, nil)
			case !errors.Is(err, moqt.ErrNotFound):
				b.report.waiting(ctx, err)
			case b.cfg.Reception == nil || time.Since(came) < noCatalogFor:
				b.report.waiting(ctx, nil)
			default:
				b.report.waiting(ctx, fmt.Errorf("%w: %w", errNoCatalog, err))
			}
		}
		b.log.Debug("catalog subscription ended", "err", err)
		if err := sleep(ctx, again.after(err)); err != nil {
			return err
		}
	}
}

// seek follows the catalog wherever it is. A broadcast that refuses all places may be one that has none.
func (b *broadcast) seek(ctx context.Context) (got bool, err error) {
	var refused *moqt.RequestError
	if b.cfg.Catalog != catalog.MoqMI {
		got, err = b.search(ctx)
		if got || b.cfg.Catalog != "" || !errors.As(err, &refused) {
			return got, err
		}
	}
	got, without := b.keepWithout(ctx)
	if got || err == nil || fatal(ctx, without) {
		return got, without
	}
	return false, err
}

// reader follows one catalog track.
type reader struct {
	*broadcast
	name     moqt.TrackName
	decoder  *catalog.Decoder
	repaired uint64 // group that was fetched because of a change that did not fit; 0: none
	ill      bool   // the last object could not be applied
}

// readCatalog follows a catalog track until the subscription ends or another place has won, and returns why; got says that there
// was a catalog.
func (b *broadcast) readCatalog(ctx context.Context, track string, take taker) (got bool, err error) {
	r := &reader{broadcast: b, name: moqt.TrackName{Namespace: b.cfg.Namespace, Name: track}}
	r.decoder = r.fresh()
	err = b.latest(ctx, r.name, func(o media.Object) error {
		c, err := r.decode(ctx, o)
		if err != nil {
			r.badCatalog(err)
			return nil
		}
		c, missing := r.complete(ctx, c)
		if err := take(c); err != nil {
			return err
		}
		got, r.ill = true, false
		return missing
	})
	return got, err
}

func (r *reader) fresh() *catalog.Decoder {
	return catalog.NewDecoder(catalog.Config{Namespace: r.cfg.Namespace, Track: r.name.Name, Variables: r.cfg.Variables})
}

// latest follows a track of which only the newest group is of interest, until the subscription ends or hand fails.
func (b *broadcast) latest(ctx context.Context, name moqt.TrackName, hand func(media.Object) error) error {
	limits := b.cfg.limits()
	limits.latest = true
	f := newFeed(limits)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return f.pump(ctx, func(_ context.Context, o media.Object) error {
			if len(o.Payload) == 0 { // the end of a group, which some relays write as an empty object
				return nil
			}
			return hand(o)
		})
	})
	g.Go(func() error {
		return f.subscribe(ctx, b.session, request{
			name:  name,
			back:  func(_ *reorder, largest media.Location) uint64 { return largest.Group },
			mute:  &b.mute,
			alive: func() func() { return func() {} },
		})
	})
	return g.Wait()
}

// decode applies an object to the catalog. If that fails for what was before it, lost or misread, the group is fetched once more,
// from its complete catalog on.
func (r *reader) decode(ctx context.Context, o media.Object) (*catalog.Catalog, error) {
	c, err := r.decoder.Decode(o)
	again := errors.Is(err, catalog.ErrNoBase) || r.repaired != o.Group
	if err == nil || o.Object == 0 || !again || r.mute.Load() {
		return c, err
	}
	r.repaired = o.Group
	var group collector
	fctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	q := moqt.FetchRequest{Track: r.name, Start: media.Location{Group: o.Group}, End: o.Location}
	if ferr := r.session.Fetch(fctx, q, nil, &group); ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	d := r.fresh()
	for _, o := range group.sorted() {
		c, err = d.Decode(o)
	}
	if err == nil && c != nil {
		r.decoder = d
	}
	return c, err
}

// complete fetches the headers that the catalog's tracks share, and returns the catalog with those that came. An error says that
// some did not.
func (r *reader) complete(ctx context.Context, c *catalog.Catalog) (*catalog.Catalog, error) {
	for _, track := range r.decoder.Missing() {
		header, err := r.header(ctx, track)
		if err != nil {
			err = fmt.Errorf("init track %q: %w", track, err)
			if r.news(err) {
				r.log.Warn("no header in the init track", "err", err)
			}
			return c, err
		}
		next, err := r.decoder.Header(track, header)
		if err != nil {
			r.badCatalog(err)
			continue
		}
		c = next
	}
	return c, nil
}

var errHeaderCame = errors.New("the header has come")

// header is the first object of an init track.
func (r *reader) header(ctx context.Context, track string) (header []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err = r.latest(ctx, moqt.TrackName{Namespace: r.cfg.Namespace, Name: track}, func(o media.Object) error {
		header = o.Payload
		return errHeaderCame
	})
	if errors.Is(err, errHeaderCame) {
		return header, nil
	}
	return nil, err
}

// badCatalog counts a catalog object that was not applied, and logs the first one of a row.
func (r *reader) badCatalog(err error) {
	r.cfg.Metrics.badCatalog(r.cfg.Channel)
	if !r.ill && r.news(err) {
		r.log.Warn("catalog update not applied", "track", r.name.Name, "err", err)
	}
	r.ill = true
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

package subscriber

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/catalog"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

const (
	mediaType   = 0x0A            // property that every object of moq-mi has (draft-cenzano-moq-media-interop)
	probePause  = 5 * time.Second // between looks for tracks that are missing
	probeAnswer = 3 * time.Second // for a SUBSCRIBE to be answered, and for the first object after that
)

// wellKnown are the tracks that a broadcast of moq-mi consists of.
func (b *broadcast) wellKnown() []media.Track {
	return []media.Track{
		{Namespace: b.cfg.Namespace, Name: "video0", Kind: media.Video, Packaging: media.MoqMI, Role: "video"},
		{Namespace: b.cfg.Namespace, Name: "audio0", Kind: media.Audio, Packaging: media.MoqMI, Role: "audio"},
	}
}

// keepWithout looks for the tracks of a broadcast without a catalog (moq-mi), and has those followed that are there, until none is
// any more. got says that there was one; otherwise err says why there was none.
func (b *broadcast) keepWithout(ctx context.Context) (got bool, err error) {
	c := &catalog.Catalog{Format: catalog.MoqMI}
	for {
		there, err := b.probe(ctx, c.Tracks)
		if fatal(ctx, err) || len(there) == 0 {
			return false, err
		}
		if len(there) > len(c.Tracks) {
			c = &catalog.Catalog{Format: catalog.MoqMI, Tracks: there}
			if err := b.apply(ctx, c); err != nil {
				return true, err
			}
		}
		if err := sleep(ctx, probePause); err != nil {
			return true, err
		}
		if b.pulse.subs.Load() == 0 {
			return true, nil
		}
	}
}

// probe is which of the well-known tracks exist, given those that are known to.
func (b *broadcast) probe(ctx context.Context, known []media.Track) (there []media.Track, err error) {
	all := b.wellKnown()
	errs := make([]error, len(all))
	g, gctx := errgroup.WithContext(ctx)
	for i, t := range all {
		if !slices.ContainsFunc(known, func(k media.Track) bool { return k.Name == t.Name }) {
			g.Go(func() error {
				if errs[i] = b.witness(gctx, t.Name); fatal(gctx, errs[i]) {
					return errs[i]
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, t := range all {
		if errs[i] == nil {
			there = append(there, t)
		}
	}
	return there, errors.Join(errs...)
}

// witness returns nil if the track exists and its objects are of moq-mi.
func (b *broadcast) witness(ctx context.Context, track string) error {
	ctx, cancel := context.WithTimeout(ctx, probeAnswer)
	defer cancel()
	w := make(witness, 1)
	sub, err := b.session.Subscribe(ctx, moqt.TrackName{Namespace: b.cfg.Namespace, Name: track}, moqt.SubscribeOptions{}, w)
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", track, err)
	}
	defer sub.Close()
	select {
	case o := <-w:
		if !slices.ContainsFunc(o.Properties, func(p media.Property) bool { return p.Type == mediaType }) {
			return fmt.Errorf("track %q: its objects are not of moq-mi", track)
		}
		return nil
	case <-sub.Done():
		return sub.Err()
	case <-ctx.Done():
		return fmt.Errorf("track %q: no object within %s", track, probeAnswer)
	}
}

// witness is a sink that takes the first object with a payload.
type witness chan media.Object

func (w witness) Object(_ context.Context, o media.Object) error {
	if len(o.Payload) > 0 {
		select {
		case w <- o:
		default:
		}
	}
	return nil
}

func (w witness) Stream(context.Context, moqt.StreamEvent) {}

var _ moqt.Sink = witness(nil)

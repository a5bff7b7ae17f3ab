package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/storage"
)

// errBusy says that another instance wrote its documents each time before we could: it, or the next round, has what is new.
var errBusy = errors.New("archive: others are faster")

// page is what is known of a document in the store.
type page struct {
	version storage.Version
	digest  string    // of the body
	edge    time.Time // see edgeOf
	there   bool
}

// swaps is how often documents are rendered anew because another instance was faster.
const swaps = 4

// pageAge is the cache lifetime of documents of what has ended. They do change, when the broadcast goes on again or retention takes
// media, which therefore waits for longer than this.
const pageAge = leastStay / 2

// write brings the documents up to the record. The version of a document that somebody else has written is read before the record
// is, so that what replaces it knows all that it knew: no writer takes the live edge back.
func (r *run) write(ctx context.Context, w *work, names []manifest.Name) error {
	left, err := names, error(nil)
	for range swaps {
		r.a.freshen(left, true)
		p := r.present(w)
		p.Zero = p.Over(time.Now())
		stale, e := r.swapAll(ctx, &p, left)
		if e != nil || len(stale) == 0 {
			err = e
			break
		}
		left, err = stale, errBusy
		if e := r.catchUp(ctx, stale, w.edge); e != nil {
			err = e
			break
		}
	}
	if err != nil {
		r.a.freshen(left, false)
	}
	return err
}

// present is what the record has of w's tracks.
func (r *run) present(w *work) manifest.Presentation {
	p := r.a.present(r.plan, w.all)
	p.Changes = manifest.Slots(w.changes)
	for i := range p.Renditions {
		if lives := segmenter.Lives(w.changes, p.Renditions[i].Track.Name); len(lives) > 0 {
			p.Renditions[i].From = lives[len(lives)-1].From
		}
	}
	for _, former := range r.a.present(r.plan, w.ever).Renditions {
		for _, life := range segmenter.Lives(w.changes, former.Track.Name) {
			if former.Life = life; life.Until > 0 {
				p.Former = append(p.Former, former)
			}
		}
	}
	slices.SortStableFunc(p.Former, func(a, b manifest.Rendition) int { return cmp.Compare(a.Until, b.Until) })
	return p
}

// freshen says of media playlists that they show, or do not show, what there is.
func (a *Archive) freshen(names []manifest.Name, fresh bool) {
	for _, n := range names {
		if l := a.lines[n.Track]; n.Kind == manifest.LegacyPlaylist && l != nil {
			l.stale = !fresh
		}
	}
}

// swapAll replaces the documents that have changed. stale are those that have another version than the known one.
func (r *run) swapAll(ctx context.Context, p *manifest.Presentation, names []manifest.Name) (stale []manifest.Name, err error) {
	for _, n := range names {
		if r.pages[n.Key()] == nil {
			r.pages[n.Key()] = &page{}
		}
	}
	lost := make([]bool, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range names {
		g.Go(func() error {
			err := r.a.swap(ctx, p, n, r.pages[n.Key()])
			if errors.Is(err, storage.ErrStale) {
				lost[i], err = true, nil
			}
			return err
		})
	}
	err = g.Wait()
	for i, n := range names {
		if lost[i] {
			stale = append(stale, n)
		}
	}
	return stale, err
}

// swap renders the document and replaces what is known to be in the store, unless it is the same.
func (a *Archive) swap(ctx context.Context, p *manifest.Presentation, n manifest.Name, known *page) error {
	doc, err := render(p, n)
	if errors.Is(err, manifest.ErrNotYet) || errors.Is(err, manifest.ErrNoTrack) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("archive: render %s: %w", n.Key(), err)
	}
	ended, age := p.Ended(), doc.MaxAge
	if r := p.Rendition(n.Track); r != nil {
		ended = r.Ended
	}
	if ended {
		age = pageAge
	}
	b := storage.Blob{
		Pieces: [][]byte{doc.Body}, ContentType: doc.ContentType,
		CacheControl: fmt.Sprintf("public, max-age=%d", int64(max(age, time.Second)/time.Second)),
	}
	b.Digest = storage.Digest(b.Pieces)
	edge := edgeOf(n, b.Pieces)
	if known.there && (known.digest == b.Digest || edge.Before(known.edge)) {
		return nil
	}
	v, err := a.cfg.Store.Swap(ctx, n.Key(), b, known.version)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	*known = page{version: v, digest: b.Digest, edge: edge, there: true}
	return nil
}

func render(p *manifest.Presentation, n manifest.Name) (manifest.Document, error) {
	switch n.Kind {
	case manifest.LegacyPlaylist:
		return legacy.Media(*p, n.Track)
	case manifest.LegacyMultivariant:
		return legacy.Multivariant(*p)
	}
	return dash.Legacy(*p)
}

// catchUp learns the versions of documents that others have written, and what they knew. A version counts only with the latter.
func (r *run) catchUp(ctx context.Context, names []manifest.Name, edge uint64) error {
	pages := make([]page, len(names))
	g, gctx := errgroup.WithContext(ctx)
	for i, n := range names {
		g.Go(func() error {
			b, v, err := r.a.cfg.Store.Load(gctx, n.Key())
			if errors.Is(err, storage.ErrNotFound) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("archive: %w", err)
			}
			pages[i] = page{version: v, digest: storage.Digest(b.Pieces), edge: edgeOf(n, b.Pieces), there: true}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := r.a.reload(ctx, r.plan.Window, edge); err != nil {
		return err
	}
	for i, n := range names {
		*r.pages[n.Key()] = pages[i]
	}
	return nil
}

// edgeOf is the end of the media that an MPD lists, which is its publishTime. It is zero for other documents: they list what is
// settled, which only grows, but an MPD lists what is settled in several renditions, of which one that was given up may come back.
func edgeOf(n manifest.Name, body [][]byte) time.Time {
	if n.Kind != manifest.LegacyMPD {
		return time.Time{}
	}
	const attribute, longest = ` publishTime="`, 40
	text := bytes.Join(body, nil)
	_, text, _ = bytes.Cut(text, []byte(attribute))
	value, _, _ := bytes.Cut(text[:min(len(text), longest)], []byte(`"`))
	t, _ := time.Parse(time.RFC3339Nano, string(value)) // zero for what is none of ours
	return t
}

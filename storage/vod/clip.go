package vod

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/legacy"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
)

// ErrExists says that something is there already under the name of a clip.
var ErrExists = errors.New("exists already")

// cacheControl of a clip's documents, which only a clip that is made anew replaces.
const cacheControl = "public, max-age=60"

// clipFile is the file of a clip that says what it is made of.
const clipFile = "clip.json"

// origin is the content of clipFile.
type origin struct {
	Channel string `json:"channel"` // whose media it is
	Start   string `json:"start"`
	End     string `json:"end"`
}

// Clip makes the documents of a clip under the name: what r has between two instants, at the boundaries of segments, by
// reference, in the store that r is read from. A clip of that name is an ErrExists unless it may be replaced; a channel with a record never may.
func (r *Recording) Clip(ctx context.Context, store storage.Durable, name string, g Range, replace bool) (*Report, error) {
	if name == "" || name == r.channel {
		return nil, fmt.Errorf("a clip cannot be called %q: choose a name that no channel has", name)
	}
	c, err := r.choose(ctx, g)
	if err != nil {
		return nil, err
	}
	old, err := vacate(ctx, store, name, replace)
	if err != nil {
		return nil, err
	}
	p := r.present(c, name)
	if p.Events, err = r.events(ctx, c); err != nil {
		return nil, fmt.Errorf("clip %q: %w", name, err)
	}
	docs, err := render(p)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(origin{r.channel, Stamp(g.Start), Stamp(g.End)})
	if err != nil {
		return nil, fmt.Errorf("clip %q: %w", name, err)
	}
	docs = append([]document{{manifest.PrivateKey(name, clipFile), book(body)}}, docs...)
	if err := r.hold(ctx, store, c, name); err != nil {
		return nil, err
	}
	for _, d := range docs {
		if err := write(ctx, store, d); err != nil {
			return nil, fmt.Errorf("clip %q: %w", name, err)
		}
		if old != nil {
			delete(old.keys, d.key)
		}
	}
	if err := r.sweep(ctx, store, name, old); err != nil {
		return nil, fmt.Errorf("clip %q: what the one before left: %w", name, err)
	}
	return r.reportClip(c, name), nil
}

func book(body []byte) storage.Blob {
	return storage.Blob{Pieces: [][]byte{body}, ContentType: "application/json", CacheControl: "no-store"}
}

// holdID names what keeps a clip's media in its channel.
func holdID(name string) string { return "vod-" + name }

// former is a clip that is replaced.
type former struct {
	channel string          // whose media it listed
	keys    map[string]bool // what is left of it
}

// sweep removes what is left of the clip that had the name, if one had.
func (r *Recording) sweep(ctx context.Context, store storage.Durable, name string, old *former) error {
	if old == nil {
		return nil
	}
	if err := store.Delete(ctx, slices.Sorted(maps.Keys(old.keys))...); err != nil {
		return err
	}
	if old.channel == r.channel {
		return nil
	}
	return archive.ReleaseHold(ctx, store, old.channel, holdID(name))
}

// vacate makes sure that the name may be taken, and returns the clip that has it, if one has.
func vacate(ctx context.Context, store storage.Durable, name string, replace bool) (old *former, err error) {
	switch _, err := archive.ReadHead(ctx, store, name); {
	case err == nil:
		return nil, fmt.Errorf("channel %q %w and has a record: choose another name", name, ErrExists)
	case !errors.Is(err, archive.ErrNoRecord):
		return nil, err
	}
	taken := false
	for _, err := range store.List(ctx, manifest.PrivateKey(name, "")) {
		if err != nil {
			return nil, fmt.Errorf("clip %q: %w", name, err)
		}
		if taken = true; !replace {
			return nil, fmt.Errorf("clip %q %w: choose another name, or --force to replace it", name, ErrExists)
		}
		break
	}
	b, _, err := store.Load(ctx, manifest.PrivateKey(name, clipFile))
	switch {
	case errors.Is(err, storage.ErrNotFound) && taken: // a channel that has recorded nothing yet, or what others keep there
		return nil, fmt.Errorf("%q %w and is no clip: choose another name", name, ErrExists)
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	}
	var o origin
	if err == nil {
		err = json.Unmarshal(bytes.Join(b.Pieces, nil), &o)
	}
	if err != nil {
		return nil, fmt.Errorf("clip %q: %w", name, err)
	}
	old = &former{channel: o.Channel, keys: map[string]bool{}}
	for key, err := range store.List(ctx, manifest.PrivateKey(name, "")) {
		if err != nil {
			return nil, fmt.Errorf("clip %q: %w", name, err)
		}
		if n, err := manifest.Parse(key); err == nil && n.Kind == manifest.LegacyPlaylist {
			old.keys[key] = true
		}
	}
	return old, nil
}

// hold keeps what is chosen from retention, and makes sure that it came in time.
func (r *Recording) hold(ctx context.Context, store storage.Durable, c *selection, name string) error {
	if err := r.stays(ctx, store, c, name); err != nil {
		return err
	}
	h := archive.Hold{From: c.from, To: c.to, Reason: fmt.Sprintf("clip %q is made of it", name)}
	err := archive.PutHold(ctx, store, r.channel, holdID(name), h)
	if errors.Is(err, storage.ErrConflict) { // that of a clip which is replaced, or could not be finished
		if err = archive.ReleaseHold(ctx, store, r.channel, holdID(name)); err == nil {
			err = archive.PutHold(ctx, store, r.channel, holdID(name), h)
		}
	}
	if err != nil {
		return fmt.Errorf("clip %q: %w", name, err)
	}
	if err := r.stays(ctx, store, c, name); err != nil {
		return errors.Join(err, archive.ReleaseHold(ctx, store, r.channel, holdID(name)))
	}
	return nil
}

// stays reports what retention may have taken of what is chosen: what is before the first slot, unless there is a hold that is not
// the clip's own, which is about to be replaced.
func (r *Recording) stays(ctx context.Context, store storage.Durable, c *selection, name string) error {
	head, err := archive.ReadHead(ctx, store, r.channel)
	if err != nil || head.First <= c.from {
		return err
	}
	holds, err := archive.Holds(ctx, store, r.channel)
	if err != nil {
		return err
	}
	for id, h := range holds {
		if id != holdID(name) && h.Covers(c.from, min(c.to, head.First-1)) {
			return nil
		}
	}
	return fmt.Errorf("clip %q: %w: retention takes the media before segment %d: begin later", name, ErrRange, head.First)
}

// present is the clip as its documents show it.
func (r *Recording) present(c *selection, name string) manifest.Presentation {
	p := manifest.Presentation{Channel: name, Media: r.channel, Plan: r.Head.Plan}
	p.Plan.Window = int(min(c.to-c.from+1, math.MaxInt32))
	if c.AskedStart {
		p.Start = c.Start / 1e6
	}
	for _, l := range c.lines {
		s := &timeline.Snapshot{Ended: true, Segments: make([]timeline.Segment, len(l.segments))}
		for i, e := range l.segments {
			s.Segments[i] = e.Segment
			if n := len(s.Epochs); n == 0 || s.Epochs[n-1].Index != e.Epoch {
				s.Epochs = append(s.Epochs, *e.epoch)
			}
		}
		for _, e := range l.track.Epochs {
			if e.Frame > 0 && (s.Frame == 0 || e.Index <= s.Current().Index) {
				s.Frame = e.Frame
			}
		}
		p.Renditions = append(p.Renditions, manifest.Rendition{Track: &l.track.Track, Snapshot: s})
	}
	return p
}

// events are those that may happen in the clip.
func (r *Recording) events(ctx context.Context, c *selection) ([]timeline.Event, error) {
	var damage error
	list, err := archive.ReadEvents(ctx, r.store, r.channel, c.from, c.to, func(err error) { damage = errors.Join(damage, err) })
	return list, errors.Join(err, damage)
}

type document struct {
	key  string
	blob storage.Blob
}

// render writes the documents of a clip in the order in which they may appear: what is referred to first.
func render(p manifest.Presentation) ([]document, error) {
	var docs []document
	add := func(n manifest.Name, d manifest.Document, err error) error {
		if err != nil {
			return fmt.Errorf("clip %q: %w", p.Channel, err)
		}
		docs = append(docs, document{n.Key(), storage.Blob{
			Pieces: [][]byte{d.Body}, ContentType: d.ContentType, CacheControl: cacheControl,
		}})
		return nil
	}
	for i := range p.Renditions {
		track := p.Renditions[i].Track.Name
		d, err := legacy.Media(p, track)
		if err := add(manifest.Name{Kind: manifest.LegacyPlaylist, Channel: p.Channel, Track: track}, d, err); err != nil {
			return nil, err
		}
	}
	d, err := legacy.Multivariant(p)
	if err := add(manifest.Name{Kind: manifest.LegacyMultivariant, Channel: p.Channel}, d, err); err != nil {
		return nil, err
	}
	d, err = dash.Legacy(p)
	if err := add(manifest.Name{Kind: manifest.LegacyMPD, Channel: p.Channel}, d, err); err != nil {
		return nil, err
	}
	return docs, nil
}

// write replaces a document, whatever was there.
func write(ctx context.Context, store storage.Documents, d document) error {
	_, v, err := store.Load(ctx, d.key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	_, err = store.Swap(ctx, d.key, d.blob, v)
	return err
}

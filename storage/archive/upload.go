package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// errLost says that media is in no store.
var errLost = errors.New("archive: the media is gone")

// unreadable is how long media is asked for that a store has and cannot give, before it counts as lost.
const unreadable = 5 * time.Minute

// putSegment brings the segment of track t that e describes to the store and returns what the store has. The error is errLost or
// that of ctx.
func (a *Archive) putSegment(ctx context.Context, t *media.Track, init *media.Init, e Entry) (Entry, error) {
	name := manifest.Name{Kind: manifest.Segment, Channel: a.cfg.Channel, Track: t.Name, N: e.N}
	wanted := e.Digest // of another record
	known, recorded := a.entry(t.Name, e.N)
	recorded = recorded && known.State == timeline.Full
	var failing time.Time // since when the media cannot be read
	err := a.insist(ctx, "track "+t.Name, func() error {
		b, err := a.cfg.Media.Get(ctx, name.Key())
		if errors.Is(err, storage.ErrNotFound) && !recorded {
			// It may be here already: another instance put it, or this one before it was restarted.
			b, err = a.cfg.Store.Get(ctx, name.Key())
		}
		switch {
		case recorded && errors.Is(err, storage.ErrNotFound):
			e = known
			return nil
		case errors.Is(err, storage.ErrNotFound):
			return errLost
		case err != nil:
			if failing.IsZero() {
				failing = time.Now()
			}
			if time.Since(failing) > unreadable {
				return fmt.Errorf("%w: %w", errLost, err)
			}
			return fmt.Errorf("archive: %w", err)
		}
		failing = time.Time{}
		b.CacheControl = ""
		if b.Digest == "" {
			b.Digest = storage.Digest(b.Pieces)
		}
		if wanted != "" && b.Digest != wanted {
			return errLost
		}
		if b.ContentType == "" {
			b.ContentType = name.ContentType(t.Kind)
		}
		if recorded && known.Digest == b.Digest {
			e = known
			return nil
		}
		if init.Codec == "wvtt" {
			if err := a.putText(ctx, t, init, name, b); err != nil {
				return err
			}
		}
		e.Digest, e.Size, err = a.put(ctx, name, b)
		return err
	})
	if err == nil {
		a.metrics.stored(a.cfg, e.Size)
	}
	return e, err
}

// putText brings the text of a segment of WebVTT to the store, where nobody could make it of the segment. The segment follows it:
// what the record names has both.
func (a *Archive) putText(ctx context.Context, t *media.Track, init *media.Init, name manifest.Name, segment storage.Blob) error {
	header, err := a.header(ctx, t, init)
	if err != nil {
		return err
	}
	text, err := mux.WebVTT(bytes.Join(header.Pieces, nil), bytes.Join(segment.Pieces, nil))
	if err != nil {
		return fmt.Errorf("archive: text of %s: %w", name.Key(), err)
	}
	name.Kind = manifest.WebVTT
	b := storage.Blob{Pieces: [][]byte{text}, ContentType: name.ContentType(t.Kind)}
	b.Digest = storage.Digest(b.Pieces)
	_, _, err = a.put(ctx, name, b)
	return err
}

// put stores b, or finds other content under its name. It returns the digest and size of what the store has.
func (a *Archive) put(ctx context.Context, name manifest.Name, b storage.Blob) (digest string, size int64, err error) {
	key := name.Key()
	err = a.cfg.Store.Put(ctx, key, b)
	if !errors.Is(err, storage.ErrConflict) {
		if err != nil {
			err = fmt.Errorf("archive: %w", err)
		}
		return b.Digest, b.Size(), err
	}
	there, err := a.cfg.Store.Get(ctx, key)
	if err != nil {
		return "", 0, fmt.Errorf("archive: %w", err)
	}
	digest = storage.Digest(there.Pieces)
	if digest != b.Digest {
		a.diverged(Conflict{Track: name.Track, N: name.N, Kept: digest, Other: b.Digest})
	}
	return digest, there.Size(), nil
}

// diverged raises the alarm: two instances made different content for one name, so that they do not package the same broadcast
// alike. What is there stays.
func (a *Archive) diverged(c Conflict) {
	a.metrics.conflict(a.cfg)
	a.mu.Lock()
	a.conflicts++
	a.mu.Unlock()
	a.log.Error("the store has other content under a name than this instance made: it keeps what it has; "+
		"check that all instances run one version with one configuration", "track", c.Track, "slot", c.N, "stored", c.Kept, "ours", c.Other)
}

// putInit brings the header of an epoch to the store.
func (a *Archive) putInit(ctx context.Context, t *media.Track, init *media.Init) error {
	name := manifest.Name{Kind: manifest.Init, Channel: a.cfg.Channel, Track: t.Name, Digest: init.Digest}
	return a.insist(ctx, "header of "+t.Name, func() error {
		b, err := a.header(ctx, t, init)
		if err != nil {
			return err
		}
		b.CacheControl, b.ContentType, b.Digest = "", name.ContentType(t.Kind), storage.Digest(b.Pieces)
		_, _, err = a.put(ctx, name, b)
		return err
	})
}

// header is the header of an epoch.
func (a *Archive) header(ctx context.Context, t *media.Track, init *media.Init) (storage.Blob, error) {
	if init.Bytes != nil {
		return storage.Blob{Pieces: [][]byte{init.Bytes}}, nil
	}
	key := manifest.Name{Kind: manifest.Init, Channel: a.cfg.Channel, Track: t.Name, Digest: init.Digest}.Key()
	b, err := a.cfg.Media.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		b, err = a.cfg.Store.Get(ctx, key)
	}
	if err != nil {
		return b, fmt.Errorf("archive: %w", err)
	}
	return b, nil
}

package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

const deleteBatch = 500 // keys

// clean deletes the chunks before slot to that nobody holds, their media first, and then the headers that no chunk needs any more.
func (k *Keeper) clean(ctx context.Context, h *Head, froms []uint64, to uint64) (freed bool, err error) {
	var left []uint64
	for i, from := range froms {
		if from+chunkSlots > to {
			left = append(left, froms[i:]...)
			break
		}
		held, err := k.held(ctx, from)
		if err != nil {
			return freed, err
		}
		if held {
			left = append(left, from)
			continue
		}
		if err := k.deleteChunk(ctx, h, from); err != nil {
			return freed, err
		}
		freed = true
	}
	return freed, k.deleteInits(ctx, h, left)
}

// held reports whether a hold wants a slot of the chunk.
func (k *Keeper) held(ctx context.Context, from uint64) (bool, error) {
	holds, err := Holds(ctx, k.cfg.Store, k.cfg.Channel)
	if err != nil {
		return false, err
	}
	for _, h := range holds {
		if h.touches(from, from+chunkSlots) {
			return true, nil
		}
	}
	return false, nil
}

// deleteChunk deletes the media of all slots of a chunk, also what no record tells of, and then the chunk.
func (k *Keeper) deleteChunk(ctx context.Context, h *Head, from uint64) error {
	c, _, err := k.r.readChunk(ctx, from)
	if err != nil {
		return err
	}
	tracks := slices.Collect(maps.Keys(c.Tracks))
	for i := range h.Tracks {
		tracks = append(tracks, h.Tracks[i].Name)
	}
	slices.Sort(tracks)
	var keys []string
	for _, track := range slices.Compact(tracks) {
		for n := from; n < from+chunkSlots; n++ {
			name := manifest.Name{Kind: manifest.Segment, Channel: k.cfg.Channel, Track: track, N: n}
			keys = append(keys, name.Key())
			if t := h.Track(track); t != nil && t.Kind == media.Text {
				name.Kind = manifest.WebVTT
				keys = append(keys, name.Key())
			}
		}
	}
	if err := k.delete(ctx, keys); err != nil {
		return err
	}
	if err := k.delete(ctx, []string{chunkKey(k.cfg.Channel, from), eventKey(k.cfg.Channel, from)}); err != nil {
		return err
	}
	delete(k.sizes, from)
	k.cfg.Metrics.deleteChunk(k.cfg.Name, k.cfg.Channel)
	return nil
}

func (k *Keeper) delete(ctx context.Context, keys []string) error {
	for batch := range slices.Chunk(keys, deleteBatch) {
		if err := k.cfg.Store.Delete(ctx, batch...); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// deleteInits deletes the headers of epochs that had ended before the oldest chunk that is left begins. The newest header of a
// track stays. A publisher may return to an old header just then: what is needed again is put back.
func (k *Keeper) deleteInits(ctx context.Context, h *Head, left []uint64) error {
	if len(left) == 0 || left[0] > h.First { // a slot that is kept may have no chunk yet
		return nil
	}
	c, readable, err := k.r.readChunk(ctx, left[0])
	if err != nil || !readable {
		return err
	}
	for i := range h.Tracks {
		t := &h.Tracks[i]
		needed, over := headers(t, left[0], c.Tracks[t.Name])
		for _, digest := range needed {
			if err := k.putBack(ctx, initKey(k.cfg.Channel, t.Name, digest)); err != nil {
				return err
			}
		}
		for _, digest := range over {
			if err := k.deleteInit(ctx, initKey(k.cfg.Channel, t.Name, digest)); err != nil {
				return err
			}
		}
	}
	return nil
}

func initKey(channel, track, digest string) string {
	return manifest.Name{Kind: manifest.Init, Channel: channel, Track: track, Digest: digest}.Key()
}

func (k *Keeper) deleteInit(ctx context.Context, key string) error {
	if _, done := k.inits[key]; done {
		return nil
	}
	b, err := k.cfg.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("archive: %w", err)
	}
	if err == nil {
		if err := k.delete(ctx, []string{key}); err != nil {
			return err
		}
	}
	k.inits[key] = b
	return nil
}

func (k *Keeper) putBack(ctx context.Context, key string) error {
	b, deleted := k.inits[key]
	if deleted && len(b.Pieces) > 0 {
		if err := k.cfg.Store.Put(ctx, key, b); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	delete(k.inits, key)
	return nil
}

// headers are the digests of the headers of a track that slots from slot on may need, and of the others. entries are of the oldest
// chunk there.
func headers(t *Track, slot uint64, entries []Entry) (needed, over []string) {
	first := 0 // of the epochs that are needed
	for i := range t.Epochs {
		if t.Epochs[i].First <= slot {
			first = i
		}
	}
	for i := range entries {
		for first > 0 && t.Epochs[first].Index > entries[i].Epoch {
			first--
		}
	}
	for i, e := range t.Epochs {
		d := e.Init.Digest
		switch {
		case i >= first && !slices.Contains(needed, d):
			needed = append(needed, d)
		case i < first && !slices.Contains(over, d):
			over = append(over, d)
		}
	}
	return needed, slices.DeleteFunc(over, func(d string) bool { return slices.Contains(needed, d) })
}

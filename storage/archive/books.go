package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// books reads and writes the record of one channel. A book that is written is always based on the newest one that is there.
type books struct {
	store   storage.Durable
	channel string
}

// swapAttempts is how often a book is merged anew because another instance was faster.
const swapAttempts = 16

// head returns the head and its version; a zero one with an empty version if there is none yet.
func (b *books) head(ctx context.Context) (Head, storage.Version, error) {
	body, v, err := b.load(ctx, headKey(b.channel))
	if err != nil || v == "" {
		return Head{}, "", err
	}
	h, err := decodeHead(body)
	return h, v, err
}

// chunk returns the chunk that begins with slot from, and its version; an empty one with an empty version if there is none yet.
func (b *books) chunk(ctx context.Context, from uint64) (Chunk, storage.Version, error) {
	body, v, err := b.load(ctx, chunkKey(b.channel, from))
	if err != nil || v == "" {
		return Chunk{From: from}, "", err
	}
	c, err := decodeChunk(body, from)
	return c, v, err
}

// updateHead replaces the head by what change makes of the newest one, and returns that. change may be called several times; when
// it reports false, nothing is written.
func (b *books) updateHead(ctx context.Context, change func(*Head) bool) (Head, error) {
	for range swapAttempts {
		h, v, err := b.head(ctx)
		if err != nil {
			return Head{}, err
		}
		if !change(&h) {
			return h, nil
		}
		h.Format = format
		switch err = b.swap(ctx, headKey(b.channel), h, v); {
		case err == nil:
			return h, nil
		case !errors.Is(err, storage.ErrStale):
			return Head{}, err
		}
	}
	return Head{}, fmt.Errorf("archive: record of %s: others are faster: %w", b.channel, storage.ErrStale)
}

// updateChunk merges add into the newest chunk of its slots and returns what is there now.
func (b *books) updateChunk(ctx context.Context, add Chunk) (Chunk, []Conflict, error) {
	for range swapAttempts {
		c, v, err := b.chunk(ctx, add.From)
		if err != nil {
			return Chunk{}, nil, err
		}
		conflicts, changed := c.merge(&add)
		if !changed {
			return c, conflicts, nil
		}
		switch err = b.swap(ctx, chunkKey(b.channel, add.From), c, v); {
		case err == nil:
			return c, conflicts, nil
		case !errors.Is(err, storage.ErrStale):
			return Chunk{}, nil, err
		}
	}
	return Chunk{}, nil, fmt.Errorf("archive: record chunk %d of %s: others are faster: %w", add.From, b.channel, storage.ErrStale)
}

// forget makes gaps of entries, by track, in the newest chunk of slot from on, where that still says what was read. It returns what
// is there now.
func (b *books) forget(ctx context.Context, from uint64, lost map[string][]Entry) (Chunk, error) {
	for range swapAttempts {
		c, v, err := b.chunk(ctx, from)
		if err != nil {
			return Chunk{}, err
		}
		changed := false
		for track, entries := range lost {
			there := c.Tracks[track]
			for _, l := range entries {
				at, found := slices.BinarySearchFunc(there, l.N, byN)
				if found && there[at].State == timeline.Full && there[at].Digest == l.Digest {
					there[at].State, there[at].Size, there[at].Digest = timeline.Gap, 0, ""
					changed = true
				}
			}
		}
		if !changed {
			return c, nil
		}
		switch err = b.swap(ctx, chunkKey(b.channel, from), c, v); {
		case err == nil:
			return c, nil
		case !errors.Is(err, storage.ErrStale):
			return Chunk{}, err
		}
	}
	return Chunk{}, fmt.Errorf("archive: record chunk %d of %s: others are faster: %w", from, b.channel, storage.ErrStale)
}

func (b *books) load(ctx context.Context, key string) ([]byte, storage.Version, error) {
	blob, v, err := b.store.Load(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("archive: %w", err)
	}
	return bytes.Join(blob.Pieces, nil), v, nil
}

func (b *books) swap(ctx context.Context, key string, book any, old storage.Version) error {
	body, err := json.Marshal(book)
	if err != nil {
		return fmt.Errorf("archive: encode %s: %w", key, err)
	}
	doc := storage.Blob{Pieces: [][]byte{body}, ContentType: "application/json", CacheControl: "no-store"}
	if _, err := b.store.Swap(ctx, key, doc, old); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

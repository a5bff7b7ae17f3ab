package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// ErrNoRecord says that the store has no record of the channel.
var ErrNoRecord = errors.New("archive: no record of this channel")

// Records is where a record is read from: a Durable, or what only reads one.
type Records interface {
	Load(ctx context.Context, key string) (storage.Blob, storage.Version, error)
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// ReadHead returns the head of the channel's record, or ErrNoRecord.
func ReadHead(ctx context.Context, store Records, channel string) (Head, error) {
	b, _, err := store.Load(ctx, headKey(channel))
	if errors.Is(err, storage.ErrNotFound) {
		return Head{}, fmt.Errorf("channel %q: %w", channel, ErrNoRecord)
	}
	if err != nil {
		return Head{}, fmt.Errorf("archive: %w", err)
	}
	return decodeHead(bytes.Join(b.Pieces, nil))
}

// ChunkNumbers are the first slots of the chunks that the channel's record has, ascending.
func ChunkNumbers(ctx context.Context, store Records, channel string) ([]uint64, error) {
	var all []uint64
	prefix := manifest.PrivateKey(channel, "record-")
	for key, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("archive: chunks of the record: %w", err)
		}
		if n, ok := numbered(key, prefix); ok && chunkOf(n) == n {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// ReadChunks yields those of the chunks with these numbers that were still there when they were read, in this order. It reads a few
// at a time: stores that are far away take long for each, and a day has 170.
func ReadChunks(ctx context.Context, store Records, channel string, numbers []uint64) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		for batch := range slices.Chunk(numbers, parallel) {
			chunks := make([]*Chunk, len(batch))
			err := each(ctx, len(batch), func(ctx context.Context, i int) (err error) {
				chunks[i], err = loadChunk(ctx, store, channel, batch[i])
				return err
			})
			if err != nil {
				yield(Chunk{}, err)
				return
			}
			for _, c := range chunks {
				if c != nil && !yield(*c, nil) {
					return
				}
			}
		}
	}
}

// loadChunk returns the chunk with the number, or nil if there is none.
func loadChunk(ctx context.Context, store Records, channel string, number uint64) (*Chunk, error) {
	b, _, err := store.Load(ctx, chunkKey(channel, number))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	c, err := decodeChunk(bytes.Join(b.Pieces, nil), number)
	return &c, err
}

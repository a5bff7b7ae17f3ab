package archive

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Segments are the entries of the record for slots from, ..., to-1 of the track, ascending. Slots that the record does not know have
// none.
func (a *Archive) Segments(ctx context.Context, track string, from, to uint64) ([]Entry, error) {
	const most = 1 << 24 // slots: a year of segments of 2 s
	if to > from && to-from > most {
		return nil, fmt.Errorf("archive: %d slots are too many to ask for at once: ask for %d at most", to-from, most)
	}
	var found []Entry
	for at := chunkOf(from); at < to; at += chunkSlots {
		c, err := a.chunks.get(ctx, &a.books, at)
		if err != nil {
			return nil, err
		}
		for _, e := range c.Tracks[track] {
			if from <= e.N && e.N < to {
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// chunkCache keeps a few chunks for a moment: the tracks of a channel are read side by side.
type chunkCache struct {
	mu     sync.Mutex
	chunks []cachedChunk // oldest first
}

type cachedChunk struct {
	chunk Chunk
	read  time.Time
}

const (
	cachedChunks = 4
	cachedFor    = time.Second
)

func (c *chunkCache) get(ctx context.Context, b *books, from uint64) (Chunk, error) {
	if chunk, ok := c.lookup(from); ok {
		return chunk, nil
	}
	chunk, _, err := b.chunk(ctx, from)
	if err != nil {
		return Chunk{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.chunks) == cachedChunks {
		c.chunks = c.chunks[1:]
	}
	c.chunks = append(c.chunks, cachedChunk{chunk, time.Now()})
	return chunk, nil
}

func (c *chunkCache) lookup(from uint64) (Chunk, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.chunks {
		if k.chunk.From == from && time.Since(k.read) < cachedFor {
			return k.chunk, true
		}
	}
	return Chunk{}, false
}

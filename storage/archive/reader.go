package archive

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// reader reads the record of a channel for those who do not write it.
type reader struct {
	books
	store storage.Durable
	log   *slog.Logger
}

func newReader(store storage.Durable, channel string, log *slog.Logger) *reader {
	return &reader{books{store, channel}, store, log}
}

// readHead returns the head; ok is false if there is none. Of its epochs, only those are there that media can be read with.
func (r *reader) readHead(ctx context.Context) (h Head, ok bool, err error) {
	body, v, err := r.load(ctx, headKey(r.channel))
	if err != nil || v == "" {
		return Head{}, false, err
	}
	if h, err = decodeHead(body); err == nil {
		err = soundPlan(&h.Plan)
	}
	if err != nil {
		return Head{}, false, fmt.Errorf("%w: restore %s from a copy, or move the channel's files away to begin anew", err, headKey(r.channel))
	}
	for i := range h.Tracks {
		t := &h.Tracks[i]
		known := len(t.Epochs)
		t.Epochs = slices.DeleteFunc(t.Epochs, func(e timeline.Epoch) bool { return !soundEpoch(&e) })
		if len(t.Epochs) < known {
			r.log.Warn("the record has an epoch that is malformed: its media is not listed", "track", t.Name)
		}
	}
	return h, true, nil
}

// soundEpoch reports whether sums of the epoch's numbers are what they seem, and its header has a name.
func soundEpoch(e *timeline.Epoch) bool {
	const most = math.MaxInt64 / 4
	key := manifest.Name{Kind: manifest.Init, Digest: e.Init.Digest}.Key()
	_, err := manifest.Parse(key)
	return err == nil && e.Index >= 0 && e.Index < math.MaxInt32 && e.First < maxSlot &&
		e.Origin > -most && e.Origin < most && e.Frame >= 0 && e.Frame < most
}

// listChunks is From of every chunk that exists, ascending.
func (r *reader) listChunks(ctx context.Context) ([]uint64, error) {
	return ChunkNumbers(ctx, r.store, r.channel)
}

// readChunk returns the chunk that begins with slot from. One that is not there, or that cannot be read, is empty; ok is false for
// the latter. Entries that are not sound are left out.
func (r *reader) readChunk(ctx context.Context, from uint64) (c Chunk, ok bool, err error) {
	body, v, err := r.load(ctx, chunkKey(r.channel, from))
	if err != nil || v == "" {
		return Chunk{From: from}, true, err
	}
	if c, err = decodeChunk(body, from); err != nil {
		r.log.Error("a chunk of the record cannot be read: its slots count as gaps, restore it from a copy",
			"key", chunkKey(r.channel, from), "err", err)
		return Chunk{From: from}, false, nil
	}
	for track, entries := range c.Tracks {
		c.Tracks[track] = slices.DeleteFunc(entries, func(e Entry) bool { return !e.sound() })
	}
	return c, true, nil
}

// readChunks reads many at a time.
func (r *reader) readChunks(ctx context.Context, froms []uint64) ([]Chunk, error) {
	chunks := make([]Chunk, len(froms))
	err := each(ctx, len(froms), func(ctx context.Context, i int) (err error) {
		chunks[i], _, err = r.readChunk(ctx, froms[i])
		return err
	})
	return chunks, err
}

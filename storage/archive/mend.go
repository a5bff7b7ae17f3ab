package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// Mend looks whether the last segments of every track, as many as last, are in the store as the record says, and makes gaps in the
// record of those that are not: a disk that lost its power may have lied about what it had written. What is there of them is
// deleted, so that the true content can be put. Call it before Past, for a store of this machine. That the store does not answer
// is an error and changes nothing.
func Mend(ctx context.Context, store storage.Durable, channel string, last int, log *slog.Logger) error {
	r := newReader(store, channel, log)
	froms, err := r.listChunks(ctx)
	if err != nil {
		return err
	}
	for _, from := range froms[max(0, len(froms)-1-last/chunkSlots-1):] {
		c, _, err := r.readChunk(ctx, from)
		if err != nil {
			return err
		}
		for _, track := range slices.Sorted(maps.Keys(c.Tracks)) {
			entries := c.Tracks[track]
			if err := r.mend(ctx, track, from, entries[max(0, len(entries)-last):]); err != nil {
				return err
			}
		}
	}
	return nil
}

// mend looks after entries of one track and chunk.
func (r *reader) mend(ctx context.Context, track string, from uint64, entries []Entry) error {
	torn := make([]bool, len(entries))
	err := each(ctx, len(entries), func(ctx context.Context, i int) (err error) {
		torn[i], err = r.torn(ctx, track, &entries[i])
		return err
	})
	if err != nil {
		return err
	}
	var lost []Entry
	for i, e := range entries {
		if torn[i] {
			lost = append(lost, e)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	r.log.Error("the store has lost segments that it had promised to keep: they become gaps", "track", track, "first", lost[0].N, "segments", len(lost))
	for _, e := range lost {
		if err := r.store.Delete(ctx, r.segmentKey(track, e.N)); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	_, err = r.forget(ctx, from, map[string][]Entry{track: lost})
	return err
}

func (b *books) segmentKey(track string, n uint64) string {
	return manifest.Name{Kind: manifest.Segment, Channel: b.channel, Track: track, N: n}.Key()
}

// torn reports whether the segment is not what the record says.
func (b *books) torn(ctx context.Context, track string, e *Entry) (bool, error) {
	if e.State != timeline.Full {
		return false, nil
	}
	blob, err := b.store.Get(ctx, b.segmentKey(track, e.N))
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("archive: %w", err)
	}
	return storage.Digest(blob.Pieces) != e.Digest, nil
}

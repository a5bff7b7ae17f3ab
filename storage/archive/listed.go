package archive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// listed is the first slot that any document in the store lists, as the documents themselves say: whoever wrote them, and whatever
// he knew. Without documents it is MaxUint64.
func (r *reader) listed(ctx context.Context, h *Head) (uint64, error) {
	names := []manifest.Name{{Kind: manifest.LegacyMPD}}
	for i := range h.Tracks {
		names = append(names, manifest.Name{Kind: manifest.LegacyPlaylist, Track: h.Tracks[i].Name})
	}
	first := make([]uint64, len(names))
	err := each(ctx, len(names), func(ctx context.Context, i int) error {
		names[i].Channel = r.channel
		text, err := r.document(ctx, names[i])
		if names[i].Kind == manifest.LegacyMPD {
			first[i] = least(text, `startNumber="`, '"')
		} else {
			first[i] = least(text, "#EXT-X-MEDIA-SEQUENCE:", '\n')
		}
		return err
	})
	return slices.Min(first), err
}

// document is the text of a document, empty if it does not exist.
func (r *reader) document(ctx context.Context, n manifest.Name) (string, error) {
	b, _, err := r.store.Load(ctx, n.Key())
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("archive: %w", err)
	}
	return string(slices.Concat(b.Pieces...)), nil
}

// least is the smallest of the numbers that stand between before and after in a text. A text without any counts as beginning with
// slot 0, no text as listing nothing.
func least(text, before string, after byte) uint64 {
	if text == "" {
		return math.MaxUint64
	}
	first, found := uint64(math.MaxUint64), false
	for {
		_, rest, ok := strings.Cut(text, before)
		if !ok {
			break
		}
		number, _, _ := strings.Cut(rest, string(after))
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
		if err != nil {
			return 0
		}
		first, found, text = min(first, n), true, rest
	}
	if !found {
		return 0
	}
	return first
}

// retire deletes the playlists that list nothing from Head.First on and that no overview names: nobody writes those of a track that
// left any more, and what they list is about to go. newest are tracks with the newest slots that are known of them.
func (r *reader) retire(ctx context.Context, h *Head, newest map[string]uint64) error {
	master := manifest.Name{Kind: manifest.LegacyMultivariant, Channel: r.channel}
	overview, read := "", false
	for i := range h.Tracks {
		n := manifest.Name{Kind: manifest.LegacyPlaylist, Channel: r.channel, Track: h.Tracks[i].Name}
		if last, ok := newest[n.Track]; ok && last >= h.First {
			continue
		}
		text, err := r.document(ctx, n)
		if err != nil {
			return err
		}
		end := least(text, "#EXT-X-MEDIA-SEQUENCE:", '\n') + uint64(strings.Count(text, "#EXTINF:"))
		if text == "" || end > h.First {
			continue
		}
		if !read {
			if overview, err = r.document(ctx, master); err != nil {
				return err
			}
			read = true
		}
		if strings.Contains(overview, n.URI(master)) {
			continue
		}
		if err := r.store.Delete(ctx, n.Key()); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

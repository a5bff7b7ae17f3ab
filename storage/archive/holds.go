package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/storage"
)

// Hold keeps the media of some slots from being deleted, whatever retention says: they are no longer listed, but they stay. It
// holds from the next deletion on, so whoever puts one for media that is about to go should look afterwards whether it is there.
type Hold struct {
	From   uint64 `json:"from"`         // the first slot that is held
	To     uint64 `json:"to,omitempty"` // the last one; 0: all that come are held too
	Reason string `json:"reason,omitempty"`
}

// touches reports whether any of the slots from, ..., to-1 is held.
func (h *Hold) touches(from, to uint64) bool { return to > h.From && (h.To == 0 || from <= h.To) }

// Covers reports whether all of the slots from, ..., to are held.
func (h *Hold) Covers(from, to uint64) bool { return from >= h.From && (h.To == 0 || to <= h.To) }

// errHold marks a hold that cannot be read. As long as it is there, nothing is deleted.
var errHold = errors.New("the hold is malformed, and so nothing is deleted: release it, or put it right")

const maxHoldID = 256

func holdPrefix(channel string) string { return manifest.PrivateKey(channel, "hold-") }

func holdKey(channel, id string) string { return holdPrefix(channel) + manifest.Escape(id) + ".json" }

func (h *Hold) valid() error {
	if h.To != 0 && h.To < h.From {
		return fmt.Errorf("it ends with slot %d, before it begins with slot %d", h.To, h.From)
	}
	return nil
}

// PutHold writes the hold id. It can be put again, but not changed: that is a storage.ErrConflict.
func PutHold(ctx context.Context, store storage.Store, channel, id string, h Hold) error {
	if id == "" || len(id) > maxHoldID {
		return fmt.Errorf("archive: hold %.40q: a name of 1 to %d bytes is needed", id, maxHoldID)
	}
	if err := h.valid(); err != nil {
		return fmt.Errorf("archive: hold %q: %w", id, err)
	}
	b, err := written(h)
	if err != nil {
		return err
	}
	err = store.Put(ctx, holdKey(channel, id), b)
	if errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("archive: hold %q exists and is another: choose another name, or release it first: %w", id, err)
	}
	if err != nil {
		return fmt.Errorf("archive: hold %q: %w", id, err)
	}
	return nil
}

// ReleaseHold removes the hold id. One that does not exist is no error.
func ReleaseHold(ctx context.Context, store storage.Store, channel, id string) error {
	if err := store.Delete(ctx, holdKey(channel, id)); err != nil {
		return fmt.Errorf("archive: release hold %q: %w", id, err)
	}
	return nil
}

// Listed is what holds are read from: a Store, or what only reads one.
type Listed interface {
	storage.Getter
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Holds are the holds of a channel by their names. If one of them cannot be read, the error says which: then everything must be
// taken to be held.
func Holds(ctx context.Context, store Listed, channel string) (map[string]Hold, error) {
	const most = 100_000
	holds := map[string]Hold{}
	for key, err := range store.List(ctx, holdPrefix(channel)) {
		if err != nil {
			return nil, fmt.Errorf("archive: holds: %w", err)
		}
		stem, ok := strings.CutSuffix(strings.TrimPrefix(key, holdPrefix(channel)), ".json")
		if !ok {
			continue
		}
		id, ok := manifest.Unescape(stem)
		if !ok || len(holds) == most {
			return nil, fmt.Errorf("archive: %s: %w", key, errHold)
		}
		b, err := store.Get(ctx, key)
		if errors.Is(err, storage.ErrNotFound) {
			continue // released meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("archive: holds: %w", err)
		}
		h, err := decodeHold(b)
		if err != nil {
			return nil, fmt.Errorf("archive: %s: %w: %w", key, errHold, err)
		}
		holds[id] = h
	}
	return holds, nil
}

// decodeHold reads a hold. What is missing in it makes it hold more, not less.
func decodeHold(b storage.Blob) (Hold, error) {
	if b.Size() > maxClaim {
		return Hold{}, fmt.Errorf("it has %d bytes", b.Size())
	}
	var h Hold
	if err := json.Unmarshal(bytes.Join(b.Pieces, nil), &h); err != nil {
		return Hold{}, err
	}
	return h, h.valid()
}

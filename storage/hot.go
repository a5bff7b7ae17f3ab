package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
)

// Hot is the segmenter's Sink over a Store: it names what it is given, puts it, and deletes what no player may ask for any
// more. Like the fold that calls it, it is driven by one goroutine.
//
// A segment and its parts stay for the segment's duration plus that of the longest playlist after they left the playlist
// (rfc8216bis 6.2.2): 2*window+2 slots. An init stays while any kept slot was made with it. When the store is full, slots
// outside the window go early, oldest first; what is in the window never goes, and the Put fails instead. What tracks have left
// that are not in the channel any more goes slot by slot, as others begin.
type Hot struct {
	store   Store
	channel string
	window  int
	leave   func(track string, n uint64)
	tracks  map[string]*hotTrack
}

var _ segmenter.Sink = (*Hot)(nil)

// hotTrack is what the store holds of one track.
type hotTrack struct {
	name  string
	init  string   // key of the newest one
	inits []string // keys of all that are stored
	slots []slot   // in the order of their first Put
	gone  bool     // not in the channel any more
}

type slot struct {
	n    uint64
	init string // key of the one that its media needs
	keys []string
}

// NewHot returns a Sink for the channel, whose playlists list up to window segments. Before the media of a slot is deleted, leave
// is told so, by the goroutine that drives the Sink, and again if the delete has to be repeated: whoever lists for longer than
// the window can say in time that the slot is nowhere else. nil is for nobody.
func NewHot(store Store, channel string, window int, leave func(track string, n uint64)) *Hot {
	if leave == nil {
		leave = func(string, uint64) {}
	}
	return &Hot{store: store, channel: channel, window: max(window, 1), leave: leave, tracks: map[string]*hotTrack{}}
}

// Retain says which tracks the channel has.
func (h *Hot) Retain(tracks []string) {
	for name, t := range h.tracks {
		t.gone = !slices.Contains(tracks, name)
	}
}

// Put stores m under its name. The name is remembered before the store is called: a Put whose acknowledgement is lost is
// deleted in its time like any other.
func (h *Hot) Put(ctx context.Context, m segmenter.Media) error {
	name := h.name(m)
	key := name.Key()
	h.remember(ctx, m, key)
	b := Blob{Pieces: m.Body, ContentType: name.ContentType(m.Track.Kind), Digest: Digest(m.Body)}
	for {
		err := h.store.Put(ctx, key, b)
		if err == nil || !errors.Is(err, ErrFull) {
			return err
		}
		if derr := h.relieve(ctx); derr != nil {
			return errors.Join(err, derr)
		}
	}
}

func (h *Hot) name(m segmenter.Media) manifest.Name {
	name := manifest.Name{Channel: h.channel, Track: m.Track.Name}
	switch m.What {
	case segmenter.InitSegment:
		name.Kind, name.Digest = manifest.Init, m.Digest
	case segmenter.MediaSegment:
		name.Kind, name.N = manifest.Segment, m.N
	case segmenter.MediaPart:
		name.Kind, name.N, name.Part = manifest.Part, m.N, m.Part
	}
	return name
}

// remember files key under its slot and drops the slots that became too old.
func (h *Hot) remember(ctx context.Context, m segmenter.Media, key string) {
	t := h.tracks[m.Track.Name]
	if t == nil {
		t = &hotTrack{name: m.Track.Name}
		h.tracks[m.Track.Name] = t
	}
	t.gone = false
	if m.What == segmenter.InitSegment {
		if t.init != key {
			t.inits = append(t.inits, key)
		}
		t.init = key
		return
	}
	if k := len(t.slots); k == 0 || t.slots[k-1].n != m.N {
		h.shed(ctx, m.N)
		t.slots = append(t.slots, slot{n: m.N, init: t.init})
	}
	last := &t.slots[len(t.slots)-1]
	last.keys = append(last.keys, key)
	for len(t.slots) > 2*h.window+2 {
		if h.drop(ctx, t) != nil {
			return // Garbage must not stop the broadcast: the slot is the first to go at the next Put.
		}
	}
}

// shed drops what has left the window with slot n of tracks that are gone. What cannot be deleted has another chance with the next slot.
func (h *Hot) shed(ctx context.Context, n uint64) {
	for name, t := range h.tracks {
		switch {
		case !t.gone:
		case len(t.slots) > 0 && t.slots[0].n+uint64(h.window) >= n:
		case len(t.slots) > 0:
			_ = h.drop(ctx, t)
		case h.store.Delete(ctx, t.inits...) == nil:
			delete(h.tracks, name)
		}
	}
}

// relieve drops the oldest slot that is in no playlist.
func (h *Hot) relieve(ctx context.Context) error {
	var oldest *hotTrack
	for _, t := range h.tracks {
		idle := len(t.slots) > h.window+1 || t.gone && len(t.slots) > 0
		if idle && (oldest == nil || t.slots[0].n < oldest.slots[0].n) {
			oldest = t
		}
	}
	if oldest == nil {
		return fmt.Errorf("channel %s: all that is stored is in the live window: shorten the window or raise the limit", h.channel)
	}
	return h.drop(ctx, oldest)
}

// drop deletes t's oldest slot and the inits that only it needed. The slot stays in line if that fails.
func (h *Hot) drop(ctx context.Context, t *hotTrack) error {
	h.leave(t.name, t.slots[0].n)
	if err := h.store.Delete(ctx, t.slots[0].keys...); err != nil {
		return err
	}
	t.slots = t.slots[1:]
	t.inits = slices.DeleteFunc(t.inits, func(init string) bool {
		used := init == t.init || slices.ContainsFunc(t.slots, func(s slot) bool { return s.init == init })
		return !used && h.store.Delete(ctx, init) == nil
	})
	return nil
}

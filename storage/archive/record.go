package archive

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// The books of a channel: one Head, and a Chunk for every chunkSlots slots that have anything in them, and an eventBook for those in
// which something happens. The claims of a Ledger lie beside them.
const (
	format     = 1
	chunkSlots = 256 // 8.5 minutes of segments of 2 s
)

// Head is what does not grow with time.
type Head struct {
	Format int            `json:"format"`
	Plan   segmenter.Plan `json:"plan"`
	// First is the first slot that is kept: the media of earlier ones is gone, or about to go.
	First uint64 `json:"first"`
	// Revised counts how often entries have changed that others do not read again: media that was lost, or that came late.
	Revised uint64 `json:"revised,omitempty"`
	// Events counts how often events were added.
	Events uint64  `json:"events,omitempty"`
	Tracks []Track `json:"tracks"` // in catalog order; those that left the catalog stay as long as media of theirs does
}

// Track is what the record knows of a track beside its segments.
type Track struct {
	media.Track
	// Begin is the first slot that documents may list: from there on the record gets an entry for every slot. It only rises.
	Begin  uint64           `json:"begin"`
	Epochs []timeline.Epoch `json:"epochs"` // ascending Index
	Ended  bool             `json:"ended,omitempty"`
}

// Chunk is the segments of the slots [From, From+chunkSlots), by track name, ascending N.
type Chunk struct {
	From   uint64             `json:"from"` // a multiple of chunkSlots
	Tracks map[string][]Entry `json:"tracks"`
}

// Entry is a segment that is in the store, or a gap. What is in neither state yet has no entry.
type Entry struct {
	timeline.Segment
	Digest string `json:"h,omitempty"` // storage.Digest of the segment's content; empty for a gap
}

func headKey(channel string) string { return manifest.PrivateKey(channel, "record.json") }

func chunkKey(channel string, from uint64) string {
	return manifest.PrivateKey(channel, fmt.Sprintf("record-%d.json", from))
}

// chunkOf is From of the chunk that slot n belongs to.
func chunkOf(n uint64) uint64 { return n - n%chunkSlots }

// Track is the named one, or nil.
func (h *Head) Track(name string) *Track {
	for i := range h.Tracks {
		if h.Tracks[i].Name == name {
			return &h.Tracks[i]
		}
	}
	return nil
}

// take merges what an instance knows of the channel into h. Tracks of the instance come first and in its order; diverged are those
// of which it has an epoch with another header or time base than h has, which must never be: the first one stays. ended says
// which tracks have ended and which go on again.
func (h *Head) take(plan segmenter.Plan, tracks []Track, ended map[string]bool) (diverged []string) {
	h.Plan = plan
	merged := make([]Track, 0, len(h.Tracks)+len(tracks))
	for _, t := range tracks {
		old := h.Track(t.Name)
		if old == nil {
			old = &Track{}
		}
		epochs, same := mergeEpochs(old.Epochs, t.Epochs)
		if !same {
			diverged = append(diverged, t.Name)
		}
		end, known := ended[t.Name]
		merged = append(merged, Track{
			Track: t.Track, Begin: max(old.Begin, t.Begin), Epochs: epochs, Ended: end || old.Ended && !known,
		})
	}
	for _, t := range h.Tracks {
		if !slices.ContainsFunc(tracks, func(o Track) bool { return o.Name == t.Name }) {
			merged = append(merged, t)
		}
	}
	h.Tracks = merged
	return diverged
}

// mergeEpochs are those of both. same is false when they contradict each other. Who joined late takes an epoch to begin later.
func mergeEpochs(old, more []timeline.Epoch) (merged []timeline.Epoch, same bool) {
	merged, same = slices.Clone(old), true
	for _, e := range more {
		at, found := slices.BinarySearchFunc(merged, e.Index, func(e timeline.Epoch, index int) int { return cmp.Compare(e.Index, index) })
		if !found {
			merged = slices.Insert(merged, at, e)
			continue
		}
		m := &merged[at]
		same = same && m.Init.Digest == e.Init.Digest && m.Origin == e.Origin
		m.First = min(m.First, e.First)
	}
	return merged, same
}

// merge takes what other knows into c. Of two entries for a slot, the one with media stays; conflicts are those whose media
// differs, which must never be: the first one stays. changed: c is not what it was.
func (c *Chunk) merge(other *Chunk) (conflicts []Conflict, changed bool) {
	for track, entries := range other.Tracks {
		mine := c.Tracks[track]
		for _, e := range entries {
			at, found := slices.BinarySearchFunc(mine, e.N, func(e Entry, n uint64) int { return cmp.Compare(e.N, n) })
			switch {
			case !found:
				mine, changed = slices.Insert(mine, at, e), true
			case mine[at].State == timeline.Gap && e.State == timeline.Full:
				mine[at], changed = e, true
			case mine[at].State == timeline.Full && e.State == timeline.Full && mine[at].Digest != e.Digest:
				conflicts = append(conflicts, Conflict{track, e.N, mine[at].Digest, e.Digest})
			}
		}
		if c.Tracks == nil {
			c.Tracks = map[string][]Entry{}
		}
		c.Tracks[track] = mine
	}
	slices.SortFunc(conflicts, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(a.Track, b.Track), cmp.Compare(a.N, b.N))
	})
	return conflicts, changed
}

// Conflict is a name for which two instances made different content.
type Conflict struct {
	Track       string
	N           uint64
	Kept, Other string // digests
}

func (c Conflict) String() string {
	return fmt.Sprintf("segment %d of track %q: the archive has %s, another instance made %s", c.N, c.Track, c.Kept, c.Other)
}

// sound reports what documents cannot be made of.
func (h *Head) sound() error {
	const most = 1 << 16 // discontinuities between two epochs of a track, each of which is a line
	for _, t := range h.Tracks {
		for i := range t.Epochs {
			e := &t.Epochs[i]
			if !soundEpoch(e) || i > 0 && e.Index-t.Epochs[i-1].Index > most {
				return fmt.Errorf("archive: record: epoch %d of track %q has a number that is out of range: "+
					"restore record.json from a copy, or move the channel's files away to begin anew", e.Index, t.Name)
			}
		}
	}
	return nil
}

// sound reports what documents cannot be made of.
func (c *Chunk) sound() error {
	for track, entries := range c.Tracks {
		for i := range entries {
			if e := &entries[i]; !e.sound() {
				return fmt.Errorf("archive: record chunk %d: segment %d of track %q has a number that is out of range: "+
					"restore the chunk from a copy, or move it away to have gaps in its place", c.From, e.N, track)
			}
		}
	}
	return nil
}

// decodeHead reads a head. Books are written by other versions and other hands: everything that code relies on is checked.
func decodeHead(body []byte) (Head, error) {
	var h Head
	if err := json.Unmarshal(body, &h); err != nil {
		return Head{}, fmt.Errorf("archive: record: %w", err)
	}
	if h.Format != format {
		return Head{}, fmt.Errorf("archive: the record is of format %d, this version reads %d: use the version that wrote it", h.Format, format)
	}
	if err := h.Plan.Grid.Valid(); err != nil {
		return Head{}, fmt.Errorf("archive: record: %w", err)
	}
	names := map[string]bool{}
	for _, t := range h.Tracks {
		if t.Name == "" || names[t.Name] {
			return Head{}, fmt.Errorf("archive: record: a track is called %q, or two are", t.Name)
		}
		names[t.Name] = true
		for i, e := range t.Epochs {
			if e.Init == nil || e.Init.Timescale == 0 || i > 0 && e.Index <= t.Epochs[i-1].Index {
				return Head{}, fmt.Errorf("archive: record: epoch %d of track %q is malformed", e.Index, t.Name)
			}
		}
	}
	return h, nil
}

// decodeChunk reads the chunk that begins with slot from.
func decodeChunk(body []byte, from uint64) (Chunk, error) {
	var c Chunk
	if err := json.Unmarshal(body, &c); err != nil {
		return Chunk{}, fmt.Errorf("archive: record chunk %d: %w", from, err)
	}
	if c.From != from {
		return Chunk{}, fmt.Errorf("archive: record chunk %d says that it is %d", from, c.From)
	}
	for track, entries := range c.Tracks {
		for i, e := range entries {
			if chunkOf(e.N) != from || i > 0 && e.N <= entries[i-1].N || e.State != timeline.Full && e.State != timeline.Gap || e.Dur < 0 {
				return Chunk{}, fmt.Errorf("archive: record chunk %d: entry %d of track %q is malformed", from, i, track)
			}
		}
	}
	return c, nil
}

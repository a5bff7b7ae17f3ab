package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// open reads the head and the newest chunks, as many as documents list.
func (a *Archive) open(ctx context.Context, plan segmenter.Plan) error {
	h, v, err := a.books.head(ctx)
	if err == nil {
		err = h.sound()
	}
	if err != nil {
		return err
	}
	if v != "" && h.Plan.Grid != plan.Grid {
		return otherGrid(a.cfg.Channel, h.Plan.Grid, plan.Grid)
	}
	newest, ok, err := a.books.newest(ctx)
	if err != nil {
		return err
	}
	var chunks []Chunk
	if ok {
		from := newest - min(newest, chunkOf(uint64(plan.Window))+chunkSlots)
		if chunks, err = a.books.chunks(ctx, max(from, chunkOf(h.First)), newest); err != nil {
			return err
		}
	}
	lines := map[string]*line{}
	for _, t := range h.Tracks {
		var entries []Entry
		for i := range chunks {
			c := &chunks[i]
			if err := c.sound(); err != nil {
				return err
			}
			entries = append(entries, c.Tracks[t.Name]...)
		}
		at, _ := slices.BinarySearchFunc(entries, max(t.Begin, h.First), byN)
		entries = entries[at:]
		if err := checkEpochs(&t, entries); err != nil {
			return err
		}
		l := newLine(plan.Window, t.Begin)
		if len(entries) > 0 {
			l.begin = entries[0].N
		}
		l.take(entries)
		lines[t.Name] = l
	}
	a.mu.Lock()
	a.head, a.lines, a.opened, a.revised = h, lines, true, h.Revised
	a.mu.Unlock()
	a.heard = h.Events + 1 // whatever the head says: who added the last ones may have been killed before it was told
	return a.hear(ctx, &h)
}

func otherGrid(channel string, there, ours timeline.Grid) error {
	return fmt.Errorf("archive: record of %s has segments of %d/%d s, the broadcast has %d/%d s: %w",
		channel, there.Num, there.Den, ours.Num, ours.Den, ErrOtherGrid)
}

// newest is From of the newest chunk that is there.
func (b *books) newest(ctx context.Context) (from uint64, ok bool, err error) {
	all, err := ChunkNumbers(ctx, b.store, b.channel)
	if err != nil || len(all) == 0 {
		return 0, false, err
	}
	return all[len(all)-1], true, nil
}

// chunks are those from, ..., to, both of them From of a chunk. Those that do not exist are empty.
func (b *books) chunks(ctx context.Context, from, to uint64) ([]Chunk, error) {
	if to < from {
		return nil, nil
	}
	chunks := make([]Chunk, (to-from)/chunkSlots+1)
	err := each(ctx, len(chunks), func(ctx context.Context, i int) (err error) {
		chunks[i], _, err = b.chunk(ctx, from+uint64(i)*chunkSlots)
		return err
	})
	return chunks, err
}

func byN(e Entry, n uint64) int {
	switch {
	case e.N < n:
		return -1
	case e.N > n:
		return 1
	}
	return 0
}

// checkEpochs reports whether the head knows the epochs that entries of track t refer to.
func checkEpochs(t *Track, entries []Entry) error {
	last := -1
	for i := range entries {
		if e := entries[i].Epoch; i == 0 || e != last {
			if last = e; t.epoch(e) == nil {
				return fmt.Errorf("archive: record: segment %d of track %q is of epoch %d, which the head does not know: "+
					"restore record.json", entries[i].N, t.Name, e)
			}
		}
	}
	return nil
}

// epoch is the one with the index, or nil.
func (t *Track) epoch(index int) *timeline.Epoch {
	for i := range t.Epochs {
		if t.Epochs[i].Index == index {
			return &t.Epochs[i]
		}
	}
	return nil
}

// heading is the head as it is known. It must not be written to.
func (a *Archive) heading() Head {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.head
}

// setHead notes what the head says now.
func (a *Archive) setHead(h Head, window int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	moved := h.First != a.head.First
	for i := range h.Tracks {
		t := &h.Tracks[i]
		l := a.lines[t.Name]
		if l == nil {
			l = newLine(window, t.Begin)
			a.lines[t.Name] = l
		}
		l.from(max(t.Begin, h.First))
		old := a.head.Track(t.Name)
		if moved || old == nil || old.Ended != t.Ended {
			l.stale = true
		}
	}
	for name := range a.lines {
		if h.Track(name) == nil {
			delete(a.lines, name)
		}
	}
	a.head = h
}

// same reports whether both heads say the same.
func same(a, b *Head) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// note takes what a chunk says into the lines. The head is read again when another instance knows epochs that are new here.
func (a *Archive) note(ctx context.Context, c *Chunk, window int) error {
	if err := c.sound(); err != nil {
		return err
	}
	h := a.heading()
	if checkChunk(&h, c) != nil {
		var err error
		if h, _, err = a.books.head(ctx); err == nil {
			err = h.sound()
		}
		if err != nil {
			return err
		}
		a.setHead(h, window)
		if err := checkChunk(&h, c); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for track, entries := range c.Tracks {
		if l := a.lines[track]; l != nil {
			at, _ := slices.BinarySearchFunc(entries, h.First, byN)
			l.take(entries[at:])
		}
	}
	return nil
}

// checkChunk reports whether the head knows all that the kept slots of the chunk refer to.
func checkChunk(h *Head, c *Chunk) error {
	for track, entries := range c.Tracks {
		at, _ := slices.BinarySearchFunc(entries, h.First, byN)
		t := h.Track(track)
		if t == nil {
			t = &Track{}
			t.Name = track
		}
		if err := checkEpochs(t, entries[at:]); err != nil {
			return err
		}
	}
	return nil
}

// reload reads what other instances may have written: the head, and the chunks from the first slot that is not settled here on, to
// the newest one that there is, which may be far ahead of edge: an instance that has just joined has published nothing. When the head
// says that entries of old have changed, that is all chunks that documents list.
func (a *Archive) reload(ctx context.Context, window int, edge uint64) error {
	const most, ended = 64, 4 // chunks; another instance may have more of a track that has ended so far back
	h, v, err := a.books.head(ctx)
	if err == nil {
		err = h.sound()
	}
	if err != nil || v == "" {
		return err
	}
	a.setHead(h, window)
	newest, _, err := a.books.newest(ctx)
	if err != nil {
		return err
	}
	to := max(newest, chunkOf(edge))
	from := to
	for i := range h.Tracks {
		switch end, ok := a.end(h.Tracks[i].Name); {
		case !ok:
			from = min(from, to-min(to, chunkOf(uint64(window))+chunkSlots))
		case !h.Tracks[i].Ended || end+ended*chunkSlots > to:
			from = min(from, chunkOf(end-min(end, recall))) // gaps before it may have been filled
		}
	}
	if to-from > most*chunkSlots {
		from = to - most*chunkSlots
	}
	if h.Revised != a.revised {
		from = min(from, max(to-min(to, chunkOf(uint64(window))+chunkSlots), chunkOf(h.First)))
	}
	chunks, err := a.books.chunks(ctx, from, to)
	if err != nil {
		return err
	}
	for i := range chunks {
		if err := a.note(ctx, &chunks[i], window); err != nil {
			return err
		}
	}
	a.revised = h.Revised
	return a.hear(ctx, &h)
}

// present is what the record has of the tracks, as documents show it. Only the round may call it, and what it returns is valid
// until the round changes lines.
func (a *Archive) present(plan segmenter.Plan, tracks []string) manifest.Presentation {
	h := a.heading()
	p := manifest.Presentation{Channel: a.cfg.Channel, Plan: plan, From: h.First, Events: a.happened}
	for _, name := range tracks {
		t, l := h.Track(name), a.lines[name]
		if t == nil || l == nil || len(l.run) == 0 {
			continue
		}
		s := &timeline.Snapshot{Segments: l.run[max(0, len(l.run)-plan.Window):], Ended: t.Ended}
		oldest, newest := s.Segments[0].Epoch, s.Segments[0].Epoch
		for i := range s.Segments {
			oldest, newest = min(oldest, s.Segments[i].Epoch), max(newest, s.Segments[i].Epoch)
		}
		for _, e := range t.Epochs {
			if oldest <= e.Index && e.Index <= newest {
				s.Epochs = append(s.Epochs, e)
			}
			if e.Index <= newest && e.Frame > 0 {
				s.Frame = e.Frame
			}
		}
		p.Renditions = append(p.Renditions, manifest.Rendition{Track: &t.Track, Snapshot: s})
	}
	return p
}

package vod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
	"github.com/moqpack/moqpack/storage/archive"
)

// margin is how many slots a segment may begin before the slot of an instant in it, and more: groups are up to 10 s long.
const margin = 64

// maxTimescale keeps times of tracks, moved to Unix time, far from overflowing.
const maxTimescale = 1 << 30

// Source is where a recording is read from: a Durable, or what only reads one.
type Source interface {
	archive.Records
	Get(ctx context.Context, key string) (storage.Blob, error)
}

// Recording is what is kept of a channel.
type Recording struct {
	Kept
	store   Source
	channel string
	chunks  []uint64 // numbers
}

// Kept is what of a recording may be asked for.
type Kept struct {
	Head        archive.Head
	First, Last int64 // nanoseconds of Unix time: from the first frame to the end of the last one, of the main track
	Main        string
	// Held are slots before Head.First that stay nevertheless. What lies in one of them may be asked for by its times.
	Held []archive.Hold
}

// held reports whether the slots are kept by one hold.
func (k *Kept) held(from, to uint64) bool {
	return slices.ContainsFunc(k.Held, func(h archive.Hold) bool { return h.Covers(from, to) })
}

// Open reads what is kept of the channel. An archive may go on growing meanwhile.
func Open(ctx context.Context, store Source, channel string) (*Recording, error) {
	head, err := archive.ReadHead(ctx, store, channel)
	if err != nil {
		return nil, err
	}
	r := &Recording{Kept: Kept{Head: head}, store: store, channel: channel}
	if r.chunks, err = archive.ChunkNumbers(ctx, store, channel); err != nil {
		return nil, err
	}
	holds, err := archive.Holds(ctx, store, channel)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(holds)) {
		r.Held = append(r.Held, holds[id])
	}
	for i := range head.Tracks {
		for _, e := range head.Tracks[i].Epochs {
			if e.Init.Timescale > maxTimescale {
				return nil, fmt.Errorf("record of %q: track %q has %d ticks per second", channel, head.Tracks[i].Name, e.Init.Timescale)
			}
		}
	}
	if err := r.bounds(ctx); err != nil {
		return nil, fmt.Errorf("channel %q: %w", channel, err)
	}
	return r, nil
}

// bounds finds where the main track, the best video or the first audio, begins and ends.
func (r *Recording) bounds(ctx context.Context) error {
	for _, t := range mains(&r.Head) {
		first, err := r.edge(ctx, t, slices.Values(r.chunks), true)
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			return err
		}
		last, err := r.edge(ctx, t, backward(r.chunks), false)
		if err != nil {
			return err
		}
		r.First, r.Last, r.Main = first.start(), last.end(), t.Name
		return nil
	}
	return fmt.Errorf("%w: nothing is kept of it", ErrRange)
}

var errNothing = errors.New("nothing is kept")

// edge is the first or the last segment of t that has media.
func (r *Recording) edge(ctx context.Context, t *archive.Track, order func(func(uint64) bool), first bool) (segment, error) {
	for n := range order {
		lines, err := r.read(ctx, []uint64{n})
		if err != nil {
			return segment{}, err
		}
		all := lines[t.Name]
		if !first {
			slices.Reverse(all)
		}
		for _, s := range all {
			if s.State == timeline.Full && s.N >= r.Head.First {
				return s, nil
			}
		}
	}
	return segment{}, errNothing
}

func backward(numbers []uint64) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for _, n := range slices.Backward(numbers) {
			if !yield(n) {
				return
			}
		}
	}
}

// segment is an entry of the record with its place in time.
type segment struct {
	archive.Entry
	epoch *timeline.Epoch
}

// unixStart and unixEnd are in ticks of Unix time.
func (s *segment) unixStart() int64 { return s.Start + s.epoch.Origin }
func (s *segment) unixEnd() int64   { return s.End() + s.epoch.Origin }

// start and end are in nanoseconds of Unix time, rounded down.
func (s *segment) start() int64 { return toNanos(s.unixStart(), s.epoch.Init.Timescale) }
func (s *segment) end() int64   { return toNanos(s.unixEnd(), s.epoch.Init.Timescale) }

// between reads the segments of the slots from, ..., to and of up to margin around them, by track, ascending.
func (r *Recording) between(ctx context.Context, from, to uint64) (map[string][]segment, error) {
	first, last := from-min(from, margin), to+margin
	var numbers []uint64
	for i, n := range r.chunks {
		next := uint64(1<<64 - 1)
		if i+1 < len(r.chunks) {
			next = r.chunks[i+1]
		}
		if next > first && n <= last {
			numbers = append(numbers, n)
		}
	}
	lines, err := r.read(ctx, numbers)
	for track, all := range lines {
		// There may be a hole of years before them.
		lines[track] = slices.DeleteFunc(all, func(s segment) bool { return s.N < first || s.N > last })
	}
	return lines, err
}

// read reads chunks. Segments that retention has taken are left out, and what cannot be is an error.
func (r *Recording) read(ctx context.Context, numbers []uint64) (map[string][]segment, error) {
	lines := map[string][]segment{}
	for c, err := range archive.ReadChunks(ctx, r.store, r.channel, numbers) {
		if err != nil {
			return nil, err
		}
		for i := range r.Head.Tracks {
			t := &r.Head.Tracks[i]
			for _, e := range c.Tracks[t.Name] {
				if e.N < r.Head.First && !r.held(e.N, e.N) {
					continue
				}
				s, err := place(t, e)
				if err != nil {
					return nil, err
				}
				lines[t.Name] = append(lines[t.Name], s)
			}
		}
	}
	return lines, nil
}

// place finds the epoch of an entry and bounds its times.
func place(t *archive.Track, e archive.Entry) (segment, error) {
	at, ok := slices.BinarySearchFunc(t.Epochs, e.Epoch, func(e timeline.Epoch, i int) int { return cmp.Compare(e.Index, i) })
	if !ok {
		return segment{}, fmt.Errorf("the record is damaged: segment %d of track %q is of epoch %d, which is unknown", e.N, t.Name, e.Epoch)
	}
	s := segment{e, &t.Epochs[at]}
	limit := int64(s.epoch.Init.Timescale) * maxSeconds
	if s.Start < -limit || s.Start > limit || s.Dur > limit || s.epoch.Origin < -limit || s.epoch.Origin > limit ||
		s.unixStart() < 0 || s.unixEnd() > limit {
		return segment{}, fmt.Errorf("the record is damaged: segment %d of track %q lies beyond all time", e.N, t.Name)
	}
	return s, nil
}

// mains are the tracks in the order in which they may lead: video from the largest picture down, then audio.
func mains(h *archive.Head) []*archive.Track {
	var all []*archive.Track
	for i := range h.Tracks {
		if t := &h.Tracks[i]; len(t.Epochs) > 0 && t.Kind != media.Text {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b *archive.Track) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(area(b), area(a)), cmp.Compare(described(a), described(b)))
	})
	return all
}

// area is the size of the picture, and the bitrate where it is equal. Audio keeps its order.
func area(t *archive.Track) int64 {
	init := t.Epochs[len(t.Epochs)-1].Init
	if t.Kind != media.Video {
		return 0
	}
	return int64(init.Width)*int64(init.Height)<<20 + min(t.Bitrate>>10, 1<<20-1)
}

// described puts what is described for those who do not see it behind what is not.
func described(t *archive.Track) int {
	if t.Role == "audiodescription" {
		return 1
	}
	return 0
}

// ofMedia is the instant of a media time of the main track.
func (k *Kept) ofMedia(nanos int64) (int64, error) {
	epochs := k.Head.Track(k.Main).Epochs
	var found []int64
	for i, e := range epochs {
		from, to := int64(0), k.Last
		if i > 0 {
			from = k.Head.Plan.Grid.Start(e.First, 1e9)
		}
		if i+1 < len(epochs) {
			to = k.Head.Plan.Grid.Start(epochs[i+1].First, 1e9)
		}
		at := nanos + toNanos(e.Origin, e.Init.Timescale)
		if at >= max(from, k.First) && at < min(to, k.Last) || at == k.Last {
			found = append(found, at)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fmt.Errorf("media time %s: %w: that is %s to %s: give the time of day", Span(nanos), ErrRange, Stamp(k.First), Stamp(k.Last))
	}
	return 0, fmt.Errorf("media time %s occurs %d times, as the publisher has begun anew: give the time of day", Span(nanos), len(found))
}

// Range is a stretch of a recording, in nanoseconds of Unix time.
type Range struct {
	Start, End int64
	// Asked says whether a start and an end were asked for.
	AskedStart, AskedEnd bool
}

// Range resolves what was asked for. It may reach a segment's length beyond what is kept: then it ends there.
func (k *Kept) Range(start, end When) (Range, error) {
	g := Range{AskedStart: start.base != open, AskedEnd: end.base != open}
	var err error
	if g.Start, err = start.at(k, k.First, false); err != nil {
		return Range{}, fmt.Errorf("start: %w", err)
	}
	if g.End, err = end.at(k, g.Start, true); err != nil {
		return Range{}, fmt.Errorf("end: %w", err)
	}
	grid := k.Head.Plan.Grid
	slack := grid.Start(1, 1e9)
	switch {
	case g.End <= g.Start:
		return Range{}, fmt.Errorf("%s to %s: the end is not after the start", Stamp(g.Start), Stamp(g.End))
	case g.Start >= 0 && k.held(grid.Slot(g.Start, 1e9), grid.Slot(g.End-1, 1e9)):
	case g.Start < k.First-slack || g.End > k.Last+slack || g.Start >= k.Last || g.End <= k.First:
		return Range{}, fmt.Errorf("%s to %s: %w, which is %s to %s: ask for what lies in it", Stamp(g.Start), Stamp(g.End), ErrRange,
			Stamp(k.First), Stamp(k.Last))
	}
	return g, nil
}

// toNanos is t ticks in nanoseconds, rounded down; t must be of a time that place lets pass.
func toNanos(t int64, timescale uint32) int64 { return scale(t, int64(timescale), 1e9) }

// toTicks is an instant in ticks, rounded down.
func toTicks(nanos int64, timescale uint32) int64 { return scale(nanos, 1e9, int64(timescale)) }

// toTicksUp is toTicks rounded up.
func toTicksUp(nanos int64, timescale uint32) int64 { return -scale(-nanos, 1e9, int64(timescale)) }

// scale is floor(t*to/from).
func scale(t, from, to int64) int64 {
	whole, rest := t/from, t%from
	if rest < 0 {
		whole, rest = whole-1, rest+from
	}
	return whole*to + rest*to/from
}

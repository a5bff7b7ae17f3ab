package vod

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/archive"
)

// Movie is a range of a recording that can be written as one MP4 file.
type Movie struct {
	*Report
	Bytes   int64 // about how much is to be read
	movie   *mux.Movie
	sources []*source
	cuts    []*cut
}

// Movie prepares an MP4 file of what lies between two instants, at the boundaries of frames: of the tracks, or without any
// of the best video and the first audio. The first one, or the first video, leads: the others begin and end with it.
func (r *Recording) Movie(ctx context.Context, g Range, tracks []string) (*Movie, error) {
	grid := r.Head.Plan.Grid
	if grid.Slot(g.End, 1e9)-grid.Slot(g.Start, 1e9) >= maxSegments {
		return nil, fmt.Errorf("%s to %s is too long for one file: make several", Stamp(g.Start), Stamp(g.End))
	}
	all, err := r.between(ctx, grid.Slot(g.Start, 1e9), grid.Slot(g.End, 1e9))
	if err != nil {
		return nil, fmt.Errorf("channel %q: %w", r.channel, err)
	}
	chosen, err := r.tracks(tracks, all, g)
	if err != nil {
		return nil, err
	}
	m := &Movie{Report: &Report{}}
	for _, t := range chosen {
		if err := m.source(ctx, r, line{t, fill(grid, all[t.Name])}, g); err != nil {
			return nil, err
		}
	}
	return m, m.arrange(ctx, g)
}

// source opens the track with the header of the first segment that is in the range.
func (m *Movie) source(ctx context.Context, r *Recording, l line, g Range) error {
	at := g.touches(l.segments)
	if at < 0 {
		return fmt.Errorf("%s has nothing from %s to %s: %w: choose other tracks with --track", l.track.Name, Stamp(g.Start), Stamp(g.End), ErrRange)
	}
	src, err := r.open(ctx, l, &l.segments[at])
	if err != nil {
		return err
	}
	m.sources = append(m.sources, src)
	return nil
}

// tracks are those with the names, video first; without names the best video and the first audio that have anything there.
func (r *Recording) tracks(names []string, all map[string][]segment, g Range) ([]*archive.Track, error) {
	var chosen []*archive.Track
	known := mains(&r.Head)
	for _, t := range known {
		if len(names) > 0 && slices.Contains(names, t.Name) {
			chosen = append(chosen, t)
		}
		if len(names) == 0 && g.touches(all[t.Name]) >= 0 && !slices.ContainsFunc(chosen, func(c *archive.Track) bool { return c.Kind == t.Kind }) {
			chosen = append(chosen, t)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(t *archive.Track) bool { return t.Name == name }) {
			var have []string
			for _, t := range known {
				have = append(have, t.Name)
			}
			return nil, fmt.Errorf("the recording has no track %q: it has %s", name, strings.Join(have, ", "))
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s to %s: %w: all of it is missing", Stamp(g.Start), Stamp(g.End), ErrRange)
	}
	return chosen, nil
}

// touches is the index of the first segment with media that lies in the range, if only with a part; -1 if there is none.
func (g Range) touches(segments []segment) int {
	return slices.IndexFunc(segments, func(s segment) bool { return s.State == timeline.Full && s.end() > g.Start && s.start() < g.End })
}

// arrange cuts the tracks and places them in the movie, whose time begins with the first frame that leads.
func (m *Movie) arrange(ctx context.Context, g Range) error {
	var scales []uint32
	for _, s := range m.sources {
		scales = append(scales, s.init.Timescale)
	}
	ts := mux.MovieTimescale(scales...)
	var zero, stop int64 // ticks of the movie, in Unix time
	var tracks []mux.MovieTrack
	for i, s := range m.sources {
		begin, end := toTicksUp(g.Start, s.init.Timescale), toTicksUp(g.End, s.init.Timescale)
		if i > 0 {
			begin, end = scale(zero, int64(ts), s.scale), -scale(-stop, int64(ts), s.scale)
		}
		c, err := m.cut(ctx, s, begin, end, i > 0)
		if err != nil {
			return err
		}
		if i == 0 {
			if zero = scale(c.start, s.scale, int64(ts)); c.late {
				zero = toTicks(g.Start, ts)
			}
			if stop = scale(c.end, s.scale, int64(ts)); c.early {
				stop = toTicks(g.End, ts)
			}
			m.boundaries("the file", g, toNanos(zero, ts), toNanos(stop, ts), [2]string{})
		}
		from, to := max(scale(c.start, s.scale, int64(ts)), zero), min(scale(c.end, s.scale, int64(ts)), stop)
		tracks = append(tracks, mux.MovieTrack{Init: s.init, Delay: from - zero, Dur: to - from, Start: max(c.start, begin) - c.first})
		m.cuts = append(m.cuts, c)
		m.describe(s, c)
	}
	var err error
	m.movie, err = mux.NewMovie(ts, tracks...)
	return err
}

// cut cuts a track. Audio that follows begins within a frame: the edit list leaves out what was before.
func (m *Movie) cut(ctx context.Context, s *source, begin, end int64, follows bool) (*cut, error) {
	if follows && s.init.Kind == media.Audio {
		frame := int64(1)
		for _, e := range s.track.Epochs {
			frame = max(frame, e.Frame)
		}
		return s.cut(ctx, begin-frame+1, end)
	}
	return s.cut(ctx, begin, end)
}

// describe says what a track of the file is made of.
func (m *Movie) describe(s *source, c *cut) {
	ts := uint32(s.scale)
	used := line{s.track, s.segments[c.from : c.to+1]}
	m.Bytes += used.bytes()
	text := fmt.Sprintf("%s: %s, segments %d to %d", s.track.Name, s.init.Codec, s.segments[c.from].N, s.segments[c.to].N)
	if c.start > c.first && s.init.Kind == media.Video {
		text += fmt.Sprintf(", decoded from %s on, which is not shown", Stamp(toNanos(c.first, ts)))
	}
	m.add("%s", text)
	if c.late {
		m.add("%s begins at %s only", s.track.Name, Stamp(toNanos(c.start, ts)))
	}
	if c.early {
		m.add("%s ends at %s already", s.track.Name, Stamp(toNanos(c.end, ts)))
	}
	m.gaps(&used)
}

// each calls do with the samples that are taken, a segment of a track at a time, in the order of time, and tells progress how
// many bytes were read.
func (m *Movie) each(ctx context.Context, progress func(done int64), do func(track int, samples []media.Sample) error) error {
	var done int64
	at := make([]int, len(m.sources))
	for i, c := range m.cuts {
		at[i] = c.from
	}
	for {
		next := -1
		for i, s := range m.sources {
			if at[i] <= m.cuts[i].to && (next < 0 || s.segments[at[i]].N < m.sources[next].segments[at[next]].N) {
				next = i
			}
		}
		if next < 0 {
			return nil
		}
		s, c := m.sources[next], m.cuts[next]
		if s.there(at[next]) {
			samples, err := s.read(ctx, at[next])
			if err != nil {
				return err
			}
			samples = slices.DeleteFunc(samples, func(m media.Sample) bool { return m.DTS < c.first || m.DTS > c.last })
			if len(samples) > 0 {
				if err := do(next, samples); err != nil {
					return fmt.Errorf("%s, segment %d: %w", s.track.Name, s.segments[at[next]].N, err)
				}
			}
			done += s.segments[at[next]].Size
			progress(done)
		}
		at[next]++
	}
}

// WriteMedia writes the media of a progressive file to w, and returns what must stand before it.
func (m *Movie) WriteMedia(ctx context.Context, w io.Writer, progress func(done int64)) (header []byte, err error) {
	err = m.each(ctx, progress, func(track int, samples []media.Sample) error {
		for i := range samples {
			if _, err := w.Write(samples[i].Data); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		return m.movie.Add(track, samples)
	})
	if err != nil {
		return nil, err
	}
	return m.movie.Header()
}

// WriteFragmented writes a fragmented file to w.
func (m *Movie) WriteFragmented(ctx context.Context, w io.Writer, progress func(done int64)) error {
	header, err := m.movie.FragmentedHeader()
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return m.each(ctx, progress, func(track int, samples []media.Sample) error {
		b, err := m.movie.Fragment(track, samples)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	})
}

package vod

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage/archive"
)

// Summary says what is kept of a channel.
type Summary struct {
	Channel     string
	First, Last int64 // nanoseconds of Unix time, of the main track
	Ended       bool  // nothing will be added
	Renditions  []RenditionSummary
	Err         error // why the rest is not known
}

// RenditionSummary says what is kept of a track.
type RenditionSummary struct {
	Track    string
	Codec    string
	Segments int
	Missing  int // segments that no instance had, between the first and the last
	Bytes    int64
}

// directories is what a store can do that tells the first elements of keys without going through all of them.
type directories interface {
	Directories(ctx context.Context) iter.Seq2[string, error]
}

// Channels yields the channels of which the store has a record, ascending.
func Channels(ctx context.Context, store Source) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for dir, err := range topLevel(ctx, store) {
			if err != nil {
				yield("", err)
				return
			}
			channel, ok := manifest.Unescape(dir)
			if !ok {
				continue
			}
			if _, err := archive.ReadHead(ctx, store, channel); errors.Is(err, archive.ErrNoRecord) {
				continue
			}
			if !yield(channel, nil) {
				return
			}
		}
	}
}

func topLevel(ctx context.Context, store Source) iter.Seq2[string, error] {
	if d, ok := store.(directories); ok {
		return d.Directories(ctx)
	}
	return func(yield func(string, error) bool) {
		last := ""
		for key, err := range store.List(ctx, "") {
			dir, _, _ := strings.Cut(key, "/")
			if err == nil && dir == last {
				continue
			}
			if last = dir; !yield(dir, err) {
				return
			}
		}
	}
}

// Summarize reads the whole record of a channel. A fault in it is in Summary.Err.
func Summarize(ctx context.Context, store Source, channel string) Summary {
	s := Summary{Channel: channel}
	r, err := Open(ctx, store, channel)
	if err != nil {
		s.Err = err
		return s
	}
	s.First, s.Last, s.Ended = r.First, r.Last, len(r.Head.Tracks) > 0
	last := make([]uint64, len(r.Head.Tracks))
	for i := range r.Head.Tracks {
		t := &r.Head.Tracks[i]
		s.Ended = s.Ended && t.Ended
		rs := RenditionSummary{Track: t.Name, Codec: t.Codec}
		if n := len(t.Epochs); n > 0 {
			rs.Codec = t.Epochs[n-1].Init.Codec
		}
		s.Renditions = append(s.Renditions, rs)
	}
	for _, n := range r.chunks {
		lines, err := r.read(ctx, []uint64{n})
		if err != nil {
			s.Err = fmt.Errorf("channel %q: %w", channel, err)
			return s
		}
		for i := range s.Renditions {
			s.Renditions[i].count(lines[s.Renditions[i].Track], &last[i])
		}
	}
	return s
}

// count adds segments that follow those up to slot last.
func (r *RenditionSummary) count(segments []segment, last *uint64) {
	for _, e := range segments {
		if e.State != timeline.Full {
			continue
		}
		if r.Segments > 0 {
			r.Missing += int(e.N - *last - 1)
		}
		*last = e.N
		r.Segments++
		r.Bytes += e.Size
	}
}

package vod

import (
	"bytes"
	"context"
	"fmt"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/demux"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// source reads the samples of one track, in ticks of Unix time. All of its media has one header.
type source struct {
	line
	store   Source
	channel string
	init    *media.Init
	header  *demux.CMAF
	scale   int64 // ticks per second
}

// open reads the header that the segment needs.
func (r *Recording) open(ctx context.Context, l line, s *segment) (*source, error) {
	key := manifest.Name{Kind: manifest.Init, Channel: r.channel, Track: l.track.Name, Digest: s.epoch.Init.Digest}.Key()
	b, err := r.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("header of %q: %w", l.track.Name, err)
	}
	body := bytes.Join(b.Pieces, nil)
	src := &source{line: l, store: r.store, channel: r.channel, scale: int64(s.epoch.Init.Timescale)}
	if src.init, err = mux.ParseInit(body); err == nil {
		src.header, err = demux.NewCMAF(body)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if src.header.Timescale != s.epoch.Init.Timescale {
		return nil, fmt.Errorf("%s: %d ticks per second, but %d in the record", key, src.header.Timescale, s.epoch.Init.Timescale)
	}
	return src, nil
}

// read returns the samples of the segment with index i, which must be there.
func (s *source) read(ctx context.Context, i int) ([]media.Sample, error) {
	e := &s.segments[i]
	key := manifest.Name{Kind: manifest.Segment, Channel: s.channel, Track: s.track.Name, N: e.N}.Key()
	b, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("what the record lists: %w", err)
	}
	if d := storage.Digest(b.Pieces); e.Digest != "" && d != e.Digest {
		return nil, fmt.Errorf("%s is damaged: its digest is %s, that in the record %s: restore it from a copy", key, d, e.Digest)
	}
	samples, err := s.header.Samples(nil, bytes.Join(b.Pieces, nil))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	limit := s.scale * maxSeconds
	for i := range samples {
		d := &samples[i].DTS
		if *d > limit || *d+e.epoch.Origin < 0 || *d+e.epoch.Origin > limit {
			return nil, fmt.Errorf("%s: decode time %d is beyond all time", key, *d)
		}
		*d += e.epoch.Origin
	}
	return samples, nil
}

// table is read without the data.
func (s *source) table(ctx context.Context, i int) ([]media.Sample, error) {
	samples, err := s.read(ctx, i)
	for i := range samples {
		samples[i].Data = nil
	}
	return samples, err
}

// there reports whether there is a segment with index i that has media.
func (s *source) there(i int) bool {
	return i >= 0 && i < len(s.segments) && s.segments[i].State == timeline.Full
}

// breakBetween is why the segments from, ..., to cannot be one track; nil if they can. Another epoch does no harm if its header is
// the same and it goes on, or later, in Unix time.
func (s *source) breakBetween(from, to int) error {
	var last *segment
	for i := from; i <= to; i++ {
		e := &s.segments[i]
		if e.State != timeline.Full {
			continue
		}
		if last != nil && last.Epoch != e.Epoch {
			reason := ""
			switch {
			case last.epoch.Init.Digest != e.epoch.Init.Digest:
				reason = "another header"
			case e.unixStart() < last.unixEnd():
				reason = "a clock that was set back"
			}
			if reason != "" {
				return &BreakError{s.track.Name, e.N, reason, e.start()}
			}
		}
		last = e
	}
	return nil
}

// BreakError says that a range cannot be one file, as the recording is discontinuous in it.
type BreakError struct {
	Track  string
	N      uint64 // the segment that begins anew
	Reason string
	At     int64 // nanoseconds of Unix time
}

func (e *BreakError) Error() string {
	at := Stamp(e.At)
	return fmt.Sprintf("%s begins anew with %s at %s, segment %d, which one MP4 file cannot hold: make one with --end %s and another with --start %s, "+
		"or a clip by reference with --name, which can", e.Track, e.Reason, at, e.N, at, at)
}

package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// writeGap answers for segment name.N, which is a gap in snap. HLS says which segments are gaps, and nobody asks for them; an MPD with
// $Number$ cannot, and everybody does. Where sound is missing, nothing will do. Where the picture is, the last one stays until there
// is another, and the sound goes on: while its buffer of video is empty, dash.js 5.2 fetches two segments of audio at most, and if
// they end before the next picture, so that the buffers never meet, it stands still for good.
func (s *Server) writeGap(w http.ResponseWriter, r *http.Request, c *channel, track *media.Track, snap *timeline.Snapshot, name manifest.Name) error {
	if track.Kind != media.Video {
		return refuse(hole, "a gap")
	}
	b, err := c.stills.get(r.Context(), stillKey(snap, name), func(ctx context.Context) (storage.Blob, error) {
		body, err := still(ctx, c.Store(), snap, name)
		return storage.Blob{Pieces: [][]byte{body}, ContentType: manifest.MediaType(track.Kind)}, err
	})
	switch {
	case r.Context().Err() != nil:
		return overdue(r.Context().Err())
	case err != nil: // of what came before, nothing is left that could be shown
		return refuse(hole, "a gap")
	}
	// Not for long, and not for ever: it is no media.
	return s.write(w, r, answer{Blob: b, etag: b.Digest, cacheControl: s.refusals[hole].cacheControl})
}

// stillKey tells all that still depends on.
func stillKey(snap *timeline.Snapshot, name manifest.Name) string {
	gap := snap.Segment(name.N)
	from, until := stretch(snap, gap)
	var before uint64
	if p := pictured(snap, gap); p != nil {
		before = p.N
	}
	return fmt.Sprint(name.Key(), " ", before, " ", from, " ", until)
}

// still is what stands for segment name.N, a gap: its parts, if some were published, and then the last picture that depends on no
// other. It is a function of what was published.
func still(ctx context.Context, store storage.Getter, snap *timeline.Snapshot, name manifest.Name) ([]byte, error) {
	gap := snap.Segment(name.N)
	init := manifest.Name{Kind: manifest.Init, Channel: name.Channel, Track: name.Track, Digest: snap.Epoch(gap.Epoch).Init.Digest}
	header, err := read(ctx, store, nil, init)
	if err != nil {
		return nil, err
	}
	before, err := readSegment(ctx, store, nil, name, pictured(snap, gap))
	if err != nil {
		return nil, err
	}
	clip, err := readSegment(ctx, store, before, name, gap)
	if err != nil {
		return nil, err
	}
	from, until := stretch(snap, gap)
	picture, err := mux.Still(header, clip, mux.Sequence(gap.N, len(gap.Parts)), from, until)
	if err != nil {
		return nil, err
	}
	return append(clip[len(before):], picture...), nil
}

// pictured is the last segment before a gap, and of its epoch, in which a picture is known, or likely, to depend on no other; nil when
// the window has none.
func pictured(snap *timeline.Snapshot, gap *timeline.Segment) *timeline.Segment {
	for n := gap.N - 1; ; n-- {
		s := snap.Segment(n)
		switch {
		case s == nil || s.Epoch != gap.Epoch:
			return nil
		case s.State == timeline.Full && s.Parts == nil,
			slices.ContainsFunc(s.Parts, func(p timeline.Part) bool { return p.Independent }):
			return s
		}
	}
}

// stretch is from where until where a gap has no media.
func stretch(snap *timeline.Snapshot, gap *timeline.Segment) (from, until int64) {
	from, until = gap.Start, gap.End()
	if n := len(gap.Parts); n > 0 {
		from = gap.Parts[n-1].Start + gap.Parts[n-1].Dur
	} else if prev := snap.Segment(gap.N - 1); prev != nil {
		from = prev.End() // of the same epoch, or there is no picture
	}
	if next := snap.Segment(gap.N + 1); next != nil && next.Epoch == gap.Epoch {
		until = next.Start
	}
	return from, until
}

// readSegment appends what there is of a segment of name's track to dst: all of it, or the parts of a gap.
func readSegment(ctx context.Context, store storage.Getter, dst []byte, name manifest.Name, seg *timeline.Segment) (_ []byte, err error) {
	if seg == nil {
		return dst, nil
	}
	if name.N = seg.N; seg.State == timeline.Full {
		return read(ctx, store, dst, name)
	}
	name.Kind = manifest.Part
	for name.Part = range seg.Parts {
		if dst, err = read(ctx, store, dst, name); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// read appends the content of the blob of that name to dst.
func read(ctx context.Context, store storage.Getter, dst []byte, name manifest.Name) ([]byte, error) {
	b, err := store.Get(ctx, name.Key())
	if err != nil {
		return nil, err
	}
	w := bytes.NewBuffer(dst)
	_, err = b.WriteTo(w)
	return w.Bytes(), err
}

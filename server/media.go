package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// errAborted ends a body that was begun and cannot be completed: the connection or stream is reset, so that no cache
// takes the torso for the whole.
var errAborted = errors.New("body aborted")

// presence is what a snapshot says about a part or segment.
type presence uint8

const (
	stored  presence = iota // complete
	growing                 // a segment that is being written
	next                    // to come: hold the request
	later                   // to come, but too early to ask
	never                   // a gap, a cancelled hint, or after the end
	past                    // before the window: stored for a while yet
)

// ofPart says what s knows of part name.Part of segment name.N. Only the part that a playlist may hint is worth waiting
// for: the next one of the open segment, or the first one of the segment after it.
func ofPart(s *timeline.Snapshot, name manifest.Name) presence {
	edge := s.Position()
	first, ok := s.First()
	switch {
	case ok && name.N < first:
		return past
	case name.N < edge.N || s.Open != nil && name.N == edge.N:
		if seg := s.Segment(name.N); seg != nil && name.Part < len(seg.Parts) {
			return stored
		}
	}
	switch {
	case s.Ended || name.N < edge.N:
		return never
	case name.N == edge.N && name.Part == edge.Parts, s.Open != nil && name.N == edge.N+1 && name.Part == 0:
		return next
	}
	return later
}

// ofSegment says what s knows of segment name.N. A segment may be asked for up to one segment early.
func ofSegment(s *timeline.Snapshot, name manifest.Name) presence {
	edge := s.Position()
	first, ok := s.First()
	switch {
	case ok && name.N < first:
		return past
	case s.Open != nil && name.N == edge.N:
		return growing
	case name.N < edge.N:
		if s.Segment(name.N).State == timeline.Gap {
			return never
		}
		return stored
	case s.Ended:
		return never
	case name.N <= edge.N+1:
		return next
	}
	return later
}

// ofDueSegment is ofSegment for one that should exist by the clock: players of a live MPD go by that, however far behind a broadcast
// is that has stalled, and some never come back from a 404.
func ofDueSegment(s *timeline.Snapshot, name manifest.Name) presence {
	p := ofSegment(s, name)
	if p == later {
		return next
	}
	return p
}

// due reports whether segment n has begun by the clock, no longer than a minute ago.
func due(plan segmenter.Plan, n uint64, now time.Time) bool {
	ago := now.UnixMilli() - plan.Grid.Start(n, 1000)
	return ago >= 0 && ago < time.Minute.Milliseconds()
}

// media answers a request for a part or a segment.
func (s *Server) media(w http.ResponseWriter, r *http.Request, c *channel, out *segmenter.Output, name manifest.Name) error {
	rendition, err := find(slices.Concat(out.Renditions, out.Former), name.Track)
	if err != nil {
		return err
	}
	asText := name.Kind == manifest.WebVTT
	if asText {
		if e := rendition.Timeline.Load().Current(); e == nil || e.Init.Codec != "wvtt" {
			return refuse(unknown, "no such name")
		}
		name.Kind = manifest.Segment
	}
	of := ofPart
	if name.Kind == manifest.Segment {
		of = ofSegment
		if due(out.Plan, name.N, time.Now()) {
			of = ofDueSegment
		}
	}
	deadline := time.Now().Add(holdLimit(out.Plan))
	snap, err := s.wait(r.Context(), rendition.Timeline, deadline, func(s *timeline.Snapshot) bool {
		p := of(s, name)
		return p != next && (p != growing || !asText)
	})
	switch {
	case errors.Is(err, errHeld) && name.Kind == manifest.Segment:
		return refuse(hole, "did not come for as long as a request may wait")
	case errors.Is(err, errHeld):
		return refuse(early, "did not come for as long as a request may wait")
	}
	if err != nil {
		return overdue(err)
	}
	switch of(snap, name) {
	case growing:
		return s.follow(w, r, c, rendition, name, holdLimit(out.Plan))
	case later:
		return refuse(early, "not yet: the newest segment is %d", snap.Position().N)
	case never:
		if seg := snap.Segment(name.N); name.Kind == manifest.Segment && seg != nil {
			return s.writeGap(w, r, c, rendition.Track, snap, name)
		}
		if name.Kind == manifest.Segment && snap.Ended && (name.N <= snap.Position().N+1 || rendition.Until > 0) {
			return refuse(hole, "the broadcast has ended, or goes on without this") // who did not know yet gives up on a 404
		}
		return refuse(missing, "there is no such media: a gap, or a hint that was taken back")
	}
	if seg := snap.Segment(name.N); asText && seg != nil {
		return s.writeText(w, r, c, name, snap.Epoch(seg.Epoch).Init.Digest)
	}
	if asText { // it has left the window: an archive may have it
		name.Kind = manifest.WebVTT
	}
	return s.writeStored(w, r, c, name, func() error {
		if first, _ := rendition.Timeline.Load().First(); name.N < first {
			return refuse(gone, "has left the window, or is older than this server")
		}
		return nil
	})
}

// writeStored answers with the blob of the name. If there is none, absent says why, or returns nil if there should be.
func (s *Server) writeStored(w http.ResponseWriter, r *http.Request, c *channel, name manifest.Name, absent func() error) error {
	key := name.Key()
	if e, ok := c.Channel.(Redirector); ok {
		if url := e.Elsewhere(key); url != "" {
			return redirect(w, url)
		}
	}
	b, err := c.Store().Get(r.Context(), key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
		if why := absent(); why != nil {
			return why
		}
		if name.Kind == manifest.Segment { // a disk has lost it, and nobody else has it
			s.log.Error("segment lost: viewers get a gap", "key", key, "err", err)
			return refuse(hole, "lost")
		}
		return fault(fmt.Errorf("published but not stored: %w", err))
	}
	if r.Context().Err() != nil {
		return overdue(r.Context().Err())
	}
	if err != nil {
		return fault(err)
	}
	if b.Digest == "" {
		b.Digest = storage.Digest(b.Pieces)
	}
	return s.write(w, r, answer{Blob: b, etag: b.Digest, cacheControl: storage.Immutable, ranges: true})
}

// redirect sends the client to where the media is. What is there may be deleted, so that the answer lives shorter than media.
func redirect(w http.ResponseWriter, url string) error {
	w.Header().Set("Location", url)
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// initSegment answers a request for the init of some epoch.
func (s *Server) initSegment(w http.ResponseWriter, r *http.Request, c *channel, out *segmenter.Output, name manifest.Name) error {
	rendition, err := find(slices.Concat(out.Renditions, out.Former), name.Track)
	if err != nil {
		return err
	}
	return s.writeStored(w, r, c, name, func() error {
		for _, e := range rendition.Timeline.Load().Epochs {
			if e.Init.Digest == name.Digest {
				return nil
			}
		}
		return refuse(unknown, "no such init, or no longer")
	})
}

// follow answers with a segment that is being written: every part as it appears, without a length. The body is that of
// the complete segment. If the segment fails, the body is aborted.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, c *channel, rendition *segmenter.Rendition, name manifest.Name, patience time.Duration) error {
	h := w.Header()
	h.Set("Cache-Control", storage.Immutable) // of the complete body; an aborted one is not stored
	h.Set("Content-Type", manifest.MediaType(rendition.Track.Kind))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	f := follower{w: w, store: c.Store(), name: name}
	t := rendition.Timeline
	for snap := t.Load(); ; {
		done, err := f.advance(r.Context(), snap.Segment(name.N))
		if done || err != nil {
			return err
		}
		parts := f.parts
		snap, err = s.wait(r.Context(), t, time.Now().Add(patience), func(s *timeline.Snapshot) bool {
			seg := s.Segment(name.N)
			return seg == nil || seg.State != timeline.Open || len(seg.Parts) > parts
		})
		if err != nil {
			return fmt.Errorf("%w: %w", errAborted, err)
		}
	}
}

// follower writes a growing segment.
type follower struct {
	w     http.ResponseWriter
	store storage.Getter
	name  manifest.Name
	parts int   // written
	bytes int64 // written
}

// advance writes what is new in seg, nil once it has left the window, and reports whether that was all.
func (f *follower) advance(ctx context.Context, seg *timeline.Segment) (done bool, err error) {
	switch {
	case seg == nil || seg.State == timeline.Full:
		return true, f.rest(ctx)
	case seg.State == timeline.Gap:
		return false, fmt.Errorf("%w: the segment became a gap", errAborted)
	}
	for ; f.parts < len(seg.Parts); f.parts++ {
		part := f.name
		part.Kind, part.Part = manifest.Part, f.parts
		b, err := f.store.Get(ctx, part.Key())
		if err != nil {
			return false, fmt.Errorf("%w: %w", errAborted, err)
		}
		if err := f.send(b, 0, b.Size()); err != nil {
			return false, err
		}
	}
	return false, nil
}

// rest writes what is missing of the complete segment.
func (f *follower) rest(ctx context.Context) error {
	b, err := f.store.Get(ctx, f.name.Key())
	if err != nil {
		return fmt.Errorf("%w: %w", errAborted, err)
	}
	return f.send(b, f.bytes, b.Size()-f.bytes)
}

// send writes a stretch of b and flushes it.
func (f *follower) send(b storage.Blob, offset, length int64) error {
	if length == 0 {
		return nil
	}
	extend(f.w)
	n, err := b.WriteRange(f.w, offset, length)
	f.bytes += n
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errAborted, err)
	}
	return nil
}

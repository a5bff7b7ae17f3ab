package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// listed reports whether a playlist of the timeline has a segment: players take one without for an error.
func listed(s *timeline.Snapshot) bool { return len(s.Segments) > 0 || s.Ended }

// begun reports whether the timeline has any media, which is enough for who asks for segments by their number.
func begun(s *timeline.Snapshot) bool { return !s.Empty() || s.Ended }

// established is how many segments a rendition has when the others of its channel are no longer waited for.
const established = 3

// playlist answers a request for a media playlist, blocking as its directives ask.
func (s *Server) playlist(w http.ResponseWriter, r *http.Request, c *channel, out *segmenter.Output, name manifest.Name) error {
	rendition, err := find(out.Renditions, name.Track)
	if err != nil {
		return err
	}
	var d directives
	if name.Kind == manifest.MediaPlaylist {
		if d, err = parseDirectives(r.URL.RawQuery); err != nil {
			return refuse(malformed, "%v", err)
		}
	}
	deadline := time.Now().Add(holdLimit(out.Plan))
	snap, err := s.wait(r.Context(), rendition.Timeline, deadline, listed)
	if err == nil && d.tooFar(snap, out.Plan) {
		return refuse(tooFar, "the newest segment is %d: more than two segments or the advance part limit ahead", snap.Position().N)
	}
	if err == nil {
		snap, err = s.wait(r.Context(), rendition.Timeline, deadline, d.answerable)
	}
	if err != nil {
		return overdue(err)
	}
	if now := c.Output(); snap.Ended && now != out {
		if _, err := find(now.Renditions, name.Track); err != nil { // an end of the list would be the end of the broadcast to who watches
			return err
		}
	}
	if snap.Empty() {
		return refuse(missing, "the track ended before it had anything")
	}
	ttl := ""
	if d.recent(snap) && !snap.Ended {
		ttl = maxAge(6 * time.Duration(out.Plan.TargetDuration) * time.Second)
	}
	return s.writeDocument(w, r, s.document(c, out, view{kind: name.Kind, track: name.Track, skip: d.skip}), ttl)
}

// overview answers a request for a multivariant playlist or an MPD. While a channel starts, it waits for every rendition:
// players read these once and would never learn of a track that comes a moment later.
func (s *Server) overview(w http.ResponseWriter, r *http.Request, c *channel, out *segmenter.Output, name manifest.Name) error {
	ready := begun
	if name.Kind == manifest.LegacyMPD {
		ready = listed
	}
	if err := s.settle(r.Context(), out, ready); err != nil {
		return err
	}
	v := view{kind: name.Kind}
	if name.Kind == manifest.MPD || name.Kind == manifest.LegacyMPD {
		p := manifest.Present(c.name, out, c.From())
		v.over = p.Over(time.Now())
	}
	return s.writeDocument(w, r, s.document(c, out, v), "")
}

// settle waits until every rendition is ready, or one is established. When that takes too long, one that is ready is enough.
func (s *Server) settle(ctx context.Context, out *segmenter.Output, ready func(*timeline.Snapshot) bool) error {
	for _, r := range out.Renditions {
		if len(r.Timeline.Load().Segments) >= established {
			return nil
		}
	}
	deadline := time.Now().Add(holdLimit(out.Plan))
	enough := false
	for _, r := range out.Renditions {
		snap, err := s.wait(ctx, r.Timeline, deadline, ready)
		if err != nil && !errors.Is(err, errHeld) {
			return overdue(err)
		}
		enough = enough || ready(snap)
	}
	if !enough {
		return overdue(errHeld)
	}
	return nil
}

// writeDocument answers with the document, compressed if the client takes that. An empty cacheControl leaves that to the
// document.
func (s *Server) writeDocument(w http.ResponseWriter, r *http.Request, d *document, cacheControl string) error {
	doc := d.render()
	switch {
	case errors.Is(doc.err, manifest.ErrNoTrack), errors.Is(doc.err, manifest.ErrNotYet):
		return refuse(waiting, "nothing to list yet")
	case doc.err != nil:
		return fault(doc.err)
	}
	if cacheControl == "" {
		cacheControl = maxAge(doc.MaxAge)
	}
	a := answer{
		Blob: storage.Blob{Pieces: [][]byte{doc.Body}, ContentType: doc.ContentType},
		etag: doc.etag, cacheControl: cacheControl, negotiated: true,
	}
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		a.Pieces[0], a.encoding = d.gzip(), "gzip"
		a.etag += "-gzip"
	}
	return s.write(w, r, a)
}

// find returns the rendition of the track.
func find(among []segmenter.Rendition, track string) (*segmenter.Rendition, error) {
	for i := range among {
		if among[i].Track.Name == track {
			return &among[i], nil
		}
	}
	return nil, refuse(unknown, "no such track")
}

// overdue is the refusal for a wait that ended with err.
func overdue(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, errHeld) {
		return refuse(held, "nothing new for as long as a request may wait")
	}
	return refuse(held, "the server is stopping") // or the client hung up and will not read this
}

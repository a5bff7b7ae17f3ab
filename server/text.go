package server

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/storage"
)

// writeText answers with a segment of WebVTT as text. What is stored is the segment in MP4, which DASH takes, and the header of the
// digest: the text is a function of both, so that it need not be kept.
func (s *Server) writeText(w http.ResponseWriter, r *http.Request, c *channel, name manifest.Name, digest string) error {
	header := manifest.Name{Kind: manifest.Init, Channel: name.Channel, Track: name.Track, Digest: digest}
	var blobs [2][]byte
	for i, n := range []manifest.Name{header, name} {
		b, err := c.Store().Get(r.Context(), n.Key())
		switch {
		case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
			s.log.Error("subtitles lost: viewers get a gap", "key", n.Key(), "err", err)
			return refuse(hole, "lost")
		case r.Context().Err() != nil:
			return overdue(r.Context().Err())
		case err != nil:
			return fault(err)
		}
		var body bytes.Buffer
		if _, err := b.WriteRange(&body, 0, b.Size()); err != nil {
			return fault(err)
		}
		blobs[i] = body.Bytes()
	}
	text, err := mux.WebVTT(blobs[0], blobs[1])
	if err != nil {
		return fault(fmt.Errorf("text of %s: %w", name.Key(), err))
	}
	b := storage.Blob{Pieces: [][]byte{text}, ContentType: manifest.TypeVTT}
	return s.write(w, r, answer{Blob: b, etag: storage.Digest(b.Pieces), cacheControl: storage.Immutable, ranges: true})
}

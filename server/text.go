package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/mux"
	"github.com/moqpack/moqpack/storage"
)

// writeText answers with a segment of WebVTT as text. What is stored is the segment in MP4, which DASH takes, and the header of the
// digest.
func (s *Server) writeText(w http.ResponseWriter, r *http.Request, c *channel, name manifest.Name, digest string) error {
	header := manifest.Name{Kind: manifest.Init, Channel: name.Channel, Track: name.Track, Digest: digest}
	b, err := c.texts.get(r.Context(), name.Key()+" "+digest, func(ctx context.Context) (storage.Blob, error) {
		return webVTT(ctx, c.Store(), header, name)
	})
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
		s.log.Error("subtitles lost: viewers get a gap", "key", name.Key(), "err", err)
		return refuse(hole, "lost")
	case r.Context().Err() != nil:
		return overdue(r.Context().Err())
	case err != nil:
		return fault(fmt.Errorf("text of %s: %w", name.Key(), err))
	}
	return s.write(w, r, answer{Blob: b, etag: b.Digest, cacheControl: storage.Immutable, ranges: true})
}

func webVTT(ctx context.Context, store storage.Getter, header, segment manifest.Name) (storage.Blob, error) {
	init, err := read(ctx, store, nil, header)
	if err != nil {
		return storage.Blob{}, err
	}
	body, err := read(ctx, store, nil, segment)
	if err != nil {
		return storage.Blob{}, err
	}
	text, err := mux.WebVTT(init, body)
	return storage.Blob{Pieces: [][]byte{text}, ContentType: manifest.TypeVTT}, err
}

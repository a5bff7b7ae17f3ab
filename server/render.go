package server

import (
	"fmt"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/manifest/dash"
	"github.com/moqpack/moqpack/manifest/hls"
	"github.com/moqpack/moqpack/manifest/legacy"
)

// render calls the writer of the view.
func render(p manifest.Presentation, v view) (manifest.Document, error) {
	p.Zero = v.over
	switch v.kind {
	case manifest.Multivariant:
		return hls.Multivariant(p)
	case manifest.MediaPlaylist:
		return hls.Media(p, v.track, hls.Options{Skip: v.skip})
	case manifest.LegacyMultivariant:
		return legacy.Multivariant(p)
	case manifest.LegacyPlaylist:
		return legacy.Media(p, v.track)
	case manifest.MPD:
		if v.over {
			return dash.Legacy(p)
		}
		return dash.Live(p)
	case manifest.LegacyMPD:
		return dash.Legacy(p)
	}
	return manifest.Document{}, fmt.Errorf("kind %d is no document", v.kind)
}

package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// single leaves of tracks that carry the same media in several packagings only the one that is the simplest to package: each would
// be a rendition of its own to viewers.
func (c *Catalog) single() {
	kept := c.Tracks[:0:0]
	for i := range c.Tracks {
		t := &c.Tracks[i]
		better := slices.IndexFunc(c.Tracks, func(o media.Track) bool { return rank(o.Packaging) < rank(t.Packaging) && twins(&o, t) })
		if better < 0 {
			kept = append(kept, *t)
			continue
		}
		o := &c.Tracks[better]
		c.Skipped = append(c.Skipped, Skipped{Name: t.Name, Reason: fmt.Sprintf("twin of %q, which is %s", o.Name, o.Packaging)})
	}
	c.Tracks = kept
}

// rank is how near a packaging is to what is published.
func rank(p media.Packaging) int {
	return slices.Index([]media.Packaging{media.CMAF, media.LOCMAF, media.LOC, media.Legacy, media.MoqMI}, p)
}

// twins reports whether two tracks are the same media in different packagings. Where both have a header it must be the same, and an
// alternative group that they share may be missing from both; without that, nothing says that it is the same media.
func twins(a, b *media.Track) bool {
	same := a.Kind == b.Kind && strings.EqualFold(a.Codec, b.Codec) && a.Width == b.Width && a.Height == b.Height &&
		cmp.Or(a.FrameRate, b.FrameRate) == cmp.Or(b.FrameRate, a.FrameRate) && a.SampleRate == b.SampleRate && a.Channels == b.Channels &&
		a.Language == b.Language && a.Role == b.Role && a.AltGroup == b.AltGroup && len(a.Protections) == len(b.Protections)
	if len(a.Init) > 0 && len(b.Init) > 0 {
		return same && bytes.Equal(a.Init, b.Init)
	}
	return same && a.AltGroup != 0 && near(a.Bitrate, b.Bitrate)
}

// near reports whether two bit rates differ by no more than packaging does.
func near(a, b int64) bool { return min(a, b) == 0 || max(a, b)-min(a, b) <= min(a, b)/4+16_000 }

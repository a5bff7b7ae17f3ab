package catalog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// history describes a media timeline (draft-ietf-moq-msf, "Media Timeline track"); the error is the reason to skip it.
func history(t *media.Track, packaging string, f fields) error {
	if packaging == "timeline" {
		return errors.New("it is a timeline of WARP, in CSV, which is not supported: what it says can be said in packaging \"mediatimeline\"")
	}
	t.Depends, t.Template = f.texts("depends"), template(f)
	t.Anchor = began(t.Template)
	return nil
}

// clock gives tracks the wall clock that the template of a media timeline tells of them, and leaves of the timelines just the one that
// is needed: media has one clock, so that all tracks and all instances must go by the same.
func (c *Catalog) clock() {
	for i := range c.Tracks {
		if t := &c.Tracks[i]; t.Kind == media.Timeline && !t.Anchor.IsZero() {
			for j := range c.Tracks {
				if o := &c.Tracks[j]; tells(t, o) && o.Anchor.IsZero() {
					o.Anchor = t.Anchor
				}
			}
		}
	}
	said := slices.ContainsFunc(c.Tracks, func(t media.Track) bool { return isMedia(&t) && !t.Anchor.IsZero() })
	first := ""
	kept := c.Tracks[:0:0]
	for i := range c.Tracks {
		t, reason := &c.Tracks[i], ""
		switch {
		case t.Kind != media.Timeline:
		case said:
			reason = "the catalog says already what time it is"
		case !slices.ContainsFunc(c.Tracks, func(o media.Track) bool { return tells(t, &o) }):
			reason = "it is about none of the tracks (depends)"
		case first != "":
			reason = fmt.Sprintf("%q tells what time it is", first)
		default:
			first = t.Name
		}
		if reason != "" {
			c.Skipped = append(c.Skipped, Skipped{Name: t.Name, Reason: reason})
			continue
		}
		kept = append(kept, *t)
	}
	c.Tracks = kept
}

func isMedia(t *media.Track) bool { return t.Kind == media.Video || t.Kind == media.Audio }

// tells reports whether the media timeline t is about o.
func tells(t, o *media.Track) bool {
	return isMedia(o) && (len(t.Depends) == 0 || slices.Contains(t.Depends, o.Name))
}

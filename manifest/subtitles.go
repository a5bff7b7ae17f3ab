package manifest

import (
	"slices"

	"github.com/moqpack/moqpack/internal/media"
)

// Roles of tracks of text beside "subtitle" (draft-ietf-moq-msf, "Roles"): the first is for those who do not hear, too.
const (
	roleCaption = "caption"
	roleForced  = "forced_subtitle"
)

// SubtitleGroup holds all renditions of text (rfc8216bis 4.4.6.1.1).
type SubtitleGroup struct {
	ID      string
	Members []SubtitleMember
}

// SubtitleMember is one rendition of text and what a player's menu says about it.
type SubtitleMember struct {
	*Rendition
	Name       string // unique in the group
	Language   string // well-formed BCP 47, or empty
	Autoselect bool   // true for one member of the group for each language and purpose
	Captions   bool   // transcribes all that is to be heard
	Forced     bool   // is needed by those who understand the rest
}

// Characteristics are what HLS calls the purpose of captions.
func (m SubtitleMember) Characteristics() string {
	if !m.Captions {
		return ""
	}
	return "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
}

// IsWebVTT reports whether the rendition is WebVTT, which HLS does not take in MP4 (rfc8216bis 3.1.4).
func (r *Rendition) IsWebVTT() bool { return r.Current().Init.Codec == "wvtt" }

// HLSSegment is the kind of name under which HLS lists the rendition's segments.
func (r *Rendition) HLSSegment() Kind {
	if r.IsWebVTT() {
		return WebVTT
	}
	return Segment
}

// subtitleGroup is the group of the presentation, nil without text.
func (p *Presentation) subtitleGroup() *SubtitleGroup {
	g := &SubtitleGroup{ID: "subs"}
	for i := range p.Renditions {
		if r := &p.Renditions[i]; r.Track.Kind == media.Text {
			g.add(r)
		}
	}
	if len(g.Members) == 0 {
		return nil
	}
	return g
}

func (g *SubtitleGroup) add(r *Rendition) {
	m := SubtitleMember{
		Rendition: r, Language: Language(r.Track.Language), Captions: r.Track.Role == roleCaption, Forced: r.Track.Role == roleForced,
	}
	m.Name = unique(label(r.Track, m.Language), func(name string) bool {
		return slices.ContainsFunc(g.Members, func(o SubtitleMember) bool { return o.Name == name })
	})
	m.Autoselect = m.Forced || !slices.ContainsFunc(g.Members, func(o SubtitleMember) bool {
		return o.Language == m.Language && o.Captions == m.Captions && o.Forced == m.Forced
	})
	g.Members = append(g.Members, m)
}

// label is what a menu calls a track.
func label(t *media.Track, language string) string {
	if l := printable(t.Label); l != "" {
		return l
	}
	if language != "" {
		return language
	}
	return Escape(t.Name)
}

package manifest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// CaptionGroup holds the closed captions that some video renditions have in their pictures (rfc8216bis 4.4.6.1).
type CaptionGroup struct {
	ID      string // "cc", "cc-2"
	Members []CaptionMember
	of      []media.Caption
}

// CaptionMember is one service of a group and what a player's menu says about it.
type CaptionMember struct {
	Name       string // unique in the group
	Language   string // well-formed BCP 47, or empty
	Channel    string // INSTREAM-ID: "CC1", "SERVICE1"
	Autoselect bool   // true for one member of the group for each language
}

// SERVICE channels need protocol version 7 (rfc8216bis 8).
func (g *CaptionGroup) services() bool {
	return slices.ContainsFunc(g.Members, func(m CaptionMember) bool { return strings.HasPrefix(m.Channel, "SERVICE") })
}

// captionGroups are the distinct sets of captions of the video renditions, in catalog order.
func (p *Presentation) captionGroups() []*CaptionGroup {
	var groups []*CaptionGroup
	for i := range p.Renditions {
		captions := p.Renditions[i].Track.Captions
		if len(captions) == 0 || captionGroup(groups, captions) != nil {
			continue
		}
		g := &CaptionGroup{ID: "cc", of: captions}
		if len(groups) > 0 {
			g.ID += "-" + strconv.Itoa(len(groups)+1)
		}
		for _, c := range captions {
			g.add(c)
		}
		groups = append(groups, g)
	}
	return groups
}

// captionGroup is the group of exactly these captions, or nil.
func captionGroup(groups []*CaptionGroup, captions []media.Caption) *CaptionGroup {
	at := slices.IndexFunc(groups, func(g *CaptionGroup) bool { return slices.Equal(g.of, captions) })
	if at < 0 {
		return nil
	}
	return groups[at]
}

func (g *CaptionGroup) add(c media.Caption) {
	m := CaptionMember{Language: Language(c.Language), Channel: c.Channel}
	base := m.Language
	if base == "" {
		base = c.Channel
	}
	m.Name = unique(base, func(name string) bool {
		return slices.ContainsFunc(g.Members, func(o CaptionMember) bool { return o.Name == name })
	})
	m.Autoselect = !slices.ContainsFunc(g.Members, func(o CaptionMember) bool { return o.Language == m.Language })
	g.Members = append(g.Members, m)
}

// unique is base, or base with a number, so that it is not taken.
func unique(base string, taken func(name string) bool) string {
	name := base
	for i := 2; taken(name); i++ {
		name = base + " " + strconv.Itoa(i)
	}
	return name
}

// Captioned reports whether any variant has closed captions. CLOSED-CAPTIONS=NONE may be said of all variants or of none
// (rfc8216bis 4.4.6.2).
func Captioned(variants []Variant) bool {
	return slices.ContainsFunc(variants, func(v Variant) bool { return v.Captions != nil })
}

// Version is the protocol version that a multivariant playlist of these variants needs.
func Version(variants []Variant) int {
	if slices.ContainsFunc(variants, func(v Variant) bool { return v.Captions != nil && v.Captions.services() }) {
		return 7
	}
	return 6
}

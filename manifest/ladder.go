package manifest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/moqpack/moqpack/internal/media"
)

// Variant is one choice of an HLS multivariant playlist: a video rendition with a group of audio renditions to choose from,
// or either alone.
type Variant struct {
	Video *Rendition  // nil when the broadcast has no video
	Audio *AudioGroup // nil when it has no audio

	Captions  *CaptionGroup  // in the pictures of Video; nil when there are none
	Subtitles *SubtitleGroup // nil when there are none
}

// AudioGroup holds the audio renditions of one codec and channel layout (rfc8216bis 4.4.6.1.1).
type AudioGroup struct {
	ID      string // "aac-2"
	Members []AudioMember
}

// AudioMember is one rendition of a group and what a player's menu says about it.
type AudioMember struct {
	*Rendition
	Name       string // unique in the group
	Language   string // well-formed BCP 47, or empty
	Default    bool   // true for one member of the group
	Autoselect bool   // true for one member of the group for each language and purpose
	Describes  bool   // describes the video for those who do not see it
}

// Variants are the choices in catalog order: every video rendition with every audio group.
func (p *Presentation) Variants() []Variant {
	var variants []Variant
	groups, captions, subtitles := p.audioGroups(), p.captionGroups(), p.subtitleGroup()
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if r.Track.Kind != media.Video {
			continue
		}
		v := Variant{Video: r, Captions: captionGroup(captions, r.Track.Captions), Subtitles: subtitles}
		for _, v.Audio = range groups {
			variants = append(variants, v)
		}
		if len(groups) == 0 {
			variants = append(variants, v)
		}
	}
	if len(variants) == 0 {
		for _, g := range groups {
			variants = append(variants, Variant{Audio: g, Subtitles: subtitles})
		}
	}
	return variants
}

func (p *Presentation) audioGroups() []*AudioGroup {
	var groups []*AudioGroup
	for i := range p.Renditions {
		r := &p.Renditions[i]
		if r.Track.Kind != media.Audio {
			continue
		}
		init := r.Current().Init
		id := codecFamily(init.Codec) + "-" + strconv.Itoa(init.Channels)
		if init.JOC > 0 {
			id += "-joc"
		}
		at := slices.IndexFunc(groups, func(g *AudioGroup) bool { return g.ID == id })
		if at < 0 {
			at, groups = len(groups), append(groups, &AudioGroup{ID: id})
		}
		groups[at].add(r)
	}
	for _, g := range groups {
		main := slices.IndexFunc(g.Members, func(m AudioMember) bool { return !m.Describes })
		g.Members[max(main, 0)].Default, g.Members[max(main, 0)].Autoselect = true, true
	}
	return groups
}

func (g *AudioGroup) add(r *Rendition) {
	m := AudioMember{Rendition: r, Language: Language(r.Track.Language), Describes: r.Track.Role == "audiodescription"}
	m.Name = unique(label(r.Track, m.Language), func(name string) bool {
		return slices.ContainsFunc(g.Members, func(o AudioMember) bool { return o.Name == name })
	})
	m.Autoselect = !slices.ContainsFunc(g.Members, func(o AudioMember) bool {
		return o.Language == m.Language && o.Describes == m.Describes
	})
	g.Members = append(g.Members, m)
}

// First is the default member.
func (g *AudioGroup) First() AudioMember {
	return g.Members[slices.IndexFunc(g.Members, func(m AudioMember) bool { return m.Default })]
}

// Codecs lists every sample format of the variant (rfc8216bis 4.4.6.2), each once.
func (v Variant) Codecs() string {
	var codecs []string
	add := func(r *Rendition) {
		if c := sampleEntryCase(r.Current().Init.Codec); !slices.Contains(codecs, c) {
			codecs = append(codecs, c)
		}
	}
	if v.Video != nil {
		add(v.Video)
	}
	if v.Audio != nil {
		for _, m := range v.Audio.Members {
			add(m.Rendition)
		}
	}
	if v.Subtitles != nil {
		for _, m := range v.Subtitles.Members {
			if !m.IsWebVTT() { // which is no sample format: it comes as text
				add(m.Rendition)
			}
		}
	}
	return strings.Join(codecs, ",")
}

// Bandwidth is the peak and the average bit rate of the variant with its largest audio rendition, in bits per second. It
// comes from the catalog, not from measurement, so that it never changes.
func (v Variant) Bandwidth() (peak, average int64) {
	if v.Video != nil {
		peak, average = v.Video.Bandwidth()
	}
	if v.Audio != nil {
		var ap, aa int64
		for _, m := range v.Audio.Members {
			p, a := m.Bandwidth()
			ap, aa = max(ap, p), max(aa, a)
		}
		peak, average = peak+ap, average+aa
	}
	return min(peak, math.MaxUint32), min(average, math.MaxUint32)
}

// Bandwidth is the rendition's peak and average bit rate in bits per second: the catalog's, and a tenth for the container. When
// the catalog is silent it is a cautious guess from the size of the picture or the number of channels.
func (r *Rendition) Bandwidth() (peak, average int64) {
	init := r.Current().Init
	peak = r.Track.Bitrate
	if peak <= 0 && r.Track.Kind == media.Video {
		peak = max(4*int64(init.Width)*int64(init.Height), 1_000_000)
	} else if peak <= 0 && r.Track.Kind == media.Text {
		peak = 8_000
	} else if peak <= 0 {
		peak = 128_000 * int64(max(init.Channels, 1))
	}
	average = r.Track.AvgBitrate
	if average <= 0 || average > peak {
		average = peak
	}
	return min(peak+peak/10, math.MaxUint32), min(average+average/10, math.MaxUint32)
}

// FrameRate is the nominal frame rate in thousandths, rounded; 0 when unknown.
func (r *Rendition) FrameRate() int64 {
	if r.Frame <= 0 {
		return 0
	}
	return (int64(r.Current().Init.Timescale)*1000 + r.Frame/2) / r.Frame
}

// Language is tag if it is a well-formed language tag that says something (RFC 5646 2.1; private and grandfathered ones do
// not), else empty.
func Language(tag string) string {
	subtags := strings.Split(tag, "-")
	if n := len(subtags[0]); n < 2 || n > 3 || len(tag) > 35 || strings.EqualFold(subtags[0], "und") {
		return ""
	}
	for i, s := range subtags {
		if len(s) < 1 || len(s) > 8 {
			return ""
		}
		for _, c := range []byte(s) {
			if !isPlain(c) || c == '_' || c == '-' || i == 0 && c <= '9' {
				return ""
			}
		}
	}
	return tag
}

// codecFamily is the everyday name of a codec string's sample entry.
func codecFamily(codec string) string {
	entry, _, _ := strings.Cut(strings.ToLower(codec), ".")
	switch entry {
	case "mp4a":
		return "aac"
	case "ac-3", "ec-3":
		return entry[:2] + entry[3:]
	}
	return Escape(entry)
}

// sampleEntryCase spells a codec as its sample entry does (RFC 6381): catalogs disagree.
func sampleEntryCase(codec string) string {
	switch strings.ToLower(codec) {
	case "opus":
		return "Opus"
	case "flac":
		return "fLaC"
	}
	return codec
}

// printable is a label as it may stand in a quoted string (rfc8216bis 4.2).
func printable(label string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '"' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, label))
}

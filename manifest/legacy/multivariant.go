package legacy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafov/m3u8"
	"github.com/moqpack/moqpack/manifest"
)

// Multivariant writes the channel's plain multivariant playlist.
func Multivariant(p manifest.Presentation) (manifest.Document, error) {
	variants := p.Variants()
	if len(variants) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	doc := manifest.Name{Kind: manifest.LegacyMultivariant}
	list := m3u8.NewMasterPlaylist()
	list.SetVersion(uint8(manifest.Version(variants)))
	list.SetIndependentSegments(p.Plan.Independent)
	var lines []string
	for _, key := range p.SessionKeys() {
		lines = append(lines, "#EXT-X-SESSION-KEY:"+key)
	}
	if lines = append(lines, captions(variants)...); len(lines) > 0 {
		list.SetCustomTag(tag(strings.Join(lines, "\n")))
	}
	none := "NONE"
	if manifest.Captioned(variants) {
		none = ""
	}
	for _, v := range variants {
		peak, average := v.Bandwidth()
		params := m3u8.VariantParams{
			Bandwidth: uint32(peak), AverageBandwidth: uint32(average), Codecs: v.Codecs(), Captions: none,
		}
		if v.Captions != nil {
			params.Captions = v.Captions.ID
		}
		of := v.Video
		if of != nil {
			init := of.Current().Init
			if init.Width > 0 && init.Height > 0 {
				params.Resolution = fmt.Sprintf("%dx%d", init.Width, init.Height)
			}
			params.FrameRate = float64(of.FrameRate()) / 1000
			params.VideoRange = init.VideoRange
		}
		if v.Audio != nil {
			params.Audio = v.Audio.ID
			params.Alternatives = alternatives(doc, v.Audio)
			if of == nil {
				of = v.Audio.First().Rendition
			}
		}
		if v.Subtitles != nil {
			params.Subtitles = v.Subtitles.ID
			params.Alternatives = append(params.Alternatives, subtitles(doc, v.Subtitles)...)
		}
		list.Append(playlist(of).URI(doc), nil, params)
	}
	return manifest.Document{
		Body:        list.Encode().Bytes(),
		ContentType: manifest.TypeHLS,
		MaxAge:      time.Duration(p.Plan.TargetDuration) * time.Second,
	}, nil
}

func alternatives(doc manifest.Name, g *manifest.AudioGroup) []*m3u8.Alternative {
	var alts []*m3u8.Alternative
	for _, m := range g.Members {
		a := &m3u8.Alternative{
			Type: "AUDIO", GroupId: g.ID, Name: m.Name, Language: m.Language, Default: m.Default, Autoselect: "NO",
			URI: playlist(m.Rendition).URI(doc),
		}
		if m.Autoselect {
			a.Autoselect = "YES"
		}
		if m.Describes {
			a.Characteristics = "public.accessibility.describes-video"
		}
		alts = append(alts, a)
	}
	return alts
}

func subtitles(doc manifest.Name, g *manifest.SubtitleGroup) []*m3u8.Alternative {
	var alts []*m3u8.Alternative
	for _, m := range g.Members {
		a := &m3u8.Alternative{
			Type: "SUBTITLES", GroupId: g.ID, Name: m.Name, Language: m.Language, Autoselect: "NO",
			Characteristics: m.Characteristics(), URI: playlist(m.Rendition).URI(doc),
		}
		if m.Autoselect {
			a.Autoselect = "YES"
		}
		alts = append(alts, a)
	}
	return alts
}

// captions are the tags of all groups of closed captions: m3u8 knows no INSTREAM-ID.
func captions(variants []manifest.Variant) (lines []string) {
	var written []string
	for _, v := range variants {
		if v.Captions == nil || slices.Contains(written, v.Captions.ID) {
			continue
		}
		written = append(written, v.Captions.ID)
		for _, m := range v.Captions.Members {
			language, autoselect := "", "NO"
			if m.Language != "" {
				language = `,LANGUAGE="` + m.Language + `"`
			}
			if m.Autoselect {
				autoselect = "YES"
			}
			lines = append(lines, fmt.Sprintf(`#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="%s",NAME="%s"%s,DEFAULT=NO,AUTOSELECT=%s,INSTREAM-ID="%s"`,
				v.Captions.ID, m.Name, language, autoselect, m.Channel))
		}
	}
	return lines
}

// playlist names the plain media playlist of r.
func playlist(r *manifest.Rendition) manifest.Name {
	return manifest.Name{Kind: manifest.LegacyPlaylist, Track: r.Track.Name}
}

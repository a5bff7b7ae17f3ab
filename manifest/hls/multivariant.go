package hls

import (
	"strconv"
	"time"

	"github.com/moqpack/moqpack/manifest"
)

// Multivariant writes the channel's multivariant playlist (rfc8216bis 4.4.6).
func Multivariant(p manifest.Presentation) (manifest.Document, error) {
	variants := p.Variants()
	if len(variants) == 0 {
		return manifest.Document{}, manifest.ErrNotYet
	}
	b := append(make([]byte, 0, 512+256*len(variants)), "#EXTM3U\n#EXT-X-VERSION:"...)
	b = append(strconv.AppendInt(b, int64(manifest.Version(variants)), 10), '\n')
	if p.Plan.Independent {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	for _, key := range p.SessionKeys() {
		b = append(append(append(b, "#EXT-X-SESSION-KEY:"...), key...), '\n')
	}
	doc := manifest.Name{Kind: manifest.Multivariant}
	written := make(map[string]bool, len(variants))
	for _, v := range variants {
		if g := v.Audio; g != nil && !written[g.ID] {
			written[g.ID] = true
			b = appendGroup(b, doc, g)
		}
	}
	captioned := manifest.Captioned(variants)
	for _, v := range variants {
		if g := v.Captions; g != nil && !written[g.ID] {
			written[g.ID] = true
			b = appendCaptions(b, g)
		}
	}
	if g := variants[0].Subtitles; g != nil {
		b = appendSubtitles(b, doc, g)
	}
	for _, v := range variants {
		b = appendVariant(b, doc, v, captioned)
	}
	return manifest.Document{
		Body:        b,
		ContentType: manifest.TypeHLS,
		MaxAge:      time.Duration(p.Plan.TargetDuration) * time.Second,
	}, nil
}

func appendGroup(b []byte, doc manifest.Name, g *manifest.AudioGroup) []byte {
	for _, m := range g.Members {
		b = append(b, "#EXT-X-MEDIA:TYPE=AUDIO"...)
		b = appendAttr(b, "GROUP-ID", g.ID)
		b = appendAttr(b, "NAME", m.Name)
		b = appendAttr(b, "LANGUAGE", m.Language)
		b = append(b, ",DEFAULT="...)
		b = append(b, yesNo(m.Default)...)
		b = append(b, ",AUTOSELECT="...)
		b = append(b, yesNo(m.Autoselect)...)
		if m.Describes {
			b = appendAttr(b, "CHARACTERISTICS", "public.accessibility.describes-video")
		}
		switch init := m.Current().Init; {
		case init.JOC > 0: // Dolby Atmos: objects, not channels (HLS Authoring Specification, "Dolby Atmos")
			b = appendAttr(b, "CHANNELS", strconv.Itoa(init.JOC)+"/JOC")
		case init.Channels > 0:
			b = appendAttr(b, "CHANNELS", strconv.Itoa(init.Channels))
		}
		b = append(b, `,URI="`...)
		b = playlist(m.Rendition).AppendURI(b, doc)
		b = append(b, "\"\n"...)
	}
	return b
}

func appendCaptions(b []byte, g *manifest.CaptionGroup) []byte {
	for _, m := range g.Members {
		b = append(b, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS"...)
		b = appendAttr(b, "GROUP-ID", g.ID)
		b = appendAttr(b, "NAME", m.Name)
		b = appendAttr(b, "LANGUAGE", m.Language)
		b = append(b, ",DEFAULT=NO,AUTOSELECT="...)
		b = append(b, yesNo(m.Autoselect)...)
		b = appendAttr(b, "INSTREAM-ID", m.Channel)
		b = append(b, '\n')
	}
	return b
}

func appendSubtitles(b []byte, doc manifest.Name, g *manifest.SubtitleGroup) []byte {
	for _, m := range g.Members {
		b = append(b, "#EXT-X-MEDIA:TYPE=SUBTITLES"...)
		b = appendAttr(b, "GROUP-ID", g.ID)
		b = appendAttr(b, "NAME", m.Name)
		b = appendAttr(b, "LANGUAGE", m.Language)
		b = append(b, ",DEFAULT=NO,AUTOSELECT="...)
		b = append(b, yesNo(m.Autoselect)...)
		b = append(b, ",FORCED="...)
		b = append(b, yesNo(m.Forced)...)
		b = appendAttr(b, "CHARACTERISTICS", m.Characteristics())
		b = append(b, `,URI="`...)
		b = playlist(m.Rendition).AppendURI(b, doc)
		b = append(b, "\"\n"...)
	}
	return b
}

func appendVariant(b []byte, doc manifest.Name, v manifest.Variant, captioned bool) []byte {
	peak, average := v.Bandwidth()
	b = append(b, "#EXT-X-STREAM-INF:BANDWIDTH="...)
	b = strconv.AppendInt(b, peak, 10)
	b = append(b, ",AVERAGE-BANDWIDTH="...)
	b = strconv.AppendInt(b, average, 10)
	b = appendAttr(b, "CODECS", v.Codecs())
	if v.Video != nil {
		b = appendPicture(b, v.Video)
	}
	if v.Audio != nil {
		b = appendAttr(b, "AUDIO", v.Audio.ID)
	}
	if v.Subtitles != nil {
		b = appendAttr(b, "SUBTITLES", v.Subtitles.ID)
	}
	switch {
	case v.Captions != nil:
		b = appendAttr(b, "CLOSED-CAPTIONS", v.Captions.ID)
	case !captioned:
		b = append(b, ",CLOSED-CAPTIONS=NONE"...)
	}
	b = append(b, '\n')
	if v.Video != nil {
		b = playlist(v.Video).AppendURI(b, doc)
	} else {
		b = playlist(v.Audio.First().Rendition).AppendURI(b, doc)
	}
	return append(b, '\n')
}

func appendPicture(b []byte, r *manifest.Rendition) []byte {
	init := r.Current().Init
	if init.Width > 0 && init.Height > 0 {
		b = append(b, ",RESOLUTION="...)
		b = strconv.AppendInt(b, int64(init.Width), 10)
		b = append(b, 'x')
		b = strconv.AppendInt(b, int64(init.Height), 10)
	}
	if fps := r.FrameRate(); fps > 0 {
		b = append(b, ",FRAME-RATE="...)
		b = appendDecimal(b, fps, 3)
	}
	if init.VideoRange != "" {
		b = append(b, ",VIDEO-RANGE="...)
		b = append(b, init.VideoRange...)
	}
	return b
}

// playlist names the media playlist of r.
func playlist(r *manifest.Rendition) manifest.Name {
	return manifest.Name{Kind: manifest.MediaPlaylist, Track: r.Track.Name}
}

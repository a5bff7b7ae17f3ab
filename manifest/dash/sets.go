package dash

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
)

// Schemes of descriptors (ISO/IEC 23009-1 5.8.5, ISO/IEC 23091-3, ETSI TS 103 285).
const (
	schemeRole     = "urn:mpeg:dash:role:2011"
	schemeChannels = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
	// Dolby Atmos in E-AC-3 (ETSI TS 103 420, D.2).
	schemeJOC        = "tag:dolby.com,2018:dash:EC3_ExtensionType:2018"
	schemeComplexity = "tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018"
	schemePurpose    = "urn:tva:metadata:cs:AudioPurposeCS:2007"
	scheme608        = "urn:scte:dash:cc:cea-608:2015" // ANSI/SCTE 214-1
	scheme708        = "urn:scte:dash:cc:cea-708:2015"
)

// kinship is what renditions must share to be switched between seamlessly: to be of one AdaptationSet (5.3.3).
type kinship struct {
	kind      media.Kind
	altGroup  int
	codec     string // sample entry
	language  string
	role      string
	channels  int
	joc       int
	timescale uint32
	key       string // id; empty in the clear
}

func kin(r rep) kinship {
	init := r.epoch.Init
	entry, _, _ := strings.Cut(init.Codec, ".")
	k := kinship{kind: r.Track.Kind, altGroup: r.Track.AltGroup, codec: entry, timescale: init.Timescale}
	if e := init.Encryption; e != nil {
		k.key = e.Scheme + e.KID
	}
	switch k.kind {
	case media.Text:
		k.language, k.role = manifest.Language(r.Track.Language), r.Track.Role
	case media.Audio:
		k.language, k.role, k.channels, k.joc = manifest.Language(r.Track.Language), r.Track.Role, init.Channels, init.JOC
	}
	return k
}

// families sorts the period's renditions into adaptation sets, all in catalog order.
func (p *period) families() [][]rep {
	var sets [][]rep
	for _, r := range p.reps {
		k := kin(r)
		at := slices.IndexFunc(sets, func(s []rep) bool { return kin(s[0]) == k })
		if at < 0 {
			at, sets = len(sets), append(sets, nil)
		}
		sets[at] = append(sets[at], r)
	}
	return sets
}

// adaptationSet describes a family. Segments are aligned because one grid cuts them all.
func adaptationSet(id int, family []rep, independent bool) *mpd.AdaptationSetType {
	k := kin(family[0])
	set := &mpd.AdaptationSetType{
		Id: mpd.Ptr(uint32(id)), ContentType: mpd.RFC6838ContentTypeType(k.kind.String()), Lang: k.language, SegmentAlignment: true,
	}
	set.MimeType = manifest.MediaType(k.kind)
	set.ContentProtections = protections(family[0])
	role := "main"
	switch k.kind {
	case media.Text:
		set.StartWithSAP = 1
		role = "subtitle"
		if k.role == "caption" || k.role == "forced_subtitle" { // ISO/IEC 23009-1, 5.8.5.5
			role = k.role
		}
	case media.Audio:
		set.StartWithSAP = 1
		if c := channelConfiguration(k.channels); c > 0 {
			set.AudioChannelConfigurations = descriptor(schemeChannels, strconv.Itoa(c))
		}
		if k.joc > 0 {
			set.SupplementalProperties = append(descriptor(schemeJOC, "JOC"), descriptor(schemeComplexity, strconv.Itoa(k.joc))...)
		}
		if k.role == "audiodescription" {
			role = "alternate"
			set.Accessibilities = descriptor(schemePurpose, "1")
		}
	default:
		if independent {
			set.StartWithSAP = 2 // type 1 or 2
		}
		set.Accessibilities = captions(family)
		picture(set, family)
	}
	set.Roles = descriptor(schemeRole, role)
	for _, r := range family {
		set.Representations = append(set.Representations, representation(r))
	}
	return set
}

// picture gives the set the bounds of its pictures and, if it is the same for all, their shape.
func picture(set *mpd.AdaptationSetType, family []rep) {
	var fastest int64
	for i, r := range family {
		init := r.epoch.Init
		set.MaxWidth = max(set.MaxWidth, uint32(init.Width))
		set.MaxHeight = max(set.MaxHeight, uint32(init.Height))
		if fps := r.FrameRate(); fps > fastest {
			fastest, set.MaxFrameRate = fps, string(frameRate(r))
		}
		par := ratio(init.Width, init.Height)
		if i > 0 && par != set.Par {
			par = ""
		}
		set.Par = par
	}
}

// captions say which closed captions the pictures of a family hold: those of the first rendition of which the catalog says so.
func captions(family []rep) (list []*mpd.DescriptorType) {
	at := slices.IndexFunc(family, func(r rep) bool { return len(r.Track.Captions) > 0 })
	if at < 0 {
		return nil
	}
	var line21, services []string
	for _, c := range family[at].Track.Captions {
		language := manifest.Language(c.Language)
		if language == "" {
			language = "und"
		}
		if n, ok := strings.CutPrefix(c.Channel, "SERVICE"); ok {
			services = append(services, n+"=lang:"+language)
		} else {
			line21 = append(line21, c.Channel+"="+language)
		}
	}
	if line21 != nil {
		list = append(list, descriptor(scheme608, strings.Join(line21, ";"))...)
	}
	if services != nil {
		list = append(list, descriptor(scheme708, strings.Join(services, ";"))...)
	}
	return list
}

func representation(r rep) *mpd.RepresentationType {
	init := r.epoch.Init
	peak, _ := r.Bandwidth()
	e := &mpd.RepresentationType{Id: manifest.Escape(r.Track.Name), Bandwidth: uint32(peak)}
	e.Codecs = codecs(init.Codec)
	if init.Kind != media.Video {
		if init.SampleRate > 0 {
			e.AudioSamplingRate = mpd.Ptr(mpd.UIntVectorType(strconv.Itoa(init.SampleRate)))
		}
		return e
	}
	e.Width, e.Height, e.FrameRate = uint32(init.Width), uint32(init.Height), frameRate(r)
	if init.Width > 0 && init.Height > 0 {
		e.Sar = "1:1" // the size is that of the display
	}
	return e
}

// template is the names of r's segments and init, from where the media of the documents lies: a clip says so in a BaseURL.
func template(r rep) mpd.SegmentTemplateType {
	return mpd.SegmentTemplateType{
		Media:          manifest.SegmentTemplate,
		Initialization: manifest.Name{Kind: manifest.Init, Track: r.Track.Name, Digest: r.epoch.Init.Digest}.URI(manifest.Name{Kind: manifest.MPD}),
	}
}

// codecs is the spelling that browsers take for audio whose sample entry has capitals.
func codecs(codec string) string {
	switch c := strings.ToLower(codec); c {
	case "opus", "flac":
		return c
	}
	return codec
}

// frameRate is timescale/Frame in lowest terms; empty when unknown.
func frameRate(r rep) mpd.FrameRateType {
	if r.Frame <= 0 || r.Frame > math.MaxUint32 {
		return ""
	}
	num, den := uint64(r.epoch.Init.Timescale), uint64(r.Frame)
	common := gcd(num, den)
	if den == common {
		return mpd.FrameRateType(strconv.FormatUint(num/common, 10))
	}
	return mpd.FrameRateType(fmt.Sprintf("%d/%d", num/common, den/common))
}

func ratio(w, h int) mpd.RatioType {
	if w <= 0 || h <= 0 {
		return ""
	}
	common := int(gcd(uint64(w), uint64(h)))
	return mpd.RatioType(fmt.Sprintf("%d:%d", w/common, h/common))
}

// channelConfiguration is the code point for a number of channels in their usual layout (ISO/IEC 23091-3), 0 when there is none.
func channelConfiguration(channels int) int {
	switch {
	case 1 <= channels && channels <= 6:
		return channels
	case channels == 8:
		return 12
	}
	return 0
}

func descriptor(scheme, value string) []*mpd.DescriptorType {
	return []*mpd.DescriptorType{mpd.NewDescriptor(scheme, value, "")}
}

package live

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/locmaf"

	"github.com/moqpack/moqpack/internal/media"
)

// Generation is a spelling of the catalog.
type Generation uint8

// The generations that publishers write today.
const (
	MSF01 Generation = iota // version "draft-01", initDataList and initRef, deltaUpdate as a list of operations
	MSF00                   // version 1, initData, deltaUpdate true with addTracks and removeTracks
)

// document is a catalog object of any generation.
type document struct {
	Version      any        `json:"version,omitempty"`
	GeneratedAt  int64      `json:"generatedAt,omitempty"` // ms
	Complete     bool       `json:"isComplete,omitempty"`
	DeltaUpdate  any        `json:"deltaUpdate,omitempty"`
	Tracks       *[]entry   `json:"tracks,omitempty"`
	AddTracks    []entry    `json:"addTracks,omitempty"`
	RemoveTracks []entry    `json:"removeTracks,omitempty"`
	InitDataList []initData `json:"initDataList,omitempty"` // after tracks: MSF "Initialization Data List"
}

type operation struct {
	Op     string  `json:"op"`
	Tracks []entry `json:"tracks"`
}

type initData struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data string `json:"data"`
}

// entry is a track of the catalog; in a removal it has a name only.
type entry struct {
	Name             string      `json:"name"`
	Packaging        string      `json:"packaging,omitempty"`
	LOCMAFVersion    string      `json:"locmafVersion,omitempty"`
	IsLive           *bool       `json:"isLive,omitempty"`
	Role             string      `json:"role,omitempty"`
	Label            string      `json:"label,omitempty"`
	Lang             string      `json:"lang,omitempty"`
	RenderGroup      int         `json:"renderGroup,omitempty"`
	AltGroup         int         `json:"altGroup,omitempty"`
	InitData         string      `json:"initData,omitempty"`
	InitRef          string      `json:"initRef,omitempty"`
	Codec            string      `json:"codec,omitempty"`
	Timescale        uint32      `json:"timescale,omitempty"`
	Bitrate          int64       `json:"bitrate,omitempty"`
	AvgBitrate       int64       `json:"avgBitrate,omitempty"`
	Framerate        json.Number `json:"framerate,omitempty"`
	Width            int         `json:"width,omitempty"`
	Height           int         `json:"height,omitempty"`
	SampleRate       uint32      `json:"samplerate,omitempty"`
	ChannelConfig    string      `json:"channelConfig,omitempty"`
	MaxGroupDuration int64       `json:"maxGroupDuration,omitempty"` // ms
}

// CatalogTrack is the name of the track that carries the catalog (MSF "Catalog Track").
const CatalogTrack = "catalog"

// Catalog is a complete catalog of the broadcast at one instant. The tracks in absent are not listed, but their headers are:
// a delta update of MSF-01 can add a track only if its header is known. If complete, the broadcast has ended.
func (b *Broadcast) Catalog(at time.Time, absent map[string]bool, complete bool) ([]byte, error) {
	tracks := []entry{}
	d := document{Version: "draft-01", GeneratedAt: at.UnixMilli(), Complete: complete, Tracks: &tracks}
	if b.Generation == MSF00 {
		d.Version = 1
	}
	for _, s := range b.sources {
		if init := s.catalogInit(); b.Generation == MSF01 && init != nil {
			d.InitDataList = append(d.InitDataList, initData{s.Name, "inline", base64.StdEncoding.EncodeToString(init)})
		}
		if !complete && !absent[s.Name] {
			tracks = append(tracks, b.entry(s))
		}
	}
	return json.Marshal(d)
}

// Delta is a delta update that adds and removes tracks of the broadcast.
func (b *Broadcast) Delta(at time.Time, add, remove []string) ([]byte, error) {
	var added, removed []entry
	for _, name := range add {
		s, ok := b.Source(name)
		if !ok {
			return nil, fmt.Errorf("catalog: no track %q to add", name)
		}
		added = append(added, b.entry(s))
	}
	for _, name := range remove {
		removed = append(removed, entry{Name: name})
	}
	d := document{GeneratedAt: at.UnixMilli()}
	if b.Generation == MSF00 {
		d.Version, d.DeltaUpdate, d.AddTracks, d.RemoveTracks = 1, true, added, removed
		return json.Marshal(d)
	}
	var ops []operation
	if removed != nil {
		ops = append(ops, operation{"remove", removed})
	}
	if added != nil {
		ops = append(ops, operation{"add", added})
	}
	d.DeltaUpdate = ops
	return json.Marshal(d)
}

func (b *Broadcast) entry(s *Source) entry {
	c, live := s.Clip, true
	e := entry{
		Name: s.Name, Packaging: "cmaf", IsLive: &live, Role: c.Kind.String(), Label: s.Label, Lang: s.language(),
		RenderGroup: 1, AltGroup: s.AltGroup, Codec: s.codec(), Timescale: c.Timescale, Bitrate: c.Bitrate, AvgBitrate: c.AvgBitrate,
	}
	if !s.Packing.isBoxed() {
		e.Packaging = string(s.Packing.As)
	}
	if s.Packing.isBare() {
		e.Timescale = 0 // timestamps say their own
	}
	if s.Packing.As == media.LOCMAF {
		e.LOCMAFVersion = locmaf.Version
	}
	switch init := s.catalogInit(); {
	case init == nil:
	case b.Generation == MSF00:
		e.InitData = base64.StdEncoding.EncodeToString(init)
	default:
		e.InitRef = s.Name
	}
	switch c.Kind {
	case media.Video:
		e.Framerate, e.Width, e.Height = framerate(c), c.Width, c.Height
	case media.Text:
		e.Role = "subtitle"
	default:
		e.SampleRate, e.ChannelConfig = c.Timescale, strconv.Itoa(c.Channels)
	}
	if b.MaxGroupDuration {
		group := int64(c.Group) + int64(c.Frame) - 1 // a group of audio is rounded to frames
		if c.Kind == media.Video {
			group = int64(c.Group)
		}
		e.MaxGroupDuration = (group*1000 + int64(c.Timescale) - 1) / int64(c.Timescale)
	}
	return e
}

// catalogInit is what a decoder needs before the first object, if the catalog has it.
func (s *Source) catalogInit() []byte {
	switch p := s.Packing; {
	case p.As == media.MoqMI, p.Init, p.isBare() && (p.Bare.InBand && s.Clip.ParameterSets() != nil || p.Bare.Property):
		return nil
	case p.isBare():
		return s.Clip.Config()
	}
	return s.init
}

// codec is the clip's, or its twin with parameter sets in the stream.
func (s *Source) codec() string {
	if s.Packing.isBare() && s.Packing.Bare.InBand {
		return strings.NewReplacer("avc1", "avc3", "hvc1", "hev1").Replace(s.Clip.Codec)
	}
	return s.Clip.Codec
}

func (s *Source) language() string {
	if s.Language == "" && s.Clip.Language != "und" {
		return s.Clip.Language
	}
	return s.Language
}

// framerate is rounded to two decimals, as publishers write it: 25, 29.97, 59.94.
func framerate(c *Clip) json.Number {
	hundredths := (int64(c.Timescale)*100 + int64(c.Frame)/2) / int64(c.Frame)
	text := fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
	return json.Number(strings.TrimRight(strings.TrimRight(text, "0"), "."))
}

package media

import "time"

// Kind says what a track carries.
type Kind uint8

// The kinds of track that moqpack packages.
const (
	Video Kind = iota + 1
	Audio
	Text
)

func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio:
		return "audio"
	case Text:
		return "text"
	}
	return "unknown"
}

// Packaging says how a track's objects wrap its media (draft-ietf-moq-msf, "packaging").
type Packaging string

// The packagings that the demuxers read.
const (
	CMAF Packaging = "cmaf"
)

// Track is one track as its catalog describes it. Where the catalog and the init segment disagree, the init wins.
type Track struct {
	Namespace []string // tuple; never empty
	Name      string   // MoQ track name, unique in the broadcast
	Kind      Kind
	Packaging Packaging
	Role      string // "video", "audio", "audiodescription", ... ; may be empty
	Codec     string // RFC 6381; may be empty until the init is known
	Init      []byte // CMAF header (ftyp+moov); nil when it comes at the head of an object

	Width, Height int    // pixels, display size; 0 unknown
	FrameRate     string // decimal text as in the catalog ("29.97"); empty unknown
	SampleRate    int    // Hz; 0 unknown
	Channels      string // channelConfig as in the catalog; empty unknown
	Language      string // BCP 47; empty unknown
	Label         string

	Bitrate    int64 // bits/s, maximum; 0 unknown
	AvgBitrate int64 // bits/s; 0 unknown

	AltGroup    int // tracks of one alternative group may be switched between; 0 none
	RenderGroup int

	MaxGroupDuration time.Duration // 0 unknown
	TargetLatency    time.Duration // 0 unknown
}

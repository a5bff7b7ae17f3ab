package media

import "time"

// Kind says what a track carries.
type Kind uint8

// The kinds of track that a catalog lists.
const (
	Video Kind = iota + 1
	Audio
	Text
	Events   // what happens when: an event timeline of draft-ietf-moq-msf
	Timeline // which object has which time: a media timeline of draft-ietf-moq-msf
)

func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio:
		return "audio"
	case Text:
		return "text"
	case Events:
		return "events"
	case Timeline:
		return "timeline"
	}
	return "unknown"
}

// Packaging says how a track's objects wrap its media (draft-ietf-moq-msf, "packaging").
type Packaging string

// The packagings of media, and those of timelines.
const (
	CMAF   Packaging = "cmaf"
	LOC    Packaging = "loc"    // draft-ietf-moq-loc, and moq-dev's variant of it
	LOCMAF Packaging = "locmaf" // draft-einarsson-moq-locmaf
	Legacy Packaging = "legacy" // hang: a timestamp and a codec's bitstream
	MoqMI  Packaging = "moq-mi" // draft-cenzano-moq-media-interop

	EventTimeline Packaging = "eventtimeline" // draft-ietf-moq-msf
	MediaTimeline Packaging = "mediatimeline" // draft-ietf-moq-msf
)

// Track is one track as its catalog describes it. Where the catalog and the init segment disagree, the init wins.
type Track struct {
	Namespace []string  `json:"namespace,omitempty"` // tuple; never empty
	Name      string    `json:"name"`                // MoQ track name, unique in the broadcast
	Kind      Kind      `json:"kind"`
	Packaging Packaging `json:"packaging,omitempty"`
	Role      string    `json:"role,omitempty"`  // "video", "audio", "audiodescription", ... ; may be empty
	Codec     string    `json:"codec,omitempty"` // RFC 6381; may be empty until the init is known
	Init      []byte    `json:"-"`               // CMAF header (ftyp+moov); nil when it comes at the head of an object
	Config    []byte    `json:"-"`               // decoder configuration (avcC, hvcC, av1C, AudioSpecificConfig, OpusHead) of LOC and Legacy; nil when it is in the objects
	Timescale uint32    `json:"-"`               // ticks per second of LOC timestamps as the catalog says; 0 unknown

	Width      int    `json:"width,omitempty"` // pixels, display size; 0 unknown
	Height     int    `json:"height,omitempty"`
	FrameRate  string `json:"frameRate,omitempty"`  // decimal text as in the catalog ("29.97"); empty unknown
	SampleRate int    `json:"sampleRate,omitempty"` // Hz; 0 unknown
	Channels   string `json:"channels,omitempty"`   // channelConfig as in the catalog; empty unknown
	Language   string `json:"language,omitempty"`   // BCP 47; empty unknown
	Label      string `json:"label,omitempty"`

	Bitrate    int64 `json:"bitrate,omitempty"`    // bits/s, maximum; 0 unknown
	AvgBitrate int64 `json:"avgBitrate,omitempty"` // bits/s; 0 unknown

	AltGroup    int `json:"altGroup,omitempty"` // tracks of one alternative group may be switched between; 0 none
	RenderGroup int `json:"renderGroup,omitempty"`

	Protections []Protection `json:"protections,omitempty"` // of an encrypted track, in catalog order

	Captions []Caption `json:"captions,omitempty"` // embedded in the video

	EventType string    `json:"eventType,omitempty"` // of Events
	Depends   []string  `json:"depends,omitempty"`   // names of the tracks that Events or a Timeline are about
	Template  *Template `json:"template,omitempty"`  // nil unknown
	Anchor    time.Time `json:"anchor,omitzero"`     // wall clock at media time 0, as the catalog says; zero unknown

	MaxGroupDuration time.Duration `json:"maxGroupDuration,omitempty"` // ns in JSON; 0 unknown
	TargetLatency    time.Duration `json:"targetLatency,omitempty"`    // ns in JSON; 0 unknown
}

// Caption is a closed caption service in a video track (ANSI/SCTE 214-1).
type Caption struct {
	Channel  string `json:"channel"`            // "CC1" to "CC4" (CEA-608), "SERVICE1" to "SERVICE63" (CEA-708)
	Language string `json:"language,omitempty"` // as in the catalog; empty unknown
}

// Template is a media timeline in closed form (draft-ietf-moq-msf, "Media Timeline Template"): entry n is at Start plus n times
// Step. It never changes.
type Template struct {
	Start     Location      `json:"start"`
	Step      Location      `json:"step"`
	Media     time.Duration `json:"media"` // ns in JSON
	MediaStep time.Duration `json:"mediaStep"`
	Wall      time.Time     `json:"wall,omitzero"` // zero unknown
	WallStep  time.Duration `json:"wallStep"`
}

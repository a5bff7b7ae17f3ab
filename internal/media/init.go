package media

// Init is a canonical CMAF header and what the timeline, the manifests and the player must know of it.
type Init struct {
	Kind      Kind   `json:"kind"`
	Codec     string `json:"codec"`     // RFC 6381, from the sample entry
	Timescale uint32 `json:"timescale"` // ticks per second of every time in the track

	Width      int    `json:"width,omitempty"` // pixels, display size
	Height     int    `json:"height,omitempty"`
	SampleRate int    `json:"sampleRate,omitempty"` // Hz
	Channels   int    `json:"channels,omitempty"`
	VideoRange string `json:"videoRange,omitempty"` // "SDR", "PQ", "HLG"; empty for audio

	Bytes  []byte `json:"-"`      // ftyp+moov; nil where a record, not the media, is the source
	Digest string `json:"digest"` // first 8 hex digits of the SHA-256 of Bytes
}

// Sample is one access unit in decode order.
type Sample struct {
	DTS  int64  // ticks, decode time
	CTO  int32  // ticks, presentation time minus decode time
	Dur  uint32 // ticks, never 0
	Sync bool   // starts with a stream access point of type 1 or 2
	Data []byte
}

// PTS is the sample's presentation time in ticks.
func (s Sample) PTS() int64 { return s.DTS + int64(s.CTO) }

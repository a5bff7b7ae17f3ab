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
	JOC        int    `json:"joc,omitempty"`        // objects of Dolby Atmos in E-AC-3: its complexity index; 0 none
	VideoRange string `json:"videoRange,omitempty"` // "SDR", "PQ", "HLG"; empty for audio

	Encryption *Encryption `json:"encryption,omitempty"` // nil: in the clear

	Bytes  []byte `json:"-"`      // ftyp+moov; nil where a record, not the media, is the source
	Digest string `json:"digest"` // first 8 hex digits of the SHA-256 of Bytes
}

// Encryption is what a header says of the encryption of its track (ISO/IEC 23001-7).
type Encryption struct {
	Scheme string   `json:"scheme"`         // "cenc" or "cbcs"
	KID    string   `json:"kid"`            // default key id, a UUID in lower case
	PSSH   [][]byte `json:"pssh,omitempty"` // whole pssh boxes that the header brings
}

// Sample is one access unit in decode order.
type Sample struct {
	DTS   int64  // ticks, decode time
	CTO   int32  // ticks, presentation time minus decode time
	Dur   uint32 // ticks, never 0
	Sync  bool   // starts with a stream access point of type 1 or 2
	Crypt *Crypt // of an encrypted sample; nil if the header says all
	Data  []byte
}

// Crypt is the auxiliary information of one encrypted sample (ISO/IEC 23001-7, 7.2).
type Crypt struct {
	IV []byte // 8 or 16 bytes; empty where the header has a constant one
	// Subsamples are pairs of clear (16 bits) and protected bytes (32 bits), big endian, as in a senc box. Empty: the whole sample is
	// protected.
	Subsamples []byte
}

// PTS is the sample's presentation time in ticks.
func (s Sample) PTS() int64 { return s.DTS + int64(s.CTO) }

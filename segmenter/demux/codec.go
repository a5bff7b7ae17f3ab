package demux

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// codec reads the bitstream of one track.
type codec interface {
	// configure takes a decoder configuration, as WebCodecs has it, from the catalog or a property.
	configure(config []byte) error
	// read takes an access unit, and what it says of the stream.
	read(data []byte) (access, error)
	// stream is what is known of the stream: nil at first, another pointer when it changes.
	stream() *stream
}

// access is an access unit as it is to be stored.
type access struct {
	data []byte
	sync bool
	dur  uint32 // of audio, in ticks of the stream's timescale
}

// stream is what a header is made of.
type stream struct {
	entry     []byte
	timescale uint32 // of audio; 0: video, whose packaging may have one
	reorder   int    // how many frames may come before a frame that they are shown after; -1: it does not say
	rate      ratio  // frames per second of video; zero if it does not say
}

type ratio struct{ num, den uint64 }

// codecOf is the reader for a codec string of RFC 6381.
func codecOf(t *media.Track) (codec, error) {
	name, _, _ := strings.Cut(strings.ToLower(t.Codec), ".")
	kind := media.Video
	var c codec
	switch name {
	case "avc1", "avc3":
		c = &nalCodec{syntax: h264{}}
	case "hvc1", "hev1":
		c = &nalCodec{syntax: hevc{}}
	case "av01":
		c = &av1{}
	case "vp09":
		c = &vp9{codec: t.Codec}
	default:
		kind = media.Audio
	}
	switch name {
	case "mp4a":
		c = &aac{codec: t.Codec, rate: t.SampleRate, channels: channelsOf(t.Channels)}
	case "opus":
		c = &opus{channels: channelsOf(t.Channels)}
	case "ac-3", "ec-3":
		c = &dolby{}
	case "flac":
		c = &flac{}
	}
	switch {
	case c == nil:
		return nil, fmt.Errorf("codec %q in packaging %q is not supported", t.Codec, t.Packaging)
	case kind != t.Kind:
		return nil, fmt.Errorf("codec %q is not of %s", t.Codec, t.Kind)
	}
	return c, nil
}

// channelsOf is the number that a catalog's channelConfig stands for; 0 if none.
func channelsOf(config string) int {
	switch config {
	case "mono":
		return 1
	case "stereo":
		return 2
	}
	n, err := strconv.Atoi(config)
	if err != nil || n < 1 || n > 64 {
		return 0
	}
	return n
}

package manifesttest

import (
	"fmt"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Start is where the make-believe broadcasts begin: 2026-11-21T06:00:00Z, in milliseconds of Unix time.
const Start = 1795240800_000

// Plan of segments of num/den seconds and the usual parts.
func Plan(num, den uint64, window int) segmenter.Plan {
	return segmenter.Plan{
		Grid: timeline.Grid{Num: num, Den: den}, TargetDuration: int((num + den/2) / den),
		PartTarget: 334 * time.Millisecond, Window: window, Independent: true,
	}
}

// Video is an H.264 track of num/den frames per second in groups of so many frames.
func Video(name string, height int, num, den uint32, group int) Track {
	width := height * 16 / 9
	return Track{
		Track: media.Track{
			Namespace: []string{"demo"}, Name: name, Kind: media.Video, Packaging: media.CMAF, Role: "video",
			Bitrate: int64(height) * 4000, AltGroup: 1,
		},
		Init: media.Init{
			Kind: media.Video, Codec: "avc1.64001f", Timescale: num, Width: width, Height: height,
			VideoRange: "SDR", Digest: fmt.Sprintf("%08x", height),
		},
		Frame: int64(den), Group: group,
	}
}

// Audio is an AAC track of 1024-sample frames.
func Audio(name, language string, rate int) Track {
	return Track{
		Track: media.Track{
			Namespace: []string{"demo"}, Name: name, Kind: media.Audio, Packaging: media.CMAF, Role: "audio",
			Language: language, Bitrate: 128_000, AltGroup: 2,
		},
		Init: media.Init{
			Kind: media.Audio, Codec: "mp4a.40.2", Timescale: uint32(rate), SampleRate: rate, Channels: 2,
			Digest: fmt.Sprintf("%08x", rate),
		},
		Frame: 1024, Group: 1,
	}
}

// Text is a track of subtitles, of one sample a slot of 2 s.
func Text(name, language, codec string) Track {
	return Track{
		Track: media.Track{
			Namespace: []string{"demo"}, Name: name, Kind: media.Text, Packaging: media.CMAF, Role: "subtitle", Language: language,
		},
		Init:  media.Init{Kind: media.Text, Codec: codec, Timescale: 1000, Digest: fmt.Sprintf("%08x", len(name))},
		Frame: 2000, Group: 1,
	}
}

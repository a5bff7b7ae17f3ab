package live

import (
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Speech is a clip of WebVTT: eight seconds of which every other half says something, in groups of a second.
func Speech() (*Clip, error) {
	init := mp4.CreateEmptyInit()
	if err := init.AddEmptyTrack(1000, "wvtt", "en").SetWvttDescriptor("WEBVTT"); err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	c := &Clip{Kind: media.Text, Codec: "wvtt", Language: "und", Timescale: 1000, Frame: 500, Group: 1000, init: init}
	for i := range 8 {
		c.frames = append(c.frames, frame{data: spoken(fmt.Sprintf("Half a second of %d", i)), sync: true},
			frame{data: isoBox("vtte", nil), sync: true})
	}
	c.Bitrate, c.AvgBitrate = c.bitrates()
	return c, nil
}

// spoken is a sample with one cue (ISO/IEC 14496-30, 5.5.3).
func spoken(text string) []byte { return isoBox("vttc", isoBox("payl", []byte(text))) }

func isoBox(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

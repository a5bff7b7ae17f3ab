package live

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// describe fills in what the sample entry says.
func (c *Clip) describe(stsd *mp4.StsdBox) error {
	switch {
	case stsd.AvcX != nil && stsd.AvcX.AvcC != nil && len(stsd.AvcX.AvcC.SPSnalus) > 0:
		sps, err := avc.ParseSPSNALUnit(stsd.AvcX.AvcC.SPSnalus[0], false)
		if err != nil {
			return err
		}
		return c.video(stsd.AvcX, avc.CodecString(stsd.AvcX.Type(), sps))
	case stsd.HvcX != nil && stsd.HvcX.HvcC != nil:
		for _, array := range stsd.HvcX.HvcC.NaluArrays {
			if array.NaluType() != hevc.NALU_SPS || len(array.Nalus) == 0 {
				continue
			}
			sps, err := hevc.ParseSPSNALUnit(array.Nalus[0])
			if err != nil {
				return err
			}
			return c.video(stsd.HvcX, hevc.CodecString(stsd.HvcX.Type(), sps))
		}
	case stsd.Av01 != nil && stsd.Av01.Av1C != nil:
		return c.video(stsd.Av01, stsd.Av01.Av1C.CodecString("av01"))
	case stsd.Mp4a != nil:
		return c.audio(stsd.Mp4a, "mp4a.40.2")
	case stsd.Opus != nil:
		return c.audio(stsd.Opus, "Opus")
	case stsd.AC3 != nil:
		return c.audio(stsd.AC3, "ac-3")
	case stsd.EC3 != nil:
		return c.audio(stsd.EC3, "ec-3")
	case stsd.VpXX != nil && stsd.VpXX.VppC != nil:
		v := stsd.VpXX.VppC
		return c.video(stsd.VpXX, fmt.Sprintf("vp09.%02d.%02d.%02d", v.Profile, v.Level, v.BitDepth))
	}
	if len(stsd.Children) == 1 && stsd.Children[0].Type() == "fLaC" {
		return c.audio(stsd.Children[0].(*mp4.AudioSampleEntryBox), "fLaC")
	}
	return fmt.Errorf("no sample entry of a known codec")
}

func (c *Clip) video(entry *mp4.VisualSampleEntryBox, codec string) error {
	c.Kind, c.Codec, c.Width, c.Height = media.Video, codec, int(entry.Width), int(entry.Height)
	return nil
}

func (c *Clip) audio(entry *mp4.AudioSampleEntryBox, codec string) error {
	c.Kind, c.Codec, c.Channels = media.Audio, codec, int(entry.ChannelCount)
	return nil
}

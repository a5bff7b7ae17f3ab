package mux

import (
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// audio fills in what an audio sample entry says and makes the entry canonical. codec is what the catalog says.
func audio(m *media.Init, e *mp4.AudioSampleEntryBox, codec string) error {
	sealed, format, err := encryption(e.Type(), e.Sinf)
	if err != nil {
		return err
	}
	m.Encryption = sealed
	if m.Kind != media.Audio || e.QuickTimeVersion != 0 {
		return fmt.Errorf("%w: %s of version %d in a track of %s", ErrMalformed, e.Type(), e.QuickTimeVersion, m.Kind)
	}
	m.Codec, m.SampleRate, m.Channels = format, int(e.SampleRate), int(e.ChannelCount)
	canonical := mp4.CreateAudioSampleEntryBox(e.Type(), e.ChannelCount, 16, e.SampleRate, nil)
	switch {
	case format == "mp4a" && e.Esds != nil:
		if err := aac(m, &e.Esds.ESDescriptor, codec); err != nil {
			return err
		}
	case format == "Opus" && e.Dops != nil:
		m.SampleRate, m.Channels = 48000, int(e.Dops.OutputChannelCount) // Opus in ISOBMFF, 4.3.2: always 48 kHz
	case format == "ac-3" && e.Dac3 != nil:
		m.Channels, _ = e.Dac3.ChannelInfo()
	case format == "ec-3" && e.Dec3 != nil && len(e.Dec3.EC3Subs) > 0:
		m.Channels, _ = e.Dec3.ChannelInfo()
		m.JOC = int(e.Dec3.JOCComplexity)
	case format == "fLaC" && e.DfLa != nil:
		if err := flac(m, e.DfLa); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%w: %s without its decoder configuration", ErrMalformed, format)
	}
	for _, c := range e.Children {
		switch b := c.(type) {
		case *mp4.BtrtBox, *mp4.FreeBox, *mp4.UUIDBox:
			continue // describes the encoder's run, not the media
		case *mp4.EsdsBox:
			// Its buffer size and bitrates describe the run, too.
			c = mp4.CreateEsdsBox(b.DecConfigDescriptor.DecSpecificInfo.DecConfig)
		}
		canonical.AddChild(c)
	}
	if m.SampleRate == 0 || m.Channels == 0 {
		return fmt.Errorf("%w: %d channels at %d Hz", ErrMalformed, m.Channels, m.SampleRate)
	}
	*e = *canonical
	return nil
}

// lowComplexity is the object type of plain AAC.
const lowComplexity = 2

// aac reads the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). codec is what the catalog says.
func aac(m *media.Init, es *mp4.ESDescriptor, codec string) error {
	d := es.DecConfigDescriptor
	switch {
	case d == nil:
		return fmt.Errorf("%w: esds without a decoder configuration", ErrMalformed)
	case d.ObjectType != mp4.ObjectTypeAAC:
		return fmt.Errorf("%w: mp4a.%02x", ErrUnsupported, d.ObjectType)
	case d.DecSpecificInfo == nil || len(d.DecSpecificInfo.DecConfig) < 2:
		return fmt.Errorf("%w: esds without an AudioSpecificConfig", ErrMalformed)
	}
	a := demux.ReadASC(d.DecSpecificInfo.DecConfig)
	object, rate := a.Object, max(a.Rate, a.Out)
	if object == lowComplexity && (codec == "mp4a.40.5" || codec == "mp4a.40.29") && rate > 0 && rate <= 24000 {
		// Nothing in the header tells: decoders find out, and the catalog knows (ISO/IEC 14496-3, 1.6.5.3).
		rate *= 2
		object = demux.SBRObject
		if codec == "mp4a.40.29" {
			object = demux.PSObject
		}
	}
	m.Codec = fmt.Sprintf("mp4a.40.%d", object)
	if rate > 0 {
		m.SampleRate = rate
	}
	switch channels := a.Channels; {
	case object == demux.PSObject && channels == 1:
		m.Channels = 2
	case channels == 7:
		m.Channels = 8
	case channels > 0 && channels < 7:
		m.Channels = channels
	}
	return nil
}

// flac reads the STREAMINFO (RFC 9639, 8.2).
func flac(m *media.Init, b *mp4.DfLaBox) error {
	if len(b.MetadataBlocks) == 0 || b.MetadataBlocks[0].BlockType != 0 || len(b.MetadataBlocks[0].BlockData) < 34 {
		return fmt.Errorf("%w: dfLa without STREAMINFO", ErrMalformed)
	}
	v := binary.BigEndian.Uint32(b.MetadataBlocks[0].BlockData[10:])
	m.SampleRate, m.Channels = int(v>>12), int(v>>9&7)+1
	b.MetadataBlocks = b.MetadataBlocks[:1] // tags and pictures are not needed to decode
	b.MetadataBlocks[0].LastMetadataBlockFlag = true
	return nil
}

package mux

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// audio fills in what an audio sample entry says and makes the entry canonical.
func audio(m *media.Init, e *mp4.AudioSampleEntryBox) error {
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
		if err := aac(m, &e.Esds.ESDescriptor); err != nil {
			return err
		}
	case format == "Opus" && e.Dops != nil:
		m.SampleRate, m.Channels = 48000, int(e.Dops.OutputChannelCount) // Opus in ISOBMFF, 4.3.2: always 48 kHz
	case format == "ac-3" && e.Dac3 != nil:
		m.Channels, _ = e.Dac3.ChannelInfo()
	case format == "ec-3" && e.Dec3 != nil && len(e.Dec3.EC3Subs) > 0:
		m.Channels, _ = e.Dec3.ChannelInfo()
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

// aac reads the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
func aac(m *media.Init, es *mp4.ESDescriptor) error {
	d := es.DecConfigDescriptor
	switch {
	case d == nil:
		return fmt.Errorf("%w: esds without a decoder configuration", ErrMalformed)
	case d.ObjectType != mp4.ObjectTypeAAC:
		return fmt.Errorf("%w: mp4a.%02x", ErrUnsupported, d.ObjectType)
	case d.DecSpecificInfo == nil || len(d.DecSpecificInfo.DecConfig) < 2:
		return fmt.Errorf("%w: esds without an AudioSpecificConfig", ErrMalformed)
	}
	r := bitReader{data: d.DecSpecificInfo.DecConfig}
	const sbr, ps, escape = 5, 29, 31
	object := r.read(5)
	if object == escape {
		object = 32 + r.read(6)
	}
	rate := frequency(&r)
	channels := r.read(4)
	if object == sbr || object == ps {
		rate = frequency(&r) // what the decoder puts out
	}
	m.Codec = fmt.Sprintf("mp4a.40.%d", object)
	if rate > 0 {
		m.SampleRate = rate
	}
	switch {
	case object == ps && channels == 1:
		m.Channels = 2
	case channels == 7:
		m.Channels = 8
	case channels > 0 && channels < 7:
		m.Channels = channels
	}
	return nil
}

func frequency(r *bitReader) int {
	rates := [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	switch i := r.read(4); {
	case i < len(rates):
		return rates[i]
	case i == 15:
		return r.read(24)
	}
	return 0
}

// bitReader reads bits from the first on. Beyond the end it reads zeros.
type bitReader struct {
	data []byte
	pos  int // bits
}

func (r *bitReader) read(n int) (v int) {
	for range n {
		v <<= 1
		if i := r.pos / 8; i < len(r.data) {
			v |= int(r.data[i]>>(7-r.pos%8)) & 1
		}
		r.pos++
	}
	return v
}

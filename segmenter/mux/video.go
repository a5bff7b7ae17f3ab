package mux

import (
	"fmt"
	"math/bits"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Transfer characteristics of ISO/IEC 23091-2.
const (
	transferPQ  = 16
	transferHLG = 18
)

// video fills in what a visual sample entry says and makes the entry canonical.
func video(m *media.Init, e *mp4.VisualSampleEntryBox) error {
	var transfer int
	sealed, format, err := encryption(e.Type(), e.Sinf)
	if err != nil {
		return err
	}
	m.Encryption = sealed
	switch {
	case m.Kind != media.Video:
		return fmt.Errorf("%w: %s in a track of %s", ErrMalformed, e.Type(), m.Kind)
	case e.AvcC != nil && (format == "avc1" || format == "avc3"):
		c := e.AvcC
		m.Codec = fmt.Sprintf("%s.%02x%02x%02x", format, c.AVCProfileIndication, c.ProfileCompatibility, c.AVCLevelIndication)
	case e.HvcC != nil && (format == "hvc1" || format == "hev1"):
		m.Codec, transfer = hevcCodec(format, &e.HvcC.DecConfRec), hevcTransfer(&e.HvcC.DecConfRec)
	case e.Av1C != nil && format == "av01":
		m.Codec = e.Av1C.CodecString("av01")
		if h, err := e.Av1C.SequenceHeader(); err == nil {
			m.Codec, transfer = h.CodecString("av01"), int(h.TransferCharacteristics)
		}
	case e.VppC != nil && format == "vp09":
		m.Codec, transfer = vp9Codec(e.VppC), int(e.VppC.TransferCharacteristics)
	default:
		return fmt.Errorf("%w: %s without its decoder configuration", ErrMalformed, format)
	}
	m.Width, m.Height = int(e.Width), int(e.Height)
	canonical := mp4.CreateVisualSampleEntryBox(e.Type(), e.Width, e.Height, nil)
	canonical.CompressorName = ""
	for _, c := range e.Children {
		switch b := c.(type) {
		case *mp4.BtrtBox, *mp4.FreeBox, *mp4.UUIDBox:
			continue // describes the encoder's run, not the media
		case *mp4.PaspBox:
			if b.HSpacing > 0 && b.VSpacing > 0 && b.HSpacing < 1<<16 && b.VSpacing < 1<<16 {
				m.Width = int((uint64(e.Width)*uint64(b.HSpacing) + uint64(b.VSpacing)/2) / uint64(b.VSpacing))
			}
		case *mp4.ColrBox:
			if b.ColorType == mp4.ColorTypeOnScreenColors {
				transfer = int(b.TransferCharacteristics)
			}
		}
		canonical.AddChild(c)
	}
	if m.Width == 0 || m.Width > 1<<16-1 || m.Height == 0 {
		return fmt.Errorf("%w: picture of %dx%d", ErrMalformed, m.Width, m.Height)
	}
	*e = *canonical
	switch transfer {
	case transferPQ:
		m.VideoRange = "PQ"
	case transferHLG:
		m.VideoRange = "HLG"
	default:
		m.VideoRange = "SDR"
	}
	return nil
}

// vp9Codec is the codecs parameter of "VP Codec ISO Media File Format Binding". Players take what is left out to be BT.709
// in 4:2:0, and so is what is unspecified: only other colours are written.
func vp9Codec(c *mp4.VppCBox) string {
	s := fmt.Sprintf("vp09.%02d.%02d.%02d", c.Profile, c.Level, c.BitDepth)
	rest := fmt.Sprintf(".%02d.%02d.%02d.%02d.%02d", c.ChromaSubsampling, c.ColourPrimaries, c.TransferCharacteristics,
		c.MatrixCoefficients, c.VideoFullRangeFlag)
	if rest == ".01.01.01.01.00" || rest == ".01.02.02.02.00" {
		return s
	}
	return s + rest
}

// hevcCodec is the codecs parameter of ISO/IEC 14496-15, annex E.3.
func hevcCodec(entry string, c *hevc.DecConfRec) string {
	tier := "L"
	if c.GeneralTierFlag {
		tier = "H"
	}
	s := fmt.Sprintf("%s.%s%d.%X.%s%d", entry, [...]string{"", "A", "B", "C"}[c.GeneralProfileSpace&3], c.GeneralProfileIDC,
		bits.Reverse32(c.GeneralProfileCompatibilityFlags), tier, c.GeneralLevelIDC)
	// Six bytes of constraints, of which trailing zeros are left out.
	for rest := c.GeneralConstraintIndicatorFlags << 16; rest != 0; rest <<= 8 {
		s += fmt.Sprintf(".%X", rest>>56)
	}
	return s
}

// hevcTransfer is the transfer characteristics of the first SPS, or 0. (H.264's are read from colr only: mp4ff reserves memory
// for whatever number of buffers a SPS claims.)
func hevcTransfer(c *hevc.DecConfRec) int {
	for _, nalu := range c.GetNalusForType(hevc.NALU_SPS) {
		if sps, err := hevc.ParseSPSNALUnit(nalu); err == nil && sps.VUI != nil {
			return int(sps.VUI.TransferCharacteristics)
		}
	}
	return 0
}

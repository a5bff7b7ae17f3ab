package mux

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/demux"
)

// Reasons to refuse a track.
var (
	ErrEncrypted   = errors.New("the track is encrypted, which only a fragmented file can hold")
	ErrUnsupported = errors.New("the codec is not supported")
	ErrMalformed   = errors.New("the sample entry is malformed")
)

const maxEntry = 1 << 20 // bytes

// ParseInit is the canonical header for a publisher's CMAF header.
func ParseInit(init []byte) (*media.Init, error) {
	c, err := demux.NewCMAF(init)
	if err != nil {
		return nil, err
	}
	return Init(&c.Header)
}

// Init is the canonical header of a track.
func Init(h *demux.Header) (*media.Init, error) {
	entry, err := decodeEntry(h.Entry)
	if err != nil {
		return nil, err
	}
	m := &media.Init{Kind: h.Kind, Timescale: h.Timescale}
	switch e := entry.(type) {
	case *mp4.VisualSampleEntryBox:
		err = video(m, e)
	case *mp4.AudioSampleEntryBox:
		err = audio(m, e, h.Codec)
	case *mp4.WvttBox:
		entry, err = webVTT(m, e)
	case *mp4.StppBox:
		entry, err = ttml(m, e, h.Codec)
	default:
		err = fmt.Errorf("%w: %q", ErrUnsupported, entry.Type())
	}
	if err != nil {
		return nil, fmt.Errorf("mux: sample entry: %w", err)
	}
	if m.Encryption != nil {
		m.Encryption.PSSH = h.PSSH
	}
	if m.Bytes, err = encode(m, entry, h); err != nil {
		return nil, fmt.Errorf("mux: %w", err)
	}
	sum := sha256.Sum256(m.Bytes)
	m.Digest = hex.EncodeToString(sum[:4])
	return m, nil
}

// decodeEntry hands a sample entry, and nothing else of what a publisher wrote, to mp4ff. A bug there that a hostile entry
// finds must not take the process down.
func decodeEntry(entry []byte) (b mp4.Box, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("mux: %w: %v", ErrMalformed, p)
		}
	}()
	if len(entry) > maxEntry {
		return nil, fmt.Errorf("mux: %w: %d bytes", ErrMalformed, len(entry))
	}
	switch kind := string(entry[4:8]); kind {
	case "encv", "enca", "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "mp4a", "Opus", "ac-3", "ec-3", "fLaC", "wvtt", "stpp":
	default:
		return nil, fmt.Errorf("mux: sample entry %q: %w", kind, ErrUnsupported)
	}
	b, err = mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(entry))
	if err != nil {
		return nil, fmt.Errorf("mux: %w: %w", ErrMalformed, err)
	}
	return b, nil
}

// encode writes ftyp and moov.
func encode(m *media.Init, entry mp4.Box, h *demux.Header) ([]byte, error) {
	init := mp4.NewMP4Init()
	init.AddChild(mp4.NewFtyp("cmfc", 0, []string{"cmfc", "iso6"}))
	moov := mp4.NewMoovBox()
	init.AddChild(moov)
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = m.Timescale
	moov.AddChild(mvhd)
	moov.AddChild(newTrak(trackID, m, entry, h.Language))
	mvex := mp4.NewMvexBox()
	mvex.AddChild(&mp4.TrexBox{TrackID: trackID, DefaultSampleDescriptionIndex: 1})
	moov.AddChild(mvex)
	addPSSH(moov, h)
	var b bytes.Buffer
	if err := init.Encode(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// addPSSH adds what DRM systems need of a publisher's header.
func addPSSH(moov *mp4.MoovBox, h *demux.Header) {
	for _, pssh := range h.PSSH {
		moov.AddChild(mp4.CreateUnknownBox("pssh", uint64(len(pssh)), pssh[8:]))
	}
}

// newTrak is a track with the sample entry and empty sample tables.
func newTrak(id uint32, m *media.Init, entry mp4.Box, language uint16) *mp4.TrakBox {
	handler := m.Kind.String()
	if entry.Type() == "stpp" {
		handler = "subtitle" // and its sthd, where wvtt has text and nmhd (ISO/IEC 14496-30, 5.2 and 6.2)
	}
	trak := mp4.CreateEmptyTrak(id, m.Timescale, handler, "und")
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(m.Width<<16), mp4.Fixed32(m.Height<<16)
	trak.Mdia.Mdhd.Language = language
	trak.Mdia.Hdlr.Name = m.Kind.String()
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return trak
}

package mux

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Bytes of saiz and senc up to their tables, and of saio with its one offset.
const (
	saizHead = 17
	saioSize = 20
	sencHead = 16
	subEntry = 6
)

// seal is the form of the auxiliary information of the samples of a fragment (ISO/IEC 23001-7, 7.2): the zero seal has none.
type seal struct {
	samples    int
	subsamples bool
	bytes      int  // of all entries
	each       int  // of one, if they are equal
	equal      bool // they are
}

func sealOf(samples []media.Sample) (s seal) {
	for i := range samples {
		if c := samples[i].Crypt; c != nil {
			s.samples, s.subsamples = len(samples), s.subsamples || len(c.Subsamples) > 0
		}
	}
	if s.samples == 0 {
		return s
	}
	s.each, s.equal = s.entry(&samples[0]), true
	for i := range samples {
		n := s.entry(&samples[i])
		s.bytes, s.equal = s.bytes+n, s.equal && n == s.each
	}
	return s
}

// entry is the bytes of one sample's entry. A sample without subsamples among others that have some is one subsample itself.
func (s *seal) entry(m *media.Sample) int {
	iv, subs := crypt(m)
	switch {
	case !s.subsamples:
		return len(iv)
	case len(subs) == 0:
		return len(iv) + 2 + subEntry
	}
	return len(iv) + 2 + len(subs)
}

func crypt(m *media.Sample) (iv, subsamples []byte) {
	if m.Crypt == nil {
		return nil, nil
	}
	return m.Crypt.IV, m.Crypt.Subsamples
}

// size is the bytes of saiz, saio and senc.
func (s *seal) size() int {
	if s.samples == 0 {
		return 0
	}
	return s.saiz() + saioSize + sencHead + s.bytes
}

func (s *seal) saiz() int {
	if s.equal {
		return saizHead
	}
	return saizHead + s.samples
}

// seal writes saiz, saio and senc, which are the last boxes of the moof.
func (w *writer) seal(s *seal, samples []media.Sample) {
	if s.samples == 0 {
		return
	}
	w.box(s.saiz(), "saiz")
	w.u32(0)
	if s.equal {
		*w = append(*w, byte(s.each))
		w.u32(uint32(s.samples))
	} else {
		*w = append(*w, 0)
		w.u32(uint32(s.samples))
		for i := range samples {
			*w = append(*w, byte(s.entry(&samples[i])))
		}
	}
	w.box(saioSize, "saio")
	w.u32(0, 1, uint32(len(*w)+12+sencHead)) // from the moof, with which the fragment begins
	w.box(sencHead+s.bytes, "senc")
	flags := uint32(0)
	if s.subsamples {
		flags = 2
	}
	w.u32(flags, uint32(s.samples))
	for i := range samples {
		iv, subs := crypt(&samples[i])
		*w = append(*w, iv...)
		switch {
		case !s.subsamples:
		case len(subs) == 0:
			*w = append(*w, 0, 1, 0, 0)
			w.u32(uint32(len(samples[i].Data)))
		default:
			*w = binary.BigEndian.AppendUint16(*w, uint16(len(subs)/subEntry))
			*w = append(*w, subs...)
		}
	}
}

// encryption reads the sinf of a sample entry, and makes it canonical; format is that of the samples when they are in the clear.
// Without a sinf there is no encryption.
func encryption(entry string, sinf *mp4.SinfBox) (e *media.Encryption, format string, err error) {
	switch {
	case entry != "encv" && entry != "enca":
		return nil, entry, nil
	case sinf == nil || sinf.Frma == nil || sinf.Schm == nil || sinf.Schi == nil || sinf.Schi.Tenc == nil:
		return nil, "", fmt.Errorf("%w: %s without all of frma, schm and tenc", ErrMalformed, entry)
	}
	scheme, tenc := sinf.Schm.SchemeType, sinf.Schi.Tenc
	if scheme != "cenc" && scheme != "cbcs" {
		return nil, "", fmt.Errorf("%w: encryption scheme %q: cenc and cbcs are", ErrUnsupported, scheme)
	}
	frma, schm, schi := *sinf.Frma, mp4.SchmBox{SchemeType: scheme, SchemeVersion: 1 << 16}, &mp4.SchiBox{}
	schi.AddChild(tenc)
	sinf.Children = nil
	sinf.AddChild(&frma)
	sinf.AddChild(&schm)
	sinf.AddChild(schi)
	return &media.Encryption{Scheme: scheme, KID: uuid(tenc.DefaultKID)}, frma.DataFormat, nil
}

// uuid is the usual spelling.
func uuid(b []byte) string {
	h := hex.EncodeToString(b)
	if len(h) != 32 {
		return h
	}
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

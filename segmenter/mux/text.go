package mux

import (
	"fmt"
	"strings"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/moqpack/moqpack/internal/media"
)

// Codec of text whose header does not say a profile: what nearly all documents are.
const imsc1 = "stpp.ttml.im1t"

// blanks are a sample without cues (ISO/IEC 14496-30, 5.5.3), and the least IMSC document.
const (
	blankWebVTT = "\x00\x00\x00\x08vtte"
	blankTTML   = `<?xml version="1.0" encoding="UTF-8"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang=""><head/><body/></tt>`
)

// Blank is a sample of text that shows nothing.
func Blank(codec string) []byte {
	if codec == "wvtt" {
		return []byte(blankWebVTT)
	}
	return []byte(blankTTML)
}

// webVTT fills in what a sample entry of WebVTT says, and is the canonical one.
func webVTT(m *media.Init, e *mp4.WvttBox) (mp4.Box, error) {
	if m.Kind != media.Text || e.VttC == nil {
		return nil, fmt.Errorf("%w: wvtt without its configuration, or in a track of %s", ErrMalformed, m.Kind)
	}
	m.Codec = "wvtt"
	canonical := mp4.NewWvttBox()
	canonical.AddChild(e.VttC)
	return canonical, nil
}

// ttml fills in what a sample entry of TTML says, and is the canonical one. codec is what the catalog says.
func ttml(m *media.Init, e *mp4.StppBox, codec string) (mp4.Box, error) {
	switch {
	case m.Kind != media.Text:
		return nil, fmt.Errorf("%w: stpp in a track of %s", ErrMalformed, m.Kind)
	case strings.Contains(e.AuxiliaryMimeTypes, "/") || strings.HasSuffix(codec, ".im1i") || strings.HasSuffix(codec, ".im2i"):
		return nil, fmt.Errorf("%w: TTML with pictures", ErrUnsupported)
	}
	if m.Codec = imsc1; strings.HasPrefix(codec, "stpp.ttml.") && isCodec(codec) {
		m.Codec = codec
	}
	namespace := e.Namespace
	if namespace == "" {
		namespace = "http://www.w3.org/ns/ttml"
	}
	return mp4.NewStppBox(namespace, e.SchemaLocation, ""), nil
}

// isCodec reports whether a codec of a catalog can stand in a manifest.
func isCodec(codec string) bool {
	return len(codec) <= 64 && strings.Trim(codec, "abcdefghijklmnopqrstuvwxyz0123456789.|+") == ""
}

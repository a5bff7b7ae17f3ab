package manifest_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

const kid = "39112233-4455-6677-8899-aabbccddeeff"

// box is a pssh box of the system, an all-letters one; of version 1 if it lists key ids.
func box(version byte, keys int, data string) []byte {
	b := append([]byte{0, 0, 0, 0, 'p', 's', 's', 'h', version, 0, 0, 0}, "SSSSSSSSSSSSSSSS"...)
	if version > 0 {
		b = append(b, 0, 0, 0, byte(keys))
		b = append(b, make([]byte, 16*keys)...)
	}
	return append(append(b, 0, 0, 0, byte(len(data))), data...)
}

func TestPlayReadyGetsTheObjectInItsBox(t *testing.T) {
	for _, pssh := range [][]byte{box(0, 0, "object"), box(1, 0, "object"), box(1, 2, "object")} {
		got := manifest.HLSKey(media.Protection{Scheme: "cenc", KIDs: []string{kid}, System: media.PlayReady, PSSH: pssh})
		if want := "base64," + base64.StdEncoding.EncodeToString([]byte("object")) + `"`; !strings.Contains(got, want) {
			t.Errorf("%q, want %q in it", got, want)
		}
	}
	for i := range box(1, 2, "object") {
		k := media.Protection{Scheme: "cenc", KIDs: []string{kid}, System: media.PlayReady, PSSH: box(1, 2, "object")[:i]}
		if got := manifest.HLSKey(k); got != "" {
			t.Errorf("cut after %d bytes: %q", i, got)
		}
	}
}

func TestSystemsThatHLSCannotNameHaveNoKey(t *testing.T) {
	for name, k := range map[string]media.Protection{
		"unknown":                    {Scheme: "cbcs", System: "00000000-0000-0000-0000-000000000000", PSSH: box(0, 0, "x")},
		"Widevine without its box":   {Scheme: "cbcs", System: media.Widevine},
		"FairPlay with cenc":         {Scheme: "cenc", System: media.FairPlay},
		"ClearKey without a licence": {Scheme: "cbcs", System: media.ClearKey},
		"a quote in the URI":         {Scheme: "cbcs", System: media.FairPlay, KeyURI: `skd://"`},
		"a line break in the URI":    {Scheme: "cbcs", System: media.ClearKey, License: media.Endpoint{URL: "http://a\n#EXTINF"}},
	} {
		k.KIDs = []string{kid}
		if got := manifest.HLSKey(k); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFairPlayAsksByKeyIDUnlessToldOtherwise(t *testing.T) {
	for template, want := range map[string]string{
		"":                        `URI="skd://39112233445566778899aabbccddeeff"`,
		"skd://a/{uuid}?k={kid}":  `URI="skd://a/39112233-4455-6677-8899-aabbccddeeff?k=39112233445566778899aabbccddeeff"`,
		"skd://always-the-same-1": `URI="skd://always-the-same-1"`,
	} {
		got := manifest.HLSKey(media.Protection{Scheme: "cbcs", KIDs: []string{kid}, System: media.FairPlay, KeyURI: template})
		if !strings.Contains(got, want) || !strings.HasPrefix(got, "METHOD=SAMPLE-AES,") {
			t.Errorf("%q: %q, want %q in it", template, got, want)
		}
	}
}

// The header knows better than the catalog what it is encrypted with, and may bring boxes of its own.
func TestTheHeaderIsRightAboutKeys(t *testing.T) {
	unknown := "53535353-5353-5353-5353-535353535353" // SSSS...
	e := &timeline.Epoch{Init: &media.Init{Encryption: &media.Encryption{Scheme: "cenc", KID: kid, PSSH: [][]byte{box(0, 0, "x")}}}}
	r := manifest.Rendition{Track: &media.Track{Protections: []media.Protection{
		{Scheme: "cbcs", KIDs: []string{"00000000-0000-0000-0000-000000000000"}, System: media.FairPlay},
	}}}
	keys := r.Keys(e)
	if len(keys) != 2 || keys[0].Scheme != "cenc" || keys[0].KIDs[0] != kid || keys[1].System != unknown || len(keys[1].PSSH) == 0 {
		t.Errorf("%+v", keys)
	}
	if e.Init.Encryption = nil; r.Keys(e) != nil {
		t.Error("keys of what is in the clear")
	}
}

func TestKeysAreSaidAgainOnlyWhenTheyChange(t *testing.T) {
	sealed := func(kid string) *timeline.Epoch {
		return &timeline.Epoch{Init: &media.Init{Encryption: &media.Encryption{Scheme: "cbcs", KID: kid}}}
	}
	open := &timeline.Epoch{Init: &media.Init{}}
	r := &manifest.Rendition{Track: &media.Track{Protections: []media.Protection{{System: media.FairPlay}}}}
	for name, tt := range map[string]struct {
		last, now *timeline.Epoch
		want      string
	}{
		"first, in the clear": {nil, open, ""},
		"the same":            {sealed(kid), sealed(kid), ""},
		"from the clear":      {open, sealed(kid), "39112233445566778899aabbccddeeff"},
		"another":             {sealed("00"), sealed(kid), "39112233445566778899aabbccddeeff"},
		"into the clear":      {sealed(kid), open, "METHOD=NONE"},
	} {
		got := strings.Join(manifest.HLSKeys(r, tt.last, tt.now), " ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

package manifest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// Keys are the DRM systems that can decrypt r in epoch e, in catalog order: nil when it is in the clear. The header is right about
// scheme and key id whatever the catalog says; systems that the catalog does not name are those of the header's pssh boxes.
func (r *Rendition) Keys(e *timeline.Epoch) []media.Protection {
	sealed := e.Init.Encryption
	if sealed == nil {
		return nil
	}
	keys := slices.Clone(r.Track.Protections)
	for _, pssh := range sealed.PSSH {
		system := systemOf(pssh)
		same := func(k media.Protection) bool { return k.System == system }
		switch at := slices.IndexFunc(keys, same); {
		case at >= 0 && len(keys[at].PSSH) == 0:
			keys[at].PSSH = pssh
		case at < 0 && system != "":
			keys = append(keys, media.Protection{System: system, PSSH: pssh})
		}
	}
	for i := range keys {
		keys[i].Scheme, keys[i].KIDs = sealed.Scheme, []string{sealed.KID}
	}
	return keys
}

// systemOf is the SystemID of a pssh box (ISO/IEC 23001-7, 8.1), empty if it is too short to have one.
func systemOf(pssh []byte) string {
	if len(pssh) < 28 {
		return ""
	}
	h := hex.EncodeToString(pssh[12:28])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// HLSKey is the attribute list of an EXT-X-KEY or EXT-X-SESSION-KEY (rfc8216bis 4.4.4.4) for one system; empty if HLS has no way to
// name that system, or what it needs is missing.
func HLSKey(k media.Protection) string {
	method, uri, format, kid := "SAMPLE-AES-CTR", "", "", hexOf(k)
	if k.Scheme == "cbcs" {
		method = "SAMPLE-AES"
	}
	switch k.System {
	case media.Widevine:
		format = "urn:uuid:" + media.Widevine
		if len(k.PSSH) > 0 {
			uri = "data:text/plain;base64," + base64.StdEncoding.EncodeToString(k.PSSH)
		}
	case media.PlayReady:
		format = "com.microsoft.playready"
		if object := psshData(k.PSSH); len(object) > 0 {
			uri = "data:text/plain;charset=UTF-16;base64," + base64.StdEncoding.EncodeToString(object)
		}
	case media.FairPlay:
		if k.Scheme == "cbcs" { // all that it knows
			format, uri = "com.apple.streamingkeydelivery", fairPlayURI(k)
		}
	case media.ClearKey, media.CommonKey:
		format, uri = "org.w3.clearkey", k.License.URL // as hls.js calls it: no specification does
	}
	if uri == "" || format == "" || kid == "" || !quotable(uri) {
		return ""
	}
	list := "METHOD=" + method + `,URI="` + uri + `"`
	if k.System == media.Widevine || k.System == media.PlayReady {
		list += ",KEYID=0x" + kid
	}
	return list + `,KEYFORMAT="` + format + `",KEYFORMATVERSIONS="1"`
}

// fairPlayURI asks for the key by its id unless the operator said otherwise.
func fairPlayURI(k media.Protection) string {
	uri := k.KeyURI
	if uri == "" {
		uri = "skd://{kid}"
	}
	return strings.NewReplacer("{kid}", hexOf(k), "{uuid}", k.KIDs[0]).Replace(uri)
}

// hexOf is the key id in 32 hex digits, empty if it is not known.
func hexOf(k media.Protection) string {
	if len(k.KIDs) == 0 {
		return ""
	}
	return strings.ReplaceAll(k.KIDs[0], "-", "")
}

// psshData is what a pssh box holds for its system.
func psshData(pssh []byte) []byte {
	const head = 28
	if len(pssh) < head+4 {
		return nil
	}
	rest := pssh[head:]
	if pssh[8] > 0 { // version 1 lists key ids first
		n := uint64(binary.BigEndian.Uint32(rest))
		if uint64(len(rest)) < 4+16*n+4 {
			return nil
		}
		rest = rest[4+16*n:]
	}
	if n := binary.BigEndian.Uint32(rest); uint64(n) <= uint64(len(rest)-4) {
		return rest[4 : 4+n]
	}
	return nil
}

// quotable reports whether s may stand in a quoted string (rfc8216bis 4.2).
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == '"' || c == 0x7f })
}

// HLSKeys are the attribute lists for all systems of r in e. Where the keys differ from those before, all of them are said again;
// METHOD=NONE says that there are none any more.
func HLSKeys(r *Rendition, last, e *timeline.Epoch) []string {
	lists := keyLists(r, e)
	if last == nil {
		return lists
	}
	before := keyLists(r, last)
	switch {
	case slices.Equal(before, lists):
		return nil
	case len(lists) == 0:
		return []string{"METHOD=NONE"}
	}
	return lists
}

func keyLists(r *Rendition, e *timeline.Epoch) (lists []string) {
	for _, k := range r.Keys(e) {
		if list := HLSKey(k); list != "" && !slices.Contains(lists, list) {
			lists = append(lists, list)
		}
	}
	return lists
}

// SessionKeys are the attribute lists of all keys that are in use now, each once (rfc8216bis 4.4.6.5).
func (p *Presentation) SessionKeys() (lists []string) {
	for i := range p.Renditions {
		r := &p.Renditions[i]
		for _, list := range keyLists(r, r.Current()) {
			if !slices.Contains(lists, list) {
				lists = append(lists, list)
			}
		}
	}
	return lists
}

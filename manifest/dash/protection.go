package dash

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/moqpack/moqpack/internal/media"
)

// schemeProtection is that of the descriptor that says how samples are encrypted (ISO/IEC 23001-7, 11.2).
const schemeProtection = "urn:mpeg:dash:mp4protection:2011"

// names of DRM systems, for people who read MPDs.
func systemName(system string) string {
	switch system {
	case media.Widevine:
		return "Widevine"
	case media.PlayReady:
		return "PlayReady"
	case media.FairPlay:
		return "FairPlay"
	case media.ClearKey:
		return "ClearKey1.0"
	}
	return ""
}

// protections are the descriptors of an encrypted rendition (ISO/IEC 23009-1, 5.8.4.1; DASH-IF IOP part 6): none of one in the
// clear.
func protections(r rep) []*mpd.ContentProtectionType {
	sealed := r.epoch.Init.Encryption
	if sealed == nil {
		return nil
	}
	common := &mpd.ContentProtectionType{DefaultKID: sealed.KID}
	common.SchemeIdUri, common.Value = schemeProtection, sealed.Scheme
	all := []*mpd.ContentProtectionType{common}
	for _, k := range r.Keys(r.epoch) {
		if k.System == media.CommonKey && k.License.URL != "" {
			k.System = media.ClearKey // what players look for, where there is somebody to ask
		}
		p := &mpd.ContentProtectionType{Robustness: k.Robustness}
		p.SchemeIdUri, p.Value = mpd.AnyURI("urn:uuid:"+k.System), systemName(k.System)
		if len(k.PSSH) > 0 {
			p.Pssh = &mpd.PsshType{Value: base64.StdEncoding.EncodeToString(k.PSSH)}
		}
		if u := uri(k.License); u != "" {
			p.LaURL = &mpd.LaURLType{LicenseType: k.License.Type, Value: u}
		}
		if u := uri(k.Authorization); u != "" {
			p.AuthzURL = &mpd.AuthzURLType{AuthzType: k.Authorization.Type, Value: u}
		}
		if u := uri(k.Certificate); u != "" {
			p.Certurls = []mpd.CerturlType{{CertType: k.Certificate.Type, Value: u}}
		}
		all = append(all, p)
	}
	return all
}

// uri is where a player turns to, unless it is no URL.
func uri(e media.Endpoint) mpd.AnyURI {
	if u, err := url.Parse(strings.TrimSpace(e.URL)); err == nil && u.String() != "" {
		return mpd.AnyURI(u.String())
	}
	return ""
}

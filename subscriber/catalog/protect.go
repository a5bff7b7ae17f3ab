package catalog

import (
	"errors"
	"strings"

	"github.com/moqpack/moqpack/internal/media"
)

// protect finds the DRM systems of an encrypted track (draft-ietf-moq-cmsf, "contentProtections"): one for each reference that says
// what players need to know.
func (r *resolver) protect(f fields) ([]media.Protection, error) {
	refs := f.texts("contentProtectionRefIDs")
	var all []media.Protection
	for _, ref := range refs {
		for _, p := range r.protections {
			if id, _ := p.text("refID"); id != ref {
				continue
			}
			if m, ok := protection(p); ok {
				all = append(all, m)
			}
			break
		}
	}
	if len(refs) > 0 && len(all) == 0 {
		return nil, errors.New("it is encrypted, and contentProtections describes no DRM system of its contentProtectionRefIDs")
	}
	return all, nil
}

func protection(f fields) (p media.Protection, ok bool) {
	p.Scheme, _ = f.text("scheme")
	p.Scheme = strings.ToLower(p.Scheme)
	for _, id := range f.texts("defaultKID") {
		if id, ok = uuid(id); ok {
			p.KIDs = append(p.KIDs, id)
		}
	}
	system := f.object("drmSystem")
	id, _ := system.text("systemID")
	if p.System, ok = uuid(id); !ok || p.Scheme != "cenc" && p.Scheme != "cbcs" {
		return p, false
	}
	if text, _ := system.text("pssh"); text != "" {
		p.PSSH, _ = decode64(text)
	}
	p.License, p.Certificate, p.Authorization = endpoint(system, "laURL"), endpoint(system, "certURL"), endpoint(system, "authzURL")
	p.Robustness, _ = system.text("robustness")
	return p, true
}

// endpoint is an object with a URL, or just that.
func endpoint(f fields, name string) (e media.Endpoint) {
	if url, ok := f.text(name); ok {
		return media.Endpoint{URL: url}
	}
	o := f.object(name)
	if e.URL, _ = o.text("url"); e.URL != "" {
		e.Type, _ = o.text("type")
	}
	return e
}

// uuid writes a UUID as it is written mostly: in lower case with dashes.
func uuid(text string) (string, bool) {
	digits := strings.ToLower(strings.Trim(strings.ReplaceAll(text, "-", ""), "{} "))
	digits = strings.TrimPrefix(digits, "urn:uuid:")
	if len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", false
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"), true
}

package media

// Protection is one DRM system that hands out the keys of a track, as the catalog describes it (draft-ietf-moq-cmsf,
// "contentProtections"). A track has one for each system; none when its media is in the clear.
type Protection struct {
	Scheme string   `json:"scheme"`         // "cenc" or "cbcs" (ISO/IEC 23001-7)
	KIDs   []string `json:"kids,omitempty"` // default key ids, as UUIDs in lower case
	System string   `json:"system"`         // SystemID, a UUID in lower case
	PSSH   []byte   `json:"pssh,omitempty"` // a whole pssh box; empty when the system needs none

	License       Endpoint `json:"license,omitzero"`
	Certificate   Endpoint `json:"certificate,omitzero"`
	Authorization Endpoint `json:"authorization,omitzero"`
	Robustness    string   `json:"robustness,omitempty"`
}

// Endpoint is where a player turns to; the zero value means nowhere.
type Endpoint struct {
	URL  string `json:"url"`
	Type string `json:"type,omitempty"` // DASH-IF's licenseType, certType or "EME-1.0"
}

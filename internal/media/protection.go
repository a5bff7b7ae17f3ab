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

	// KeyURI is what FairPlay asks for, with {kid} (32 hex digits) or {uuid} for the key id: no catalog says it.
	KeyURI string `json:"keyURI,omitempty"`
}

// SystemIDs that moqpack must tell apart (DASH-IF registry).
const (
	Widevine  = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"
	PlayReady = "9a04f079-9840-4286-ab92-e65be0885f95"
	FairPlay  = "94ce86fb-07ff-4f43-adb8-93d2fa968ca2"
	ClearKey  = "e2719d58-a985-b3c9-781a-b030af78d30e" // DASH-IF's
	CommonKey = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b" // W3C's, of a pssh that only lists keys: also ClearKey
)

// Endpoint is where a player turns to; the zero value means nowhere.
type Endpoint struct {
	URL  string `json:"url"`
	Type string `json:"type,omitempty"` // DASH-IF's licenseType, certType or "EME-1.0"
}

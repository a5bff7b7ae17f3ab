package catalog

import "github.com/moqpack/moqpack/internal/media"

// Catalog is a broadcast's description after all updates.
type Catalog struct {
	Format   Format
	Version  string // as written
	Tracks   []media.Track
	Skipped  []Skipped
	Complete bool // the broadcast has ended for good
}

// Skipped is a track that moqpack cannot package.
type Skipped struct {
	Name   string
	Reason string
}

// Format is a family of catalogs.
type Format string

// The formats. Which one a broadcast has is seen from its documents: the names of catalog tracks are shared.
const (
	MSF   Format = "msf"    // draft-ietf-moq-msf and draft-ietf-moq-cmsf, and WARP from which they come
	Hang  Format = "hang"   // draft-lcurley-moq-hang
	WARP  Format = "warp"   // draft-ietf-moq-catalogformat, the common catalog format that WARP had at first
	MoqMI Format = "moq-mi" // draft-cenzano-moq-media-interop: no catalog, but tracks with known names
)

// Bounds of what a publisher can make us hold.
const (
	maxObject   = 1 << 20   // bytes of one catalog object
	maxInflated = 8 << 20   // bytes of one inflated catalog object
	maxTracks   = 1024      // tracks of a broadcast
	maxInits    = 1024      // entries of initDataList
	maxInit     = 256 << 10 // bytes of one decoded init segment
	maxHeader   = 1 << 20   // bytes of one init track's header
	maxHeaders  = 16 << 20  // bytes of all of them, and of what tracks are given of them
	maxRefs     = 16        // DRM systems, captions or dependencies of one track
)

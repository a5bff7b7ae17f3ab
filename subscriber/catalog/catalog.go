package catalog

import "github.com/moqpack/moqpack/internal/media"

// Catalog is a broadcast's description after all updates.
type Catalog struct {
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

// TrackName is the name of every catalog track (draft-ietf-moq-msf, "Catalog").
const TrackName = "catalog"

// Bounds of what a publisher can make us hold.
const (
	maxObject   = 1 << 20   // bytes of one catalog object
	maxInflated = 8 << 20   // bytes of one inflated catalog object
	maxTracks   = 1024      // tracks of a broadcast
	maxInits    = 1024      // entries of initDataList
	maxInit     = 256 << 10 // bytes of one decoded init segment
)

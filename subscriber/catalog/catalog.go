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

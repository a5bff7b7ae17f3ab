package manifest

import "time"

// Document is a rendered manifest.
type Document struct {
	Body        []byte
	ContentType string
	// MaxAge is how long a cache may keep the document when its URL does not fix its content.
	MaxAge time.Duration
}

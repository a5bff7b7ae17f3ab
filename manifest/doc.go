// Package manifest holds what the pure writers of documents share: the Presentation they render from, the Document they
// return, and the names of everything that has a URL. It is the only place that knows URLs and keys.
//
// The writers are hls (LL-HLS), legacy (plain HLS) and dash (both MPDs). None of them reads a clock.
package manifest

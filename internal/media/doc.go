// Package media holds the nouns that every floor of moqpack speaks of: Track, Object, Init and Sample.
//
// It is a leaf: standard library only, no behaviour beyond what a noun can say about itself. Slices inside these
// values are handed over with them and are never written again.
package media

// Package subscriber turns a MoQ broadcast into ordered objects. A Source connects, reads the catalog, subscribes to the
// tracks that its Receiver wants, puts objects in order within a bound, and reconnects for ever.
//
// A session (source.go) carries a broadcast (broadcast.go): the catalog track and the wanted tracks, each a feed. A feed's
// subscription and its fetch (subscribe.go) bring objects to one goroutine, which owns a reorder (reorder.go, pure) and
// calls the Receiver. A Receiver that blocks therefore stops the reading of that track's streams, and nothing is dropped.
// Tracks and their reorders outlive sessions, so that a new one takes up where the last broke off.
//
// Publishers may connect to us, too: a Reception (reception.go) lets them in, within bounds. To it each is a guest (guest.go), whose
// session may carry several broadcasts; a Source follows one of them on a visit (visit.go). What a guest pushes without having been
// asked is kept as far as somebody who comes later needs it (push.go).
//
// It knows MoQ and catalogs; it knows nothing of segments, playlists or stores.
package subscriber

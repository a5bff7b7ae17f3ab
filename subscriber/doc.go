// Package subscriber turns a MoQ broadcast into ordered objects. A Source connects, reads the catalog, subscribes to the
// tracks that its Receiver wants, puts objects in order within a bound, and reconnects for ever.
//
// It knows MoQ and catalogs; it knows nothing of segments, playlists or stores.
package subscriber

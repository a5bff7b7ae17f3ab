// Package catalog reads what publishers say of their broadcasts into one model: MSF, CMSF and WARP of every generation, hang, and
// the common catalog format. It is lenient in what it accepts, and loud about what it leaves out.
//
// A Decoder holds one broadcast's catalog. An object becomes JSON (input), and that the tracks in the publisher's own fields: as they
// stand (document, delta, warp), or translated from hang (hang, patch). These are resolved to a Catalog after each object (resolve
// and what it calls). Neither the track's name nor the version decides how a document is read, but what is in it: the names are
// shared, and all generations overlap on the wire.
//
// Invariants: a document is bounded before it is inflated and before it is kept; an object that cannot be applied changes
// nothing; a track that cannot be packaged costs nobody but itself; tracks stay in the publisher's order.
package catalog

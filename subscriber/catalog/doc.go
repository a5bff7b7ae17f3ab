// Package catalog reads MSF and CMSF catalogs of every generation into one model: lenient in what it accepts, and loud
// about what it leaves out.
//
// A Decoder holds one broadcast's catalog as the publisher's own JSON fields (document, delta) and resolves it to a Catalog
// after each object (resolve). The version never decides how a field is read: all generations overlap on the wire.
//
// Invariants: a document is bounded before it is inflated and before it is kept; an object that cannot be applied changes
// nothing; a track that cannot be packaged costs nobody but itself; tracks stay in the publisher's order.
package catalog

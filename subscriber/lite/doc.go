// Package lite is the subscriber's half of moq-lite, the protocol of moq-dev: it subscribes, fetches, and hands objects to a
// moqt.Sink, with the errors and names of package moqt, so that one does not notice which protocol is underneath.
//
// A group's sequence is a group id, a frame's index in its group an object id; there is one subgroup. A namespace is a
// broadcast's path, its fields joined by "/". Where frames have timestamps, objects have the properties of LOC for them; a
// payload is what the wire carried.
//
// It owns sessions, requests and data streams. It must not know catalogs, media, reordering or reconnecting: that is package
// subscriber. Drafts live in lite/dialect.
//
// Invariants: every incoming stream is read to its end or cancelled; a Sink that blocks stops the reading of its stream and of
// nothing else; nothing that arrived reliably is dropped; no size from the wire is allocated before it is bounded; a stream
// that is not understood ends by itself and nothing else with it.
package lite

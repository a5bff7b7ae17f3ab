// Package wire codes the elements that the messages of MoQ Transport are made of: varints of both kinds, key-value pairs,
// tuples and locations; a Cursor over messages that are whole in memory, and a Reader of data streams.
//
// It knows no message and no draft. Cursor and Reader keep their first error: parse straight on and look once at the end.
// Every size is checked against a limit before anything is allocated for it.
package wire

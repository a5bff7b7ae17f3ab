// Package wire codes MoQ Transport's elements: varints, cursors over control messages, key-value pairs, tuples, locations, and a
// buffered reader of data streams. It knows no message and no draft; standard library only.
package wire

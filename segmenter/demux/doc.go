// Package demux turns the payload of an object into samples. It knows boxes and bitstreams; it knows nothing of segments,
// clocks or names.
//
// What it returns are slices of the payload: nothing is copied. Counts and sizes are checked against the bytes that are
// there before anything is allocated, and every failure is an *Error that names the box and its offset.
//
// Only the few boxes of a movie fragment are needed, so they are read by hand, on the standard library alone; mp4ff, which
// copies sample data, reads what mux writes in the tests.
package demux

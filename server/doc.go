// Package server is moqpack's HTTP origin: what a CDN, a player and a person with a browser speak to.
//
// A request is answered along one line: parse the name, wait for the timeline, look up the bytes, write. Waiting is
// timeline.Wait and nothing else. Documents are rendered once per version and shared; media goes out as the very slices
// that the segmenter made. The server owns no state of a presentation: everything comes from snapshots, so that two
// servers that saw the same broadcast answer alike.
//
// Successes are written in answer.go, refusals by the one table in refusal.go; nothing else sets a status or a cache
// header. HEAD waits for what GET's first byte waits for and then sends GET's headers.
package server

// Package hls writes LL-HLS: the multivariant playlist of a channel and the media playlist of each track
// (draft-pantos-hls-rfc8216bis). The writers are pure: a playlist is a function of the presentation alone, formatted with
// integers, and constant in everything that players expect never to change.
//
// It knows no HTTP: what a playlist must hold before it answers a blocking request is the server's to wait for.
package hls

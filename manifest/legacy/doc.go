// Package legacy writes plain HLS for players that stopped learning at protocol version 6 or 7: whole segments only, no
// low-latency tag, the same segments under the same numbers as the LL-HLS view.
//
// The playlists are written with grafov/m3u8, whose feature level is exactly that of those players. It is archived, so it
// stays behind this one view. Durations are handed to it as floats, because it takes nothing else; they are exact
// milliseconds.
package legacy

// Package vod makes something to keep of what an archive has recorded: a clip by reference, whose documents stand under a
// name of their own and list the media where it lies; or an MP4 file, cut at the frame.
//
// It reads a store and the record in it, never a timeline: the broadcast may be over, or run in another process. What it is
// asked for and what it could make are told apart in words (Report): segments do not begin at every frame, and frames not at
// every instant. Times are nanoseconds of Unix time at the edges, and ticks of a track, moved to Unix time, within.
package vod

// Package dash writes the two MPDs of a channel with the types of Eyevinn/dash-mpd (ISO/IEC 23009-1).
//
// Live is LL-DASH: SegmentTemplate with $Number$ on the regular grid, almost static text. Legacy is for plain clients:
// SegmentTimeline, only whole segments. Both use one clock, Unix time: availabilityStartTime is 1970, and in every period
//
//	unix(t) = Period@start + (t - presentationTimeOffset) / timescale
//
// A period is an epoch of the timeline, or of it what lies between two changes of its renditions. No number, time or URL of a segment
// ever changes, also when the broadcast ends.
//
// A missing slot cannot be left out: with $Number$ the n-th entry of a period is the n-th segment. It is listed with its
// nominal duration. Whoever serves it must answer for it, with a still of the picture before or with 204 No Content: dash.js stops for
// good at a 404 and Shaka Player asks for ever, but both jump over an empty segment.
package dash

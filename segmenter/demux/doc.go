// Package demux turns objects into samples. It knows boxes and bitstreams; it knows nothing of segments, clocks or names.
//
// There is one reader for each way of packaging, with one method, Read:
//
//   - Chunks reads CMAF, whose objects say everything, and LOCMAF says the same with fewer bytes;
//   - Frames reads LOC, hang's legacy container and moq-mi, whose objects hold the bare bitstream. A codec makes a sample entry of
//     parameter sets and decoder configurations, and timing gives frames the decode times and durations that nobody wrote.
//
// Cues reads what a sample of WebVTT shows, which subtitles are cut and written by.
//
// All give the same media the same samples and the same Header. Media data are slices of the payload, unless something
// must be left out of it. Counts and sizes are checked against the bytes that are there before anything is allocated, and
// a failure is an *Error that names the box, if there is one, and the offset.
//
// Only the few boxes of a movie fragment are needed, so they are read by hand, on the standard library alone; mp4ff, which
// copies sample data, reads what mux writes in the tests.
package demux

// Package segmenter folds the objects of a broadcast into parts and segments: Object -> samples -> part/segment -> Sink ->
// timeline.
//
// One Segmenter serves one channel and is driven by one goroutine; nothing in it reads a clock, starts a goroutine or
// logs. Its output is a function of the objects and the configuration alone, so that two instances that saw the same
// objects publish the same bytes. It speaks to a one-method Sink and knows neither keys nor stores.
//
// # From object to segment
//
//   - track.go unwraps an object: its header, if it brings one, and its samples.
//   - hold.go keeps units until gauge.go has measured enough for plan.go to fix the constants of the channel.
//   - admit.go holds a unit against the media time of its track: overlaps and lone wild times are bad input, holes are losses,
//     a jump that a second object confirms is a restart.
//   - cut.go decides where parts and segments begin; publish.go puts them and appends them to the timeline.
//   - epoch.go maps media time to slots, and opens epochs.
//
// # What is published
//
// A segment is published under slot n only if every instance begins it at the same place, so that no two publish different bytes
// under one name. A video segment begins with the first group of its slot, an audio segment with the first frame; where groups are
// so irregular that a segment would last too long, in the middle of one (Events.ForcedCuts). After a join or a loss, the track goes
// on with the first slot of which that is certain (cut.settled). A segment that loses media becomes a gap: its parts stay, the rest
// of the slot is dropped.
//
// Two things that a late joiner cannot derive from the stream are local to the instance: the number of epochs before it joined,
// and an origin that was taken from arrival time (Epoch.Arrival says so).
package segmenter

// Package segmenter folds the objects of a broadcast into parts and segments: Object -> samples -> part/segment -> Sink ->
// timeline.
//
// One Segmenter serves one channel and is driven by one goroutine; nothing in it reads a clock, starts a goroutine or
// logs. Its output is a function of the objects and the configuration alone, so that two instances that saw the same
// objects publish the same bytes. It speaks to a one-method Sink and knows neither keys nor stores.
//
// # From object to segment
//
//   - unwrap.go lets the reader of the track's packaging (package demux) unwrap an object, and makes headers canonical.
//   - hold.go keeps units until gauge.go has measured enough for plan.go to fix the constants of the channel.
//   - admit.go holds a unit against the media time of its track: overlaps and lone wild times are bad input, holes are losses,
//     a jump that a second object confirms is a restart. burst.go waits where only the clock can tell what time it then is.
//   - cut.go decides where parts and segments begin; publish.go puts them and appends them to the timeline.
//   - doubt.go holds the media of who joins until it is known whether its publisher is the one of the record.
//   - text.go lets subtitles, which have no rhythm of their own, follow the time of the others; textslot.go makes their segments.
//   - change.go says when renditions come and go, ahead of those who watch.
//   - epoch.go maps media time to slots, and follows jumps and new headers into new epochs.
//
// # What is published
//
// A segment is published under slot n only if every instance begins it at the same place, so that no two publish different bytes
// under one name. A video segment begins with the first group of its slot, an audio segment with the first frame; where groups are
// so irregular that a segment would last too long, in the middle of one (Events.ForcedCuts). After a join or a loss, the track goes
// on with the first slot of which that is certain (cut.settled). A segment that loses media becomes a gap: its parts stay, the rest
// of the slot is dropped.
//
// A slot of subtitles is published when the pictures of it are there: as soon as a later sample proves that nothing more will be
// shown in it, or else half a slot later, with blanks where nothing was. Text for it that comes later is dropped (Events.LateText).
// Instances to which text comes so late that it is in time for one only, or who join while something from before is shown, may
// differ in it: only a publisher who repeats what is shown in every group, and does not dawdle, spares them that.
//
// # What time it is
//
// Media time that is Unix time is taken as it is. Else the wall clock at its beginning is what the catalog says, or what a media
// timeline says (clock.go), or what objects say of when they were made or sent, or when they arrived: the first of these that there is.
//
// # What instances share
//
// Three things cannot be derived from the stream by who joins late: the plan, the number of epochs before, and a base that was
// measured, be it by the publisher or on arrival (Epoch.Arrival says so). Instances settle them in a Ledger (claim.go): the plan before it is fixed, an
// epoch before it is entered, by proposing it and holding to what is claimed under its index, if that is of the same media. Who
// joins takes the newest epoch that its Past knows, or looks from there on. Without a ledger, or when it does not answer, they are
// local to the instance, which then says so with an ErrLedger and goes on: the live line waits for nobody.
//
// Whether the publisher of now is that of the Past, a stream that tells no time does not say. Who joins then waits for as long as the
// claim of an instance that knows may take (Witness), and publishes behind all that may have been published before. If media time jumps
// back meanwhile, it knows, too.
//
// A Past is what was published before this run (restore.go). Its plan is in force, its timelines go on, and slots between their
// end and the first segment of this run are gaps, unless another instance has published them. Where this run has none before the
// broadcast ends, they end with what others have published.
package segmenter

// Package archive keeps a channel's segments in a durable store, with the books that say what is there.
//
// An Archive follows the timelines of a channel, or the archive of the same channel in a nearer store, and writes what it sees
// to its own: media first, then the record, then the documents that are rendered from the record, media playlists before the
// multivariant playlist and the MPD. So nothing that is listed is ever missing, and whoever reads the record knows all that
// was published, with exact times. The live line does not know of archives and never waits for one.
//
// Each track has a cursor of its own. Its segments are put a few at a time and in any order, but documents list only what is settled:
// from Track.Begin on, slots of which the record has every one, as a segment or as a gap. What a timeline forgot before it was
// stored comes from memory, as long as that has it, or from the nearer archive; what is nowhere becomes a gap, with an alarm.
//
// Two instances may keep one archive. Media is put once under names that never have other content; the record is replaced by
// compare-and-swap after merging, and only grows: a segment that is there wins over a gap, until the store is found to have lost it.
// Who changes an entry that others read long ago counts that in Head.Revised, and they read again. Documents are rendered from the
// merged record, so that no writer takes the live edge back: whoever finds a document that another one wrote reads its version
// first, and then the record.
//
// What happens beside the media is in books of its own, by its time. Who adds to them counts that in Head.Events, and others read
// again: so instances list the same events, of which each may have missed some.
//
// What grows with time is the chunks of the record and the media, which a Keeper bounds, and two things that nobody prunes: the
// head has every track and epoch there ever was, some 170 bytes for each epoch of a track, and each epoch has a claim of about as
// many. A publisher that begins anew once an hour makes that 7 MB of head in a year with five tracks, which is read every 30 s: give
// such a channel a new name in time. An instance that runs has all epochs in mind that it saw, and would bring back what another one had
// pruned; what a hold keeps needs epochs from before Head.First; and a claim that is gone can be claimed anew, and otherwise.
//
// Where things are:
//
//	record.go              what the books say, how they merge, how they are decoded
//	books.go               the books in a store, for who writes them
//	read.go, reader.go     the same for others: without a store that can write, and leaving out what is damaged
//	archive.go, run.go     Archive and the loop of its Run
//	fill.go                what only the nearer store has of slots that are gaps in the record
//	begin.go, feed.go      where a track begins, and what is known of its slots
//	pull.go, upload.go     which slot is taken next, and how its media gets to the store
//	round.go, documents.go the record, and then the documents, are written
//	view.go, line.go       what an Archive remembers of its record
//	events.go              what happens beside the media
//	segments.go            entries of the record for an archive that is farther
//	status.go, trouble.go  what it tells others, and how it tries again
//	lose.go                what the store has lost becomes a gap
//	retain.go, clean.go    Keeper: what is given up, and its deletion; listed.go: what documents still list; holds.go: what stays
//	ledger.go, claims.go   Ledger: what instances agree on; published.go: what the others have published
//	past.go, merge.go      what a start goes on from; mend.go: what a crash has torn
//	cost.go                what a layout costs in requests
package archive

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
// compare-and-swap after merging, and only grows: a segment that is there wins over a gap. Documents are rendered from the
// merged record, so that no writer takes the live edge back: whoever finds a document that another one wrote reads its version
// first, and then the record.
package archive

// Package timeline is the heart of moqpack: one immutable, append-only record of what a track has published. Only media that is lost
// afterwards takes something back: its segment becomes a gap.
//
// A Timeline has one writer. Every change stores a new Snapshot and then closes the old one's Next channel, so that a
// blocking playlist reload, a hinted part, a chunked follow of the open segment, an uploader and a test all wait the same
// way: load, test, select on Next or ctx. Snapshots share one backing array and are never written again: publishing costs
// the same whatever the window.
//
// A timeline holds no bytes and knows no URLs: keys come from manifest, bytes from storage. Time is integer ticks.
package timeline

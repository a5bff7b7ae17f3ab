// Package storage keeps bytes under keys. A Store knows nothing of media: what is immutable and what is named how is
// decided by those who call it.
//
// Stores: Memory, and in packages of their own a disk and S3. Every Store passes the suite in storagetest. Tiers reads from
// several of them. Hot is the one part that knows names: it is the segmenter's Sink over a Store and decides what a live window
// needs and what may go.
package storage

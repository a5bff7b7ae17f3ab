// Package storage keeps bytes under keys. A Store knows nothing of media: what is immutable and what is named how is
// decided by those who call it.
package storage

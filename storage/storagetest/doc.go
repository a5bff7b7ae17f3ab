// Package storagetest holds the suite that every storage.Store passes, and the faults that whoever uses a Store must
// survive.
package storagetest

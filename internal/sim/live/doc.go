// Package live turns clips into an endless live broadcast, in any packaging, and its catalog.
//
// It owns the arithmetic from time to content and back: which object is the newest at an instant, when an object is due,
// and what is in it. Everything is a function of the clips and of time: there are no counters, so a publisher that is
// restarted goes on with the same content under the same names, and any past object can be made again.
//
// It knows nothing of MoQ Transport, and reads no clock.
package live

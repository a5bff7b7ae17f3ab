// Package sim is the other end of the line: a publisher that speaks MoQ Transport over real QUIC, for the demo and for tests.
//
// It owns the publisher's sessions and their faults, and a simulated network for tests in virtual time. What it publishes is
// made in sim/live; how it is written is in subscriber/moqt/dialect. The line itself never imports it.
//
// Content is a function of time, so nothing is queued: the stream of a group is a goroutine that waits until the next object
// is due, makes it and writes it. A subscriber that stops reading blocks its own streams only, and when too many of them are
// open the oldest group is reset. Every stream that is opened ends with a FIN or a reset.
//
//	broadcast, err := live.Demo("demo")
//	p, err := sim.New(sim.Config{Broadcasts: []live.Broadcast{broadcast}})
//	g.Go(func() error { return p.Serve(ctx, conn) })
//	// dial conn.LocalAddr() and verify p.Fingerprint()
package sim

// Package transport carries MoQ sessions over QUIC behind small interfaces, so that neither the engine nor its tests know
// what is underneath. It is the only importer of quic-go on the subscriber's side.
//
// Dialer is the subscriber's half, Listen the publisher's: demo and tests use it. Both take a net.PacketConn, which may be
// simulated (quic-go's testutils/simnet inside a testing/synctest bubble).
//
// Errors of streams and connections are *ResetError, *CloseError or ErrTimeout, whatever the transport.
package transport

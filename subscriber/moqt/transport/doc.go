// Package transport carries MoQ sessions over QUIC and over WebTransport behind small interfaces, so that neither the
// engines nor their tests know what is underneath. It is the only importer of quic-go on the subscriber's side.
//
// Dialer is the client's half, ListenFor the server's: for whoever comes; Listen is without bounds, for demo and tests. Both take a net.PacketConn, which may be
// simulated (quic-go's testutils/simnet inside a testing/synctest bubble). The client of WebTransport is our own, and as
// undemanding as can be: most relays are built on quinn, whose settings and missing extensions webtransport-go's client does
// not put up with. The server is webtransport-go's, which takes any client.
//
// Errors of streams and connections are *ResetError, *CloseError or ErrTimeout, whatever the transport; over WebTransport
// the codes are the application's, not HTTP/3's.
package transport

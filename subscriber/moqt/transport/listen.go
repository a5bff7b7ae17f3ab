package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// Listener accepts connections, over QUIC itself and over WebTransport, on one socket.
type Listener struct {
	ln   *quic.Listener
	t    *quic.Transport
	wt   *webtransport.Server
	came chan Conn // sessions; never closed

	once   sync.Once
	closed chan struct{}  // closed by Close
	g      sync.WaitGroup // all goroutines; Close waits for them
}

// Listen accepts connections on pc, which stays the caller's. tc has the certificate; of the protocols that a client
// offers, the first in the list is chosen, or over WebTransport the first in the client's. A client that offers none there
// has a connection whose Protocol is empty.
func Listen(pc net.PacketConn, protocols []string, tc *tls.Config) (*Listener, error) {
	tc = tc.Clone()
	tc.NextProtos = append(protocols[:len(protocols):len(protocols)], http3.NextProtoH3)
	tc.MinVersion = tls.VersionTLS13
	t := &quic.Transport{Conn: pc}
	conf := config()
	conf.MaxIdleTimeout, conf.KeepAlivePeriod = 30*time.Second, 5*time.Second // it is the subscriber who has to find out fast
	ln, err := t.Listen(tc, conf)
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", pc.LocalAddr(), err)
	}
	l := &Listener{ln: ln, t: t, came: make(chan Conn), closed: make(chan struct{})}
	l.wt = &webtransport.Server{
		ApplicationProtocols: protocols,
		CheckOrigin:          func(*http.Request) bool { return true }, // pages are welcome: nothing here hangs on cookies
		H3: &http3.Server{
			Handler:     http.HandlerFunc(l.upgrade),
			ConnContext: func(ctx context.Context, c *quic.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		},
	}
	l.g.Go(l.accept)
	return l, nil
}

// connKey is where the context of a request has its connection.
type connKey struct{}

func (l *Listener) accept() {
	for {
		conn, err := l.ln.Accept(context.Background()) // until the listener is closed
		if err != nil {
			return
		}
		if conn.ConnectionState().TLS.NegotiatedProtocol == http3.NextProtoH3 {
			l.g.Go(func() { _ = l.wt.ServeQUICConn(conn) }) // ends with the connection
			continue
		}
		l.g.Go(func() { l.hand(&quicConn{conn: conn, done: func() {}}) })
	}
}

// hand gives a connection to whoever accepts the next one.
func (l *Listener) hand(c Conn) {
	select {
	case l.came <- c:
	case <-l.closed:
	}
}

// upgrade answers a request. Every path is welcome.
func (l *Listener) upgrade(w http.ResponseWriter, r *http.Request) {
	s, err := l.wt.Upgrade(w, r)
	if err != nil {
		http.Error(w, "this is a WebTransport server for MoQ: "+err.Error(), http.StatusBadRequest)
		return
	}
	conn, _ := r.Context().Value(connKey{}).(*quic.Conn)
	l.hand(&session{s: s, conn: conn})
}

// Accept waits for the next connection whose handshake is complete.
func (l *Listener) Accept(ctx context.Context) (Conn, error) {
	select {
	case c := <-l.came:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Addr is where the listener listens.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close ends the listener and all its connections, without a word to the peers: whoever wants to say goodbye closes
// the connections first.
func (l *Listener) Close() {
	l.once.Do(func() { close(l.closed) })
	_ = l.t.Close()
	l.g.Wait()
}

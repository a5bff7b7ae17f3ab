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
	in   *crowd    // nil: anyone is let in

	once   sync.Once
	closed chan struct{}  // closed by Close
	dead   chan struct{}  // closed by accept when err is set
	err    error          // why there will be no more
	g      sync.WaitGroup // all goroutines; Close waits for them
}

// Listen accepts connections on pc, which stays the caller's. tc has the certificate; of the protocols that a client
// offers, the first in the list is chosen, or over WebTransport the first in the client's. A client that offers none there
// has a connection whose Protocol is empty.
func Listen(pc net.PacketConn, protocols []string, tc *tls.Config) (*Listener, error) {
	conf := config()
	conf.MaxIdleTimeout, conf.KeepAlivePeriod = 30*time.Second, 5*time.Second // it is the subscriber who has to find out fast
	return listen(&Listener{t: &quic.Transport{Conn: pc}}, protocols, tc, conf)
}

// ListenFor is Listen for whoever comes: a bounded number of clients, of whom little is kept before they are welcome, and who are
// missed soon when they do not answer any more.
func ListenFor(pc net.PacketConn, limits Limits, protocols []string, tc *tls.Config) (*Listener, error) {
	conf := config()
	conf.HandshakeIdleTimeout = 5 * time.Second
	conf.InitialStreamReceiveWindow, conf.InitialConnectionReceiveWindow = 256<<10, 1<<20 // they grow with what is read
	conf.MaxIncomingUniStreams = 512
	l := &Listener{in: newCrowd(limits)}
	l.t = &quic.Transport{Conn: pc, ConnContext: l.enter, VerifySourceAddress: func(net.Addr) bool { return true }} // or anybody could use up the places of any host
	return listen(l, protocols, tc, conf)
}

func listen(l *Listener, protocols []string, tc *tls.Config, conf *quic.Config) (*Listener, error) {
	tc = tc.Clone()
	tc.NextProtos = append(protocols[:len(protocols):len(protocols)], http3.NextProtoH3)
	tc.MinVersion = tls.VersionTLS13
	ln, err := l.t.Listen(tc, conf)
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", l.t.Conn.LocalAddr(), err)
	}
	l.ln, l.came, l.closed, l.dead = ln, make(chan Conn), make(chan struct{}), make(chan struct{})
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

// connKey is where the context of a request has its connection, and ticketKey where that of a connection has its ticket.
type (
	connKey   struct{}
	ticketKey struct{}
)

// enter lets a connection in that is about to be made. Its context ends with it.
func (l *Listener) enter(ctx context.Context, who *quic.ClientInfo) (context.Context, error) {
	t, err := l.in.enter(who.RemoteAddr)
	if err != nil {
		if refused := l.in.limits.Refused; refused != nil {
			refused(who.RemoteAddr, err)
		}
		return nil, err
	}
	context.AfterFunc(ctx, t.leave)
	return context.WithValue(ctx, ticketKey{}, t), nil
}

// Welcome says that c, which a Listener has accepted, is from somebody we know.
func Welcome(c Conn) {
	var conn *quic.Conn
	switch c := c.(type) {
	case *quicConn:
		conn = c.conn
	case *session:
		conn = c.conn
	default:
		return
	}
	if t := ticketOf(conn); t != nil {
		t.trust()
	}
}

// Path is what the client that a Listener has accepted asked for over WebTransport, with query. Over QUIC that is said in the session.
func Path(c Conn) string {
	if s, ok := c.(*session); ok {
		return s.path
	}
	return ""
}

// ticketOf is the connection's ticket; nil: it needs none.
func ticketOf(conn *quic.Conn) *ticket {
	t, _ := conn.Context().Value(ticketKey{}).(*ticket)
	return t
}

func (l *Listener) accept() {
	for {
		conn, err := l.ln.Accept(context.Background()) // until the listener is closed, or the socket
		if err != nil {
			l.err = err
			close(l.dead)
			return
		}
		if conn.ConnectionState().TLS.NegotiatedProtocol == http3.NextProtoH3 {
			l.g.Go(func() { l.serveHTTP(conn) })
			continue
		}
		l.g.Go(func() { l.hand(&quicConn{conn: conn, done: func() {}}) })
	}
}

// sessionTimeout is how long an HTTP/3 connection may go without a session.
const sessionTimeout = 10 * time.Second

// serveHTTP serves an HTTP/3 connection to its end. It is there for one session.
func (l *Listener) serveHTTP(conn *quic.Conn) {
	if t := ticketOf(conn); t != nil {
		timer := time.AfterFunc(sessionTimeout, func() {
			if !t.session.Load() {
				_ = conn.CloseWithError(noError, "no session")
			}
		})
		defer timer.Stop()
	}
	_ = l.wt.ServeQUICConn(conn)         // ends with the connection, or cannot begin
	_ = conn.CloseWithError(noError, "") // as it may be when the client gives no room for SETTINGS
}

// hand gives a connection to whoever accepts the next one.
func (l *Listener) hand(c Conn) {
	select {
	case l.came <- c:
	case <-l.closed:
	}
}

// upgrade answers a request. Every path is welcome, and for our caller to judge: see Path.
func (l *Listener) upgrade(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(*quic.Conn)
	t := ticketOf(conn)
	if t != nil && t.asked.Swap(true) {
		http.Error(w, "one session for each connection", http.StatusTooManyRequests)
		return
	}
	s, err := l.wt.Upgrade(w, r)
	if err != nil {
		if t != nil {
			t.asked.Store(false)
		}
		http.Error(w, "this is a WebTransport server for MoQ: "+err.Error(), http.StatusBadRequest)
		return
	}
	if t != nil {
		t.session.Store(true)
	}
	l.hand(&session{s: s, conn: conn, path: r.URL.RequestURI()})
}

// Accept waits for the next connection whose handshake is complete. After another error than ctx's there will be none.
func (l *Listener) Accept(ctx context.Context) (Conn, error) {
	select {
	case c := <-l.came:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.dead:
		return nil, fmt.Errorf("socket %v: %w", l.Addr(), l.err)
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

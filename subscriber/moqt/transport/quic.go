package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/quic-go/quic-go"
)

// config serves both halves. A killed peer is noticed after MaxIdleTimeout; the windows let a segment of every rendition
// be in flight; publishers that open a stream for each object need many streams.
func config() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:             10 * time.Second,
		MaxIdleTimeout:                   5 * time.Second,
		KeepAlivePeriod:                  1500 * time.Millisecond,
		InitialStreamReceiveWindow:       1 << 20,
		MaxStreamReceiveWindow:           6 << 20,
		InitialConnectionReceiveWindow:   8 << 20,
		MaxConnectionReceiveWindow:       32 << 20,
		MaxIncomingStreams:               128,
		MaxIncomingUniStreams:            1024,
		EnableDatagrams:                  true,
		EnableStreamResetPartialDelivery: true,
	}
}

// Dialer says how to connect.
type Dialer struct {
	Protocols []string    // to offer, preferred ones first
	TLS       *tls.Config // nil: the system's authorities; ALPN is set here, ServerName from the address when it is empty
	// Packet opens a socket for one connection, whose Close closes it. Nil: any UDP socket.
	Packet func() (net.PacketConn, error)
}

// QUIC connects to addr (host:port).
func (d Dialer) QUIC(ctx context.Context, addr string) (Conn, error) {
	conn, done, err := d.dial(ctx, addr, d.Protocols)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, convert(err))
	}
	return &quicConn{conn: conn, done: done}, nil
}

// dial makes a QUIC connection. done releases what it needed.
func (d Dialer) dial(ctx context.Context, addr string, alpn []string) (conn *quic.Conn, done func(), err error) {
	host, to, err := resolve(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	pc, err := d.packet()
	if err != nil {
		return nil, nil, fmt.Errorf("open a socket: %w", err)
	}
	t := &quic.Transport{Conn: pc}
	done = func() { _, _ = t.Close(), pc.Close() }
	if conn, err = t.Dial(ctx, to, clientTLS(d.TLS, host, alpn), config()); err != nil {
		done()
		return nil, nil, err
	}
	return conn, done, nil
}

func (d Dialer) packet() (net.PacketConn, error) {
	if d.Packet != nil {
		return d.Packet()
	}
	return net.ListenUDP("udp", nil)
}

// resolve is net.ResolveUDPAddr with a context: a name server that is silent must not hold up the caller.
func resolve(ctx context.Context, addr string) (host string, to *net.UDPAddr, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return "", nil, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", nil, err
	}
	is4 := func(a netip.Addr) bool { return a.Unmap().Is4() }
	ip := all[max(0, slices.IndexFunc(all, is4))] // never empty without an error
	b := ip.As16()
	return host, &net.UDPAddr{IP: b[:], Port: port, Zone: ip.Zone()}, nil
}

func clientTLS(tc *tls.Config, host string, protocols []string) *tls.Config {
	if tc == nil {
		tc = &tls.Config{}
	}
	tc = tc.Clone()
	tc.NextProtos = protocols
	tc.MinVersion = tls.VersionTLS13
	if tc.ServerName == "" {
		tc.ServerName = host
	}
	return tc
}

// convert makes quic-go's errors ours.
func convert(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	const noApplicationProtocol = 0x100 + 120 // RFC 9001 section 4.8, TLS alert 120
	if e, ok := errors.AsType[*quic.StreamError](err); ok {
		return &ResetError{Code: uint64(e.ErrorCode), Remote: e.Remote}
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return &CloseError{Code: fromHTTP(uint64(e.ErrorCode)), Reason: e.ErrorMessage, Remote: e.Remote}
	}
	if _, ok := errors.AsType[*quic.DatagramTooLargeError](err); ok {
		return ErrTooLong
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok && e.ErrorCode == noApplicationProtocol {
		return ErrNoProtocol
	}
	return err
}

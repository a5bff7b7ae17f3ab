package transport

import (
	"context"
	"io"
	"net"

	"github.com/quic-go/quic-go"
)

var (
	_ Conn          = (*quicConn)(nil)
	_ Stream        = (*quicStream)(nil)
	_ SendStream    = sendStream{}
	_ ReceiveStream = receiveStream{}
)

type quicConn struct {
	conn *quic.Conn
	done func() // releases what was opened for it
}

func (c *quicConn) OpenStream(ctx context.Context) (Stream, error) {
	return newStream(c.conn.OpenStreamSync(ctx))
}

func (c *quicConn) AcceptStream(ctx context.Context) (Stream, error) {
	return newStream(c.conn.AcceptStream(ctx))
}

func newStream(s *quic.Stream, err error) (Stream, error) {
	if err != nil {
		return nil, convert(err)
	}
	return &quicStream{receiveStream{s}, sendStream{s}}, nil
}

func (c *quicConn) OpenUniStream(ctx context.Context) (SendStream, error) {
	s, err := c.conn.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, convert(err)
	}
	return sendStream{s}, nil
}

func (c *quicConn) AcceptUniStream(ctx context.Context) (ReceiveStream, error) {
	s, err := c.conn.AcceptUniStream(ctx)
	if err != nil {
		return nil, convert(err)
	}
	return receiveStream{s}, nil
}

func (c *quicConn) SendDatagram(b []byte) error { return convert(c.conn.SendDatagram(b)) }

func (c *quicConn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	b, err := c.conn.ReceiveDatagram(ctx)
	return b, convert(err)
}

func (c *quicConn) Protocol() string { return c.conn.ConnectionState().TLS.NegotiatedProtocol }

func (c *quicConn) WebTransport() bool        { return false }
func (c *quicConn) Draining() <-chan struct{} { return nil }
func (c *quicConn) RemoteAddr() net.Addr      { return c.conn.RemoteAddr() }

func (c *quicConn) Close(code uint64, reason string) {
	_ = c.conn.CloseWithError(quic.ApplicationErrorCode(code), brief(reason))
	c.done()
}

type quicStream struct {
	receiveStream
	sendStream
}

// readable and writable are what quic.Stream has in common with its two halves.
type readable interface {
	io.Reader
	CancelRead(quic.StreamErrorCode)
}

type writable interface {
	io.WriteCloser
	CancelWrite(quic.StreamErrorCode)
	Context() context.Context
}

type receiveStream struct{ r readable }

func (s receiveStream) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	return n, convert(err)
}

func (s receiveStream) Cancel(code uint64) { s.r.CancelRead(quic.StreamErrorCode(code)) }

type sendStream struct{ w writable }

func (s sendStream) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	return n, convert(err)
}

func (s sendStream) Close() error { return convert(s.w.Close()) }

func (s sendStream) Stopped() <-chan struct{} { return s.w.Context().Done() }

func (s sendStream) Reset(code uint64) { s.w.CancelWrite(quic.StreamErrorCode(code)) }

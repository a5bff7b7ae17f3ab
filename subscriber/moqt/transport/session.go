package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// session is the server's end of a WebTransport session.
type session struct {
	s    *webtransport.Session
	conn *quic.Conn // whose only one it is
	path string     // with query
}

var (
	_ Conn          = (*session)(nil)
	_ Stream        = sessionStream{}
	_ SendStream    = sessionSend{}
	_ ReceiveStream = sessionReceive{}
)

func (c *session) OpenStream(ctx context.Context) (Stream, error) {
	return newSessionStream(c.s.OpenStreamSync(ctx))
}

func (c *session) AcceptStream(ctx context.Context) (Stream, error) {
	return newSessionStream(c.s.AcceptStream(ctx))
}

func newSessionStream(st *webtransport.Stream, err error) (Stream, error) {
	if err != nil {
		return nil, convertSession(err)
	}
	return sessionStream{sessionReceive{st}, sessionSend{st}}, nil
}

func (c *session) OpenUniStream(ctx context.Context) (SendStream, error) {
	st, err := c.s.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, convertSession(err)
	}
	return sessionSend{st}, nil
}

func (c *session) AcceptUniStream(ctx context.Context) (ReceiveStream, error) {
	st, err := c.s.AcceptUniStream(ctx)
	if err != nil {
		return nil, convertSession(err)
	}
	return sessionReceive{st}, nil
}

func (c *session) SendDatagram(b []byte) error { return convertSession(c.s.SendDatagram(b)) }

func (c *session) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	b, err := c.s.ReceiveDatagram(ctx)
	if err == io.EOF { // the client has left without a word
		err = &CloseError{Remote: true, Reason: "the session's request ended"}
	}
	return b, convertSession(err)
}

func (c *session) Protocol() string          { return c.s.SessionState().ApplicationProtocol }
func (c *session) WebTransport() bool        { return true }
func (c *session) Draining() <-chan struct{} { return nil }
func (c *session) RemoteAddr() net.Addr      { return c.s.RemoteAddr() }

// Close tells the client why, and ends the connection when it has heard or does not answer.
func (c *session) Close(code uint64, reason string) {
	_ = c.s.CloseWithError(webtransport.SessionErrorCode(code), reason) // fails if it has ended
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-c.conn.Context().Done():
	case <-timer.C:
		_ = c.conn.CloseWithError(noError, "")
	}
}

type sessionStream struct {
	sessionReceive
	sessionSend
}

type sessionReceive struct {
	r interface {
		Read([]byte) (int, error)
		CancelRead(webtransport.StreamErrorCode)
	}
}

func (s sessionReceive) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	return n, convertSession(err)
}

func (s sessionReceive) Cancel(code uint64) { s.r.CancelRead(webtransport.StreamErrorCode(code)) }

type sessionSend struct {
	w interface {
		Write([]byte) (int, error)
		Close() error
		CancelWrite(webtransport.StreamErrorCode)
		Context() context.Context
	}
}

func (s sessionSend) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	return n, convertSession(err)
}

func (s sessionSend) Close() error             { return convertSession(s.w.Close()) }
func (s sessionSend) Reset(code uint64)        { s.w.CancelWrite(webtransport.StreamErrorCode(code)) }
func (s sessionSend) Stopped() <-chan struct{} { return s.w.Context().Done() }

// convertSession makes webtransport-go's errors ours.
func convertSession(err error) error {
	if e, ok := errors.AsType[*webtransport.StreamError](err); ok {
		return &ResetError{Code: uint64(e.ErrorCode), Remote: e.Remote}
	}
	if e, ok := errors.AsType[*webtransport.SessionError](err); ok {
		return &CloseError{Code: uint64(e.ErrorCode), Reason: e.Message, Remote: e.Remote}
	}
	if e, ok := errors.AsType[*http3.Error](err); ok { // the request that carries the session is over
		return &CloseError{Remote: true, Reason: e.Error()}
	}
	return convert(err)
}

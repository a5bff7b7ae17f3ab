package transport

import (
	"errors"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Error codes of HTTP/3 and of draft-ietf-webtrans-http3.
const (
	noError        = quic.ApplicationErrorCode(http3.ErrCodeNoError)
	streamRejected = quic.StreamErrorCode(0x3994bd84) // WT_BUFFERED_STREAM_REJECTED
	sessionGone    = 0x170d7b68                       // WT_SESSION_GONE, of the streams of a session that has ended
	firstCode      = 0x52e4a40fa8db                   // of those that carry a code of the application
	lastCode       = 0x52e5ac983162
)

// toHTTP puts a code of the application where HTTP/3 has none of its own ("Resetting Data Streams").
func toHTTP(code uint64) quic.StreamErrorCode {
	code = min(code, 1<<32-1)
	return quic.StreamErrorCode(firstCode + code + code/0x1e)
}

// fromHTTP is the inverse; a code that is not the application's stays what it is.
func fromHTTP(code uint64) uint64 {
	if code < firstCode || code > lastCode || (code-0x21)%0x1f == 0 {
		return code
	}
	shifted := code - firstCode
	return shifted - shifted/0x1f
}

// asReset says whether err is the end of a stream.
func asReset(err error) (*ResetError, bool) {
	e, ok := errors.AsType[*quic.StreamError](err)
	if !ok {
		return nil, false
	}
	return &ResetError{Code: fromHTTP(uint64(e.ErrorCode)), Remote: e.Remote}, true
}

var (
	_ Stream        = wtStream{}
	_ SendStream    = (*wtSend)(nil)
	_ ReceiveStream = wtReceive{}
)

type wtStream struct {
	wtReceive
	*wtSend
}

type wtReceive struct {
	r readable
	c *webTransport
}

func (s wtReceive) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	return n, s.c.convert(err)
}

func (s wtReceive) Cancel(code uint64) { s.r.CancelRead(toHTTP(code)) }

// wtSend is owned by its writer, but for Reset.
type wtSend struct {
	w    reliable
	c    *webTransport
	head []byte // what is still to be written in front
}

// reliable is a stream that can promise to deliver its beginning even if it is reset, where the peer can do that too.
type reliable interface {
	writable
	SetReliableBoundary()
}

// newSend is a stream that begins with its type and its session: without them the server could not tell whose it is.
func newSend(w reliable, c *webTransport, typ uint64) *wtSend {
	return &wtSend{w: w, c: c, head: quicvarint.Append(quicvarint.Append(nil, typ), sessionID)}
}

func (s *wtSend) Write(b []byte) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(b)
	return n, s.c.convert(err)
}

func (s *wtSend) begin() error {
	if s.head == nil {
		return nil
	}
	if _, err := s.w.Write(s.head); err != nil {
		return s.c.convert(err)
	}
	s.w.SetReliableBoundary()
	s.head = nil
	return nil
}

func (s *wtSend) Close() error {
	if err := s.begin(); err != nil {
		return err
	}
	return s.c.convert(s.w.Close())
}

func (s *wtSend) Reset(code uint64) { s.w.CancelWrite(toHTTP(code)) }

func (s *wtSend) Stopped() <-chan struct{} { return s.w.Context().Done() }

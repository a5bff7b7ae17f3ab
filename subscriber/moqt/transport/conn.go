package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Conn is one connection. All methods may be called from any goroutine.
type Conn interface {
	OpenStream(ctx context.Context) (Stream, error) // waits for the peer's stream limit
	OpenUniStream(ctx context.Context) (SendStream, error)
	AcceptStream(ctx context.Context) (Stream, error)
	AcceptUniStream(ctx context.Context) (ReceiveStream, error)

	SendDatagram(b []byte) error // ErrTooLong if b does not fit into one packet
	ReceiveDatagram(ctx context.Context) ([]byte, error)

	Protocol() string // what was agreed upon, such as "moqt-18"
	// WebTransport says that authority and path were part of connecting, so that no message of the protocol may repeat them.
	WebTransport() bool
	// Draining is closed when the peer's transport asks us to take our leave; nil: it never does.
	Draining() <-chan struct{}
	// RemoteAddr is the peer's.
	RemoteAddr() net.Addr
	// Close ends the connection, all its streams, and what was opened for it.
	Close(code uint64, reason string)
}

// ReceiveStream is read by one goroutine; Cancel may be called by another, and ends a Read.
type ReceiveStream interface {
	io.Reader
	// Cancel stops reading. Without it, and without reading to the end, the peer loses the right to open one more stream.
	Cancel(code uint64)
}

// SendStream is written by one goroutine; Reset may be called by another, and ends a Write.
type SendStream interface {
	io.WriteCloser // Close is a FIN
	Reset(code uint64)
	Stopped() <-chan struct{} // closed when the peer has stopped reading, or we are done writing
}

// Stream is bidirectional: Close and Reset concern our half of it, Read and Cancel the peer's.
type Stream interface {
	ReceiveStream
	SendStream
}

// ErrTimeout means that nothing was heard of the peer for too long.
var ErrTimeout = errors.New("peer does not answer")

// ErrTooLong means that a datagram does not fit into a packet.
var ErrTooLong = errors.New("too long for a datagram")

// ErrNoProtocol means that the peer speaks none of the protocols that were offered.
var ErrNoProtocol = errors.New("no common protocol: the peer speaks none of the offered drafts; one that it does speak may be asked for, as in ?draft=22")

// ResetError is a stream that was ended early, by the peer (RESET_STREAM, STOP_SENDING) or by us.
type ResetError struct {
	Code   uint64
	Remote bool
}

func (e *ResetError) Error() string {
	who := "us"
	if e.Remote {
		who = "the peer"
	}
	return fmt.Sprintf("stream reset by %s with code %#x", who, e.Code)
}

// CloseError is a connection that was closed by the application, ours or the peer's.
type CloseError struct {
	Code   uint64
	Reason string
	Remote bool
}

func (e *CloseError) Error() string {
	who := "us"
	if e.Remote {
		who = "the peer"
	}
	return fmt.Sprintf("connection closed by %s with code %#x: %q", who, e.Code, e.Reason)
}

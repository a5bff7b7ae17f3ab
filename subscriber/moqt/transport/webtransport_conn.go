package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// webTransport is the client's end of a session, the only one on its connection. It speaks the oldest dialect of
// draft-ietf-webtrans-http3 that is still about, without its flow control: that is what every server understands.
type webTransport struct {
	conn     *quic.Conn
	h3       *http3.RawClientConn
	request  *http3.RequestStream // the CONNECT, whose stream lives as long as the session
	protocol string
	done     func() // releases what was opened for it

	uni   chan *quic.ReceiveStream // behind their headers; never closed: whoever waits gives up with the connection
	bidi  chan *quic.Stream
	drain chan struct{} // closed by watch when the server wants to get rid of the session
	gone  chan struct{} // closed by watch when the server has ended its half of the request

	closed atomic.Pointer[CloseError] // why the session has ended, if either side has said so
	g      sync.WaitGroup             // all goroutines; Close waits for them
}

var _ Conn = (*webTransport)(nil)

// farewell is how long Close waits for the server to have read what it says.
const farewell = 500 * time.Millisecond

// What a stream of a session begins with, and the session: the first request of a connection is on its first stream.
const (
	bidiStream = 0x41
	uniStream  = 0x54
	sessionID  = 0
)

func (c *webTransport) acceptUni() {
	for {
		st, err := c.conn.AcceptUniStream(c.conn.Context())
		if err != nil {
			return
		}
		c.g.Go(func() { c.sortUni(st) })
	}
}

// sortUni hands a stream to the session or to HTTP/3.
func (c *webTransport) sortUni(st *quic.ReceiveStream) {
	typ, err := quicvarint.Peek(st)
	switch {
	case err != nil:
	case typ != uniStream:
		c.h3.HandleUnidirectionalStream(st)
		return
	case ours(st):
		select {
		case c.uni <- st:
			return
		case <-c.conn.Context().Done():
		}
	}
	st.CancelRead(streamRejected)
}

func (c *webTransport) acceptBidi() {
	for {
		st, err := c.conn.AcceptStream(c.conn.Context())
		if err != nil {
			return
		}
		c.g.Go(func() { c.sortBidi(st) })
	}
}

func (c *webTransport) sortBidi(st *quic.Stream) {
	typ, err := quicvarint.Peek(st)
	switch {
	case err != nil:
	case typ != bidiStream:
		c.h3.HandleBidirectionalStream(st) // a violation
		return
	case ours(st):
		select {
		case c.bidi <- st:
			return
		case <-c.conn.Context().Done():
		}
	}
	st.CancelRead(streamRejected)
	st.CancelWrite(streamRejected)
}

// ours reads the header of a stream and reports whether it belongs to our session.
func ours(st io.Reader) bool {
	r := quicvarint.NewReader(st)
	_, err := quicvarint.Read(r) // the type
	id, err2 := quicvarint.Read(r)
	return err == nil && err2 == nil && id == sessionID
}

// watch reads what the server says about the session, and ends the connection with it.
func (c *webTransport) watch() {
	e := readCapsules(c.request, sync.OnceFunc(func() { close(c.drain) }))
	c.closed.CompareAndSwap(nil, e)
	close(c.gone)
	_ = c.conn.CloseWithError(noError, "") // there is nothing else on it
}

// Close tells the server why, waits a moment for it to hear, and ends the connection.
func (c *webTransport) Close(code uint64, reason string) {
	if c.closed.CompareAndSwap(nil, &CloseError{Code: code, Reason: reason}) {
		timer := time.NewTimer(farewell)
		defer timer.Stop()
		_ = c.request.SetWriteDeadline(time.Now().Add(farewell)) // fails like the write
		if _, err := c.request.Write(appendClose(nil, code, reason)); err == nil && c.request.Close() == nil {
			select {
			case <-c.gone:
			case <-c.conn.Context().Done():
			case <-timer.C:
			}
		}
	}
	c.abandon()
}

// abandon ends the connection without a word to the session.
func (c *webTransport) abandon() {
	_ = c.conn.CloseWithError(noError, "")
	c.g.Wait()
	c.done()
}

func (c *webTransport) OpenStream(ctx context.Context) (Stream, error) {
	st, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, c.convert(err)
	}
	return wtStream{wtReceive{st, c}, newSend(st, c, bidiStream)}, nil
}

func (c *webTransport) OpenUniStream(ctx context.Context) (SendStream, error) {
	st, err := c.conn.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, c.convert(err)
	}
	return newSend(st, c, uniStream), nil
}

func (c *webTransport) AcceptStream(ctx context.Context) (Stream, error) {
	select {
	case st := <-c.bidi:
		return wtStream{wtReceive{st, c}, &wtSend{w: st, c: c}}, nil
	case <-c.conn.Context().Done():
		return nil, c.convert(context.Cause(c.conn.Context()))
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *webTransport) AcceptUniStream(ctx context.Context) (ReceiveStream, error) {
	select {
	case st := <-c.uni:
		return wtReceive{st, c}, nil
	case <-c.conn.Context().Done():
		return nil, c.convert(context.Cause(c.conn.Context()))
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *webTransport) SendDatagram(b []byte) error {
	return c.convert(c.request.SendDatagram(b))
}

func (c *webTransport) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	b, err := c.request.ReceiveDatagram(ctx)
	return b, c.convert(err)
}

func (c *webTransport) Protocol() string          { return c.protocol }
func (c *webTransport) WebTransport() bool        { return true }
func (c *webTransport) Draining() <-chan struct{} { return c.drain }
func (c *webTransport) RemoteAddr() net.Addr      { return c.conn.RemoteAddr() }

// awaitEnd waits until it is known why the session has ended: its streams often say that it has before it does itself.
func (c *webTransport) awaitEnd() {
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-c.conn.Context().Done():
	case <-timer.C:
	}
	c.closed.CompareAndSwap(nil, &CloseError{Code: sessionGone, Remote: true})
}

// convert makes errors of the connection and its streams ours.
func (c *webTransport) convert(err error) error {
	if reset, ok := asReset(err); ok {
		if reset.Code != sessionGone || !reset.Remote {
			return reset
		}
		c.awaitEnd()
	}
	if e := c.closed.Load(); e != nil && err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	return convert(err)
}

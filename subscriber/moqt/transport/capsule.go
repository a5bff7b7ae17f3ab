package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// The capsules of draft-ietf-webtrans-http3 that have a meaning without flow control.
const (
	closeSession = 0x2843
	drainSession = 0x78ae
)

// maxReason bounds the words in a closeSession, on either side, and of a CONNECTION_CLOSE, which has to fit a packet.
const maxReason = 1024

func brief(reason string) string { return reason[:min(len(reason), maxReason)] }

// readCapsules reads the capsules on a session's request until the peer ends the session, and returns what it says. A session
// that ends without a capsule ends as if with code 0.
func readCapsules(r io.Reader, drain func()) *CloseError {
	p := http3.NewCapsuleParser(r)
	for {
		typ, body, err := p.Next()
		switch {
		case err == io.EOF:
			return &CloseError{Remote: true}
		case err == nil && typ == closeSession:
			return readClose(body)
		case err == nil:
			if typ == drainSession {
				drain()
			}
			err = body.Discard()
		}
		if err != nil {
			return &CloseError{Remote: true, Reason: fmt.Sprintf("the session's request ended: %v", err)}
		}
	}
}

func readClose(body io.Reader) *CloseError {
	b := make([]byte, 4+maxReason)
	n, err := io.ReadFull(body, b)
	if n < 4 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &CloseError{Remote: true, Reason: fmt.Sprintf("malformed WT_CLOSE_SESSION: %v", err)}
	}
	return &CloseError{Code: uint64(binary.BigEndian.Uint32(b)), Reason: string(b[4:n]), Remote: true}
}

// appendClose appends the capsule with which we end a session.
func appendClose(b []byte, code uint64, reason string) []byte {
	reason = brief(reason)
	b = quicvarint.Append(b, closeSession)
	b = quicvarint.Append(b, uint64(4+len(reason)))
	b = binary.BigEndian.AppendUint32(b, uint32(min(code, 1<<32-1)))
	return append(b, reason...)
}

package lite

import (
	"errors"
	"fmt"
	"io"

	"github.com/moqpack/moqpack/subscriber/moqt"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// fatalError has to end the session.
type fatalError struct{ error }

// violation reports whether err is one for which the session must be closed. The end of a stream in the middle of something is
// none: only that stream is lost. Neither are our own limits, nor kinds of streams that we do not know.
func violation(err error) bool {
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Err != io.ErrUnexpectedEOF && e.Err != wire.ErrLimit && e.Err != wire.ErrUnknown
}

// onlyConnection leaves out what concerns one stream only.
func onlyConnection(err error) error {
	if _, ok := errors.AsType[*transport.ResetError](err); ok {
		return nil
	}
	return err
}

// refused is what the reset of a request amounts to. The drafts give its code no meaning, and what publishers write changes
// with their versions; by far most often there is no such broadcast yet.
func refused(op string, e *transport.ResetError) error {
	return &moqt.RequestError{Op: op, Code: meant(e), Reason: "stream reset", Kind: moqt.ErrNotFound}
}

// meant is the code that the peer means. moq-dev maps codes as WebTransport over HTTP/3 has it (draft-ietf-webtrans-http3, "Resetting Data
// Streams") even where there is no HTTP/3.
func meant(e *transport.ResetError) uint64 {
	const first, last = 0x52e4a40fa8db, 0x52e5ac983162
	if e.Code < first || e.Code > last {
		return e.Code
	}
	n := e.Code - first
	return n - n/0x1f
}

// unanswered is the end of a request's stream before anything was said on it.
func unanswered(op string) error {
	return &moqt.RequestError{Op: op, Kind: moqt.ErrRange, Reason: "closed without an answer"}
}

// reason is what Metrics calls err.
func reason(err error) string {
	switch {
	case errors.Is(err, wire.ErrLimit):
		return "too_large"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated"
	}
	return "frame"
}

func unexpected(m any, where string) error {
	return &wire.Error{In: where, Field: fmt.Sprintf("%T", m), Err: wire.ErrValue}
}

package moqt

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
	"github.com/moqpack/moqpack/subscriber/moqt/transport"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// What a peer's refusal amounts to. Every refusal is a *RequestError that wraps one of these.
var (
	ErrNotFound     = errors.New("no such track")                   // the normal state before a broadcast begins: wait and ask again
	ErrUnauthorized = errors.New("not authorized")                  // also for malformed and expired tokens
	ErrNotSupported = errors.New("not supported")                   // do not ask again in this session
	ErrRange        = errors.New("nothing in the requested range")  // also: nothing was published yet
	ErrBusy         = errors.New("peer is overloaded or timed out") // ask again later
	ErrGoingAway    = errors.New("peer is going away")              // ask again in a new session
	ErrMalformed    = errors.New("malformed track")                 // the track is broken for good
	ErrRedirected   = errors.New("to be had elsewhere")             // the error says where
	ErrRefused      = errors.New("refused")                         // any other code
)

// Why a session ended without a violation.
var (
	ErrClosed  = errors.New("closed")
	ErrTimeout = errors.New("timed out")
	ErrAddress = errors.New("wrong path or authority") // as the peer says
)

// RequestError is the peer's refusal of one request. The session goes on.
type RequestError struct {
	Op     string // "subscribe", "fetch"
	Code   uint64 // as on the wire
	Reason string // the peer's words
	// Retry says that the peer wants to be asked again, not before RetryAfter.
	Retry      bool
	RetryAfter time.Duration
	Kind       error // one of the sentinels above
	// Redirect is where to ask instead, with Kind ErrRedirected: at its URI, or if that is empty in this session, for its track.
	Redirect *dialect.Redirect
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("%s: %v (code %#x: %q)", e.Op, e.Kind, e.Code, e.Reason)
}

func (e *RequestError) Unwrap() error { return e.Kind }

func refused(op string, d *dialect.Dialect, m *dialect.RequestError, tokens int) *RequestError {
	e := &RequestError{Op: op, Code: m.Code, Reason: m.Reason, Kind: kind(d.Refusal(m), tokens), Redirect: m.Redirect}
	if m.Retry > 0 {
		const longest = uint64(24 * time.Hour / time.Millisecond)
		e.Retry, e.RetryAfter = true, time.Duration(min(m.Retry-1, longest))*time.Millisecond
	}
	return e
}

// mandatory is our refusal of a track with a property that has to be understood.
func mandatory(op string, typ uint64) *RequestError {
	return &RequestError{Op: op, Kind: ErrNotSupported, Reason: fmt.Sprintf("unknown mandatory property %#x", typ)}
}

// kind is what a refusal means for a request with so many tokens.
func kind(r dialect.Refusal, tokens int) error {
	switch r {
	case dialect.DoesNotExist:
		return ErrNotFound
	case dialect.NotAuthorized:
		return ErrUnauthorized
	case dialect.BadToken:
		if tokens == 0 {
			return ErrNotFound // its numbers meant this up to draft 14, and some peers have not moved on
		}
		return ErrUnauthorized
	case dialect.NotSupported:
		return ErrNotSupported
	case dialect.InvalidRange:
		return ErrRange
	case dialect.TimedOut, dialect.Overloaded:
		return ErrBusy
	case dialect.NotInService:
		return ErrGoingAway
	case dialect.MalformedTrack:
		return ErrMalformed
	case dialect.Redirected:
		return ErrRedirected
	}
	return ErrRefused
}

// SessionError is why a session ended. Requests that were open then end with the same value.
type SessionError struct {
	Code   uint64 // application error code of CONNECTION_CLOSE
	Reason string
	Remote bool   // the peer closed
	URI    string // where a GOAWAY points to; empty: the same address
	Err    error  // ErrGoingAway, ErrTimeout, ErrClosed, ErrUnauthorized, ErrAddress, or a *wire.Error that names a violation's place
}

func (e *SessionError) Error() string {
	who := "us"
	if e.Remote {
		who = "the peer"
	}
	return fmt.Sprintf("moqt session ended by %s (code %#x: %q): %v", who, e.Code, e.Reason, e.Err)
}

func (e *SessionError) Unwrap() error { return e.Err }

// closed is what the peer's closing of a session with code amounts to.
func closed(code uint64) error {
	switch code {
	case dialect.NoEntry, dialect.MalformedToken, dialect.UnknownTokenAlias, dialect.ExpiredToken:
		return ErrUnauthorized
	case dialect.InvalidPath, dialect.MalformedPath, dialect.InvalidAuthority, dialect.MalformedAuthority:
		return ErrAddress
	}
	return ErrClosed
}

// ResetError is a request or data stream that was ended early, with the code that the wire carried.
type ResetError = transport.ResetError

// DoneError is a PUBLISH_DONE: the publisher ended one subscription.
type DoneError struct {
	Status Status
	Code   uint64 // as on the wire; tells apart what Status does not
	Reason string
}

func (e *DoneError) Error() string {
	return fmt.Sprintf("subscription ended by the publisher: %v (code %#x: %q)", e.Status, e.Code, e.Reason)
}

// Status says why a publisher ended a subscription, whatever the draft's number for it.
type Status = dialect.Status

// The statuses that ask for different reactions.
const (
	Failed       = dialect.Failed       // internal error, or a code we do not know: subscribe again with backoff
	TrackEnded   = dialect.TrackEnded   // the track has no further object
	Ended        = dialect.Ended        // the subscription's range is complete
	GoingAway    = dialect.GoingAway    // subscribe again in a new session
	Expired      = dialect.Expired      // subscribe again at once
	TooFarBehind = dialect.TooFarBehind // we read too slowly: subscribe again at the live edge
	Unauthorized = dialect.Unauthorized
	Malformed    = dialect.Malformed // the track is broken for good
)

// violation reports whether err is one for which the session must be closed. The end of a stream in the middle of
// something is none, though the drafts say that it should be: only that stream is lost. Neither are our own limits.
func violation(err error) bool {
	if _, ok := errors.AsType[*SessionError](err); ok { // we close it, and say why
		return true
	}
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Err != io.ErrUnexpectedEOF && e.Err != wire.ErrLimit
}

func unexpected(m dialect.Message, where string) error {
	return &wire.Error{In: where, Field: fmt.Sprintf("%T", m), Err: wire.ErrValue}
}

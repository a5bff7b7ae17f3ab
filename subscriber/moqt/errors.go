package moqt

import (
	"errors"
	"fmt"
	"time"
)

// What a peer's refusal amounts to. Every refusal is a *RequestError that wraps one of these.
var (
	ErrNotFound     = errors.New("no such track")                   // the normal state before a broadcast begins: wait and ask again
	ErrUnauthorized = errors.New("not authorized")                  // also for malformed and expired tokens
	ErrNotSupported = errors.New("not supported by the peer")       // do not ask again in this session
	ErrRange        = errors.New("nothing in the requested range")  // also: nothing was published yet
	ErrBusy         = errors.New("peer is overloaded or timed out") // ask again later
	ErrGoingAway    = errors.New("peer is going away")              // ask again in a new session
	ErrMalformed    = errors.New("malformed track")                 // the track is broken for good
	ErrRefused      = errors.New("refused")                         // any other code
)

// Why a session ended without the peer's refusal of a request.
var (
	ErrClosed  = errors.New("session closed")
	ErrTimeout = errors.New("timed out")
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
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("%s: %v (code %#x: %q)", e.Op, e.Kind, e.Code, e.Reason)
}

func (e *RequestError) Unwrap() error { return e.Kind }

// SessionError is why a session ended. Errors of requests that were open then wrap the same value.
type SessionError struct {
	Code   uint64 // application error code of CONNECTION_CLOSE, in the draft's numbering
	Reason string
	Remote bool   // the peer closed
	URI    string // where a GOAWAY points to; empty: the same address
	Err    error  // ErrGoingAway, ErrTimeout, ErrClosed, a *wire.Error that names the violation's place, or nil
}

func (e *SessionError) Error() string {
	who := "closed by us"
	if e.Remote {
		who = "closed by the peer"
	}
	if e.Err == nil {
		return fmt.Sprintf("moqt session %s (code %#x: %q)", who, e.Code, e.Reason)
	}
	return fmt.Sprintf("moqt session %s (code %#x: %q): %v", who, e.Code, e.Reason, e.Err)
}

func (e *SessionError) Unwrap() error { return e.Err }

// DoneError is a PUBLISH_DONE: the publisher ended one subscription.
type DoneError struct {
	Status Status
	Code   uint64 // as on the wire; tells apart what Status does not
	Reason string
}

func (e *DoneError) Error() string {
	return fmt.Sprintf("subscription ended: %v (code %#x: %q)", e.Status, e.Code, e.Reason)
}

// Status says why a publisher ended a subscription, whatever the draft's number for it.
type Status uint8

// The statuses that ask for different reactions.
const (
	Failed       Status = iota // internal error, or a code we do not know: subscribe again with backoff
	TrackEnded                 // the track has no further object
	Ended                      // the subscription's range is complete
	GoingAway                  // subscribe again in a new session
	Expired                    // subscribe again at once
	TooFarBehind               // we read too slowly: subscribe again at the live edge
	Unauthorized
	Malformed // the track is broken for good
)

func (s Status) String() string {
	return [...]string{"failed", "track ended", "ended", "going away", "expired", "too far behind", "unauthorized",
		"malformed track"}[min(int(s), 7)]
}

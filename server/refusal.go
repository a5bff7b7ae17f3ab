package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// class says why a request is refused. It decides status and headers, and nothing else does.
type class uint8

const (
	malformed  class = iota // no such directive will ever be valid
	tooFar                  // a playlist further ahead than a client may ask
	unknown                 // no such name
	waiting                 // the channel has nothing yet
	early                   // not yet: not hinted, or not within a segment of the live edge
	missing                 // a part of a gap, or a hint that was cancelled: never
	hole                    // a segment that is a gap
	gone                    // has left the window, or was before this server's time
	badRange                // a range outside the content
	badMethod               // neither GET nor HEAD nor OPTIONS
	held                    // waited as long as is reasonable
	doubtful                // another instance has more
	unready                 // a probe's no
	overloaded              // too many wait already
	broken                  // our fault
)

// refusals is the table. The times to live are short where the answer will change: a cache that kept "not yet" would turn
// every viewer behind it away. Those of malformed and gone will not change.
func refusals() map[class]refusal {
	const second, minute = "public, max-age=1", "public, max-age=60"
	return map[class]refusal{
		malformed: {http.StatusBadRequest, minute, ""},
		tooFar:    {http.StatusBadRequest, second, ""},
		unknown:   {http.StatusNotFound, "public, max-age=10", ""},
		waiting:   {http.StatusNotFound, second, ""},
		early:     {http.StatusNotFound, second, ""},
		missing:   {http.StatusNotFound, minute, ""},
		// A live MPD with $Number$ cannot say that a segment is a gap. Players of it take a 404 for a fault: dash.js 5.2 gives up,
		// Shaka 5.2 asks again without end. An empty answer makes both jump over it. (For pictures there is a better one: writeGap.)
		hole:       {http.StatusNoContent, second, ""},
		gone:       {http.StatusGone, minute, ""},
		badRange:   {http.StatusRequestedRangeNotSatisfiable, "no-store", ""},
		badMethod:  {http.StatusMethodNotAllowed, minute, ""},
		held:       {http.StatusServiceUnavailable, "no-store", "1"},
		doubtful:   {http.StatusServiceUnavailable, second, "1"},
		unready:    {http.StatusServiceUnavailable, "no-store", ""},
		overloaded: {http.StatusServiceUnavailable, "no-store", "2"},
		broken:     {http.StatusInternalServerError, "no-store", "1"},
	}
}

// reasonHeader tells a CDN's operator why an origin sends viewers away.
const reasonHeader = "X-Moqpack-Reason"

type refusal struct {
	status       int
	cacheControl string
	retryAfter   string // seconds; empty for none
}

// Error is a refused request.
type Error struct {
	class class
	text  string // for the client
	cause error  // for the log; nil unless broken
}

func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("server: %s: %v", e.text, e.cause)
	}
	return "server: " + e.text
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

func refuse(c class, format string, args ...any) *Error {
	return &Error{class: c, text: fmt.Sprintf(format, args...)}
}

// fault is a broken invariant: logged, and told to the client in general terms.
func fault(err error) *Error {
	return &Error{class: broken, text: "internal error", cause: err}
}

// asError makes what a handler or the router returned an *Error.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var h *echo.HTTPError
	if errors.As(err, &h) {
		switch h.Code {
		case http.StatusNotFound:
			return refuse(unknown, "no such name")
		case http.StatusMethodNotAllowed:
			return refuse(badMethod, "use GET, HEAD or OPTIONS")
		}
	}
	return fault(err)
}

// writeRefusal answers with e. Whatever headers a success would have had are gone with it.
func (s *Server) writeRefusal(w http.ResponseWriter, r *http.Request, e *Error) {
	row := s.refusals[e.class]
	body, err := json.Marshal(struct {
		Error string `json:"error"`
	}{e.text})
	if err != nil {
		body = nil // cannot be: a string always marshals
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Content-Encoding", "Accept-Ranges"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", row.cacheControl)
	if row.retryAfter != "" {
		h.Set("Retry-After", row.retryAfter)
	}
	if row.status == http.StatusNoContent {
		h.Del("Content-Type")
		if r.ProtoMajor == 1 { // ffmpeg 5.1 waits for a body as long as the connection is open
			h.Set("Connection", "close")
		}
		w.WriteHeader(row.status)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(row.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that hung up is no concern of ours
	}
}

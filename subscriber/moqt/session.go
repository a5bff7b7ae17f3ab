package moqt

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"

	"github.com/moqpack/moqpack/internal/media"
)

// Config says whom to dial and how.
type Config struct {
	Addr string // host:port
	Path string // of the moqt URI, with query; empty: none is sent

	// Drafts are the ALPN strings to offer, most trusted first. Nil: moqt-18, moqt-19, moqt-16.
	Drafts []string
	// TLS is the client's configuration; ALPN is set by Dial, ServerName from Addr when it is empty.
	TLS *tls.Config
	// Packet is the socket to dial from, which stays the caller's. Nil: Dial opens one and Run closes it.
	Packet net.PacketConn

	Logger  *slog.Logger // nil: discarded
	Metrics *Metrics     // nil: not counted
	Limits  Limits
}

// Limits bound what a peer can make us hold. A zero field means its default.
type Limits struct {
	Object      int // bytes of one payload; 32 MiB
	ParkedTotal int // streams (and datagrams) waiting for their track alias; 64
}

// Session is a connection to one peer. Its methods may be called from any goroutine.
type Session struct{}

// Dial connects and negotiates the draft; ctx bounds that only. The caller must call Run, whatever happens next.
func Dial(ctx context.Context, c Config) (*Session, error) { return nil, ErrNotSupported }

// Run sets the session up and serves it until ctx ends or the session does; then all goroutines have ended, the connection
// is closed, and all subscriptions are done. It returns a *SessionError, or ctx's error when ctx ended.
func (s *Session) Run(ctx context.Context) error { return ErrNotSupported }

// Draft is the negotiated draft's ALPN string, such as "moqt-18".
func (s *Session) Draft() string { return "" }

// Subscribe asks for a track and returns once the publisher accepted. ctx bounds the wait for the answer; the subscription
// lives until Close, the publisher's end, or the session's.
//
// The error is a *RequestError if the peer refused, a *SessionError if the session ended meanwhile, or ctx's.
// Objects may reach sink before Subscribe returns.
func (s *Session) Subscribe(ctx context.Context, name TrackName, o SubscribeOptions, sink Sink) (*Subscription, error) {
	return nil, ErrNotSupported
}

// Fetch asks for past objects and blocks until the fetch stream has ended. It returns nil after a FIN, a *RequestError if the
// peer refused, a *ResetError if the peer gave up underway, or what Sink.Object returned. Ending ctx cancels the fetch.
func (s *Session) Fetch(ctx context.Context, r FetchRequest, sink Sink) error { return ErrNotSupported }

// TrackName is a track's full name.
type TrackName struct {
	Namespace []string // fields as they are on the wire
	Name      string
}

// SubscribeOptions say where a subscription begins. The zero value sends no parameter where the draft allows it: that is what
// most peers accept.
type SubscribeOptions struct {
	Start    Start
	From     media.Location // for At
	Priority uint8          // 0: the peer's default; lower is more urgent
	Tokens   []Token
}

// Start is where a subscription begins.
type Start uint8

// The filters that all drafts share.
const (
	Live      Start = iota // from the next object: the default of the drafts
	NextGroup              // from the beginning of the next group
	At                     // from SubscribeOptions.From
)

// Token is an authorization token, sent by value.
type Token struct {
	Type  uint64
	Value []byte
}

// FetchRequest is either a range of a track or, with Join, the groups that lead up to a subscription's start.
type FetchRequest struct {
	Track      TrackName
	Start, End media.Location // both inclusive; End.Object == WholeGroup: all of End.Group

	Join   *Subscription // if not nil: fetch what lies before it, and ignore the three fields above
	Groups uint64        // with Join: how many groups before the largest one; 0: the largest group's head

	Priority uint8 // 0: the peer's default
}

// WholeGroup as End.Object of a FetchRequest means up to the end of End.Group.
const WholeGroup = 1<<62 - 1

// ResetError says that the peer reset a stream.
type ResetError struct{ Code uint64 }

func (e *ResetError) Error() string { return "stream reset by the peer" }

// Subscription is one accepted SUBSCRIBE.
type Subscription struct{}

// Track is the name that was asked for.
func (s *Subscription) Track() TrackName { return TrackName{} }

// Largest is the location of the newest object when the publisher accepted; ok is false when there was none, or when the
// publisher does not say.
func (s *Subscription) Largest() (l media.Location, ok bool) { return l, false }

// Properties are the track's properties (16: track extensions).
func (s *Subscription) Properties() []media.Property { return nil }

// Done is closed when the subscription has ended and no further call of its Sink will be made.
func (s *Subscription) Done() <-chan struct{} { return nil }

// Err is why the subscription ended: a *DoneError, a *ResetError (the publisher reset the request), a *SessionError, what
// Sink.Object returned, or ErrClosed after Close. It is nil before Done is closed.
func (s *Subscription) Err() error { return nil }

// Close unsubscribes and returns when the Sink is no longer called. It must not be called from the Sink.
func (s *Subscription) Close() {}

package dialect

import (
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// Message is a control message: a pointer to one of the structs below.
type Message any

// Reply is a message about an earlier request. Where the request has a stream of its own, RequestID is not on the wire and
// is 0 when parsed.
type Reply interface{ Request() uint64 }

// ReplyTo is the part that replies have in common.
type ReplyTo struct{ RequestID uint64 }

// Request is the id of the request that the message is about.
func (r ReplyTo) Request() uint64 { return r.RequestID }

// UnknownStreams as PublishDone.Streams means that the publisher did not count.
const UnknownStreams = 1<<62 - 1

// TrackName is a track's full name.
type TrackName struct {
	Namespace []string // fields as they are on the wire
	Name      string
}

// Token is an authorization token, by value. Aliases are not supported: they need a cache, and we offer none.
type Token struct {
	Type  uint64
	Value []byte
}

// Setup opens a session (16: CLIENT_SETUP and SERVER_SETUP).
type Setup struct {
	Server         bool // who sends it; from 17 on it is not on the wire
	WebTransport   bool // never on the wire: a client over native QUIC sends PATH even if it is empty
	Path           string
	Authority      string
	Implementation string
	MaxRequestID   uint64 // how far the receiver's request ids may go; up to 16 only
	Tokens         []Token
}

// Goaway says that the session, or the request on whose stream it comes, will end soon.
type Goaway struct {
	URI       string        // where to go; empty: the same address
	Timeout   time.Duration // 17 and later; whole milliseconds
	RequestID *uint64       // 18, on the control stream: the first request that was not processed
}

// MaxRequestID raises the limit of the receiver's request ids. Up to 16.
type MaxRequestID struct {
	Max uint64
}

// RequestsBlocked says that the sender would send more requests than Max allows. Up to 16.
type RequestsBlocked struct {
	Max uint64
}

// Subscribe asks for what is published from now on.
type Subscribe struct {
	RequestID uint64
	Track     TrackName
	Params    Params
}

// SubscribeOK accepts a Subscribe.
type SubscribeOK struct {
	ReplyTo
	Alias      uint64
	Params     Params // Expires, Largest
	Properties []media.Property
}

// RequestOK accepts any other request.
type RequestOK struct {
	ReplyTo
	Of         Of // parsed in 14 only
	Params     Params
	Properties []media.Property // 18 and later, about a TrackStatus
}

// RequestError refuses a request.
type RequestError struct {
	ReplyTo
	Of       Of     // parsed in 14 only
	Code     uint64 // see Dialect.Refusal
	Retry    uint64 // milliseconds to wait before asking again, plus one; 0: do not; 16 and later
	Reason   string
	Redirect *Redirect // 18 and later, with the code for Redirected
}

// Redirect points to another place for a request.
type Redirect struct {
	URI   string // empty: the same
	Track TrackName
}

// RequestUpdate changes a request.
type RequestUpdate struct {
	RequestID uint64 // its own
	Existing  uint64 // up to 16: the request to change; later it is the one whose stream this is on
	Params    Params
}

// Unsubscribe ends a subscription. Up to 16: later its stream is reset.
type Unsubscribe struct{ ReplyTo }

// Publish offers a track and begins to send it.
type Publish struct {
	RequestID  uint64
	Track      TrackName
	Alias      uint64
	Params     Params
	Properties []media.Property
}

// PublishOK accepts a Publish. From 18 on it is a RequestOK on the wire, and is parsed as one.
type PublishOK struct {
	ReplyTo
	Params Params
}

// PublishDone ends a subscription from the publisher's side.
type PublishDone struct {
	ReplyTo
	Code    uint64 // see Dialect.Status
	Streams uint64 // data streams that were opened; UnknownStreams; a hint
	Reason  string
}

// FetchType says how a Fetch names its range. From 20 on there is only Standalone, and it is not on the wire.
type FetchType uint64

// The fetch types.
const (
	Standalone      FetchType = 1
	RelativeJoining FetchType = 2
	AbsoluteJoining FetchType = 3
)

// Fetch asks for past objects.
type Fetch struct {
	RequestID uint64
	Type      FetchType

	Track      TrackName      // Standalone
	Start, End media.Location // Standalone; End is one past the last object, or object 0 for the whole group

	Joining      uint64 // the joining types: request id of the subscription
	JoiningStart uint64 // RelativeJoining: how many groups before the largest; AbsoluteJoining: the first group

	Params Params
}

// FetchOK accepts a Fetch.
type FetchOK struct {
	ReplyTo
	EndOfTrack bool
	End        media.Location // as in Fetch
	Params     Params
	Properties []media.Property
}

// FetchCancel ends a fetch. Up to 16: later its streams are reset.
type FetchCancel struct{ ReplyTo }

// TrackStatus asks how a track stands.
type TrackStatus struct {
	RequestID uint64
	Track     TrackName
	Params    Params
}

// PublishNamespace says that tracks of a namespace can be had from the sender.
type PublishNamespace struct {
	RequestID uint64
	Namespace []string
	Params    Params
}

// PublishNamespaceDone takes a PublishNamespace back. Up to 16.
type PublishNamespaceDone struct {
	ReplyTo            // 16
	Namespace []string // 14 and 15
}

// PublishNamespaceCancel declines an accepted PublishNamespace. Up to 16.
type PublishNamespaceCancel struct {
	ReplyTo            // 16
	Namespace []string // 14 and 15
	Code      uint64
	Reason    string
}

// SubscribeNamespace asks which namespaces there are.
type SubscribeNamespace struct {
	RequestID uint64
	Prefix    []string
	Options   uint64 // 16 and 17: 0 PUBLISH, 1 NAMESPACE, 2 both
	Params    Params
}

// NamespacesOnly as SubscribeNamespace.Options asks for namespaces, and not for tracks.
const NamespacesOnly = 1

// UnsubscribeNamespace takes a SubscribeNamespace back. Up to 15: later its stream is closed.
type UnsubscribeNamespace struct {
	ReplyTo          // 15
	Prefix  []string // 14
}

// SubscribeTracks asks for a Publish of every track under a prefix. 18 and later.
type SubscribeTracks struct {
	RequestID uint64
	Prefix    []string
	Params    Params
}

// Namespace answers a SubscribeNamespace.
type Namespace struct {
	Suffix []string
}

// NamespaceDone takes a Namespace back.
type NamespaceDone struct {
	Suffix []string
}

// PublishSkipped says that a track under a SubscribeTracks is not published (18: PUBLISH_BLOCKED).
type PublishSkipped struct {
	Suffix []string
	Name   string
}

// PublishStateNotify tells about a subscription's state. 20 and later; there is nothing in it that a subscriber has to know.
type PublishStateNotify struct {
	Body []byte
}

// Unrecognized is a message of a type that the draft does not have. It can be parsed only.
type Unrecognized struct {
	Type uint64
}

// Asked is the id of a request, and what it asks; ok is false if m is no request.
func Asked(m Message) (id uint64, of Of, ok bool) {
	switch m := m.(type) {
	case *Subscribe:
		return m.RequestID, OfSubscribe, true
	case *Fetch:
		return m.RequestID, OfFetch, true
	case *TrackStatus:
		return m.RequestID, OfTrackStatus, true
	case *Publish:
		return m.RequestID, OfPublish, true
	case *PublishNamespace:
		return m.RequestID, OfNamespace, true
	case *SubscribeNamespace:
		return m.RequestID, OfPrefix, true
	case *SubscribeTracks:
		return m.RequestID, OfPrefix, true
	case *RequestUpdate:
		return m.RequestID, OfUpdate, true
	}
	return 0, 0, false
}

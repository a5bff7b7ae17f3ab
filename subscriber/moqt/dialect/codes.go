package dialect

// Session close codes. They are the same in all drafts that moqpack speaks and that have them.
const (
	NoError               = 0x0
	InternalError         = 0x1
	NoEntry               = 0x2 // UNAUTHORIZED
	ProtocolViolation     = 0x3
	InvalidRequestID      = 0x4
	DuplicateTrackAlias   = 0x5
	KeyValueFormatting    = 0x6 // a value is not what its type says
	TooManyRequests       = 0x7 // up to 16
	InvalidPath           = 0x8
	MalformedPath         = 0x9
	ControlMessageTimeout = 0x11
	MalformedToken        = 0x16
	UnknownTokenAlias     = 0x17
	ExpiredToken          = 0x18
	InvalidAuthority      = 0x19
	MalformedAuthority    = 0x1A
)

// Stream reset and stop codes. They are the same in all drafts that moqpack speaks.
const (
	ResetInternal        = 0x0
	ResetCancelled       = 0x1
	ResetDeliveryTimeout = 0x2
)

// Status says why a publisher ended a subscription (PUBLISH_DONE).
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
		"malformed track"}[min(s, Malformed)]
}

// Refusal says why a request was refused (REQUEST_ERROR).
type Refusal uint8

// The refusals that ask for different reactions.
const (
	Refused Refusal = iota // internal error, or a code we do not know
	NotAuthorized
	BadToken // malformed or expired
	TimedOut
	NotSupported
	NotInService // going away
	Overloaded
	DoesNotExist
	InvalidRange
	MalformedTrack
	Uninterested
	Duplicate
	Redirected
	PrefixOverlap
)

// Of is the kind of request that a reply is about. Only draft 14 needs it: there it is part of the reply's type, and its codes
// depend on it.
type Of uint8

// The kinds of request.
const (
	OfSubscribe Of = iota
	OfFetch
	OfTrackStatus
	OfPublish
	OfNamespace // PUBLISH_NAMESPACE
	OfPrefix    // SUBSCRIBE_NAMESPACE, SUBSCRIBE_TRACKS
	OfUpdate    // REQUEST_UPDATE
)

// Status is the meaning of a PUBLISH_DONE's code.
func (d *Dialect) Status(code uint64) Status { return meaning(d.statuses, code, Failed) }

// StatusCode is the PUBLISH_DONE code for s.
func (d *Dialect) StatusCode(s Status) uint64 { return codeOf(d.statuses, s) }

// Refusal is the meaning of m's code.
func (d *Dialect) Refusal(m *RequestError) Refusal { return meaning(d.refusals(m.Of), m.Code, Refused) }

// Refuse is the answer to a request that is refused.
func (d *Dialect) Refuse(request Message, why Refusal, reason string) *RequestError {
	id, of, _ := Asked(request)
	return &RequestError{ReplyTo: ReplyTo{id}, Of: of, Code: codeOf(d.refusals(of), why), Reason: reason}
}

// Accept is the answer to a request that needs no other; nil if the draft has none.
func (d *Dialect) Accept(request Message) *RequestOK {
	id, of, _ := Asked(request)
	m := &RequestOK{ReplyTo: ReplyTo{id}, Of: of}
	for _, l := range d.layouts {
		if l.fits(m) {
			return m
		}
	}
	return nil // 14 does not answer a SUBSCRIBE_UPDATE
}

// sharedStatuses are the PUBLISH_DONE codes that mean the same in all drafts; 20 has no code 3 any more, but no other use for it
// either. Any other code, such as moq-dev's 200, 404 and 500, is Failed.
func sharedStatuses() []number[Status] {
	return []number[Status]{
		{0, Failed}, {1, Unauthorized}, {2, TrackEnded}, {3, Ended}, {4, GoingAway},
		{401, Unauthorized}, {403, Unauthorized}, // relays that speak HTTP at heart
	}
}

// sharedRefusals are the REQUEST_ERROR codes that mean the same in 15 and later.
func sharedRefusals() []number[Refusal] {
	return []number[Refusal]{
		{0, Refused}, {1, NotAuthorized}, {2, TimedOut}, {3, NotSupported}, {4, BadToken}, {5, BadToken},
		{0x10, DoesNotExist}, {0x11, InvalidRange}, {0x12, MalformedTrack}, {0x19, Duplicate}, {0x20, Uninterested},
		{0x30, PrefixOverlap},
		{401, NotAuthorized}, {403, NotAuthorized}, {404, DoesNotExist}, // relays that speak HTTP at heart
	}
}

// always is a table that does not depend on the request.
func always(table []number[Refusal]) func(Of) []number[Refusal] {
	return func(Of) []number[Refusal] { return table }
}

// refusals14 are the error codes of draft 14: from 4 on each request has its own.
func refusals14(of Of) []number[Refusal] {
	all := []number[Refusal]{
		{0, Refused}, {1, NotAuthorized}, {2, TimedOut}, {3, NotSupported}, {0x10, BadToken}, {0x12, BadToken},
		{401, NotAuthorized}, {403, NotAuthorized}, {404, DoesNotExist}, // relays that speak HTTP at heart
	}
	switch of {
	case OfPublish, OfNamespace:
		return append(all, number[Refusal]{4, Uninterested})
	case OfPrefix:
		return append([]number[Refusal]{{4, DoesNotExist}, {5, PrefixOverlap}}, all...)
	case OfFetch:
		return append([]number[Refusal]{{4, DoesNotExist}, {5, InvalidRange}, {6, InvalidRange}, {9, MalformedTrack}}, all...)
	}
	return append([]number[Refusal]{{4, DoesNotExist}, {5, InvalidRange}}, all...)
}

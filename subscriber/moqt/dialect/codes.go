package dialect

// Session close codes. They are the same in all drafts that moqpack speaks.
const (
	NoError               = 0x0
	InternalError         = 0x1
	ProtocolViolation     = 0x3
	InvalidRequestID      = 0x4
	DuplicateTrackAlias   = 0x5
	KeyValueFormatting    = 0x6
	TooManyRequests       = 0x7
	GoawayTimeout         = 0x10
	ControlMessageTimeout = 0x11
)

// Stream reset and stop codes. They are the same in all drafts that moqpack speaks.
const (
	ResetInternal        = 0x0
	ResetCancelled       = 0x1
	ResetDeliveryTimeout = 0x2
	ResetSessionClosed   = 0x3
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
)

// Status is the meaning of a PUBLISH_DONE's code.
func (d *Dialect) Status(code uint64) Status { return meaning(d.statuses, code, Failed) }

// StatusCode is the PUBLISH_DONE code for s.
func (d *Dialect) StatusCode(s Status) uint64 { return codeOf(d.statuses, s) }

// Refusal is the meaning of a REQUEST_ERROR's code.
func (d *Dialect) Refusal(code uint64) Refusal { return meaning(d.refusals, code, Refused) }

// RefusalCode is the REQUEST_ERROR code for r.
func (d *Dialect) RefusalCode(r Refusal) uint64 { return codeOf(d.refusals, r) }

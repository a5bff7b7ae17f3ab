package dialect

// Dialect is one draft.
type Dialect struct {
	ALPN string // "moq-lite-05"

	// Setup: each side says at first, on a stream of its own, what it can and where it wants to go (05).
	Setup bool
	// Timed: frames have timestamps, in the timescale that the answer to TRACK tells (05).
	Timed bool
	// Datagrams: a group of one frame may come as a datagram (05).
	Datagrams bool
	// AnnounceOK: announcements begin with an ANNOUNCE_OK (05).
	AnnounceOK bool

	goaway     bool // there is a GOAWAY (04)
	hopIDs     bool // an announcement lists whom it came through, and a request may exclude one; before, it counts them (04)
	probeRTT   bool // PROBE has a round-trip time (04)
	resolvesOK bool // SUBSCRIBE_OK says no more than where the subscription begins (05)

	dropAnswer, endAnswer uint64 // types of SUBSCRIBE_DROP and of SUBSCRIBE_END, which is 0 if there is none
}

const okAnswer = 0x0 // type of SUBSCRIBE_OK

// All returns the dialects, the most trusted one first.
func All() []*Dialect { return []*Dialect{Draft05(), Draft04(), Draft03()} }

// ByALPN returns the dialect that a handshake settled on, or nil.
func ByALPN(alpn string) *Dialect {
	for _, d := range All() {
		if d.ALPN == alpn {
			return d
		}
	}
	return nil
}

// Draft03 is moq-lite-03.
func Draft03() *Dialect { return &Dialect{ALPN: "moq-lite-03", dropAnswer: 0x1} }

// Draft04 is moq-lite-04.
func Draft04() *Dialect {
	d := Draft03()
	d.ALPN = "moq-lite-04"
	d.goaway, d.hopIDs, d.probeRTT = true, true, true
	return d
}

// Draft05 is moq-lite-05.
func Draft05() *Dialect {
	d := Draft04()
	d.ALPN = "moq-lite-05"
	d.Setup, d.Timed, d.Datagrams, d.AnnounceOK = true, true, true, true
	d.resolvesOK, d.endAnswer, d.dropAnswer = true, 0x1, 0x2
	return d
}

// Codes of resets and closes. The drafts define none; these are what moq-dev's mean.
const (
	NoError           = 0x0 // of a session
	InternalError     = 0x1
	ProtocolViolation = 0x3

	ResetInternal  = 0x0 // of a stream
	ResetCancelled = 0x1
	ResetExpired   = 0x2
	ResetNotFound  = 0x33
)

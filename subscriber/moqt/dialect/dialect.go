package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// Control is how a session's requests travel.
type Control uint8

// The two families.
const (
	OneStream  Control = iota // drafts up to 16: all on the client's first bidirectional stream, told apart by request ids
	PerRequest                // 17 and later: a control stream each way, and a bidirectional stream for each request
)

// Join is how to ask for what lies before a subscription.
type Join uint8

// The ways to join.
const (
	JoiningFetch Join = iota // by a FETCH that names the subscription (up to 19)
	Fill                     // by FILL_PARAMETERS in a REQUEST_UPDATE of the subscription, which brings a fetch stream (20 and later)
)

// Discovery is how namespaces are reported to who subscribed to a prefix of theirs.
type Discovery uint8

// The ways to report namespaces.
const (
	Announced Discovery = iota // by PUBLISH_NAMESPACE, like those that nobody asked for (14, 15)
	OwnStream                  // by NAMESPACE on the stream of the SUBSCRIBE_NAMESPACE, even in 16, which has no other request streams
)

// Dialect is one draft.
type Dialect struct {
	Number  int    // 18: draft-ietf-moq-transport-18
	ALPN    string // "moqt-18"
	Varint  wire.Varint
	Control Control
	// Experimental says that the description rests on what is told of the draft and not on its text, and that not enough
	// peers have confirmed it. A relay is not offered it unless somebody asks for it; a publisher that connects to us asks by itself.
	Experimental bool

	// Nameless says that we do not say who we are, because the option has the number of another one, AUTHORITY, for which clients
	// close the session with a server (14).
	Nameless bool

	// LiveFilter is the filter to send for "from the next object". Up to 16 it has to be spelled out, because only such a
	// subscription may be joined by a FETCH; later no filter is needed, and none is what most peers accept.
	LiveFilter *Filter
	// FetchOrder is the group order to send with a FETCH; 0: without one it is ascending.
	FetchOrder Order
	Join       Join
	Discovery  Discovery
	// RangesEnd says that a publisher ends a subscription whose range is complete (up to 19).
	RangesEnd bool
	// HalfClose says that a FIN of who asked does not end the request (19 and later).
	HalfClose bool
	// BareOK says that the answer to a PUBLISH has no parameters, so that FORWARD goes into a REQUEST_UPDATE (20 and later).
	BareOK bool

	// SetupStream is the type of a control stream's SETUP; 0 in OneStream dialects.
	SetupStream uint64
	// PaddingStream and PaddingDatagram are types whose content is to be thrown away; 0 if the draft has none.
	PaddingStream, PaddingDatagram uint64

	mandatoryProperties bool // track properties from 0x4000 to 0x7FFF must be understood

	subgroupBits     uint64 // the bits that a subgroup header's type may have
	datagramBits     uint64 // the bits that a datagram's type may have
	statusBits       uint64 // those of them that may stand beside datagramStatus
	statusWithID     bool   // a status datagram has an object id, whatever its type says
	absentStatus     bool   // status 1: the object does not exist
	statusProperties bool   // other statuses may have properties

	absolutePairs      bool // key-value pairs without delta types
	absoluteProperties bool // and so are those of objects

	fullFetch       bool   // objects in fetch streams have all fields, and no flags
	fetchBits       uint64 // the flags that they may have
	fetchGaps       bool   // fetch streams say which ranges have no objects
	fetchStatus     bool   // a status follows a payload of length 0 in fetch streams
	absoluteFetch   bool   // ids in fetch streams are written as they are
	fetchByFilter   bool   // FETCH says its range by a filter
	inclusiveEnd    bool   // the ends of fetches are in the range
	filters         filterCoding
	endGroupDelta   bool // a filter's end group counts from its start group
	replyIDs        bool // replies name the request
	requestDelta    bool // requests say which earlier one they depend on (17)
	skipParams      bool // unknown parameters are ignored
	trackProperties bool // answers that begin a track, and PUBLISH, have its properties
	retries         bool // REQUEST_ERROR has a retry interval
	goawayTimeout   bool // GOAWAY has a timeout
	goawayRequest   bool // and, on the control stream, a request id
	redirects       bool // REQUEST_ERROR may have a redirect
	okProperties    bool // REQUEST_OK may have track properties
	updateExisting  bool // REQUEST_UPDATE names the request that it changes
	prefixOptions   bool // SUBSCRIBE_NAMESPACE says what it wants to hear of
	endsByName      bool // PUBLISH_NAMESPACE_DONE and PUBLISH_NAMESPACE_CANCEL name the namespace, not the request

	version        uint64 // that SETUP negotiates; 0: ALPN does (15 and later)
	implementation uint64 // the number of the set-up option MOQT_IMPLEMENTATION
	countedSetup   bool   // the options of SETUP are counted, and one limits request ids
	params         []param
	fill           []param // of FILL_PARAMETERS
	layouts        []layout
	statuses       []number[Status]
	refusals       func(of Of) []number[Refusal]
}

// number is a code point and what it means.
type number[T any] struct {
	code uint64
	is   T
}

// All returns the dialects, the most trusted one first and the experimental ones last.
func All() []*Dialect {
	return []*Dialect{
		Draft18(), Draft19(), Draft16(), Draft17(), Draft15(), Draft14(),
		Draft22(), Draft20(), Draft21(),
	}
}

// ByALPN returns the dialect that a TLS handshake settled on, or nil.
func ByALPN(alpn string) *Dialect {
	for _, d := range All() {
		if d.ALPN == alpn {
			return d
		}
	}
	return nil
}

// Mandatory returns the type of a track property that must be understood and is not: we know none of that range.
func (d *Dialect) Mandatory(all []media.Property) (typ uint64, ok bool) {
	for _, p := range all {
		if d.mandatoryProperties && p.Type >= 0x4000 && p.Type <= 0x7FFF {
			return p.Type, true
		}
	}
	return 0, false
}

// Absent says that the status means that the object does not exist. Drafts from 16 on say so by leaving it out.
func (d *Dialect) Absent(s media.Status) bool { return d.absentStatus && s == doesNotExist }

const doesNotExist media.Status = 1

// bare says that an object of the status must not have properties.
func (d *Dialect) bare(s media.Status) bool {
	return s == doesNotExist || s != media.Normal && !d.statusProperties
}

func (d *Dialect) pairs() wire.Pairs { return wire.Pairs{Varint: d.Varint, Absolute: d.absolutePairs} }

func (d *Dialect) objectPairs() wire.Pairs {
	return wire.Pairs{Varint: d.Varint, Absolute: d.absoluteProperties}
}

// meaning is what the table says of code, or other.
func meaning[T any](table []number[T], code uint64, other T) T {
	for _, n := range table {
		if n.code == code {
			return n.is
		}
	}
	return other
}

// codeOf is the first code in the table that means m, or 0: internal error, in every table.
func codeOf[T comparable](table []number[T], m T) uint64 {
	for _, n := range table {
		if n.is == m {
			return n.code
		}
	}
	return 0
}

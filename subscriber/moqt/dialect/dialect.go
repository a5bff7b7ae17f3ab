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

// Dialect is one draft.
type Dialect struct {
	ALPN    string // "moqt-18"
	Varint  wire.Varint
	Control Control

	// LiveFilter is the filter to send for "from the next object". In 16 it has to be spelled out, because only such a
	// subscription may be joined by a FETCH; later no filter is needed, and none is what most peers accept.
	LiveFilter *Filter

	// SetupStream is the type of a control stream's SETUP; 0 in OneStream dialects.
	SetupStream uint64
	// PaddingStream and PaddingDatagram are types whose content is to be thrown away; 0 if the draft has none.
	PaddingStream, PaddingDatagram uint64

	mandatoryProperties bool // track properties from 0x4000 to 0x7FFF must be understood

	subgroupBits   uint64 // the bits that a subgroup header's type may have
	absolutePairs  bool   // key-value pairs without delta types
	absoluteFetch  bool   // ids in fetch streams are written as they are
	endGroupDelta  bool   // a filter's end group counts from its start group
	replyIDs       bool   // replies name the request
	goawayTimeout  bool   // GOAWAY has a timeout
	goawayRequest  bool   // and, on the control stream, a request id
	redirects      bool   // REQUEST_ERROR may have a redirect
	okProperties   bool   // REQUEST_OK may have track properties
	updateExisting bool   // REQUEST_UPDATE names the request that it changes
	prefixOptions  bool   // SUBSCRIBE_NAMESPACE says what it wants to hear of

	countedSetup bool // the options of SETUP are counted, and one limits request ids
	params       []param
	layouts      []layout
	statuses     []number[Status]
	refusals     []number[Refusal]
}

// number is a code point and what it means.
type number[T any] struct {
	code uint64
	is   T
}

// All returns the dialects, the most trusted one first.
func All() []*Dialect { return []*Dialect{Draft18(), Draft19(), Draft16()} }

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

func (d *Dialect) pairs() wire.Pairs { return wire.Pairs{Varint: d.Varint, Absolute: d.absolutePairs} }

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

package dialect

import "github.com/moqpack/moqpack/subscriber/moqt/wire"

// The drafts from 17 on: varints of 64 bits, and a stream for each request.

// Draft17 is draft-ietf-moq-transport-17, as far as its change log in 18 and research of its implementations tell.
func Draft17() *Dialect {
	return &Dialect{
		Number:    17,
		ALPN:      "moqt-17",
		Varint:    wire.EvenOnes,
		Control:   PerRequest,
		Discovery: OwnStream,
		RangesEnd: true,

		SetupStream: 0x2F00,

		subgroupBits: 0x3F,
		datagramBits: 0x2F,
		statusBits:   datagramProperties | datagramZeroID | datagramNoPriority,

		fetchBits:       0x7F,
		fetchGaps:       true,
		absoluteFetch:   true,
		endGroupDelta:   true,
		requestDelta:    true,
		trackProperties: true,
		retries:         true,
		goawayTimeout:   true,
		prefixOptions:   true,

		implementation: 0x07,
		params:         params17(),
		layouts:        layouts17(),
		statuses: append(sharedStatuses(),
			number[Status]{5, Expired}, number[Status]{6, TooFarBehind}, number[Status]{9, Failed}, number[Status]{0x12, Malformed}),
		refusals: always(append(sharedRefusals(), number[Refusal]{6, NotInService}, number[Refusal]{9, Overloaded})),
	}
}

// Draft18 is draft-ietf-moq-transport-18.
func Draft18() *Dialect {
	d := Draft17()
	d.Number, d.ALPN = 18, "moqt-18"
	d.Varint = wire.LeadingOnes

	d.PaddingStream, d.PaddingDatagram = 0x132B3E28, 0x132B3E29
	d.mandatoryProperties = true

	d.subgroupBits = 0x7F
	d.absoluteFetch = false
	d.requestDelta = false
	d.goawayRequest = true
	d.redirects = true
	d.okProperties = true
	d.prefixOptions = false

	d.params = params18()
	d.layouts = layouts18()
	d.statuses = append(sharedStatuses(),
		number[Status]{5, TooFarBehind}, number[Status]{6, Expired}, number[Status]{9, Failed}, number[Status]{0x12, Malformed})
	d.refusals = always(append(sharedRefusals(), number[Refusal]{6, NotInService}, number[Refusal]{9, Overloaded},
		number[Refusal]{0x33, NotSupported}, number[Refusal]{0x34, Redirected}))
	return d
}

// Draft19 is draft-ietf-moq-transport-19: 18, but for the request id in GOAWAY. Its range filters need an option that we do
// not send, and delivery timeouts as object properties are no concern of the transport.
func Draft19() *Dialect {
	d := Draft18()
	d.Number, d.ALPN = 19, "moqt-19"
	d.goawayRequest = false
	d.HalfClose = true
	return d
}

// Draft20 is draft-ietf-moq-transport-20 as far as the change log of 22 and research of its implementations tell: FILL_PARAMETERS
// in place of joining fetches, filters as lists of numbers, ends that are in the range.
func Draft20() *Dialect {
	d := Draft19()
	d.Number, d.ALPN = 20, "moqt-20"
	d.Join = Fill
	d.RangesEnd = false
	d.BareOK = true

	d.fetchByFilter = true
	d.inclusiveEnd = true
	d.filters = filterFields

	d.params = params20()
	d.fill = fillParams()
	d.layouts = layouts20()
	return d
}

// Draft21 is draft-ietf-moq-transport-21: editorial changes over 20. See doc.go for why it is experimental.
func Draft21() *Dialect {
	d := Draft20()
	d.Number, d.ALPN = 21, "moqt-21"
	d.Experimental = true
	return d
}

// Draft22 is draft-ietf-moq-transport-22: filters say their type.
func Draft22() *Dialect {
	d := Draft20()
	d.Number, d.ALPN = 22, "moqt-22"
	d.filters = filterBare
	return d
}

package dialect

import "github.com/moqpack/moqpack/subscriber/moqt/wire"

// The drafts up to 16: QUIC varints, and everything on one control stream.

// Draft14 is draft-ietf-moq-transport-14. Its ALPN is that of all drafts before it, so SETUP says the version.
func Draft14() *Dialect {
	return &Dialect{
		Number:     14,
		ALPN:       "moq-00",
		Varint:     wire.QUIC,
		Control:    OneStream,
		Nameless:   true,
		LiveFilter: &Filter{Type: LargestObject},
		FetchOrder: Ascending,
		RangesEnd:  true,

		subgroupBits:     0x1F,
		datagramBits:     0x27,
		statusBits:       datagramProperties,
		absentStatus:     true,
		statusProperties: true,

		absolutePairs:      true,
		absoluteProperties: true,

		fullFetch:      true,
		fetchStatus:    true,
		replyIDs:       true,
		skipParams:     true,
		updateExisting: true,
		endsByName:     true,

		version:        0xFF00000E,
		implementation: 0x05, // AUTHORITY has the same number: the client sends the one, the server the other
		countedSetup:   true,
		params:         params14(),
		layouts:        layouts14(),
		statuses:       append(sharedStatuses(), number[Status]{5, Expired}, number[Status]{6, TooFarBehind}, number[Status]{7, Malformed}),
		refusals:       refusals14,
	}
}

// Draft15 is draft-ietf-moq-transport-15, as far as its change log in 16 and research of its implementations tell: 16, but for
// absolute pairs, no retry intervals, parameters in place of track properties, and SUBSCRIBE_NAMESPACE on the control stream.
func Draft15() *Dialect {
	d := Draft16()
	d.Number, d.ALPN = 15, "moqt-15"
	d.Discovery = Announced

	d.statusWithID = true
	d.absentStatus = true
	d.absolutePairs, d.absoluteProperties = true, true

	d.fetchBits = 0x3F
	d.fetchGaps = false
	d.fetchStatus = true
	d.skipParams = true
	d.trackProperties = false
	d.retries = false
	d.prefixOptions = false
	d.endsByName = true

	d.layouts = layouts15()
	d.statuses = append(d.statuses, number[Status]{7, Malformed})
	return d
}

// Draft16 is draft-ietf-moq-transport-16.
func Draft16() *Dialect {
	return &Dialect{
		Number:     16,
		ALPN:       "moqt-16",
		Varint:     wire.QUIC,
		Control:    OneStream,
		LiveFilter: &Filter{Type: LargestObject},
		Discovery:  OwnStream,
		RangesEnd:  true,

		subgroupBits: 0x3F,
		datagramBits: 0x2F,
		statusBits:   datagramProperties | datagramZeroID | datagramNoPriority,

		fetchBits:       0x7F,
		fetchGaps:       true,
		absoluteFetch:   true,
		replyIDs:        true,
		trackProperties: true,
		retries:         true,
		updateExisting:  true,
		prefixOptions:   true,

		implementation: 0x07,
		countedSetup:   true,
		params:         params16(),
		layouts:        layouts16(),
		statuses:       append(sharedStatuses(), number[Status]{5, Expired}, number[Status]{6, TooFarBehind}, number[Status]{0x12, Malformed}),
		refusals:       always(sharedRefusals()),
	}
}

package dialect

import "github.com/moqpack/moqpack/subscriber/moqt/wire"

// Draft16 is draft-ietf-moq-transport-16.
func Draft16() *Dialect {
	return &Dialect{
		ALPN:       "moqt-16",
		Varint:     wire.QUIC,
		Control:    OneStream,
		LiveFilter: &Filter{Type: LargestObject},

		subgroupBits:   0x3F,
		absoluteFetch:  true,
		replyIDs:       true,
		updateExisting: true,
		prefixOptions:  true,
		countedSetup:   true,

		params:   params16(),
		layouts:  layouts16(),
		statuses: append(sharedStatuses(), number[Status]{5, Expired}, number[Status]{6, TooFarBehind}),
		refusals: sharedRefusals(),
	}
}

// Draft18 is draft-ietf-moq-transport-18.
func Draft18() *Dialect {
	return &Dialect{
		ALPN:    "moqt-18",
		Varint:  wire.LeadingOnes,
		Control: PerRequest,

		SetupStream:     0x2F00,
		PaddingStream:   0x132B3E28,
		PaddingDatagram: 0x132B3E29,

		mandatoryProperties: true,

		subgroupBits:  0x7F,
		endGroupDelta: true,
		goawayTimeout: true,
		goawayRequest: true,
		redirects:     true,
		okProperties:  true,

		params:   params18(),
		layouts:  layouts18(),
		statuses: append(sharedStatuses(), number[Status]{5, TooFarBehind}, number[Status]{6, Expired}, number[Status]{9, Failed}),
		refusals: append(sharedRefusals(), number[Refusal]{6, NotInService}, number[Refusal]{9, Overloaded}, number[Refusal]{0x34, Redirected}),
	}
}

// Draft19 is draft-ietf-moq-transport-19: 18, but for the request id in GOAWAY. Its range filters need an option that we do
// not send, and delivery timeouts as object properties are no concern of the transport.
func Draft19() *Dialect {
	d := Draft18()
	d.ALPN = "moqt-19"
	d.goawayRequest = false
	return d
}

// sharedStatuses are the PUBLISH_DONE codes that mean the same in 16 and later.
func sharedStatuses() []number[Status] {
	return []number[Status]{
		{0, Failed}, {1, Unauthorized}, {2, TrackEnded}, {3, Ended}, {4, GoingAway}, {0x12, Malformed},
		{401, Unauthorized}, {403, Unauthorized}, // relays that speak HTTP at heart
	}
}

// sharedRefusals are the REQUEST_ERROR codes that mean the same in 16 and later.
func sharedRefusals() []number[Refusal] {
	return []number[Refusal]{
		{0, Refused}, {1, NotAuthorized}, {2, TimedOut}, {3, NotSupported}, {4, BadToken}, {5, BadToken},
		{0x10, DoesNotExist}, {0x11, InvalidRange}, {0x12, MalformedTrack}, {0x19, Duplicate}, {0x20, Uninterested},
		{0x33, NotSupported},
		{401, NotAuthorized}, {403, NotAuthorized}, {404, DoesNotExist}, // relays that speak HTTP at heart
	}
}

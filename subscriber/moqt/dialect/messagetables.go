package dialect

// The messages of each draft.

// layouts14 are the messages of draft 14.
func layouts14() []layout {
	return append(controlLayouts(),
		is(0x10, "GOAWAY", goaway),
		is(0x03, "SUBSCRIBE", subscribe14),
		is(0x04, "SUBSCRIBE_OK", subscribeOK14),
		of(OfSubscribe, is(0x05, "SUBSCRIBE_ERROR", error14)),
		is(0x02, "SUBSCRIBE_UPDATE", update14),
		is(0x0B, "PUBLISH_DONE", publishDone),
		is(0x1D, "PUBLISH", publish14),
		is(0x1E, "PUBLISH_OK", publishOK14),
		of(OfPublish, is(0x1F, "PUBLISH_ERROR", error14)),
		is(0x16, "FETCH", fetch14),
		is(0x18, "FETCH_OK", fetchOK14),
		of(OfFetch, is(0x19, "FETCH_ERROR", error14)),
		is(0x0D, "TRACK_STATUS", func(c *coder, m *TrackStatus) { c.subscribe14(&m.RequestID, &m.Track, &m.Params) }),
		of(OfTrackStatus, is(0x0E, "TRACK_STATUS_OK", trackStatusOK14)),
		of(OfTrackStatus, is(0x0F, "TRACK_STATUS_ERROR", error14)),
		is(0x06, "PUBLISH_NAMESPACE", publishNamespace),
		of(OfNamespace, is(0x07, "PUBLISH_NAMESPACE_OK", ok14)),
		of(OfNamespace, is(0x08, "PUBLISH_NAMESPACE_ERROR", error14)),
		is(0x11, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
		of(OfPrefix, is(0x12, "SUBSCRIBE_NAMESPACE_OK", ok14)),
		of(OfPrefix, is(0x13, "SUBSCRIBE_NAMESPACE_ERROR", error14)),
		is(0x14, "UNSUBSCRIBE_NAMESPACE", func(c *coder, m *UnsubscribeNamespace) { c.tuple("track namespace prefix", &m.Prefix) }),
	)
}

// layouts15 are the messages of draft 15.
func layouts15() []layout {
	return append(append(controlLayouts(), requestLayouts()...),
		is(0x1E, "PUBLISH_OK", publishOK),
		is(0x11, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
		is(0x14, "UNSUBSCRIBE_NAMESPACE", func(c *coder, m *UnsubscribeNamespace) { c.reply(&m.ReplyTo) }),
	)
}

// layouts16 are the messages of draft 16.
func layouts16() []layout {
	return append(append(append(controlLayouts(), requestLayouts()...), namespaceLayouts()...),
		is(0x1E, "PUBLISH_OK", publishOK),
		is(0x11, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
	)
}

// layouts17 are the messages of draft 17.
func layouts17() []layout {
	return append(append(requestLayouts(), namespaceLayouts()...),
		is(0x2F00, "SETUP", func(c *coder, m *Setup) { c.setup(m) }),
		is(0x1E, "PUBLISH_OK", publishOK),
		is(0x11, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
		is(0x0F, "PUBLISH_BLOCKED", publishSkipped),
	)
}

// layouts18 are the messages of drafts 18 and 19.
func layouts18() []layout {
	return append(append(requestLayouts(), namespaceLayouts()...),
		is(0x2F00, "SETUP", func(c *coder, m *Setup) { c.setup(m) }),
		is(0x50, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
		is(0x51, "SUBSCRIBE_TRACKS", subscribeTracks),
		is(0x0F, "PUBLISH_SKIPPED", publishSkipped),
		is(0x07, "REQUEST_OK", publishOK), // written only: 0x07 is parsed as a RequestOK
		is(0x1E, "PUBLISH_OK", requestOK), // parsed only: still in the table of 18
	)
}

// layouts20 are the messages of drafts 20 to 22.
func layouts20() []layout {
	return append(layouts18(), is(0x22, "PUBLISH_STATE_NOTIFY", func(c *coder, m *PublishStateNotify) { c.rest(&m.Body) }))
}

// controlLayouts are the messages of OneStream dialects that are about the session, or end a request.
func controlLayouts() []layout {
	setup := func(typ uint64, name string, server bool) layout {
		return layout{typ: typ, name: name,
			fits: func(m Message) bool { s, ok := m.(*Setup); return ok && s.Server == server },
			make: func() Message { return &Setup{Server: server} },
			code: func(c *coder, m Message) { c.setup(m.(*Setup)) },
		}
	}
	return []layout{
		setup(0x20, "CLIENT_SETUP", false),
		setup(0x21, "SERVER_SETUP", true),
		is(0x15, "MAX_REQUEST_ID", func(c *coder, m *MaxRequestID) { c.uint("max request id", &m.Max) }),
		is(0x1A, "REQUESTS_BLOCKED", func(c *coder, m *RequestsBlocked) { c.uint("max request id", &m.Max) }),
		is(0x0A, "UNSUBSCRIBE", func(c *coder, m *Unsubscribe) { c.reply(&m.ReplyTo) }),
		is(0x17, "FETCH_CANCEL", func(c *coder, m *FetchCancel) { c.reply(&m.ReplyTo) }),
		is(0x09, "PUBLISH_NAMESPACE_DONE", publishNamespaceDone),
		is(0x0C, "PUBLISH_NAMESPACE_CANCEL", publishNamespaceCancel),
	}
}

// requestLayouts are the messages with the same numbers in 15 and later.
func requestLayouts() []layout {
	return []layout{
		is(0x10, "GOAWAY", goaway),
		is(0x03, "SUBSCRIBE", subscribe),
		is(0x04, "SUBSCRIBE_OK", subscribeOK),
		is(0x07, "REQUEST_OK", requestOK),
		is(0x05, "REQUEST_ERROR", requestError),
		is(0x02, "REQUEST_UPDATE", requestUpdate),
		is(0x1D, "PUBLISH", publish),
		is(0x0B, "PUBLISH_DONE", publishDone),
		is(0x16, "FETCH", fetch),
		is(0x18, "FETCH_OK", fetchOK),
		is(0x0D, "TRACK_STATUS", trackStatus),
		is(0x06, "PUBLISH_NAMESPACE", publishNamespace),
	}
}

// namespaceLayouts are the messages on the stream of a SUBSCRIBE_NAMESPACE (16 and later).
func namespaceLayouts() []layout {
	return []layout{
		is(0x08, "NAMESPACE", func(c *coder, m *Namespace) { c.tuple("track namespace suffix", &m.Suffix) }),
		is(0x0E, "NAMESPACE_DONE", func(c *coder, m *NamespaceDone) { c.tuple("track namespace suffix", &m.Suffix) }),
	}
}

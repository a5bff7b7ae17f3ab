package dialect

// How the messages lie on the wire. What drafts do differently is data of the Dialect.

// reply walks over the request id of a reply, where it has one.
func (c *coder) reply(r *ReplyTo) {
	if c.d.replyIDs {
		c.uint("request id", &r.RequestID)
	}
}

func goaway(c *coder, m *Goaway) {
	c.text("new session uri", &m.URI, 8192)
	if c.d.goawayTimeout {
		c.milliseconds("timeout", &m.Timeout)
	}
	if !c.d.goawayRequest {
		return
	}
	if c.reading() && c.in.Len() > 0 { // absent on a request stream
		m.RequestID = new(uint64)
	}
	if m.RequestID != nil {
		c.uint("request id", m.RequestID)
	}
}

func subscribe(c *coder, m *Subscribe) {
	c.uint("request id", &m.RequestID)
	c.track(&m.Track)
	c.params(&m.Params)
}

func subscribeOK(c *coder, m *SubscribeOK) {
	c.reply(&m.ReplyTo)
	c.uint("track alias", &m.Alias)
	c.params(&m.Params)
	c.properties(&m.Properties)
}

func requestOK(c *coder, m *RequestOK) {
	c.reply(&m.ReplyTo)
	c.params(&m.Params)
	if c.d.okProperties {
		c.properties(&m.Properties)
	}
}

func requestError(c *coder, m *RequestError) {
	c.reply(&m.ReplyTo)
	c.uint("error code", &m.Code)
	c.uint("retry interval", &m.Retry)
	c.reason(&m.Reason)
	if !c.d.redirects || c.d.Refusal(m.Code) != Redirected {
		return
	}
	if m.Redirect == nil {
		m.Redirect = new(Redirect)
	}
	c.text("connect uri", &m.Redirect.URI, 8192)
	c.track(&m.Redirect.Track)
}

func requestUpdate(c *coder, m *RequestUpdate) {
	c.uint("request id", &m.RequestID)
	if c.d.updateExisting {
		c.uint("existing request id", &m.Existing)
	}
	c.params(&m.Params)
}

func publish(c *coder, m *Publish) {
	c.uint("request id", &m.RequestID)
	c.track(&m.Track)
	c.uint("track alias", &m.Alias)
	c.params(&m.Params)
	c.properties(&m.Properties)
}

func publishOK(c *coder, m *PublishOK) {
	c.reply(&m.ReplyTo)
	c.params(&m.Params)
}

func publishDone(c *coder, m *PublishDone) {
	c.reply(&m.ReplyTo)
	c.uint("status code", &m.Code)
	c.uint("stream count", &m.Streams)
	c.reason(&m.Reason)
}

func fetch(c *coder, m *Fetch) {
	c.uint("request id", &m.RequestID)
	c.uint("fetch type", (*uint64)(&m.Type))
	switch m.Type {
	case Standalone:
		c.track(&m.Track)
		c.location("start location", &m.Start)
		c.location("end location", &m.End)
	case RelativeJoining, AbsoluteJoining:
		c.uint("joining request id", &m.Joining)
		c.uint("joining start", &m.JoiningStart)
	default:
		c.invalid("fetch type")
	}
	c.params(&m.Params)
}

func fetchOK(c *coder, m *FetchOK) {
	c.reply(&m.ReplyTo)
	c.flag("end of track", &m.EndOfTrack)
	c.location("end location", &m.End)
	c.params(&m.Params)
	c.properties(&m.Properties)
}

func trackStatus(c *coder, m *TrackStatus) {
	c.uint("request id", &m.RequestID)
	c.track(&m.Track)
	c.params(&m.Params)
}

func publishNamespace(c *coder, m *PublishNamespace) {
	c.uint("request id", &m.RequestID)
	c.tuple("track namespace", &m.Namespace)
	c.params(&m.Params)
}

func publishNamespaceCancel(c *coder, m *PublishNamespaceCancel) {
	c.reply(&m.ReplyTo)
	c.uint("error code", &m.Code)
	c.reason(&m.Reason)
}

func subscribeNamespace(c *coder, m *SubscribeNamespace) {
	c.uint("request id", &m.RequestID)
	c.tuple("track namespace prefix", &m.Prefix)
	if c.d.prefixOptions {
		c.uint("subscribe options", &m.Options)
	}
	c.params(&m.Params)
}

func subscribeTracks(c *coder, m *SubscribeTracks) {
	c.uint("request id", &m.RequestID)
	c.tuple("track namespace prefix", &m.Prefix)
	c.params(&m.Params)
}

func publishSkipped(c *coder, m *PublishSkipped) {
	c.tuple("track namespace suffix", &m.Suffix)
	c.text("track name", &m.Name, 4096)
}

// layouts16 are the messages of draft 16.
func layouts16() []layout {
	setup := func(typ uint64, name string, server bool) layout {
		return layout{typ: typ, name: name,
			fits: func(m Message) bool { s, ok := m.(*Setup); return ok && s.Server == server },
			make: func() Message { return &Setup{Server: server} },
			code: func(c *coder, m Message) { c.setup(m.(*Setup)) },
		}
	}
	own := []layout{
		setup(0x20, "CLIENT_SETUP", false),
		setup(0x21, "SERVER_SETUP", true),
		is(0x15, "MAX_REQUEST_ID", func(c *coder, m *MaxRequestID) { c.uint("max request id", &m.Max) }),
		is(0x1A, "REQUESTS_BLOCKED", func(c *coder, m *RequestsBlocked) { c.uint("max request id", &m.Max) }),
		is(0x0A, "UNSUBSCRIBE", func(c *coder, m *Unsubscribe) { c.reply(&m.ReplyTo) }),
		is(0x1E, "PUBLISH_OK", publishOK),
		is(0x17, "FETCH_CANCEL", func(c *coder, m *FetchCancel) { c.reply(&m.ReplyTo) }),
		is(0x09, "PUBLISH_NAMESPACE_DONE", func(c *coder, m *PublishNamespaceDone) { c.reply(&m.ReplyTo) }),
		is(0x0C, "PUBLISH_NAMESPACE_CANCEL", publishNamespaceCancel),
		is(0x11, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
	}
	return append(own, sharedLayouts()...)
}

// layouts18 are the messages of draft 18.
func layouts18() []layout {
	own := []layout{
		is(0x2F00, "SETUP", func(c *coder, m *Setup) { c.setup(m) }),
		is(0x50, "SUBSCRIBE_NAMESPACE", subscribeNamespace),
		is(0x51, "SUBSCRIBE_TRACKS", subscribeTracks),
		is(0x0F, "PUBLISH_SKIPPED", publishSkipped),
	}
	own = append(own, sharedLayouts()...)
	return append(own,
		is(0x07, "REQUEST_OK", publishOK), // written only: 0x07 is parsed as a RequestOK
		is(0x1E, "PUBLISH_OK", requestOK)) // parsed only: still in the table of 18
}

// sharedLayouts are the messages with the same numbers in 16 and later.
func sharedLayouts() []layout {
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
		is(0x08, "NAMESPACE", func(c *coder, m *Namespace) { c.tuple("track namespace suffix", &m.Suffix) }),
		is(0x0E, "NAMESPACE_DONE", func(c *coder, m *NamespaceDone) { c.tuple("track namespace suffix", &m.Suffix) }),
	}
}

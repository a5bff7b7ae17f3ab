package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// How the messages lie on the wire. What drafts do differently is data of the Dialect.

// reply walks over the request id of a reply, where it has one.
func (c *coder) reply(r *ReplyTo) {
	if c.d.replyIDs {
		c.uint("request id", &r.RequestID)
	}
}

// request walks over a request's id. What 17 says about the requests that have to be processed before is 0: none. We ignore it.
func (c *coder) request(id *uint64) {
	c.uint("request id", id)
	if c.d.requestDelta {
		c.uint("required request id delta", new(uint64))
	}
}

// trackProperties walks over the properties of a track, where the draft has them.
func (c *coder) trackProperties(v *[]media.Property) {
	if c.d.trackProperties {
		c.properties(v)
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
	c.request(&m.RequestID)
	c.track(&m.Track)
	c.params(&m.Params)
}

func subscribeOK(c *coder, m *SubscribeOK) {
	c.reply(&m.ReplyTo)
	c.uint("track alias", &m.Alias)
	c.params(&m.Params)
	c.trackProperties(&m.Properties)
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
	if c.d.retries {
		c.uint("retry interval", &m.Retry)
	}
	c.reason(&m.Reason)
	if !c.d.redirects || c.d.Refusal(m) != Redirected {
		return
	}
	if m.Redirect == nil {
		m.Redirect = new(Redirect)
	}
	c.text("connect uri", &m.Redirect.URI, 8192)
	c.track(&m.Redirect.Track)
}

func requestUpdate(c *coder, m *RequestUpdate) {
	c.request(&m.RequestID)
	if c.d.updateExisting {
		c.uint("existing request id", &m.Existing)
	}
	c.params(&m.Params)
}

func publish(c *coder, m *Publish) {
	c.request(&m.RequestID)
	c.track(&m.Track)
	c.uint("track alias", &m.Alias)
	c.params(&m.Params)
	c.trackProperties(&m.Properties)
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
	c.request(&m.RequestID)
	if c.d.fetchByFilter {
		c.fetchRange(m)
		return
	}
	c.fetchType(m)
	c.params(&m.Params)
}

func (c *coder) fetchType(m *Fetch) {
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
}

// fetchRange walks over a Fetch whose range is a filter among its parameters (20 and later).
func (c *coder) fetchRange(m *Fetch) {
	c.track(&m.Track)
	p := m.Params
	if !c.reading() {
		p.Filter = m.filter()
	}
	c.params(&p)
	f := p.Filter
	p.Filter = nil
	if m.Type, m.Params = Standalone, p; !c.reading() {
		return
	}
	if f == nil || f.Type != AbsoluteRange && f.Type != ObjectRange {
		c.in.Fail("range of a FETCH", wire.ErrValue)
		return
	}
	m.Start, m.End = f.Start, media.Location{Group: f.EndGroup}
	if f.Type == ObjectRange {
		m.End.Object = f.EndObject + 1
	}
}

// filter is the filter that says the range of m.
func (m *Fetch) filter() *Filter {
	f := &Filter{Type: AbsoluteRange, Start: m.Start, EndGroup: m.End.Group}
	if m.End.Object > 0 {
		f.Type, f.EndObject = ObjectRange, m.End.Object-1
	}
	return f
}

func fetchOK(c *coder, m *FetchOK) {
	c.reply(&m.ReplyTo)
	c.flag("end of track", &m.EndOfTrack)
	c.fetchEnd(&m.End)
	c.params(&m.Params)
	c.trackProperties(&m.Properties)
}

// fetchEnd walks over the end of what a fetch brings. From 20 on it is the last object, before one more than that.
func (c *coder) fetchEnd(end *media.Location) {
	if !c.d.inclusiveEnd {
		c.location("end location", end)
		return
	}
	last := media.Location{Group: end.Group, Object: end.Object - 1} // of a whole group the largest number there is
	c.location("end location", &last)
	*end = media.Location{Group: last.Group, Object: last.Object + 1}
}

func trackStatus(c *coder, m *TrackStatus) {
	c.request(&m.RequestID)
	c.track(&m.Track)
	c.params(&m.Params)
}

func publishNamespace(c *coder, m *PublishNamespace) {
	c.request(&m.RequestID)
	c.tuple("track namespace", &m.Namespace)
	c.params(&m.Params)
}

func publishNamespaceDone(c *coder, m *PublishNamespaceDone) {
	c.ending(&m.ReplyTo, &m.Namespace)
}

// ending walks over what names an announcement that ends.
func (c *coder) ending(id *ReplyTo, namespace *[]string) {
	if c.d.endsByName {
		c.tuple("track namespace", namespace)
		return
	}
	c.reply(id)
}

func publishNamespaceCancel(c *coder, m *PublishNamespaceCancel) {
	c.ending(&m.ReplyTo, &m.Namespace)
	c.uint("error code", &m.Code)
	c.reason(&m.Reason)
}

func subscribeNamespace(c *coder, m *SubscribeNamespace) {
	c.request(&m.RequestID)
	c.tuple("track namespace prefix", &m.Prefix)
	if c.d.prefixOptions {
		c.uint("subscribe options", &m.Options)
	}
	c.params(&m.Params)
}

func subscribeTracks(c *coder, m *SubscribeTracks) {
	c.request(&m.RequestID)
	c.tuple("track namespace prefix", &m.Prefix)
	c.params(&m.Params)
}

func publishSkipped(c *coder, m *PublishSkipped) {
	c.tuple("track namespace suffix", &m.Suffix)
	c.text("track name", &m.Name, 4096)
}

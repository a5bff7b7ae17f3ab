package dialect

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/wire"
)

// The messages of draft 14 whose fields later drafts made parameters. They are parsed into the same parameters.

// of restricts l to replies about one kind of request.
func of(kind Of, l layout) layout {
	fits, empty := l.fits, l.make
	l.fits = func(m Message) bool { return fits(m) && *ofReply(m) == kind }
	l.make = func() Message {
		m := empty()
		*ofReply(m) = kind
		return m
	}
	return l
}

func ofReply(m Message) *Of {
	if m, ok := m.(*RequestError); ok {
		return &m.Of
	}
	return &m.(*RequestOK).Of
}

func error14(c *coder, m *RequestError) {
	c.reply(&m.ReplyTo)
	c.uint("error code", &m.Code)
	c.reason(&m.Reason)
}

func ok14(c *coder, m *RequestOK) { c.reply(&m.ReplyTo) }

// byteField walks over a parameter that is a byte here. Absent, it is byDefault.
func (c *coder) byteField(field string, v **uint8, byDefault uint8) {
	x := byDefault
	if *v != nil {
		x = **v
	}
	if c.byte(field, &x); c.reading() {
		*v = &x
	}
}

func (c *coder) priorityField(p *Params) { c.byteField("subscriber priority", &p.Priority, 128) }

func (c *coder) forwardField(p *Params) {
	on := p.Forward == nil || *p.Forward
	if c.flag("forward", &on); c.reading() {
		p.Forward = &on
	}
}

// orderField walks over a group order. In a request 0 is the publisher's; an answer has to say which.
func (c *coder) orderField(p *Params, answer bool) {
	x := uint8(p.Order)
	if answer && x == 0 {
		x = uint8(Ascending)
	}
	c.byte("group order", &x)
	if c.reading() && (x > uint8(Descending) || answer && x == 0) {
		c.in.Fail("group order", wire.ErrValue)
	}
	if c.reading() {
		p.Order = Order(x)
	}
}

func (c *coder) filterField(p *Params) {
	f := Filter{Type: LargestObject}
	if p.Filter != nil {
		f = *p.Filter
	}
	if c.filter(&f); c.reading() {
		p.Filter = &f
	}
}

func (c *coder) largestField(p *Params) {
	exists := p.Largest != nil
	c.flag("content exists", &exists)
	if !exists {
		return
	}
	if c.reading() {
		p.Largest = new(media.Location)
	}
	c.location("largest location", p.Largest)
}

// expiresField walks over milliseconds; 0 is never.
func (c *coder) expiresField(p *Params) {
	x := uint64(0)
	if p.Expires != nil {
		x = *p.Expires
	}
	if c.uint("expires", &x); c.reading() && x > 0 {
		p.Expires = &x
	}
}

// subscribe14 walks over SUBSCRIBE and TRACK_STATUS.
func (c *coder) subscribe14(id *uint64, track *TrackName, p *Params) {
	c.uint("request id", id)
	c.track(track)
	c.priorityField(p)
	c.orderField(p, false)
	c.forwardField(p)
	c.filterField(p)
	c.params(p)
}

func subscribe14(c *coder, m *Subscribe) { c.subscribe14(&m.RequestID, &m.Track, &m.Params) }

// subscribeOK14 walks over SUBSCRIBE_OK and TRACK_STATUS_OK.
func (c *coder) subscribeOK14(id *ReplyTo, alias *uint64, p *Params) {
	c.reply(id)
	c.uint("track alias", alias)
	c.expiresField(p)
	c.orderField(p, true)
	c.largestField(p)
	c.params(p)
}

func subscribeOK14(c *coder, m *SubscribeOK) { c.subscribeOK14(&m.ReplyTo, &m.Alias, &m.Params) }

func trackStatusOK14(c *coder, m *RequestOK) { c.subscribeOK14(&m.ReplyTo, new(uint64), &m.Params) }

// update14 walks over SUBSCRIBE_UPDATE. Its end group is one more than the last; 0: there is none.
func update14(c *coder, m *RequestUpdate) {
	c.uint("request id", &m.RequestID)
	c.uint("subscription request id", &m.Existing)
	f, end := Filter{Type: AbsoluteStart}, uint64(0)
	if m.Params.Filter != nil {
		f = *m.Params.Filter
	}
	if f.Type == AbsoluteRange {
		end = f.EndGroup + 1
	}
	c.location("start location", &f.Start)
	c.uint("end group", &end)
	if c.reading() {
		if end > 0 {
			f.Type, f.EndGroup = AbsoluteRange, end-1
		}
		if end > 0 && f.EndGroup < f.Start.Group {
			c.in.Fail("end group", wire.ErrValue)
		}
		m.Params.Filter = &f
	}
	c.priorityField(&m.Params)
	c.forwardField(&m.Params)
	c.params(&m.Params)
}

func publish14(c *coder, m *Publish) {
	c.uint("request id", &m.RequestID)
	c.track(&m.Track)
	c.uint("track alias", &m.Alias)
	c.orderField(&m.Params, true)
	c.largestField(&m.Params)
	c.forwardField(&m.Params)
	c.params(&m.Params)
}

func publishOK14(c *coder, m *PublishOK) {
	c.reply(&m.ReplyTo)
	c.forwardField(&m.Params)
	c.priorityField(&m.Params)
	c.orderField(&m.Params, true)
	c.filterField(&m.Params)
	c.params(&m.Params)
}

func fetch14(c *coder, m *Fetch) {
	c.uint("request id", &m.RequestID)
	c.priorityField(&m.Params)
	c.orderField(&m.Params, false)
	c.fetchType(m)
	c.params(&m.Params)
}

func fetchOK14(c *coder, m *FetchOK) {
	c.reply(&m.ReplyTo)
	c.orderField(&m.Params, true)
	c.flag("end of track", &m.EndOfTrack)
	c.location("end location", &m.End)
	c.params(&m.Params)
}

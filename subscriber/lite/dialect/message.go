package dialect

import "time"

// Message is a pointer to one of the structs below.
type Message interface{ code(c *coder) }

// Request is a message that begins a bidirectional stream.
type Request interface {
	Message
	stream() uint64
}

// The types of bidirectional streams.
const (
	announceStream  = 0x1
	subscribeStream = 0x2
	fetchStream     = 0x3
	probeStream     = 0x4
	goawayStream    = 0x5 // 04 and later
	trackStream     = 0x6 // 05
)

// Track names a track: the path of its broadcast, with "/" between the fields, and its name in it.
type Track struct{ Broadcast, Name string }

func (t *Track) code(c *coder) {
	c.text("broadcast path", &t.Broadcast)
	c.text("track name", &t.Name)
}

// AnnounceRequest asks which broadcasts there are (03: ANNOUNCE_PLEASE).
type AnnounceRequest struct {
	Prefix     string
	ExcludeHop uint64 // 04 and later; 0: none
}

func (*AnnounceRequest) stream() uint64 { return announceStream }

func (m *AnnounceRequest) code(c *coder) {
	c.text("prefix", &m.Prefix)
	if c.d.hopIDs {
		c.uint("exclude hop", &m.ExcludeHop)
	}
}

// AnnounceOK precedes all announcements. 05.
type AnnounceOK struct {
	Hop    uint64 // the publisher's id; 0 unknown
	Active uint64 // how many announcements follow at once
}

func (m *AnnounceOK) code(c *coder) {
	c.uint("hop id", &m.Hop)
	c.uint("active count", &m.Active)
}

// Announce says that a broadcast is or is not available (05: ANNOUNCE_BROADCAST).
type Announce struct {
	Status   AnnounceStatus
	Suffix   string // what follows the prefix that was asked for
	HopCount uint64 // up to 03
	Hops     []uint64
}

// AnnounceStatus is what an Announce says.
type AnnounceStatus uint64

// The statuses. A broadcast that is announced as active again, or as restarted, has been replaced.
const (
	Ended     AnnounceStatus = 0
	Active    AnnounceStatus = 1
	Restarted AnnounceStatus = 2 // in no draft, but in moq-dev's code
)

func (m *Announce) code(c *coder) {
	status := uint64(m.Status)
	c.uint("announce status", &status)
	if m.Status = AnnounceStatus(status); m.Status > Restarted {
		c.invalid("announce status")
	}
	c.text("suffix", &m.Suffix)
	if !c.d.hopIDs {
		c.uint("hops", &m.HopCount)
		return
	}
	c.list("hop id", &m.Hops)
}

// Subscribe asks for a track from a group on.
type Subscribe struct {
	ID    uint64 // chosen by the subscriber, and never again
	Track Track
	Delivery
}

func (*Subscribe) stream() uint64 { return subscribeStream }

func (m *Subscribe) code(c *coder) {
	c.uint("subscribe id", &m.ID)
	m.Track.code(c)
	m.Delivery.code(c)
}

// Delivery is what a subscriber wants of a subscription. By itself it is a SUBSCRIBE_UPDATE, and up to 04, from the
// publisher, a SUBSCRIBE_OK.
type Delivery struct {
	Priority   uint8         // higher is more urgent
	Ordered    bool          // older groups go first
	MaxLatency time.Duration // whole milliseconds: how much older than the newest group one may be before it is given up
	Start, End *uint64       // groups, both inclusive; nil: from the latest on, and without end
}

func (m *Delivery) code(c *coder) {
	c.byte("priority", &m.Priority)
	c.flag("ordered", &m.Ordered)
	c.milliseconds("max latency", &m.MaxLatency)
	c.optional("group start", &m.Start)
	c.optional("group end", &m.End)
}

// SubscribeOK accepts a Subscribe, or says more about an accepted one.
type SubscribeOK struct {
	Delivery        // up to 04
	Group    uint64 // 05: the first group that will be delivered
}

func (m *SubscribeOK) code(c *coder) {
	if c.d.resolvesOK {
		c.uint("group", &m.Group)
		return
	}
	m.Delivery.code(c)
}

// First is the first group that will be delivered; ok is false when it is not known yet.
func (d *Dialect) First(m *SubscribeOK) (group uint64, ok bool) {
	switch {
	case d.resolvesOK:
		return m.Group, true
	case m.Start != nil:
		return *m.Start, true
	}
	return 0, false
}

// SubscribeEnd says which groups will never be. 05.
type SubscribeEnd struct {
	Group uint64 // the last group; but moq-dev, and later drafts, mean the first that is not
}

func (m *SubscribeEnd) code(c *coder) { c.uint("group", &m.Group) }

// SubscribeDrop says that groups will not come.
type SubscribeDrop struct {
	Start, End uint64 // both inclusive
	Code       uint64
}

func (m *SubscribeDrop) code(c *coder) {
	c.uint("group start", &m.Start)
	c.uint("group end", &m.End)
	c.uint("error code", &m.Code)
}

// Fetch asks for one group. Its frames are the answer, on the same stream.
type Fetch struct {
	Track    Track
	Priority uint8
	Group    uint64
}

func (*Fetch) stream() uint64 { return fetchStream }

func (m *Fetch) code(c *coder) {
	m.Track.code(c)
	c.byte("priority", &m.Priority)
	c.uint("group sequence", &m.Group)
}

// TrackRequest asks for a track's properties (05: TRACK).
type TrackRequest struct{ Track Track }

func (*TrackRequest) stream() uint64 { return trackStream }

func (m *TrackRequest) code(c *coder) { m.Track.code(c) }

// TrackInfo answers it.
type TrackInfo struct {
	Priority   uint8
	Ordered    bool
	MaxLatency time.Duration // whole milliseconds: for how long a group can be fetched at most
	Timescale  uint64        // ticks per second of timestamps, never 0
}

func (m *TrackInfo) code(c *coder) {
	c.byte("priority", &m.Priority)
	c.flag("ordered", &m.Ordered)
	c.milliseconds("max latency", &m.MaxLatency)
	if c.uint("timescale", &m.Timescale); m.Timescale == 0 {
		c.invalid("timescale")
	}
}

// Probe asks for, or tells, how fast the connection is. It begins a stream and is the answer too.
type Probe struct {
	Bitrate uint64 // bits/s; 0 unknown
	RTT     uint64 // milliseconds; 0 unknown; 04 and later
}

func (*Probe) stream() uint64 { return probeStream }

func (m *Probe) code(c *coder) {
	c.uint("bitrate", &m.Bitrate)
	if c.d.probeRTT {
		c.uint("rtt", &m.RTT)
	}
}

// Goaway says that the session will end soon. 04 and later.
type Goaway struct{ URI string } // where to go; empty: nowhere in particular

func (*Goaway) stream() uint64 { return goawayStream }

func (m *Goaway) code(c *coder) { c.text("new session uri", &m.URI) }

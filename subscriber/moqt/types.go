package moqt

import (
	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

type (
	// TrackName is a track's full name.
	TrackName = dialect.TrackName
	// Token is an authorization token, sent by value.
	Token = dialect.Token
)

// SubscribeOptions say where a subscription begins. The zero value sends no parameter where the draft allows it: that is what
// most peers accept.
type SubscribeOptions struct {
	Start    Start
	From     media.Location // for At
	Priority uint8          // 0: the peer's default; lower is more urgent
	Tokens   []Token
}

// Start is where a subscription begins.
type Start uint8

// The filters that all drafts share.
const (
	Live      Start = iota // from the next object: the default of the drafts
	NextGroup              // from the beginning of the next group
	At                     // from SubscribeOptions.From
)

// FetchRequest is either a range of a track or, with Join, the groups that lead up to a subscription's start.
type FetchRequest struct {
	Track      TrackName
	Start, End media.Location // both inclusive; End.Object == WholeGroup: all of End.Group

	Join   *Subscription // if not nil: fetch what lies before it, and ignore the three fields above. It must be Live.
	Groups uint64        // with Join: how many groups before the largest one; 0: the largest group's head

	Priority uint8 // 0: the peer's default
	Tokens   []Token
}

// WholeGroup as End.Object of a FetchRequest means up to the end of End.Group.
const WholeGroup = 1<<62 - 1

// params are those of a SUBSCRIBE: none at all if the draft and the options allow it.
func (o SubscribeOptions) params(d *dialect.Dialect) dialect.Params {
	p := dialect.Params{Tokens: o.Tokens}
	switch o.Start {
	case Live:
		p.Filter = d.LiveFilter
	case NextGroup:
		p.Filter = &dialect.Filter{Type: dialect.NextGroupStart}
	case At:
		p.Filter = &dialect.Filter{Type: dialect.AbsoluteStart, Start: o.From}
	}
	if o.Priority != 0 {
		p.Priority = &o.Priority
	}
	return p
}

func (r FetchRequest) message(d *dialect.Dialect, id uint64) *dialect.Fetch {
	m := &dialect.Fetch{RequestID: id, Params: dialect.Params{Tokens: r.Tokens, Order: d.FetchOrder}}
	if r.Priority != 0 {
		m.Params.Priority = &r.Priority
	}
	if r.Join != nil {
		m.Type, m.Joining, m.JoiningStart = dialect.RelativeJoining, r.Join.id, r.Groups
		return m
	}
	m.Type, m.Track, m.Start = dialect.Standalone, r.Track, r.Start
	m.End = media.Location{Group: r.End.Group, Object: r.End.Object + 1}
	if r.End.Object >= WholeGroup {
		m.End.Object = 0
	}
	return m
}

// fill asks for what lies before r.Join as part of it (20 and later). The end is said, so that what comes meets what the
// subscription brings however much was published since.
func (r FetchRequest) fill(id uint64) *dialect.RequestUpdate {
	to := *r.Join.largest
	filter := &dialect.Filter{Type: dialect.ObjectRange, EndGroup: to.Group, EndObject: to.Object}
	filter.Start.Group = to.Group - min(r.Groups, to.Group)
	fill := &dialect.Params{Filter: filter}
	if r.Priority != 0 {
		fill.Priority = &r.Priority
	}
	return &dialect.RequestUpdate{RequestID: id, Params: dialect.Params{Tokens: r.Tokens, Fill: fill}}
}

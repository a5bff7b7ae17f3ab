package subscriber

import (
	"math"
	"slices"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// reorder puts the objects of one track in location order, each once. It is pure: events go in, pop gives the objects out,
// and deadline says when time alone would change something. After every event pop is called until it has no more.
//
// An object is handed over the moment it is next in order. What holds it back is an obstacle (obstacle.go). An obstacle goes
// away when streams or a fetch tell that nothing is missing; it is given up, and what was missing counts as lost, when
// patience or a bound is exhausted. A group is entered only by its object 0: nobody can decode its rest.
type reorder struct {
	limits limits

	groups  []*group // with anything to say, ascending; once started, groups[0] is the one being handed over
	bytes   int      // buffered: the weight of all objects
	started bool
	next    uint64    // id of the object that is next in groups[0]
	step    uint64    // between the last two group ids; 0 until known
	size    uint64    // objects in the group before groups[0]; 0 until known
	stuck   time.Time // since when an obstacle holds back what is buffered; zero: there is none
	wait    time.Duration
	end     *media.Location // no object at this location or after it exists; nil until known

	lost   bool // something was lost since the last object handed over
	broken bool // a subscription has begun since then
	direct bool // nothing that may exist was passed since then

	offline bool            // there is no subscription: wait for the next, which may repair what is missing
	fresh   bool            // the publisher may have begun anew
	anew    *anew           // what may be of a new incarnation of it; nil: nothing
	lossy   bool            // objects come as datagrams
	several bool            // a group came on more than one stream
	filling bool            // a fetch is to bring what lies before the live edge
	from    media.Location  // where it begins
	settled *media.Location // up to here it has brought all that exists; nil: nothing

	repairs bool           // what is missing can be fetched
	mending bool           // that is what the fetch is for
	asked   media.Location // from where what is missing was asked for last
	wanted  *span          // what is to be asked for; nil: nothing

	dropped int // objects that came twice, too late, or before the first group start
	holes   int // obstacles that were given up as a loss
}

// limits of what a reorder holds back, and for how long.
type limits struct {
	bytes    int           // see weight
	patience time.Duration // for what is known to be missing
	linger   time.Duration // for what could still come but most likely does not exist
	latest   bool          // a group that begins makes all before it worthless, as in a catalog
}

// weight is what an object counts for in limits.bytes: its payload, and what it takes beside it. Without that a peer could
// make us hold any number of empty objects, or of objects with little but properties.
func weight(o media.Object) int {
	const object, property = 128, 48
	n := len(o.Payload) + object
	for _, p := range o.Properties {
		n += property + len(p.Bytes)
	}
	return n
}

// join tells that a subscription is about to begin. A fetch is expected to bring what lies before its live edge, until
// filled says otherwise.
func (r *reorder) join() {
	r.offline, r.fresh, r.broken = false, true, true
	r.filling, r.from, r.settled = true, media.Location{}, nil
	r.repairs, r.mending, r.wanted = false, false, nil
	r.stuck, r.end = time.Time{}, nil
}

// fill tells where the fetch begins.
func (r *reorder) fill(from media.Location) { r.from = from }

// filled tells that the fetch is over, or that there is none. If it was complete, what it did not bring up to upTo does
// not exist.
func (r *reorder) filled(upTo media.Location, complete bool) {
	switch {
	case !complete:
		r.settled = nil
	case r.filling:
		r.settle(upTo)
	}
	r.filling = false
}

func (r *reorder) settle(l media.Location) {
	if at, started := r.position(); started && !at.Before(r.from) {
		r.broken = false // it takes up where the subscription before it broke off
	}
	if r.settled == nil || r.settled.Before(l) {
		r.settled = &l
	}
}

// leave tells that the subscription is over.
func (r *reorder) leave() {
	r.late()
	r.offline, r.filling, r.mending = true, false, false
	for _, g := range r.groups {
		if len(g.open) > 0 || g.reset {
			g.open, g.closed, g.reset = nil, 0, false
		}
	}
}

// push takes an object of the subscription, or of the fetch.
func (r *reorder) push(o media.Object, fetched bool) {
	switch {
	case !fetched && r.astray(o):
		return
	case fetched && r.filling:
		r.settle(o.Location)
	}
	if o.Object == math.MaxUint64 { // there is no next
		r.dropped++
		return
	}
	g := r.find(o.Group)
	switch {
	case o.Status == media.EndOfTrack:
		if l := o.Location; r.end == nil || l.Before(*r.end) {
			r.end = &l
		}
		if g != nil {
			g.finish(o.Object)
		}
		return
	case g == nil:
		r.dropped++
		return
	case o.Status == media.EndOfGroup:
		g.finish(o.Object)
	case o.Last:
		g.finish(o.Object + 1)
	}
	if !fetched {
		g.running(o.Subgroup, o.Object)
		r.several = r.several || len(g.open)+g.closed > 1
	}
	if o.Status == media.Normal {
		r.insert(g, o)
	}
}

// ended takes the end of a stream of the subscription.
func (r *reorder) ended(e moqt.StreamEvent) {
	r.lossy = e.Datagram
	if r.anew != nil && r.behind(media.Location{Group: e.Group}) {
		r.anew.ended(e)
	}
	if e.Objects == 0 { // it may have been reset before its first object: there is no telling what it was to carry
		return
	}
	if g := r.find(e.Group); g != nil {
		g.ended(e)
	}
}

func (r *reorder) insert(g *group, o media.Object) {
	late := r.started && g == r.groups[0] && o.Object < r.next
	if late || g.skipped || !g.insert(o) {
		r.dropped++
		return
	}
	r.bytes += weight(o)
}

// pop returns the next object in order; ok is false when there is none yet.
func (r *reorder) pop(now time.Time) (o media.Object, ok bool) {
	r.renew(now)
	for r.started || r.start(now) {
		g := r.groups[0]
		switch {
		case len(g.objects) > 0 && g.objects[0].Object == r.next:
			return r.take(g), true
		case g.known && r.next >= g.end && !g.told && r.next > 0 && !r.lost && !r.broken:
			g.told = true
			return media.Object{Location: media.Location{Group: g.id, Object: r.next}, Status: media.EndOfGroup, Last: true}, true
		case !r.pass(now):
			return media.Object{}, false
		}
	}
	return media.Object{}, false
}

// take hands over the first object of g.
func (r *reorder) take(g *group) media.Object {
	o := g.objects[0]
	g.objects[0] = media.Object{} // the payload is no longer ours to hold
	if len(g.objects) == 1 {
		g.objects = g.objects[:0] // mostly there is one at a time: use its place again
	} else {
		g.objects = g.objects[1:]
	}
	r.bytes -= weight(o)
	r.next = o.Object + 1
	o.Lost, o.Doubt = r.lost || r.broken && !r.direct, !r.direct
	o.Last = g.known && r.next >= g.end
	g.told = o.Last
	r.lost, r.broken, r.direct = false, false, true
	r.stuck = time.Time{}
	return o
}

// unpop takes back the object that pop returned last, and that nobody has taken.
func (r *reorder) unpop(o media.Object) {
	g := r.groups[0]
	if o.Status == media.EndOfGroup {
		g.told = false
		return
	}
	g.objects = slices.Insert(g.objects, 0, o)
	g.told, r.next, r.lost, r.direct = false, o.Object, o.Lost, !o.Doubt
	r.bytes += weight(o)
}

// start finds the first group: of those that are there from object 0 on, the lowest; but while a fetch is under way, not
// before it has come so far.
func (r *reorder) start(now time.Time) bool {
	for i, g := range r.groups {
		if !g.begun() {
			continue
		}
		if r.filling && !r.covers(g.objects[0].Location) && !r.giveUp(now, r.limits.patience) {
			return false
		}
		for range i {
			r.drop()
		}
		r.started, r.broken, r.direct, r.stuck = true, false, true, time.Time{}
		return true
	}
	for len(r.groups) > 0 && r.over() {
		r.drop()
	}
	return false
}

// drop forgets groups[0].
func (r *reorder) drop() {
	g := r.groups[0]
	for _, o := range g.objects {
		r.bytes -= weight(o)
	}
	r.dropped += len(g.objects)
	r.groups[0] = nil
	r.groups = r.groups[1:]
}

// over reports whether the bound is exceeded. It is none of groups: a group may be a frame of audio, and hundreds come at once when a
// publisher catches up, or when the receiver has kept all streams waiting.
func (r *reorder) over() bool {
	const group = 256
	return r.bytes+group*(len(r.groups)-1) > r.limits.bytes
}

// covers reports whether the fetch has come as far as l: what exists from its beginning up to there is here.
func (r *reorder) covers(l media.Location) bool { return r.settled != nil && !r.settled.Before(l) }

// position is where the next object is expected; ok is false before the first group start.
func (r *reorder) position() (l media.Location, ok bool) {
	if !r.started {
		return l, false
	}
	return media.Location{Group: r.groups[0].id, Object: r.next}, true
}

// finished reports whether the track has ended and nothing of it is left to hand over.
func (r *reorder) finished() bool {
	for _, g := range r.groups {
		if len(g.objects) > 0 {
			return false
		}
	}
	at, started := r.position()
	return r.end != nil && (!started || !at.Before(*r.end))
}

// deadline is when pop would find more even if nothing arrives; ok is false when only an event can help.
func (r *reorder) deadline() (at time.Time, ok bool) {
	at, ok = r.stuck.Add(r.wait), !r.offline && !r.stuck.IsZero()
	if r.anew != nil && (!ok || r.anew.due().Before(at)) {
		return r.anew.due(), true
	}
	return at, ok
}

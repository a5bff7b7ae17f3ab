package subscriber

import (
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// obstacle is what lies between the place where the next object is expected and the next thing that is there.
type obstacle struct {
	to     media.Location
	wait   time.Duration // how long to wait for what may be missing; 0: not at all
	loss   bool          // to give it up is a loss
	leap   bool          // more group ids are passed than they mostly do: groups may be missing
	proven bool          // it is certain that nothing is missing
}

// pass gets past the obstacle before the next object, if there is anything behind it and nothing to wait for any more.
func (r *reorder) pass(now time.Time) bool {
	o, found := r.obstacle()
	if !found {
		r.stuck = time.Time{}
		return false
	}
	if o.wait > 0 {
		if !r.giveUp(now, r.mend(now, o)) {
			return false
		}
		if o.loss {
			r.lost = true
			r.holes++
		}
	}
	r.direct = r.direct && o.proven
	g := r.groups[0]
	switch {
	case o.to.Group != g.id:
		r.step, r.size = o.to.Group-g.id, r.next
		r.drop()
		r.next = 0
	case r.next == 0 && len(g.objects) > 0:
		r.skip(g)
	default:
		r.next = o.to.Object
	}
	return true
}

// skip gives up a group whose start is lost.
func (r *reorder) skip(g *group) {
	for _, o := range g.objects {
		r.bytes -= weight(o)
	}
	r.dropped += len(g.objects)
	g.objects, g.skipped = nil, true
	r.lost = true
}

// giveUp reports whether an obstacle has been waited for long enough. The time counts from when something was first held
// back, so that a row of obstacles is given up together.
func (r *reorder) giveUp(now time.Time, wait time.Duration) bool {
	if r.offline {
		return false
	}
	if r.stuck.IsZero() {
		r.stuck = now
	}
	r.wait = wait
	return now.Sub(r.stuck) >= wait || r.over()
}

// obstacle judges what comes before the next object; found is false when nothing is there behind it.
func (r *reorder) obstacle() (o obstacle, found bool) {
	g := r.groups[0]
	switch {
	case r.limits.latest && len(r.groups) > 1 && r.groups[len(r.groups)-1].begun():
		return obstacle{to: media.Location{Group: r.groups[1].id}, proven: true}, true
	case len(g.objects) > 0:
		return r.hole(g, g.objects[0].Object), true
	case g.known && r.next < g.end && !g.skipped:
		return r.hole(g, g.end), true
	case len(r.groups) > 1:
		return r.boundary(g, r.groups[1]), true
	}
	return obstacle{}, false
}

// hole judges missing object ids up to to within the group.
func (r *reorder) hole(g *group, to uint64) obstacle {
	at, o := media.Location{Group: g.id, Object: r.next}, obstacle{to: media.Location{Group: g.id, Object: to}}
	fetched := !at.Before(r.from) && r.covers(media.Location{Group: g.id, Object: to - 1})
	switch {
	case fetched:
		o.proven = true
	case g.whole() && g.first <= r.next: // unless another stream comes, the ids have gaps
		o.wait = r.limits.linger
	default:
		o.wait, o.loss = r.patience(), true
	}
	return o
}

// boundary judges the way from the group to the next one that is there: whether more of the group can come, and whether
// groups are missing in between. Group ids may jump; as long as they jump by what they always do, nothing is missing.
func (r *reorder) boundary(g, next *group) obstacle {
	at, o := media.Location{Group: g.id, Object: r.next}, obstacle{to: media.Location{Group: next.id}}
	fetched := r.settled != nil && r.settled.Group >= next.id
	if fetched {
		o.proven = !at.Before(r.from) || g.known && next.id == g.id+1
		return o // what the fetch has passed by will not come any more
	}
	jump := next.id - g.id
	switch {
	case g.known, g.whole() && !r.several:
		o.proven = jump == 1
	case r.settled != nil && r.settled.Group > g.id:
		o.proven = jump == 1 && !at.Before(r.from)
	case g.skipped:
	case g.over() && r.next < r.size: // shorter than the one before: streams may be late
		o.wait, o.loss = r.limits.patience/4, g.reset
	case g.over(), g.unheard() && !r.filling && r.covers(media.Location{Group: g.id}):
		o.wait, o.loss = r.limits.linger, g.reset
	default:
		o.wait, o.loss = r.limits.patience, true
	}
	if jump > 1 && jump > r.step+r.step/2 {
		o.wait, o.leap = max(o.wait, r.patience()), true
	}
	return o
}

// patience is how long to wait for what is missing. A lost datagram does not come later, only an object beside it may.
func (r *reorder) patience() time.Duration {
	if r.lossy && !r.filling {
		return r.limits.patience / 4
	}
	return r.limits.patience
}

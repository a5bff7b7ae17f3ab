package subscriber

import (
	"time"

	"github.com/moqpack/moqpack/internal/media"
)

// anew is what has come of groups far behind the one that is being handed over. It may be of a new incarnation of the publisher, which
// counts from anew; or late, overtaken by hundreds of groups. So come those of a publisher that makes a group of every frame and, when
// it could not keep up, sends the newest first (moq-dev's). What tells is that of a new incarnation nothing else comes.
type anew struct {
	reorder
	since time.Time // of the first of it; zero: it has just come
}

// due is when it is certain.
func (a *anew) due() time.Time { return a.since.Add(a.limits.patience / 2) }

// edge tells a location that the publisher says it has reached. If that is far behind what was handed over, everything known is
// forgotten.
func (r *reorder) edge(l media.Location) {
	switch {
	case !r.fresh || !r.behind(l):
		r.late()
	case r.anew == nil:
		r.begin(reorder{limits: r.limits, filling: r.filling})
	default:
		r.anew.filling = r.filling
		r.begin(r.anew.reorder)
	}
	r.fresh = false
}

// behind reports whether a group that is being received does not look like one of those before the one being handed over.
func (r *reorder) behind(l media.Location) bool {
	return r.started && l.Group < r.groups[0].id && (r.groups[0].id-l.Group)/4 > max(r.step, 1)
}

// begin goes on with what there is of a new incarnation.
func (r *reorder) begin(next reorder) {
	next.lost, next.lossy, next.dropped, next.holes = true, r.lossy, r.dropped+next.dropped, r.holes
	*r = next
}

// astray takes an object that may be of a new incarnation. One that is not proves that what there was of it is late.
func (r *reorder) astray(o media.Object) bool {
	switch {
	case r.fresh && r.behind(o.Location):
		if r.anew != nil && r.anew.over() {
			r.late()
		}
		if r.anew == nil {
			r.anew = &anew{reorder: reorder{limits: r.limits}}
		}
		r.anew.push(o, false)
		return true
	case r.anew != nil && o.Group >= r.groups[0].id:
		r.late()
	case !r.started || o.Group >= r.groups[0].id:
		r.fresh = false
	}
	return false
}

// late drops what there was of a new incarnation.
func (r *reorder) late() {
	if r.anew == nil {
		return
	}
	r.dropped += r.anew.dropped
	for _, g := range r.anew.groups {
		r.dropped += len(g.objects)
	}
	r.anew = nil
}

// renew begins with what has come of a new incarnation, if nothing else has come for a while.
func (r *reorder) renew(now time.Time) {
	switch a := r.anew; {
	case a == nil:
	case a.since.IsZero():
		a.since = now
	case !now.Before(a.due()):
		r.begin(a.reorder)
	}
}

package subscriber

import (
	"cmp"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/subscriber/moqt"
)

// group is what a reorder knows of one group of a track.
type group struct {
	id      uint64
	objects []media.Object // not handed over yet, ascending
	skipped bool           // its start was lost: the rest is of no use

	known bool   // end is known
	end   uint64 // no object with this id or a later one exists
	told  bool   // the receiver knows the end

	open   map[uint64]uint64 // running streams of the subscription: id of their first object by subgroup
	closed int               // streams that have ended
	first  uint64            // lowest first object of those
	reset  bool              // one of those ended early
}

// find returns the group with the id, a new one if need be, or nil when it was left behind.
func (r *reorder) find(id uint64) *group {
	i, found := slices.BinarySearchFunc(r.groups, id, func(g *group, id uint64) int { return cmp.Compare(g.id, id) })
	switch {
	case found:
		return r.groups[i]
	case r.started && i == 0:
		return nil
	}
	g := &group{id: id}
	r.groups = slices.Insert(r.groups, i, g)
	return g
}

// insert keeps an object; it returns false for one that is there already or that cannot exist.
func (g *group) insert(o media.Object) bool {
	i, found := slices.BinarySearchFunc(g.objects, o.Object, func(o media.Object, id uint64) int { return cmp.Compare(o.Object, id) })
	if found || g.known && o.Object >= g.end {
		return false
	}
	g.objects = slices.Insert(g.objects, i, o)
	return true
}

// finish records that no object with the id end or a later one exists.
func (g *group) finish(end uint64) {
	if !g.known || end < g.end {
		g.known, g.end = true, end
	}
}

// running records that a stream of the subscription has brought an object.
func (g *group) running(subgroup, object uint64) {
	if _, ok := g.open[subgroup]; ok {
		return
	}
	if g.open == nil {
		g.open = map[uint64]uint64{}
	}
	g.open[subgroup] = object
}

func (g *group) ended(e moqt.StreamEvent) {
	first, ok := g.open[e.Subgroup]
	if !ok {
		first = e.Last
	}
	delete(g.open, e.Subgroup)
	if g.closed == 0 || first < g.first {
		g.first = first
	}
	g.closed++
	g.reset = g.reset || e.Reset
	if e.EndOfGroup && !e.Reset {
		g.finish(e.Last + 1)
	}
}

// over reports whether all streams of the group that we know of have ended.
func (g *group) over() bool { return g.closed > 0 && len(g.open) == 0 }

// unheard reports whether the subscription has brought nothing of the group.
func (g *group) unheard() bool { return g.closed == 0 && len(g.open) == 0 }

// begun reports whether the group's first object is here.
func (g *group) begun() bool { return len(g.objects) > 0 && g.objects[0].Object == 0 }

// whole reports whether the group came on one stream that was read to its FIN.
func (g *group) whole() bool { return g.over() && g.closed == 1 && !g.reset }

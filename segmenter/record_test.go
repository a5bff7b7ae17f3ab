package segmenter_test

import (
	"cmp"
	"context"
	"slices"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// shared is a store's claims and record, as it takes them from all instances that are alive. It never goes back.
type shared struct {
	*ledger
	store *store
	alive func() []*channel
	track map[string]*segmenter.PastRendition
	plan  *segmenter.Plan
	order []string
	down  error
}

func newShared(l *ledger, s *store, alive func() []*channel) *shared {
	return &shared{ledger: l, store: s, alive: alive, track: map[string]*segmenter.PastRendition{}}
}

// look takes what those who are alive have published.
func (r *shared) look() {
	for _, c := range r.alive() {
		p := c.past()
		if p == nil {
			continue
		}
		r.plan = &p.Plan
		for i := range p.Renditions {
			r.take(&p.Renditions[i])
		}
	}
}

func (r *shared) take(p *segmenter.PastRendition) {
	t := r.track[p.Track.Name]
	if t == nil {
		t = &segmenter.PastRendition{}
		r.track[p.Track.Name] = t
		r.order = append(r.order, p.Track.Name)
	}
	t.Track, t.Ended = p.Track, p.Ended
	for _, e := range p.Epochs {
		at, found := slices.BinarySearchFunc(t.Epochs, e.Index, func(e timeline.Epoch, i int) int { return cmp.Compare(e.Index, i) })
		if !found {
			t.Epochs = slices.Insert(t.Epochs, at, e)
		} else {
			t.Epochs[at].First = min(t.Epochs[at].First, e.First)
		}
	}
	for _, s := range p.Segments {
		at, found := slices.BinarySearchFunc(t.Segments, s.N, func(s timeline.Segment, n uint64) int { return cmp.Compare(s.N, n) })
		switch {
		case s.State == timeline.Open:
		case !found:
			t.Segments = slices.Insert(t.Segments, at, s)
		case t.Segments[at].State == timeline.Gap:
			t.Segments[at] = s
		}
	}
}

// past is what a start finds; nil if nothing was published.
func (r *shared) past() *segmenter.Past {
	r.look()
	if r.plan == nil {
		return nil
	}
	p := &segmenter.Past{Plan: *r.plan, Epochs: slices.Clone(r.claims), Changes: slices.Clone(r.changes)}
	for _, name := range r.order {
		t := *r.track[name]
		t.Epochs, t.Segments = slices.Clone(t.Epochs), run(t.Segments)
		p.Renditions = append(p.Renditions, t)
	}
	return p
}

// run is the newest segments that follow each other. Who entered an epoch later than others has segments of the one before.
func run(all []timeline.Segment) (out []timeline.Segment) {
	for _, s := range all {
		last := len(out) - 1
		switch {
		case last >= 0 && s.N != out[last].N+1:
			out = out[:0]
		case last >= 0 && s.Epoch < out[last].Epoch:
			s = timeline.Segment{N: s.N, Epoch: out[last].Epoch, State: timeline.Gap, Start: out[last].End(), Dur: out[last].Dur}
		}
		out = append(out, s)
	}
	return out
}

// Since implements segmenter.Witness.
func (r *shared) Since(_ context.Context, index int) (claims []segmenter.Epoch, newest uint64, err error) {
	if r.down != nil {
		return nil, 0, r.down
	}
	r.look()
	for _, t := range r.track {
		if n := len(t.Segments); n > 0 {
			newest = max(newest, t.Segments[n-1].N)
		}
	}
	for _, c := range r.claims {
		if c.Index >= index {
			claims = append(claims, c)
		}
	}
	return claims, newest, nil
}

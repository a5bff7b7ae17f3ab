package segmenter

import (
	"bytes"
	"context"
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/mux"
)

// textSlot publishes what is shown in slot n as a segment of one part.
func (s *Segmenter) textSlot(ctx context.Context, t *track, n int64) error {
	c, x := &t.cut, t.text
	x.broken = slices.DeleteFunc(x.broken, func(g gap) bool { return g.to < n })
	if slices.ContainsFunc(x.broken, func(g gap) bool { return g.from <= n }) {
		return nil // the timeline has a gap when the next one comes
	}
	e := &s.epochs[0]
	for i := range s.epochs {
		if s.epochs[i].from <= n {
			e = &s.epochs[i]
		}
	}
	c.base, c.based = e.base, true
	from, to := c.nominalStart(n), c.nominalStart(n+1)
	if to <= from {
		return nil // before media time begins
	}
	samples := x.within(from, to, c.base.shift, c.init)
	x.forget(c, n)
	err := s.open(ctx, t, n, &samples[0])
	if !c.live {
		return err
	}
	c.part = append(c.part[:0], samples...)
	return join(err, s.closeIf(ctx, t, true))
}

// within are the samples from tick from to tick to: a new one wherever what is shown changes.
func (x *text) within(from, to, shift int64, init *media.Init) (samples []media.Sample) {
	edges := []int64{from, to}
	var shown []*cue
	for i := range x.cues {
		if c := &x.cues[i]; c.shift == shift && c.from < to && c.to > from {
			shown = append(shown, c)
			edges = append(edges, max(c.from, from), min(c.to, to))
		}
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	blank, size := mux.Blank(init.Codec), 0
	for i, at := range edges[:len(edges)-1] {
		data := together(shown, at, init.Codec == "wvtt")
		if size += len(data); len(data) == 0 || size > maxText {
			data = blank
		}
		end := edges[i+1]
		if k := len(samples); k > 0 && bytes.Equal(samples[k-1].Data, data) {
			samples[k-1].Dur = uint32(end - samples[k-1].DTS)
			continue
		}
		samples = append(samples, media.Sample{DTS: at, Dur: uint32(end - at), Sync: true, Data: data})
	}
	return samples
}

// together is what is shown at a time: cues that are boxes can stand beside each other (ISO/IEC 14496-30, 5.5), of documents only the
// newest counts.
func together(shown []*cue, at int64, boxes bool) []byte {
	var data []byte
	for n, i := 0, 0; i < len(shown) && n < maxShown; i++ {
		if c := shown[i]; c.from <= at && at < c.to {
			if n++; boxes {
				data = append(data, c.data...)
			} else {
				data = c.data
			}
		}
	}
	return data
}

// forget drops the cues that are over with slot n.
func (x *text) forget(c *cut, n int64) {
	x.cues = slices.DeleteFunc(x.cues, func(o cue) bool {
		over := c.slotAt(o.to-1, o.shift) <= n
		if over {
			x.size -= len(o.data)
		}
		return over
	})
}

package archive

import (
	"context"
	"errors"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// pull takes what f has, as far as it may: segments to the store, gaps to the batch.
func (r *run) pull(ctx context.Context, f *feed) {
	if !f.begun && !r.begin(ctx, f) {
		return
	}
	f.look(r.plan.Window)
	limit := max(minFlight, inFlight/len(r.feeds))
	f.next = max(f.next, r.a.First()) // what retention has given up need not come any more
	for {
		end, ok := r.a.end(f.track)
		if !ok {
			end = f.begin
		}
		if f.next >= end+span {
			return
		}
		c, ok := r.candidate(ctx, f)
		if !ok {
			return
		}
		if f.learn(c.epoch) {
			r.dirty = true
			if d := c.epoch.Init.Digest; f.inits[d] {
				delete(f.inits, d) // an old header again: retention may have deleted it meanwhile
			}
		}
		if there, known := f.inits[c.epoch.Init.Digest]; !there {
			if !known {
				r.putInit(ctx, f, c)
			}
			return
		}
		full := c.entry.State == timeline.Full
		switch {
		case (full || c.unseen) && f.flying >= limit || !full && !r.due(f, c.entry.N):
			return
		case full:
			r.putSegment(ctx, f, c)
		case c.unseen:
			r.probe(ctx, f, c)
		default:
			r.gap(f, c)
		}
		f.next++
		f.epoch = &c.epoch
	}
}

// candidate is what is known of f's next slot. ok is false while nothing is.
func (r *run) candidate(ctx context.Context, f *feed) (c candidate, ok bool) {
	s := f.snapshot()
	if len(s.Segments) == 0 || s.Position().N <= f.next {
		return c, false
	}
	first := &s.Segments[0]
	if f.next >= first.N {
		f.alone = false
	} else {
		return r.forgotten(ctx, f, first.N, fill(s, first))
	}
	seg := s.Segment(f.next)
	if seg == nil || seg.State == timeline.Open {
		return c, false
	}
	if f.elsewhere(seg) {
		if before := r.before(f); before != nil { // whose header may be elsewhere, too
			c = lostSlot(r.plan.Grid, f.next, *before)
			c.lost = false
			return c, true
		}
	}
	c.epoch = fill(s, seg)
	c.entry.Segment = *seg
	if seg.State == timeline.Gap {
		p := manifest.Presentation{Plan: r.plan}
		c.entry.Dur = p.End(&c.epoch, seg) - seg.Start
	}
	c.entry.Parts = nil
	return c, true
}

// fill is the epoch of the segment, with the frame duration that is in force in it.
func fill(s *timeline.Snapshot, seg *timeline.Segment) timeline.Epoch {
	e := *s.Epoch(seg.Epoch)
	if e.Frame == 0 {
		e.Frame = s.Frame
	}
	return e
}

// forgotten finds slot next, which the timeline, that now begins with slot first in epoch e, does not have any more: in the
// nearer archive, or nowhere.
func (r *run) forgotten(ctx context.Context, f *feed, first uint64, e timeline.Epoch) (c candidate, ok bool) {
	near := r.nearer(f, first)
	for f.next < first && r.a.settled(f.track, f.next, near) {
		f.next++
	}
	if f.next >= first {
		return r.candidate(ctx, f)
	}
	n, to := f.next, first
	if near != nil {
		if n >= f.spooledTo {
			r.spool(ctx, f, near, first)
			return c, false
		}
		if entry, found := f.spool(n); found {
			t := near.track(f.track)
			if t != nil && t.epoch(entry.Epoch) != nil {
				return candidate{entry: entry, epoch: *t.epoch(entry.Epoch)}, true
			}
		}
		if end, ok := near.start(f.track); ok && end > n {
			to = min(to, end)
		} else {
			to = n + 1
		}
	}
	if hole, ok := r.a.hole(f.track); ok {
		to = min(to, hole)
	}
	if to > n && to-n > patience {
		r.a.log.Warn("archive begins anew: what lies between is in no store", "track", f.track, "from", n, "to", to)
		f.begin, f.next, r.dirty = to, to, true
		return r.candidate(ctx, f)
	}
	if before := r.before(f); before != nil && e.First > n {
		e = *before
	}
	c = lostSlot(r.plan.Grid, n, e)
	if f.unseenFrom <= n && n < f.unseenTo {
		c.lost, c.unseen = false, true
	}
	return c, true
}

// nearer is the nearer archive, if it has, or may still have, what f's timeline, that now begins with slot first, has forgotten. One
// that is farther behind than patience will begin anew itself, if it ever writes again.
func (r *run) nearer(f *feed, first uint64) *Archive {
	near := r.a.cfg.Nearer
	if near == nil || near.over() {
		return nil
	}
	switch end, _ := near.end(f.track); {
	case f.next < end:
		f.alone = false
	case first-f.next > patience:
		f.alone = true
	}
	if f.alone {
		return nil
	}
	return near
}

// settled reports whether the record has slot n, and the nearer archive has not, nor will have, more of it: another instance may have
// recorded a gap.
func (a *Archive) settled(track string, n uint64, near *Archive) bool {
	e, known := a.entry(track, n)
	if !known || e.State == timeline.Full || near == nil {
		return known
	}
	end, begun := near.end(track)
	return begun && n < end && !near.Has(track, n)
}

// before is the epoch of the slot that was taken last, or nil.
func (r *run) before(f *feed) *timeline.Epoch {
	if f.epoch != nil {
		return f.epoch
	}
	return r.a.lastEpoch(f.track)
}

// spool reads what the nearer archive has before slot first.
func (r *run) spool(ctx context.Context, f *feed, near *Archive, first uint64) {
	end, ok := near.end(f.track)
	to := min(end, first, f.next+chunkSlots)
	if f.spooling || !ok || to <= f.next {
		return // the nearer archive is not there yet: the loop looks again
	}
	f.spooling = true
	from := f.next
	r.do(func() func() {
		var entries []Entry
		err := r.a.insist(ctx, "spool of "+f.track, func() (err error) {
			entries, err = near.Segments(ctx, f.track, from, to)
			return err
		})
		return func() {
			f.spooling = false
			if err == nil {
				f.spooled, f.spooledTo = entries, to
			}
		}
	})
}

// due reports whether slot n may be recorded as a gap: its media will not come from another instance any more.
func (r *run) due(f *feed, n uint64) bool {
	_, recorded := r.a.entry(f.track, n)
	_, s := f.newest()
	return recorded || n+1+grace <= r.edge() || s.Ended
}

// gap records a slot without media, unless something is recorded.
func (r *run) gap(f *feed, c candidate) {
	if _, recorded := r.a.entry(f.track, c.entry.N); recorded {
		return
	}
	if c.lost {
		r.lose(f, c.entry.N)
	}
	c.entry.Digest = ""
	r.add(f.track, c.entry)
}

// probe records a slot that nobody has seen as a gap, after a look beside the loop whether there was media.
func (r *run) probe(ctx context.Context, f *feed, c candidate) {
	f.flying++
	name := manifest.Name{Kind: manifest.Segment, Channel: r.a.cfg.Channel, Track: f.track, N: c.entry.N}
	r.do(func() func() {
		_, err := r.a.cfg.Media.Get(ctx, name.Key())
		return func() {
			f.flying--
			c.lost = !errors.Is(err, storage.ErrNotFound)
			r.gap(f, c)
		}
	})
}

// lose counts a slot whose media is gone, and says so once for each stretch of them.
func (r *run) lose(f *feed, n uint64) {
	r.a.metrics.lose(r.a.cfg)
	r.a.mu.Lock()
	r.a.lost++
	r.a.mu.Unlock()
	if f.lostAt == 0 || n > f.lostAt+span { // losses are found in any order
		r.a.log.Error("media was gone before it could be archived: the archive has a gap", "track", f.track, "slot", n)
	}
	f.lostAt = max(f.lostAt, n+1)
}

// putSegment puts the segment c beside the loop.
func (r *run) putSegment(ctx context.Context, f *feed, c candidate) {
	f.flying++
	t := f.sources[0].Track
	r.do(func() func() {
		e, err := r.a.putSegment(ctx, t, c.epoch.Init, c.entry)
		return func() {
			f.flying--
			switch {
			case err == nil:
				r.add(f.track, e) // even if the record has it: this is how the other instance's news is seen
			case errors.Is(err, errLost):
				if e.N >= f.since {
					r.lose(f, e.N)
				}
				e.State, e.Size, e.Digest = timeline.Gap, 0, ""
				r.add(f.track, e)
			}
		}
	})
}

// putInit puts the header that c needs beside the loop. Nothing of the track goes on before.
func (r *run) putInit(ctx context.Context, f *feed, c candidate) {
	init := c.epoch.Init
	f.inits[init.Digest] = false
	t := f.sources[0].Track
	r.do(func() func() {
		err := r.a.putInit(ctx, t, init)
		return func() {
			if err == nil {
				f.inits[init.Digest] = true
			}
		}
	})
}

// over reports whether Run has returned.
func (a *Archive) over() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.stopped
}

// track is what the head says of a track, or nil.
func (a *Archive) track(name string) *Track {
	h := a.heading()
	return h.Track(name)
}

// start is the first slot that the record is known to have of the track.
func (a *Archive) start(track string) (n uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	t := a.head.Track(track)
	if t == nil {
		return 0, false
	}
	return max(t.Begin, a.head.First), true
}

// hole is the slot at which the record goes on after the first one that is not settled.
func (a *Archive) hole(track string) (n uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	l := a.lines[track]
	if l == nil || len(l.ahead) == 0 {
		return 0, false
	}
	return l.hole(), true
}

// lastEpoch is that of the newest settled segment of the track, or nil.
func (a *Archive) lastEpoch(track string) *timeline.Epoch {
	a.mu.RLock()
	defer a.mu.RUnlock()
	l, t := a.lines[track], a.head.Track(track)
	if l == nil || t == nil || len(l.run) == 0 {
		return nil
	}
	return t.epoch(l.run[len(l.run)-1].Epoch)
}

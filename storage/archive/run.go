package archive

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// run is one Run of an archive. Its loop owns everything but pages, which are the round's: of rounds there is one at a time.
type run struct {
	a     *Archive
	plan  segmenter.Plan
	group sync.WaitGroup

	out      *segmenter.Output
	feeds    map[string]*feed
	order    []string  // of feeds, by age
	batch    []record  // what is to be recorded
	lost     []record  // what was to be forgotten in a round that failed
	since    time.Time // of the first of batch
	dirty    bool      // the head must be written
	late     bool      // batch has media of slots that are gaps in the record since long ago
	writing  bool      // a round is running
	failed   backoff   // rounds since the last good one
	after    time.Time // no round before
	redo     bool      // documents of the last round are not written
	refresh  time.Time // when a round began that reads the head; zero: it shall be read
	busy     int       // functions that will send an event
	draining bool      // ctx has ended
	dead     bool      // what is not finished never will be
	fatal    error

	pages  map[string]*page
	warned []string // tracks with diverging epochs that the log was told of

	outs   chan *segmenter.Output
	events chan func()   // what workers found out: the loop calls it
	wake   chan struct{} // a timeline has news
}

// record is an entry for a track's chunk.
type record struct {
	track string
	entry Entry
}

const (
	// A round waits so long, or a quarter of a slot if that is less, for other tracks to finish the slot.
	roundDelay = 500 * time.Millisecond
	// headEvery is how often the head is read, for another instance may have deleted something.
	headEvery = 30 * time.Second
	// poll is how often the loop looks for what nobody tells it of: what the nearer archive has.
	poll = time.Second
)

// outputs hands the loop every Output after old.
func (r *run) outputs(ctx context.Context, await func(ctx context.Context, old *segmenter.Output) (*segmenter.Output, error), old *segmenter.Output) {
	for {
		out, err := await(ctx, old)
		if err != nil {
			return
		}
		select {
		case r.outs <- out:
			old = out
		case <-ctx.Done():
			return
		}
	}
}

// watch wakes the loop when a segment is complete, or the timeline ends.
func (r *run) watch(ctx context.Context, t *timeline.Timeline) {
	var seen uint64
	for {
		s := t.Load()
		if k := len(s.Segments); s.Ended || k > 0 && s.Segments[k-1].N >= seen {
			if k > 0 {
				seen = s.Segments[k-1].N + 1
			}
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
		if s.Ended {
			return
		}
		select {
		case <-s.Next():
		case <-ctx.Done():
			return
		}
	}
}

// adopt follows the renditions of out.
func (r *run) adopt(ctx context.Context, out *segmenter.Output) {
	r.out, r.dirty = out, true
	for _, rendition := range out.Renditions {
		f := r.feeds[rendition.Track.Name]
		if f == nil {
			f = &feed{track: rendition.Track.Name, inits: map[string]bool{}}
			r.feeds[f.track] = f
			r.order = append(r.order, f.track)
		}
		if f.follow(rendition) {
			r.group.Go(func() { r.watch(ctx, rendition.Timeline) })
		}
	}
}

// loop runs until ctx has ended and what is whole is out, or work, which cut ends, is over. What workers do is bounded by work.
func (r *run) loop(ctx, work context.Context, cut func()) {
	stop, drained := ctx.Done(), (<-chan time.Time)(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if !r.dead {
			for _, track := range r.order {
				r.pull(work, r.feeds[track])
			}
			r.report()
			timer.Reset(r.startRound(work))
		}
		if r.busy == 0 && (r.dead || r.draining && r.idle()) {
			return
		}
		select {
		case <-stop:
			stop, r.draining, r.after = nil, true, time.Time{}
			drained = time.After(drainTime)
		case <-drained:
			r.dead = true
			cut()
		case out := <-r.outs:
			r.adopt(ctx, out)
		case event := <-r.events:
			r.busy--
			event()
			if r.fatal != nil {
				r.dead = true
				cut()
			}
		case <-r.wake:
		case <-r.a.fresh:
			r.refresh = time.Time{}
		case <-timer.C:
		}
	}
}

// do runs f beside the loop and then the function that it returns in the loop.
func (r *run) do(f func() func()) {
	r.busy++
	r.group.Go(func() { r.events <- f() })
}

// idle reports whether nothing is left to write.
func (r *run) idle() bool { return len(r.batch) == 0 && !r.dirty && !r.redo }

// startRound starts a round if it is time, and returns how long the loop may sleep.
func (r *run) startRound(ctx context.Context) time.Duration {
	now := time.Now()
	if r.writing || len(r.batch) == 0 && !r.dirty && !r.redo && now.Sub(r.refresh) < headEvery {
		return poll
	}
	if wait := r.after.Sub(now); wait > 0 {
		return min(wait, poll)
	}
	if len(r.batch) > 0 && !r.whole() {
		if wait := r.delay() - now.Sub(r.since); wait > 0 {
			return min(wait, poll)
		}
	}
	w := r.work(now)
	r.batch, r.lost, r.dirty, r.late, r.writing = nil, nil, false, false, true
	if w.refresh {
		r.refresh = now
	}
	r.do(func() func() {
		done, err := r.round(ctx, &w)
		return func() { r.finished(&w, done, err) }
	})
	return poll
}

// finished notes how a round ended.
func (r *run) finished(w *work, done stage, err error) {
	r.writing = false
	if done < headWritten {
		r.dirty = true
		if w.refresh {
			r.refresh = time.Time{}
		}
	}
	if done < recorded {
		r.batch, r.late = append(w.batch, r.batch...), r.late || w.late
		r.lost = w.lost
	} else if len(w.batch) > 0 {
		r.failed = 0
	}
	r.redo = err != nil
	switch {
	case err == nil:
		r.failed = 0
		r.a.well("record")
		return
	case errors.Is(err, ErrOtherGrid):
		r.fatal = err
		return
	case !errors.Is(err, errBusy):
		r.a.ill("record", err)
	}
	r.after = time.Now().Add(r.failed.next())
}

// whole reports whether no track is about to add to the batch.
func (r *run) whole() bool {
	edge := r.edge()
	for _, f := range r.feeds {
		_, s := f.newest()
		if f.flying > 0 || !s.Ended && f.begun && f.next < edge {
			return false
		}
	}
	return true
}

// delay is how long the first of the batch may wait for the others.
func (r *run) delay() time.Duration {
	slot := time.Duration(r.plan.Grid.Start(1, uint32(time.Second)))
	return min(slot/4, roundDelay)
}

// edge is the slot after the newest closed one of any track.
func (r *run) edge() (n uint64) {
	for _, f := range r.feeds {
		n = max(n, f.closed())
	}
	return n
}

// add puts an entry into the batch.
func (r *run) add(track string, e Entry) {
	if len(r.batch) == 0 {
		r.since = time.Now()
	}
	r.batch = append(r.batch, record{track, e})
	end, _ := r.a.end(track)
	old, known := r.a.entry(track, e.N)
	r.late = r.late || known && old.State != e.State && e.N+recall < end
}

// work is what a round shall do. Nobody changes it any more.
type work struct {
	batch   []record
	late    bool     // see run.late
	lost    []record // segments of which the record shall make gaps
	events  []timeline.Event
	tracks  []Track  // what is known of them, in catalog order, and then those that left
	all     []string // the tracks' names
	current []string // names of the tracks of the channel
	ever    []string // of those that an MPD shows where they were
	changes []segmenter.Change
	ended   map[string]bool // tracks that have ended, or go on again
	edge    uint64
	refresh bool // read the head again
}

// work is everything that is to be done now.
func (r *run) work(now time.Time) work {
	w := work{batch: r.batch, events: r.out.Events, changes: r.out.Changes, late: r.late, lost: append(r.lost, r.a.takeForgotten()...), edge: r.edge(), refresh: now.Sub(r.refresh) >= headEvery, ended: map[string]bool{}}
	for _, rendition := range r.out.Renditions {
		w.current = append(w.current, rendition.Track.Name)
	}
	all := slices.Clone(w.current)
	for _, name := range r.order {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, name := range all {
		f := r.feeds[name]
		if !f.begun {
			continue
		}
		newest, _ := f.newest()
		t := Track{Track: *newest.Track, Begin: f.begin, Epochs: slices.Clone(f.epochs)}
		t.Init = nil // the media is the source
		w.tracks = append(w.tracks, t)
		w.all = append(w.all, name)
		if ended, news := r.ended(f); news {
			w.ended[name] = ended
		}
	}
	return w
}

// report says how far the archive is.
func (r *run) report() {
	p := progress{pending: never}
	for _, rendition := range r.out.Renditions {
		p.all = append(p.all, rendition.Track.Name)
	}
	for _, f := range r.feeds {
		_, s := f.newest()
		if !f.begun {
			continue
		}
		end := f.begin
		if at, ok := r.a.end(f.track); ok {
			end = max(at, end)
		}
		closed := f.closed()
		if _, news := r.ended(f); news {
			r.dirty = true
		}
		if f.ended(end) {
			continue
		}
		if !s.Ended && slices.Contains(p.all, f.track) {
			p.live = append(p.live, f.track)
		}
		p.pending = min(p.pending, end)
		if closed > end {
			p.behind = max(p.behind, int64(closed-end))
		}
		for i := len(s.Segments) - 1; i >= 0 && s.Segments[i].N >= end; i-- {
			p.queued += s.Segments[i].Size
		}
	}
	slot := float64(r.plan.Grid.Num) / float64(r.plan.Grid.Den)
	p.lag = time.Duration(float64(p.behind) * slot * float64(time.Second))
	r.a.metrics.behind(r.a.cfg, p.lag, p.queued)
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	r.a.progress = p
}

// ended reports whether the track has ended. news: the head says otherwise.
func (r *run) ended(f *feed) (ended, news bool) {
	t := r.a.track(f.track)
	if t == nil {
		return false, false
	}
	end, _ := r.a.end(f.track)
	ended = f.ended(end)
	_, s := f.newest()
	return ended, ended && !t.Ended || t.Ended && !s.Ended && f.closed() > end
}

// name of a document of the channel.
func (r *run) name(k manifest.Kind, track string) manifest.Name {
	return manifest.Name{Kind: k, Channel: r.a.cfg.Channel, Track: track}
}

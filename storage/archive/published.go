package archive

import (
	"context"
	"math"
	"time"

	"github.com/moqpack/moqpack/segmenter/timeline"
)

const (
	nearSlots = 10 // an instance whose newest slot is not further behind is alive
	pollEvery = 250 * time.Millisecond
	quietFor  = 30 * time.Second // after an instance was waited for in vain
)

// Published returns what the record in the store has of a track from slot from on, before slot to and without a hole. If another
// instance is near slot to, it waits up to two target durations for what is missing. What belongs to an epoch that the caller
// has not heard of is left out, and so is all behind it.
func (l *Ledger) Published(ctx context.Context, track string, from, to uint64) []timeline.Segment {
	if from >= to || to >= maxSlot || l.isAway() {
		return nil
	}
	hctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	var head Head
	err := twice(hctx, func() (err error) {
		head, _, err = l.books.head(hctx)
		return err
	})
	if err != nil {
		l.log.Warn("what other instances have published cannot be read", "err", err)
		return nil
	}
	t := head.Track(track)
	if t == nil {
		return nil
	}
	r := stretch{next: from, to: min(to, from+maxWindow)}
	patience := 2 * time.Second * time.Duration(min(max(head.Plan.TargetDuration, 1), 600))
	deadline := time.Now().Add(patience)
	for {
		newest, err := l.extend(ctx, track, &r)
		if err != nil {
			l.log.Warn("what other instances have published cannot be read", "err", err)
			return l.known(r.segments)
		}
		alive := !t.Ended && !r.broken && newest+nearSlots >= to && !l.Exclusive
		if r.next == r.to || !alive || l.isQuiet() {
			return l.known(r.segments)
		}
		if !time.Now().Before(deadline) {
			l.hush() // the other tracks of the channel need not wait as long again
			return l.known(r.segments)
		}
		if !rest(ctx, pollEvery) {
			return l.known(r.segments)
		}
	}
}

// newestSlot is the newest slot of any track in the record.
func (l *Ledger) newestSlot(ctx context.Context) (newest uint64, err error) {
	froms, err := ChunkNumbers(ctx, l.store, l.channel)
	if err != nil || len(froms) == 0 {
		return 0, err
	}
	c, _, err := l.books.chunk(ctx, froms[len(froms)-1])
	for _, entries := range c.Tracks {
		if n := len(entries); n > 0 {
			newest = max(newest, entries[n-1].N)
		}
	}
	return newest, err
}

// twice does what may only have failed by chance: nobody asks again for what was published before an instance came.
func twice(ctx context.Context, do func() error) error {
	err := do()
	if err == nil || !rest(ctx, retryWait) {
		return err
	}
	return do()
}

// isQuiet reports whether an instance was waited for in vain a moment ago.
func (l *Ledger) isQuiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.quiet)
}

func (l *Ledger) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet = time.Now().Add(quietFor)
}

// stretch is segments that follow each other.
type stretch struct {
	segments []timeline.Segment
	next, to uint64 // the slots still wanted
	broken   bool   // no longer to be had: there are later ones, but not the next
}

// take appends e if it is the next one.
func (r *stretch) take(e *Entry) {
	if e.N < r.next || r.broken || r.next == r.to {
		return
	}
	last := len(r.segments) - 1
	if e.N > r.next || !e.sound() || last >= 0 && e.Epoch < r.segments[last].Epoch {
		r.broken = true
		return
	}
	r.segments = append(r.segments, e.Segment)
	r.next++
}

// extend takes what the store has now for r, and returns the newest slot of the track in sight.
func (l *Ledger) extend(ctx context.Context, track string, r *stretch) (newest uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	first := chunkOf(min(r.next, r.to-min(r.to, nearSlots+1)))
	chunks := make([]Chunk, (chunkOf(r.to-1)-first)/chunkSlots+1)
	err = each(ctx, len(chunks), func(ctx context.Context, i int) error {
		return twice(ctx, func() (err error) {
			chunks[i], _, err = l.books.chunk(ctx, first+uint64(i)*chunkSlots)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	for i := range chunks {
		entries := chunks[i].Tracks[track]
		for j := range entries {
			newest = entries[j].N
			r.take(&entries[j])
		}
	}
	return newest, nil
}

// known cuts off what is of an epoch that the caller cannot know.
func (l *Ledger) known(segments []timeline.Segment) []timeline.Segment {
	l.mu.Lock()
	newest := l.newest
	l.mu.Unlock()
	if newest < 0 && len(segments) > 0 { // it knows those of its past, and asks from there on
		newest = segments[0].Epoch
	}
	for i := range segments {
		if segments[i].Epoch > newest {
			return segments[:i:i]
		}
	}
	return segments
}

// sound reports whether sums of the entry's numbers are what they seem.
func (e *Entry) sound() bool {
	const most = math.MaxInt64 / 4
	return e.N < maxSlot && e.Epoch >= 0 && e.Epoch < math.MaxInt32 && e.Start > -most && e.Start < most &&
		e.Dur >= 0 && e.Dur < most && e.Size >= 0 && e.Size < most
}

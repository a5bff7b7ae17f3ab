package manifesttest

import (
	"slices"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// line plays one track into its timeline, frame by frame.
type line struct {
	*Track
	*timeline.Timeline
	grid timeline.Grid
	lost []uint64

	next       int64 // media time of the next frame
	origin     int64
	phase      int // frames since the last group began
	partFrames int

	n      uint64 // slot being written; 0 before the first
	parts  int
	part   timeline.Part // being filled; Dur 0 when empty
	frames int           // in part
}

// slot of the frame at media time t. Audio has half a frame of tolerance.
func (l *line) slot(t int64) uint64 {
	if l.Kind() == media.Audio {
		t += l.Frame / 2
	}
	return l.grid.Slot(t+l.origin, l.Init.Timescale)
}

// Kind of the track.
func (l *line) Kind() media.Kind { return l.Track.Track.Kind }

// Current is the newest epoch.
func (l *line) Current() *timeline.Epoch { return l.Load().Current() }

// frame publishes what the next frame completes.
func (l *line) frame() {
	t, starts := l.next, l.phase == 0
	l.next += l.Frame
	l.phase = (l.phase + 1) % l.Group
	if starts {
		if n := l.slot(t); n > l.n {
			must(l.close(timeline.Full))
			if l.n > 0 {
				l.fill(n)
			}
			l.n, l.parts = n, 0
		}
	}
	if l.n == 0 || slices.Contains(l.lost, l.n) {
		return
	}
	if l.part.Dur == 0 {
		l.part = timeline.Part{Start: t, Independent: starts}
	}
	l.part.Dur += l.Frame
	l.part.Size += 1000
	l.frames++
	ends := l.phase == 0 && l.slot(l.next) > l.n
	if l.frames == l.partFrames || ends {
		l.flush()
	}
	if ends {
		must(l.close(timeline.Full))
	}
}

func (l *line) flush() {
	if l.part.Dur == 0 {
		return
	}
	must(l.Append(l.n, l.parts, l.part))
	l.parts++
	l.part, l.frames = timeline.Part{}, 0
}

// close completes the open segment, if there is one.
func (l *line) close(state timeline.State) error {
	l.flush()
	if l.Load().Open == nil {
		return nil
	}
	return l.Close(l.n, state)
}

// fill records gaps up to slot n.
func (l *line) fill(n uint64) {
	for at := l.Load().Position().N; at > 0 && at < n; at++ {
		start := l.grid.Start(at, l.Init.Timescale) - l.origin
		must(l.Gap(at, start, l.grid.Start(at+1, l.Init.Timescale)-l.origin-start))
	}
}

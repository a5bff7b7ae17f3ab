package server

import (
	"context"
	"errors"
	"time"

	"github.com/moqpack/moqpack/segmenter"
	"github.com/moqpack/moqpack/segmenter/timeline"
)

// errHeld ends a wait that lasted as long as a request may be held.
var errHeld = errors.New("held too long")

// holdLimit is how long a request may be held: three target durations (rfc8216bis 6.2.5.2).
func holdLimit(plan segmenter.Plan) time.Duration {
	return 3 * time.Duration(plan.TargetDuration) * time.Second
}

// wait returns the first snapshot of t for which ok is true. It returns errHeld at the deadline, ctx's error when the
// client hung up or the server stops, and a refusal when too many wait already. A snapshot comes with every error.
func (s *Server) wait(ctx context.Context, t *timeline.Timeline, deadline time.Time, ok func(*timeline.Snapshot) bool) (*timeline.Snapshot, error) {
	if snap := t.Load(); ok(snap) {
		return snap, nil
	}
	if n := s.waits.Add(1); n > int64(s.cfg.MaxWaits) {
		s.waits.Add(-1)
		return t.Load(), refuse(overloaded, "too many requests are waiting")
	}
	s.metrics.wait(1)
	defer func() {
		s.waits.Add(-1)
		s.metrics.wait(-1)
	}()
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errHeld)
	defer cancel()
	snap, err := t.Wait(ctx, ok)
	if err != nil {
		err = context.Cause(ctx)
	}
	return snap, err
}

package sim

import (
	"context"
	"errors"
	"time"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// feed is a track as sessions see it. Groups are numbered without holes, and so are the objects in a group.
type feed interface {
	// largest is the newest object; ok is false when there is none.
	largest() (l media.Location, ok bool)
	// oldest is the first group that can be fetched.
	oldest() uint64
	// wait blocks until the object exists. It returns errGroupOver if the group has fewer objects, and errTrackOver if the
	// track ended before.
	wait(ctx context.Context, l media.Location) error
	// object makes an object that exists.
	object(l media.Location) (media.Object, error)
	// properties reports whether objects may have some.
	properties() bool
	// last reports whether the object is known to be its group's last one.
	last(l media.Location) bool
	delivery() live.Delivery
}

var (
	errGroupOver = errors.New("the group has no such object")
	errTrackOver = errors.New("the track has ended")
)

// kept is how far back objects can be fetched.
const kept = 60 * time.Second

// mediaFeed is a track whose objects follow from the time.
type mediaFeed struct {
	source *live.Source
	end    *ending
}

var _ feed = mediaFeed{}

// now is the time, but not after the end.
func (f mediaFeed) now() time.Time {
	now := time.Now()
	if at, ok := f.end.at(); ok && at.Before(now) {
		return at
	}
	return now
}

func (f mediaFeed) largest() (media.Location, bool) { return f.source.Largest(f.now()) }

func (f mediaFeed) oldest() uint64 {
	l, _ := f.source.Largest(f.now().Add(-kept))
	return l.Group
}

func (f mediaFeed) wait(ctx context.Context, l media.Location) error {
	if !f.source.Has(l) {
		return errGroupOver
	}
	due := f.source.Due(l)
	if early := time.Until(due); early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-f.end.done:
		}
	}
	if at, ok := f.end.at(); ok && due.After(at) {
		return errTrackOver
	}
	return ctx.Err()
}

func (f mediaFeed) object(l media.Location) (media.Object, error) { return f.source.Object(l) }
func (f mediaFeed) properties() bool                              { return f.source.Packing.As != "" }
func (f mediaFeed) last(l media.Location) bool {
	return !f.source.Has(media.Location{Group: l.Group, Object: l.Object + 1})
}
func (f mediaFeed) delivery() live.Delivery { return f.source.Delivery }

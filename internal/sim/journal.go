package sim

import (
	"context"
	"slices"
	"sync"

	"github.com/moqpack/moqpack/internal/media"
	"github.com/moqpack/moqpack/internal/sim/live"
)

// journal is a track whose objects are appended: a catalog.
type journal struct {
	first uint64 // group id
	end   *ending

	mu     sync.Mutex // guards what follows
	groups [][][]byte
	grown  chan struct{} // closed and replaced by append
}

var _ feed = (*journal)(nil)

// newJournal begins with an object, or with none if it is empty.
func newJournal(first uint64, object []byte, end *ending) *journal {
	j := &journal{first: first, end: end, grown: make(chan struct{})}
	if len(object) > 0 {
		j.groups = [][][]byte{{object}}
	}
	return j
}

// append adds an object to the last group or to a new one.
func (j *journal) append(object []byte, newGroup bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if newGroup || len(j.groups) == 0 {
		j.groups = append(j.groups, nil)
	}
	i := len(j.groups) - 1
	j.groups[i] = append(j.groups[i], object)
	close(j.grown)
	j.grown = make(chan struct{})
}

func (j *journal) largest() (media.Location, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.groups) == 0 {
		return media.Location{}, false
	}
	i := len(j.groups) - 1
	return media.Location{Group: j.first + uint64(i), Object: uint64(len(j.groups[i]) - 1)}, true
}

func (j *journal) oldest() uint64 { return j.first }

func (j *journal) wait(ctx context.Context, l media.Location) error {
	for {
		found, err, grown := j.look(l)
		if found || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		case <-j.end.done:
			if found, err, _ = j.look(l); !found && err == nil {
				return errTrackOver
			}
		}
	}
}

// look reports whether the object exists, or why it never will, or else what to wait for.
func (j *journal) look(l media.Location) (found bool, never error, grown <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := l.Group - j.first
	switch {
	case l.Group < j.first:
		return false, errGroupOver, nil
	case i < uint64(len(j.groups)) && l.Object < uint64(len(j.groups[i])):
		return true, nil, nil
	case i+1 < uint64(len(j.groups)):
		return false, errGroupOver, nil
	}
	return false, nil, j.grown
}

func (j *journal) object(l media.Location) (media.Object, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return media.Object{Location: l, Payload: slices.Clone(j.groups[l.Group-j.first][l.Object])}, nil
}

func (j *journal) properties() bool { return false }

func (j *journal) last(l media.Location) bool {
	_, err, _ := j.look(media.Location{Group: l.Group, Object: l.Object + 1})
	return err != nil
}

func (j *journal) delivery() live.Delivery { return live.Groups }

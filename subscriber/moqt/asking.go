package moqt

import (
	"fmt"
	"slices"
	"sync"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// asking is which request ids the peer has used, and how far they may go (moq-transport, "Request ID").
//
// Ids that it leaves out are no fault to us, though up to 16 they should be: nothing hangs on them, and in 16 they may belong to
// requests that are still on their way on streams of their own.
type asking struct {
	limited bool // up to 16
	first   uint64

	mu      sync.Mutex // guards what follows
	next    uint64     // behind all that came in order
	granted uint64     // the limit
	used    map[uint64]bool
	recent  []uint64 // the keys of used, in the order in which they came
}

// peerRequests is how many requests of the peer's may be open: twice as high as ids grow, since they grow by two.
const peerRequests = 2 * 64

// maxUsed bounds the ids that are remembered: of streams that overtake each other no more can be on their way.
const maxUsed = 1024

func newAsking(d *dialect.Dialect, first uint64) asking {
	return asking{limited: d.Control == dialect.OneStream, first: first, granted: peerRequests, used: map[uint64]bool{}}
}

// take uses the id of a request. Those on one stream come in order.
func (a *asking) take(m dialect.Message, inOrder bool) error {
	id, _, ok := dialect.Asked(m)
	if !ok {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case id%2 != a.first:
		return misnumbered(id, "is one of ours")
	case a.used[id], inOrder && id < a.next:
		return misnumbered(id, "was used before, or is below one that was")
	case a.limited && id >= a.granted:
		return &SessionError{
			Code: dialect.TooManyRequests, Reason: fmt.Sprintf("request id %d is not below the limit, %d", id, a.granted), Err: ErrRefused,
		}
	}
	a.next = max(a.next, id+2)
	if len(a.recent) == maxUsed {
		delete(a.used, a.recent[0])
		a.recent = slices.Delete(a.recent, 0, 1)
	}
	a.used[id], a.recent = true, append(a.recent, id)
	return nil
}

func misnumbered(id uint64, why string) error {
	return &SessionError{Code: dialect.InvalidRequestID, Reason: fmt.Sprintf("request id %d %s", id, why), Err: ErrRefused}
}

// raise is the new limit, when half of what the peer may still ask is used up.
func (a *asking) raise() (limit uint64, due bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.limited || a.granted > a.next+peerRequests/2 {
		return 0, false
	}
	a.granted += peerRequests
	return a.granted, true
}

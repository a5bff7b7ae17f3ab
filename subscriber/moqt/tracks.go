package moqt

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/moqpack/moqpack/subscriber/moqt/dialect"
)

// tracks says whom a data stream or datagram is for. Data may come before the answer that gives its alias a meaning: then
// it is parked, within a bound.
type tracks struct {
	limit   int
	metrics *Metrics

	mu        sync.Mutex // guards all below
	live      map[uint64]*Subscription
	ignored   map[uint64]bool // aliases of what is over: their data is not worth waiting for
	forgotten []uint64        // the keys of ignored, oldest first
	waiting   map[uint64][]chan *Subscription
	parked    int                // channels in waiting
	datagrams []dialect.Datagram // parked, oldest first
	fetches   map[uint64]chan dataStream
}

const maxIgnored = 256

func newTracks(limit int, m *Metrics) tracks {
	return tracks{
		limit: limit, metrics: m,
		live: map[uint64]*Subscription{}, ignored: map[uint64]bool{},
		waiting: map[uint64][]chan *Subscription{}, fetches: map[uint64]chan dataStream{},
	}
}

// find returns the subscription that has the alias, for which it may have to wait; or nil.
func (t *tracks) find(ctx context.Context, alias uint64) *Subscription {
	t.mu.Lock()
	if s := t.live[alias]; s != nil || t.ignored[alias] || t.parked == t.limit {
		t.mu.Unlock()
		return s
	}
	found := make(chan *Subscription, 1)
	t.waiting[alias] = append(t.waiting[alias], found)
	t.parked++
	t.mu.Unlock()
	t.metrics.park()

	timer := time.NewTimer(parkTimeout)
	defer timer.Stop()
	select {
	case s := <-found:
		return s
	case <-timer.C:
		t.metrics.expire()
	case <-ctx.Done():
	}
	return t.leave(alias, found)
}

// leave stops waiting; the subscription may just have come.
func (t *tracks) leave(alias uint64, found chan *Subscription) *Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting[alias], found); i >= 0 {
		t.waiting[alias] = slices.Delete(t.waiting[alias], i, i+1)
		t.parked--
	}
	if len(t.waiting[alias]) == 0 {
		delete(t.waiting, alias)
	}
	select {
	case s := <-found:
		return s
	default:
		return nil
	}
}

// bind gives alias to s, with the datagrams that waited for it. An alias of another track that is not over is the peer's
// violation.
func (t *tracks) bind(alias uint64, s *Subscription) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.live[alias]; o != nil && !o.over.Load() && !sameTrack(o.name, s.name) {
		return &SessionError{Code: dialect.DuplicateTrackAlias, Reason: "track alias is in use", Err: ErrRefused}
	}
	t.live[alias] = s
	t.forgive(alias)
	for _, found := range t.waiting[alias] {
		found <- s
		t.parked--
	}
	delete(t.waiting, alias)
	t.datagrams = slices.DeleteFunc(t.datagrams, func(g dialect.Datagram) bool {
		if g.Alias == alias {
			s.offer(g.Object)
		}
		return g.Alias == alias
	})
	return nil
}

func sameTrack(a, b TrackName) bool {
	return a.Name == b.Name && slices.Equal(a.Namespace, b.Namespace)
}

// unbind ends what bind began.
func (t *tracks) unbind(alias uint64, s *Subscription) {
	t.mu.Lock()
	mine := t.live[alias] == s
	if mine {
		delete(t.live, alias)
	}
	t.mu.Unlock()
	if mine {
		t.ignore(alias)
	}
}

// ignore has data of the alias refused at once.
func (t *tracks) ignore(alias uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live[alias] != nil || t.ignored[alias] {
		return
	}
	if len(t.forgotten) == maxIgnored {
		delete(t.ignored, t.forgotten[0])
		t.forgotten = slices.Delete(t.forgotten, 0, 1)
	}
	t.ignored[alias] = true
	t.forgotten = append(t.forgotten, alias)
}

// forgive ends ignore; mu is held.
func (t *tracks) forgive(alias uint64) {
	if t.ignored[alias] {
		delete(t.ignored, alias)
		t.forgotten = slices.DeleteFunc(t.forgotten, func(a uint64) bool { return a == alias })
	}
}

// datagram hands g to its subscription, or parks it in place of the oldest.
func (t *tracks) datagram(g dialect.Datagram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch s := t.live[g.Alias]; {
	case s != nil:
		s.offer(g.Object)
	case t.ignored[g.Alias]:
	default:
		t.metrics.park()
		if len(t.datagrams) >= t.limit {
			t.metrics.expire()
			t.datagrams = slices.Delete(t.datagrams, 0, 1)
		}
		t.datagrams = append(t.datagrams, g)
	}
}

// expect has the stream of fetch id handed to the returned channel, once.
func (t *tracks) expect(id uint64) chan dataStream {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetches[id] = make(chan dataStream, 1)
	return t.fetches[id]
}

// fetched hands over the stream of fetch id; false if nobody waits for one.
func (t *tracks) fetched(id uint64, st dataStream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.fetches[id]
	delete(t.fetches, id)
	if ok {
		c <- st // has room
	}
	return ok
}

// unexpect ends expect. The stream may have been handed over already.
func (t *tracks) unexpect(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.fetches, id)
}

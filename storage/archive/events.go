package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/moqpack/moqpack/manifest"
	"github.com/moqpack/moqpack/segmenter/timeline"
	"github.com/moqpack/moqpack/storage"
)

// eventBook is the events whose time lies in the slots [From, From+chunkSlots). It is there only if there are any.
type eventBook struct {
	From   uint64           `json:"from"`
	Events []timeline.Event `json:"events"`
}

const (
	// eventReach is how many slots before what is listed an event may begin that is not over: an hour, and more, of segments of 2 s.
	eventReach = 8 * chunkSlots
	// maxHappened is how many events an archive has in mind: twice as many as a channel announces at a time.
	maxHappened = 8192
)

func eventPrefix(channel string) string { return manifest.PrivateKey(channel, "events-") }

func eventKey(channel string, from uint64) string {
	return manifest.PrivateKey(channel, fmt.Sprintf("events-%d.json", from))
}

// decodeEvents reads the events of the book that begins with slot from.
func decodeEvents(body []byte, from uint64) ([]timeline.Event, error) {
	var b eventBook
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("archive: events %d: %w", from, err)
	}
	if b.From != from || len(b.Events) > maxHappened {
		return nil, fmt.Errorf("archive: events %d: the book says that it is %d, with %d events", from, b.From, len(b.Events))
	}
	for i := range b.Events {
		if err := b.Events[i].Valid(); err != nil {
			return nil, fmt.Errorf("archive: events %d: %w", from, err)
		}
	}
	list, _ := timeline.Merge(nil, b.Events) // they may be in any order
	return list, nil
}

// ReadEvents returns the events of the channel whose time lies in the slots from, ..., to, and some around them. Books that cannot be
// read are reported to bad and left out.
func ReadEvents(ctx context.Context, store Records, channel string, from, to uint64, bad func(error)) ([]timeline.Event, error) {
	var numbers []uint64
	prefix, first := eventPrefix(channel), chunkOf(from-min(from, eventReach))
	for key, err := range store.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("archive: events: %w", err)
		}
		if n, ok := numbered(key, prefix); ok && chunkOf(n) == n && n >= first && n <= to {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	books := make([][]timeline.Event, len(numbers))
	faults := make([]error, len(numbers))
	err := each(ctx, len(numbers), func(ctx context.Context, i int) error {
		b, _, err := store.Load(ctx, eventKey(channel, numbers[i]))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		books[i], faults[i] = decodeEvents(bytes.Join(b.Pieces, nil), numbers[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []timeline.Event
	for i, b := range books {
		if faults[i] != nil {
			bad(faults[i])
		}
		list, _ = timeline.Merge(list, b)
	}
	return list[max(0, len(list)-maxHappened):], nil
}

// addEvents merges events into the book that begins with slot from, and returns what is there now: who was first stays. A book that
// cannot be read begins anew.
func (a *Archive) addEvents(ctx context.Context, from uint64, events []timeline.Event) (list []timeline.Event, changed bool, err error) {
	key := eventKey(a.cfg.Channel, from)
	for range swapAttempts {
		body, v, err := a.books.load(ctx, key)
		if err != nil {
			return nil, false, err
		}
		list = nil
		if v != "" {
			if list, err = decodeEvents(body, from); err != nil {
				a.badEvents(err)
			}
		}
		var added []timeline.Event
		if list, added = timeline.Merge(list, events); len(added) == 0 {
			return list, false, nil
		}
		list = list[max(0, len(list)-maxHappened):]
		switch err = a.books.swap(ctx, key, eventBook{from, list}, v); {
		case err == nil:
			return list, true, nil
		case !errors.Is(err, storage.ErrStale):
			return nil, false, err
		}
	}
	return nil, false, fmt.Errorf("archive: events of %s: others are faster: %w", a.cfg.Channel, storage.ErrStale)
}

func (a *Archive) badEvents(err error) {
	a.log.Error("events of the record cannot be read: they are left out", "err", err)
}

// hear reads the events again that documents may list, when the head says that there is something new.
func (a *Archive) hear(ctx context.Context, h *Head) error {
	if h.Events == a.heard {
		return nil
	}
	list, err := ReadEvents(ctx, a.cfg.Store, a.cfg.Channel, a.oldest(), math.MaxUint64, a.badEvents)
	if err != nil {
		return err
	}
	a.remember(list)
	a.heard = h.Events
	return nil
}

// remember adds to what has happened. All documents list it.
func (a *Archive) remember(list []timeline.Event) {
	all, news := timeline.Merge(a.happened, list)
	a.happened = all[max(0, len(all)-maxHappened):]
	if len(news) > 0 {
		for _, l := range a.lines {
			l.stale = true
		}
	}
}

// oldest is the oldest slot that any document lists.
func (a *Archive) oldest() uint64 {
	n := uint64(math.MaxUint64)
	for _, l := range a.lines {
		if len(l.run) > 0 {
			n = min(n, l.run[0].N)
		}
	}
	if n == math.MaxUint64 {
		return 0
	}
	return n
}

// recordEvents writes what is not in the record yet, first the books, and then to the head that they have changed.
func (r *run) recordEvents(ctx context.Context, events []timeline.Event) error {
	a := r.a
	h := a.heading()
	if err := a.hear(ctx, &h); err != nil {
		return err
	}
	books := map[uint64][]timeline.Event{}
	_, news := timeline.Merge(a.happened, events)
	for _, e := range news {
		from := chunkOf(r.plan.Grid.Slot(e.Start, 1000))
		books[from] = append(books[from], e)
	}
	for _, from := range slices.Sorted(maps.Keys(books)) {
		list, changed, err := a.addEvents(ctx, from, books[from])
		a.untold = a.untold || changed || err != nil // it may be there nevertheless
		if err != nil {
			return err
		}
		a.remember(list)
	}
	if !a.untold {
		return nil
	}
	before := uint64(0)
	h, err := a.books.updateHead(ctx, func(h *Head) bool {
		before = h.Events
		h.Events++
		return h.Format != 0
	})
	if err == nil {
		err = h.sound()
	}
	if err != nil {
		return err
	}
	if a.untold = false; before == a.heard {
		a.heard = h.Events
	}
	a.setHead(h, r.plan.Window)
	return nil
}

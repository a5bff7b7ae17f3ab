package sim

import (
	"sync"
	"time"

	"github.com/moqpack/moqpack/internal/sim/live"
)

// channel is a broadcast on the air.
type channel struct {
	*live.Broadcast
	catalog *journal
	end     *ending

	mu        sync.Mutex          // guards what follows, and the order of catalog objects
	absent    map[string]bool     // tracks that are not in the catalog
	documents map[string]*journal // nil: there is no such track
}

// open puts a broadcast on the air. The catalog's group ids begin with the time, so that a publisher that is restarted
// continues above those it used before (MSF, "Group numbering").
func open(b live.Broadcast, cfg Config, now time.Time) (*channel, error) {
	opened, err := live.Open(b)
	if err != nil {
		return nil, err
	}
	c := &channel{Broadcast: opened, end: newEnding(), absent: map[string]bool{}, documents: map[string]*journal{}}
	for _, name := range cfg.Absent {
		c.absent[name] = true
	}
	for track, object := range cfg.Documents {
		if c.documents[track] = nil; object != nil {
			c.write(track, object, false)
		}
	}
	first, err := opened.Catalog(now, c.absent, false)
	if err != nil {
		return nil, err
	}
	c.catalog = newJournal(uint64(now.UnixMilli()), first, c.end)
	return c, nil
}

// feed is the track of that name.
func (c *channel) feed(name string) (feed, bool) {
	c.mu.Lock()
	document, ok := c.documents[name]
	c.mu.Unlock()
	switch {
	case ok && document == nil:
		return nil, false
	case ok:
		return document, true
	case name == live.CatalogTrack:
		return c.catalog, true
	}
	s, ok := c.Source(name)
	return mediaFeed{s, c.end}, ok
}

// write adds an object to a track.
func (c *channel) write(track string, object []byte, newGroup bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := c.documents[track]
	switch {
	case j == nil && track == live.CatalogTrack && c.catalog != nil:
		j = c.catalog
	case j == nil:
		j = newJournal(0, nil, c.end)
		c.documents[track] = j
	}
	if len(object) > 0 {
		j.append(object, newGroup)
	}
}

// update adds and removes tracks by a delta, or, when whole is set, by a new catalog in a new group.
func (c *channel) update(add, remove []string, whole bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delta, err := c.Delta(time.Now(), add, remove)
	if err != nil {
		return err
	}
	for _, name := range add {
		delete(c.absent, name)
	}
	for _, name := range remove {
		c.absent[name] = true
	}
	if !whole {
		c.catalog.append(delta, false)
		return nil
	}
	complete, err := c.Catalog(time.Now(), c.absent, false)
	if err == nil {
		c.catalog.append(complete, true)
	}
	return err
}

// complete ends the broadcast for good.
func (c *channel) complete() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	last, err := c.Catalog(now, nil, true)
	if err != nil {
		return err
	}
	c.catalog.append(last, true)
	c.end.set(now)
	return nil
}

// ending is when a broadcast ends, if it does.
type ending struct {
	done chan struct{} // closed by set
	time time.Time     // valid when done is closed
	once sync.Once
}

func newEnding() *ending { return &ending{done: make(chan struct{})} }

func (e *ending) set(t time.Time) { e.once.Do(func() { e.time = t; close(e.done) }) }

func (e *ending) at() (time.Time, bool) {
	select {
	case <-e.done:
		return e.time, true
	default:
		return time.Time{}, false
	}
}

package storage

import (
	"container/list"
	"sync"
)

// cache keeps blobs up to a number of bytes. Its zero value is empty and ready.
type cache struct {
	mu    sync.Mutex
	items map[string]*list.Element
	order list.List // of cached, the most recently used first
	used  int64     // bytes
}

type cached struct {
	key  string
	blob Blob
}

func (c *cache) get(key string) (Blob, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return Blob{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).blob, true
}

// put keeps b and, for that, drops what was not used for longest. What exceeds the limit alone is not kept.
func (c *cache) put(key string, b Blob, limit int64) {
	if b.Size() > limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items == nil {
		c.items = map[string]*list.Element{}
	}
	if old, ok := c.items[key]; ok {
		c.drop(old)
	}
	c.items[key] = c.order.PushFront(cached{key, b})
	for c.used += b.Size(); c.used > limit; {
		c.drop(c.order.Back())
	}
}

// drop forgets an element. The caller holds mu.
func (c *cache) drop(e *list.Element) {
	old := c.order.Remove(e).(cached)
	delete(c.items, old.key)
	c.used -= old.blob.Size()
}

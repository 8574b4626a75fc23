package catalog

import (
	"container/list"
	"sync"
)

// providerCache keeps the providers that were used last.
type providerCache struct {
	mu      sync.Mutex
	limit   int
	order   *list.List // of *Provider, the latest first
	entries map[string]*list.Element
}

func newProviderCache(limit int) *providerCache {
	return &providerCache{limit: limit, order: list.New(), entries: map[string]*list.Element{}}
}

func (c *providerCache) get(name string) (*Provider, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	p, ok := e.Value.(*Provider)
	return p, ok
}

func (c *providerCache) put(p *Provider) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[p.Name]; ok {
		return
	}
	c.entries[p.Name] = c.order.PushFront(p)
	if c.order.Len() <= c.limit {
		return
	}
	oldest := c.order.Back()
	if evicted, ok := c.order.Remove(oldest).(*Provider); ok {
		delete(c.entries, evicted.Name)
	}
}

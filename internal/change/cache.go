package change

import (
	"context"
	"sync"

	"github.com/linkspan/linkspan"
)

// Cache holds values that a Feed invalidates. A value is loaded once however
// many callers wait for it, and a value whose load was overtaken by a change is
// handed out once but not kept. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	max  int
	tags func(V) []string

	mu      sync.RWMutex
	entries map[K]*entry[V]
	byTag   map[string]map[K]struct{}
	loading map[K]*load[V]
}

type entry[V any] struct {
	value V
	tags  []string
}

type load[V any] struct {
	done  chan struct{}
	value V
	err   error
	// stale is set when anything was invalidated while the load was going on:
	// its tags are not known yet, so any change may have been its own.
	stale bool
}

// NewCache returns a cache of at most limit values. tags names what a value was
// made from; Invalidate with one of them drops it.
func NewCache[K comparable, V any](limit int, tags func(V) []string) *Cache[K, V] {
	return &Cache[K, V]{
		max:     limit,
		tags:    tags,
		entries: make(map[K]*entry[V]),
		byTag:   make(map[string]map[K]struct{}),
		loading: make(map[K]*load[V]),
	}
}

// Tag names an entity the way changes do, for use as a cache tag.
func Tag(kind linkspan.ChangeKind, key string) string { return string(kind) + ":" + key }

// Peek returns the cached value without loading it.
func (c *Cache[K, V]) Peek(key K) (V, bool) {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if !ok {
		var zero V
		return zero, false
	}
	return e.value, true
}

// Load returns the cached value, or calls fill and keeps what it returns.
// Errors are not kept. The fill runs with the context of the caller that came
// first; when that one gave up, a waiting caller tries again.
func (c *Cache[K, V]) Load(ctx context.Context, key K, fill func(context.Context) (V, error)) (V, error) {
	for {
		if v, ok := c.Peek(key); ok {
			return v, nil
		}
		l, mine := c.join(key)
		if mine {
			return c.fill(ctx, key, l, fill)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			var zero V
			return zero, context.Cause(ctx)
		}
		// A load overtaken by a change may be from before this caller asked,
		// and one that failed because its owner went away says nothing.
		if l.err == nil && !l.stale {
			return l.value, nil
		}
		if l.err != nil && ctx.Err() == nil && !isContextError(l.err) {
			return l.value, l.err
		}
	}
}

// join returns the running load of the key, or starts one.
func (c *Cache[K, V]) join(key K) (l *load[V], mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.loading[key]; ok {
		return l, false
	}
	l = &load[V]{done: make(chan struct{})}
	c.loading[key] = l
	return l, true
}

func (c *Cache[K, V]) fill(ctx context.Context, key K, l *load[V], fill func(context.Context) (V, error)) (V, error) {
	finished := false
	defer func() {
		if !finished { // fill panicked: release those who wait
			l.err = errFillPanicked
		}
		c.mu.Lock()
		delete(c.loading, key)
		if finished && l.err == nil && !l.stale {
			c.put(key, l.value)
		}
		c.mu.Unlock()
		close(l.done)
	}()
	l.value, l.err = fill(ctx)
	finished = true
	return l.value, l.err
}

// put stores a value; c.mu is held. When the cache is full an arbitrary entry
// makes room: Go's map order is random enough, and no hot path pays for
// bookkeeping of use.
func (c *Cache[K, V]) put(key K, v V) {
	if len(c.entries) >= c.max {
		for k := range c.entries {
			c.drop(k)
			break
		}
	}
	e := &entry[V]{value: v, tags: c.tags(v)}
	c.entries[key] = e
	for _, t := range e.tags {
		keys := c.byTag[t]
		if keys == nil {
			keys = make(map[K]struct{}, 1)
			c.byTag[t] = keys
		}
		keys[key] = struct{}{}
	}
}

// drop removes an entry; c.mu is held.
func (c *Cache[K, V]) drop(key K) {
	e, ok := c.entries[key]
	if !ok {
		return
	}
	delete(c.entries, key)
	for _, t := range e.tags {
		keys := c.byTag[t]
		delete(keys, key)
		if len(keys) == 0 {
			delete(c.byTag, t)
		}
	}
}

// Invalidate drops every value made from the tagged entity and keeps loads in
// progress from being kept.
func (c *Cache[K, V]) Invalidate(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.loading {
		l.stale = true
	}
	for k := range c.byTag[tag] {
		c.drop(k)
	}
}

// Clear drops everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.loading {
		l.stale = true
	}
	clear(c.entries)
	clear(c.byTag)
}

// Follow makes the cache drop what the feed reports, under the tag of the
// change (see Tag).
func (c *Cache[K, V]) Follow(f *Feed) {
	f.Subscribe(func(ch linkspan.Change) {
		if ch.Kind == linkspan.ChangeLost {
			c.Clear()
			return
		}
		c.Invalidate(Tag(ch.Kind, ch.Key))
	})
}

// Len returns how many values are cached.
func (c *Cache[K, V]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

package platform

import "sync"

const (
	// maxCached bounds how many values a cache keeps, and maxCachedKey the length
	// of their keys in bytes.
	maxCached    = 256
	maxCachedKey = 8 << 10
)

// cache keeps what was made of short texts and is never changed afterwards: data of
// languages, plans of formats. Sandboxes share it, since it depends on the texts
// alone. The zero value is empty.
type cache[V any] struct {
	mu   sync.RWMutex
	made map[string]V
}

// get returns what make makes of the key. Errors are not kept.
func (c *cache[V]) get(key []byte, make func(key string) (V, error)) (V, error) {
	c.mu.RLock()
	v, ok := c.made[string(key)]
	c.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := make(string(key))
	if err == nil && len(key) <= maxCachedKey {
		c.put(string(key), v)
	}
	return v, err
}

// put keeps a value. A full cache starts anew: what is in use comes back at once.
func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || len(c.made) >= maxCached {
		c.made = make(map[string]V)
	}
	c.made[key] = v
}

package function

import (
	"container/list"
	"context"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/linkspan/linkspan"
)

// defaultCodeCache is how many bytes of code are kept unless told.
const defaultCodeCache = 64 << 20

// codeKey names a text. The same text of two environments is kept twice: what
// one environment stores must not be readable from another by its hash.
type codeKey struct {
	env  linkspan.EnvironmentID
	hash string
}

func (k codeKey) String() string { return environmentTag(k.env) + ":" + k.hash }

// codeCache keeps the texts that were used last, up to a number of bytes. Texts
// never change, so nothing is ever dropped for another reason. A text is loaded
// once however many callers wait for it.
type codeCache struct {
	max     int64
	flights singleflight.Group

	mu      sync.Mutex
	size    int64
	entries map[codeKey]*list.Element
	used    *list.List // of codeEntry, last used first
}

type codeEntry struct {
	key  codeKey
	text string
}

func newCodeCache(limit int64) *codeCache {
	if limit == 0 {
		limit = defaultCodeCache
	}
	return &codeCache{max: limit, entries: make(map[codeKey]*list.Element), used: list.New()}
}

// load returns the text, or calls fill and keeps what it returns. The fill does
// not end with a caller that gives up, since others may wait for it.
func (c *codeCache) load(ctx context.Context, key codeKey, fill func(context.Context) (string, error)) (string, error) {
	if text, ok := c.peek(key); ok {
		return text, nil
	}
	loading := c.flights.DoChan(key.String(), func() (any, error) {
		text, err := fill(context.WithoutCancel(ctx))
		if err == nil {
			c.put(key, text)
		}
		return text, err
	})
	select {
	case r := <-loading:
		text, _ := r.Val.(string)
		return text, r.Err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (c *codeCache) peek(key codeKey) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return "", false
	}
	c.used.MoveToFront(e)
	entry, _ := e.Value.(codeEntry) // nothing else is stored
	return entry.text, true
}

func (c *codeCache) put(key codeKey, text string) {
	size := int64(len(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[key]; there || size > c.max {
		return
	}
	c.entries[key] = c.used.PushFront(codeEntry{key, text})
	c.size += size
	for c.size > c.max {
		last := c.used.Back()
		entry, _ := c.used.Remove(last).(codeEntry) // nothing else is stored
		delete(c.entries, entry.key)
		c.size -= int64(len(entry.text))
	}
}

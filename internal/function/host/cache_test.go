package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
)

// cache keeps records in memory: a simple one, to see what sessions make of it.
type cache struct {
	mu      sync.Mutex
	streams map[linkspan.RecordStream]*streamed
	// writes lists what was asked for, reads counts calls that change nothing.
	writes []string
	// fail, when it is set, is asked before each write.
	fail func(method string, w record.Write) error
}

// streamed is a stream.
type streamed struct {
	records map[string]*cached
	last    linkspan.RecordPosition
	// seen are the open windows, by their run; 0 is the explicit one.
	seen map[linkspan.RunID]map[string]bool
}

type cached struct {
	linkspan.Record

	fields map[string]any
	run    linkspan.RunID
}

func newCache() *cache { return &cache{streams: make(map[linkspan.RecordStream]*streamed)} }

func (c *cache) at(st linkspan.RecordStream) *streamed {
	s := c.streams[st]
	if s == nil {
		s = &streamed{last: 1000, records: make(map[string]*cached), seen: make(map[linkspan.RunID]map[string]bool)}
		c.streams[st] = s
	}
	return s
}

// write begins a call: it checks the batch and opens the window.
func (c *cache) write(method string, w record.Write) (*streamed, []map[string]any, error) {
	if c.fail != nil {
		if err := c.fail(method, w); err != nil {
			return nil, nil, err
		}
	}
	var list []map[string]any
	if err := json.Unmarshal(w.Records, &list); err != nil {
		return nil, nil, err
	}
	s := c.at(w.Stream)
	if w.Window && s.seen[w.Fence.Run] == nil {
		s.seen[w.Fence.Run] = make(map[string]bool)
	}
	c.writes = append(c.writes, fmt.Sprintf("%s %s/%s %d %d", method, w.Stream.Model, w.Stream.Variant, len(list), w.Unless))
	for _, r := range list {
		r["id"] = fmt.Sprint(r["id"])
		delete(r, "_nango_metadata")
	}
	return s, list, nil
}

func (c *cache) put(s *streamed, w record.Write, id string, action linkspan.RecordAction, fields map[string]any) {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	s.last++
	r := &cached{run: w.Fence.Run, fields: fields, Record: linkspan.Record{
		ID: id, Payload: linkspan.NewSecret(string(text)), Action: action, Position: s.last, FirstSeenAt: time.UnixMicro(1),
	}}
	if action == linkspan.RecordDeleted {
		r.DeletedAt = time.UnixMicro(2)
	}
	s.records[id] = r
}

func (s *streamed) see(id string) {
	for _, seen := range s.seen {
		seen[id] = true
	}
}

func protected(w record.Write, old *cached) bool {
	return w.Unless != 0 && old.Position > w.Unless && old.run != w.Fence.Run
}

func alike(a, b map[string]any) bool { return shown(a) == shown(b) }

// Save implements host.Records.
func (c *cache) Save(_ context.Context, w record.Write) (n linkspan.RecordCounts, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, list, err := c.write("save", w)
	for _, r := range list {
		id := r["id"].(string)
		old := s.records[id]
		s.see(id)
		switch {
		case old == nil || !old.DeletedAt.IsZero() && !protected(w, old):
			n.Added++
			c.put(s, w, id, linkspan.RecordAdded, r)
		case protected(w, old) || alike(old.fields, r):
			n.Unchanged++
		default:
			n.Updated++
			c.put(s, w, id, linkspan.RecordUpdated, r)
		}
	}
	return n, err
}

// Update implements host.Records.
func (c *cache) Update(_ context.Context, w record.Write) (n linkspan.RecordCounts, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, list, err := c.write("update", w)
	for _, r := range list {
		id := r["id"].(string)
		old := s.records[id]
		if old == nil || !old.DeletedAt.IsZero() || protected(w, old) {
			n.Unchanged++
			continue
		}
		s.see(id)
		if next := deep(old.fields, r); alike(old.fields, next) {
			n.Unchanged++
		} else {
			n.Updated++
			c.put(s, w, id, linkspan.RecordUpdated, next)
		}
	}
	return n, err
}

// deep merges objects; everything else is replaced.
func deep(into, from map[string]any) map[string]any {
	out := make(map[string]any)
	maps.Copy(out, into)
	for k, v := range from {
		inner, ok := v.(map[string]any)
		below, had := out[k].(map[string]any)
		if ok && had {
			out[k] = deep(below, inner)
		} else {
			out[k] = v
		}
	}
	return out
}

// Delete implements host.Records.
func (c *cache) Delete(_ context.Context, w record.Write) (n linkspan.RecordCounts, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, list, err := c.write("delete", w)
	for _, r := range list {
		old := s.records[r["id"].(string)]
		if old == nil || !old.DeletedAt.IsZero() || protected(w, old) {
			n.Unchanged++
			continue
		}
		n.Deleted++
		c.put(s, w, old.ID, linkspan.RecordDeleted, old.fields)
	}
	return n, err
}

// Position implements host.Records.
func (c *cache) Position(_ context.Context, st linkspan.RecordStream) (linkspan.RecordPosition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.at(st)
	if len(s.records) == 0 {
		return 0, nil // there is no stream yet
	}
	return s.last, nil
}

// ByIDs implements host.Records.
func (c *cache) ByIDs(_ context.Context, st linkspan.RecordStream, ids []string) (found []linkspan.Record, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if r := c.at(st).records[id]; r != nil {
			found = append(found, r.Record)
		}
	}
	return found, nil
}

// List implements host.Records.
func (c *cache) List(_ context.Context, q record.Query) (page record.Page, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.at(q.Stream).records {
		if r.Position > q.After {
			page.Records = append(page.Records, r.Record)
		}
	}
	slices.SortFunc(page.Records, func(a, b linkspan.Record) int { return int(a.Position - b.Position) })
	if len(page.Records) > q.Limit {
		page.Records = page.Records[:q.Limit]
		page.Next = page.Records[q.Limit-1].Position
	}
	return page, nil
}

// TrackStart implements host.Records.
func (c *cache) TrackStart(_ context.Context, st linkspan.RecordStream, _ linkspan.RunFence) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, "start "+st.Model)
	if s := c.at(st); s.seen[0] == nil {
		s.seen[0] = make(map[string]bool)
	}
	return nil
}

// TrackEnd implements host.Records.
func (c *cache) TrackEnd(_ context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error) {
	return c.sweep(st, f, 0)
}

// DeleteUnseen implements host.Records.
func (c *cache) DeleteUnseen(_ context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error) {
	return c.sweep(st, f, f.Run)
}

func (c *cache) sweep(st linkspan.RecordStream, f linkspan.RunFence, run linkspan.RunID) (ids []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.at(st)
	c.writes = append(c.writes, "sweep "+st.Model)
	seen := s.seen[run]
	if seen == nil {
		return nil, linkspan.E("test", linkspan.KindNotFound, "", nil, "There is no window.")
	}
	for id, r := range s.records {
		if r.DeletedAt.IsZero() && !seen[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		c.put(s, record.Write{Fence: f}, id, linkspan.RecordDeleted, s.records[id].fields)
	}
	delete(s.seen, run)
	return ids, nil
}

// forgetWindows is what emptying a stream does to what was noted of it.
func (c *cache) forgetWindows(st linkspan.RecordStream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.at(st).seen)
}

// shownRecords are the fields of the records of a stream that are not deleted, by id.
func (c *cache) shownRecords(st linkspan.RecordStream) map[string]map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]map[string]any)
	for id, r := range c.at(st).records {
		if r.DeletedAt.IsZero() {
			out[id] = r.fields
		}
	}
	return out
}

package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// given is what there is in the cache when a sync begins.
type given struct {
	Records map[string][]map[string]any `json:"records,omitempty"`
	// Tracking lists what earlier runs have saved since trackDeletesStart.
	Tracking map[string][]string `json:"tracking,omitempty"`
	// Meanwhile is what a webhook saves while the sync waits for the provider.
	Meanwhile map[string][]map[string]any `json:"meanwhile,omitempty"`
}

// cache is a host that keeps the records and the checkpoint of a sync in memory,
// beside the recorded answers of the provider.
type cache struct {
	replay

	models     map[string]*model
	calls      []string
	clock      int
	checkpoint json.RawMessage
	// used says that there was a checkpoint at some time.
	used bool
}

type model struct {
	rows    map[string]*row
	windows map[string]map[string]bool
	// unless is from when on rows of others are left alone; 0: they are not.
	unless int
}

type row struct {
	fields map[string]any
	action string
	by     string
	at     int
}

func newCache(fx fixture, models []string) *cache {
	c := &cache{replay: replay{fx}, models: make(map[string]*model), checkpoint: fx.Nango["getCheckpoint"], used: fx.Nango["getCheckpoint"] != nil}
	for _, name := range models {
		c.models[name] = &model{rows: make(map[string]*row), windows: make(map[string]map[string]bool)}
		if fx.Webhook == nil {
			c.models[name].windows["run"] = make(map[string]bool)
		}
		for _, r := range fx.Sync.Records[name] {
			c.put(c.models[name], r, "BEFORE", "before")
		}
		if seen, ok := fx.Sync.Tracking[name]; ok {
			c.models[name].windows["tracked"] = make(map[string]bool)
			for _, id := range seen {
				c.models[name].windows["tracked"][id] = true
			}
		}
	}
	return c
}

func (c *cache) put(m *model, fields map[string]any, action, by string) {
	c.clock++
	m.rows[fields["id"].(string)] = &row{fields: fields, action: action, by: by, at: c.clock}
}

// result is what the sync left behind, as the judge says it.
func (c *cache) result() (json.RawMessage, error) {
	records := make(map[string]map[string][]any, len(c.models))
	for name, m := range c.models {
		records[name] = make(map[string][]any)
		for id, r := range m.rows {
			records[name][id] = []any{r.action, r.fields}
		}
	}
	return json.Marshal(map[string]any{"calls": c.calls, "records": records, "checkpoint": c.checkpoint})
}

// asked is what calls ask for, all of them in one.
type asked struct {
	Method, Endpoint            string
	Model, Strategy             string
	IDs                         []string
	Limit                       int
	Cursor                      string
	Automatic                   bool
	Checkpoint                  json.RawMessage
	Integration, Connection, ID string
}

// Call implements sandbox.Host. Calls of a sync come one after the other.
func (c *cache) Call(ctx context.Context, call sandbox.Call) (sandbox.Reply, error) {
	var p asked
	if len(call.JSON) > 0 {
		if err := json.Unmarshal(call.JSON, &p); err != nil {
			return sandbox.Reply{}, err
		}
	}
	switch call.Name {
	case "http":
		return c.provider(ctx, call, p)
	case "connection":
		return reply(map[string]any{"metadata": c.fx.Nango["getMetadata"]})
	case "checkpoint_get":
		return reply(c.checkpoint)
	case "checkpoint_save":
		c.calls = append(c.calls, "saveCheckpoint")
		c.checkpoint, c.used = p.Checkpoint, true
		return sandbox.Reply{}, nil
	case "checkpoint_clear":
		c.calls = append(c.calls, "clearCheckpoint")
		c.checkpoint = nil
		return sandbox.Reply{}, nil
	}
	if m := c.models[p.Model]; m != nil {
		return c.records(call, p, m)
	}
	return c.replay.Call(ctx, call)
}

func reply(value any) (sandbox.Reply, error) {
	text, err := json.Marshal(value)
	return sandbox.Reply{JSON: text}, err
}

// provider answers a call with what was recorded.
func (c *cache) provider(ctx context.Context, call sandbox.Call, p asked) (sandbox.Reply, error) {
	u, err := url.Parse(p.Endpoint)
	if err != nil {
		return sandbox.Reply{}, err
	}
	var query []string
	for name, values := range u.Query() {
		for _, v := range values {
			query = append(query, name+"="+v)
		}
	}
	slices.Sort(query)
	line := p.Method + " " + strings.TrimPrefix(u.EscapedPath(), "/")
	if len(query) > 0 {
		line += "?" + strings.Join(query, "&")
	}
	if len(call.Body) > 0 {
		line += " " + string(call.Body)
	}
	c.calls = append(c.calls, line)
	for name, list := range c.fx.Sync.Meanwhile {
		c.save(c.models[name], name, list, "webhook")
	}
	c.fx.Sync.Meanwhile = nil
	return c.replay.Call(ctx, call)
}

// records serves the calls about the records of a model.
func (c *cache) records(call sandbox.Call, p asked, m *model) (sandbox.Reply, error) {
	var list []map[string]any
	if len(call.Body) > 0 {
		if err := json.Unmarshal(call.Body, &list); err != nil {
			return sandbox.Reply{}, err
		}
	}
	for _, r := range list {
		r["id"] = fmt.Sprint(r["id"])
		delete(r, "_nango_metadata")
	}
	switch call.Name {
	case "records_save":
		c.save(m, p.Model, list, "run")
	case "records_update":
		c.update(m, p.Model, list)
	case "records_delete":
		c.remove(m, p.Model, list)
	case "records_by_ids":
		var found []*row
		for _, id := range p.IDs {
			if r := m.rows[id]; r != nil && r.action != "DELETED" {
				found = append(found, r)
			}
		}
		return page(found)
	case "records_list":
		return m.list()
	case "records_strategy":
		if p.Strategy == "ignore_if_modified_after" {
			m.unless = c.clock
		}
	case "track_start":
		c.calls = append(c.calls, "trackDeletesStart "+p.Model)
		if m.windows["tracked"] == nil {
			m.windows["tracked"] = make(map[string]bool)
		}
	case "track_end":
		return c.sweep("trackDeletesEnd", p.Model, m, "tracked")
	case "delete_unseen":
		if p.Automatic && c.used {
			return reply(map[string]any{"deletedKeys": []string{}})
		}
		return c.sweep("deleteUnseen", p.Model, m, "run")
	}
	return sandbox.Reply{}, nil
}

func (c *cache) batch(name, model string, n int) {
	c.calls = append(c.calls, name+" "+model+" "+strconv.Itoa(n))
}

func (m *model) mine(r *row) bool {
	return r == nil || m.unless == 0 || r.by == "run" || r.at <= m.unless
}

func (m *model) see(id string) {
	for _, seen := range m.windows {
		seen[id] = true
	}
}

func (c *cache) save(m *model, name string, list []map[string]any, by string) {
	c.batch(map[string]string{"run": "batchSave", "webhook": "webhook"}[by], name, len(list))
	for _, r := range list {
		id := r["id"].(string)
		m.see(id)
		switch old := m.rows[id]; {
		case old == nil || old.action == "DELETED" && m.mine(old):
			c.put(m, r, "ADDED", by)
		case m.mine(old) && !reflect.DeepEqual(old.fields, r):
			c.put(m, r, "UPDATED", by)
		}
	}
}

func (c *cache) update(m *model, name string, list []map[string]any) {
	c.batch("batchUpdate", name, len(list))
	for _, r := range list {
		old := m.rows[r["id"].(string)]
		if old == nil || old.action == "DELETED" || !m.mine(old) {
			continue
		}
		m.see(r["id"].(string))
		if next := merged(old.fields, r); !reflect.DeepEqual(old.fields, next) {
			c.put(m, next, "UPDATED", "run")
		}
	}
}

func merged(a, b map[string]any) map[string]any {
	out := make(map[string]any)
	maps.Copy(out, a)
	for k, v := range b {
		before, had := out[k].(map[string]any)
		if inner, ok := v.(map[string]any); ok && had {
			out[k] = merged(before, inner)
		} else {
			out[k] = v
		}
	}
	return out
}

func (c *cache) remove(m *model, name string, list []map[string]any) {
	c.batch("batchDelete", name, len(list))
	for _, r := range list {
		if old := m.rows[r["id"].(string)]; old != nil && old.action != "DELETED" && m.mine(old) {
			c.put(m, old.fields, "DELETED", "run")
		}
	}
}

func (c *cache) sweep(call, name string, m *model, window string) (sandbox.Reply, error) {
	c.calls = append(c.calls, call+" "+name)
	seen := m.windows[window]
	if seen == nil {
		return sandbox.Reply{}, refuse("there is no window")
	}
	gone := []string{}
	for id, r := range m.rows {
		if r.action != "DELETED" && !seen[id] {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	for _, id := range gone {
		c.put(m, m.rows[id].fields, "DELETED", "run")
	}
	delete(m.windows, window)
	return reply(map[string]any{"deletedKeys": gone})
}

func (m *model) list() (sandbox.Reply, error) {
	var all []*row
	for _, r := range m.rows {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *row) int { return a.at - b.at })
	r, err := page(all)
	r.JSON = []byte("{}")
	return r, err
}

// page writes rows as functions read them.
func page(rows []*row) (sandbox.Reply, error) {
	list := []map[string]any{}
	for _, r := range rows {
		deleted := any(nil)
		if r.action == string(linkspan.RecordDeleted) {
			deleted = "then"
		}
		list = append(list, merged(r.fields, map[string]any{
			"_nango_metadata": map[string]any{"last_action": r.action, "deleted_at": deleted, "cursor": strconv.Itoa(r.at)},
		}))
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(list)
	return sandbox.Reply{Body: out.Bytes(), Text: true}, err
}

package record_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/linkspan/linkspan"
)

// model is what the cache must do, in the simplest way: one history of one
// stream, step by step.
type model struct {
	records map[string]*modelRecord
	last    linkspan.RecordPosition
	// dropped is where the stream was when it was emptied last.
	dropped linkspan.RecordPosition
	windows map[int64]*modelWindow
	counts  map[linkspan.RunID]linkspan.RecordCounts
}

type modelRecord struct {
	id       string
	payload  map[string]any // nil: pruned
	whole    map[string]any // the payload, also when it was pruned
	action   linkspan.RecordAction
	position linkspan.RecordPosition
	first    linkspan.RecordPosition
	deleted  bool
	run      linkspan.RunID
}

type modelWindow struct {
	run   linkspan.RunID
	began linkspan.RecordPosition
	seen  map[string]bool
}

func newModel() *model {
	return &model{records: map[string]*modelRecord{}, windows: map[int64]*modelWindow{}, counts: map[linkspan.RunID]linkspan.RecordCounts{}}
}

// same compares values as JSON.
func same(a, b any) bool { return text(a) == text(b) }

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// clone copies a value through JSON.
func clone(v map[string]any) (out map[string]any) {
	if err := json.Unmarshal([]byte(text(v)), &out); err != nil {
		panic(err)
	}
	return out
}

func deepMerge(old, patch map[string]any) map[string]any {
	out := clone(old)
	for k, v := range clone(patch) {
		inner, both := out[k].(map[string]any)
		if patchInner, ok := v.(map[string]any); ok && both {
			out[k] = deepMerge(inner, patchInner)
			continue
		}
		out[k] = v
	}
	return out
}

func (m *model) inOrder() []*modelRecord {
	return slices.SortedFunc(maps.Values(m.records), func(a, b *modelRecord) int { return int(a.position - b.position) })
}

func (m *model) live() (n int64) {
	for _, r := range m.records {
		if !r.deleted {
			n++
		}
	}
	return n
}

// replay applies a transaction that was committed, and returns what it should
// have done differently.
func (m *model) replay(e *entry) error {
	for _, w := range e.opened {
		// A run's own window begins when the run did, if nothing was written since:
		// positions may be ahead of the clock.
		if w.Began > m.last || w.Run == 0 && w.Began != m.last {
			return fmt.Errorf("a window began at %d, want %d", w.Began, m.last)
		}
		if m.hasWindow(w.Run) {
			return fmt.Errorf("run %d opened a second window", w.Run)
		}
		m.windows[w.ID] = &modelWindow{run: w.Run, began: w.Began, seen: map[string]bool{}}
	}
	before := m.last
	var want linkspan.RecordCounts
	var err error
	switch e.op.kind {
	case "save", "update", "delete":
		want, err = m.write(e)
	case "start":
		if !m.hasWindow(0) {
			err = fmt.Errorf("it opened no window")
		}
	case "pass":
		for _, w := range m.windows {
			if w.run == e.op.run {
				w.run = e.op.heir
			}
		}
	case "sweep":
		want, err = m.sweep(e)
	case "prune":
		err = m.prune(e)
	case "drop":
		if !e.dropped {
			break
		}
		m.records, m.windows, m.dropped = map[string]*modelRecord{}, map[int64]*modelWindow{}, m.last
	case "end":
		for id, w := range m.windows {
			if w.run == e.op.run {
				delete(m.windows, id)
			}
		}
	}
	if err != nil {
		return err
	}
	if len(e.put)+len(e.moves) > 0 {
		return fmt.Errorf("%d changes too many", len(e.put)+len(e.moves))
	}
	if want.Changed() && m.last <= before {
		return fmt.Errorf("positions fell from %d to %d", before, m.last)
	}
	if e.op.run != 0 && e.counted != want {
		return fmt.Errorf("counted %+v, want %+v", e.counted, want)
	}
	e.op.want = e.op.want.Plus(want)
	return nil
}

func (m *model) hasWindow(run linkspan.RunID) bool {
	for _, w := range m.windows {
		if w.run == run {
			return true
		}
	}
	return false
}

func (m *model) write(e *entry) (n linkspan.RecordCounts, err error) {
	if e.op.window && !m.hasWindow(e.op.run) {
		return n, fmt.Errorf("it opened no window")
	}
	type group struct {
		id      string
		patches []map[string]any
	}
	var groups []*group
	byID := map[string]*group{}
	for _, r := range e.op.records {
		id := fmt.Sprint(r["id"])
		g := byID[id]
		if g == nil {
			g = &group{id: id}
			byID[id] = g
			groups = append(groups, g)
		}
		payload := clone(r)
		payload["id"] = id
		delete(payload, "_nango_metadata")
		if e.op.kind != "update" {
			g.patches = nil
		}
		g.patches = append(g.patches, payload)
	}
	for _, g := range groups {
		var one linkspan.RecordCounts
		if one, err = m.writeOne(e, g.id, g.patches); err != nil {
			return n, fmt.Errorf("record %s: %w", g.id, err)
		}
		n = n.Plus(one)
	}
	return n, nil
}

func (m *model) writeOne(e *entry, id string, patches []map[string]any) (n linkspan.RecordCounts, err error) {
	op, old := e.op, m.records[id]
	unchanged := func() {
		n.Unchanged = 1
		for _, w := range m.windows {
			if op.kind != "delete" && old != nil && !old.deleted {
				w.seen[id] = true
			}
		}
	}
	if old != nil && op.unless != 0 && old.position > op.unless && (op.run == 0 || old.run != op.run) {
		unchanged()
		return n, nil
	}
	switch op.kind {
	case "save":
		payload := patches[0]
		switch {
		case old != nil && !old.deleted && same(old.whole, payload):
			unchanged()
			return n, nil
		case old == nil || old.deleted:
			n.Added = 1
			fresh := &modelRecord{id: id, action: linkspan.RecordAdded, run: op.run, payload: payload, whole: payload}
			if err = m.takePut(e, fresh); err != nil {
				return n, err
			}
			if fresh.first = fresh.position; old != nil {
				fresh.first = old.first
			}
			m.records[id] = fresh
		default:
			n.Updated = 1
			err = m.put(e, old, payload)
		}
	case "update":
		if old == nil || old.deleted {
			unchanged()
			return n, nil
		}
		payload := old.payload
		for _, p := range patches {
			if payload == nil {
				payload = p
				continue
			}
			payload = deepMerge(payload, p)
		}
		if same(payload, old.whole) {
			unchanged()
			return n, nil
		}
		n.Updated = 1
		err = m.put(e, old, payload)
	case "delete":
		if old == nil || old.deleted {
			n.Unchanged = 1
			return n, nil
		}
		n.Deleted = 1
		err = m.takeMove(e, old)
	}
	return n, err
}

func (m *model) put(e *entry, old *modelRecord, payload map[string]any) error {
	old.action, old.payload, old.whole, old.run = linkspan.RecordUpdated, payload, payload, e.op.run
	return m.takePut(e, old)
}

// takePut takes the next stored row of the transaction, which must be r's.
func (m *model) takePut(e *entry, r *modelRecord) error {
	if len(e.put) == 0 {
		return fmt.Errorf("it was not stored")
	}
	got := e.put[0]
	e.put = e.put[1:]
	if got.ID != r.id || got.Action != r.action || got.Position <= m.last {
		return fmt.Errorf("%s of %s was stored at %d, behind %d; want %s of %s", got.Action, got.ID, got.Position, m.last, r.action, r.id)
	}
	m.last, r.position = got.Position, got.Position
	return nil
}

func (m *model) takeMove(e *entry, r *modelRecord) error {
	if len(e.moves) == 0 {
		return fmt.Errorf("it was not deleted")
	}
	got := e.moves[0]
	e.moves = e.moves[1:]
	if got.From != r.position || got.To <= m.last {
		return fmt.Errorf("the record at %d was moved to %d, want that at %d behind %d", got.From, got.To, r.position, m.last)
	}
	r.position, r.deleted, r.action, r.run = got.To, true, linkspan.RecordDeleted, e.op.run
	m.last = got.To
	return nil
}

func (m *model) sweep(e *entry) (n linkspan.RecordCounts, err error) {
	w := m.windows[e.window.ID]
	if w == nil || w.began != e.window.Began || w.run != e.op.owner {
		return n, fmt.Errorf("there is no window %+v", e.window)
	}
	looked := 0
	for _, r := range m.inOrder() {
		if r.deleted || r.position <= e.after || r.position > w.began {
			continue
		}
		if looked++; looked > e.batch {
			break
		}
		if w.seen[r.id] {
			continue
		}
		n.Deleted++
		if err := m.takeMove(e, r); err != nil {
			return n, err
		}
		e.op.wantIDs = append(e.op.wantIDs, r.id)
	}
	if looked < e.batch != e.ended {
		return n, fmt.Errorf("the window ended: %t, after %d of %d", e.ended, looked, e.batch)
	}
	if e.ended {
		delete(m.windows, e.window.ID)
	}
	return n, nil
}

func (m *model) prune(e *entry) error {
	n := 0
	for _, r := range m.inOrder() {
		if n < e.limit && r.position <= e.until && r.payload != nil {
			r.payload = nil
			n++
		}
	}
	if n != e.pruned {
		return fmt.Errorf("pruned %d records, want %d", e.pruned, n)
	}
	return nil
}

package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// model is what a trial knows of the records of a model: those that the function
// wrote.
type model struct {
	rows map[string]*linkspan.Record
	// tracked is set between trackDeletesStart and trackDeletesEnd.
	tracked *window
}

// window notes which records are seen; those up to began can be gone.
type window struct {
	began linkspan.RecordPosition
	seen  map[string]bool
}

// of returns a model that the function declares. h.mu is held.
func (h *host) of(name string) (*model, *Changes, error) {
	declared := h.o.Function.Definition.Models
	if len(declared) > 0 && !slices.Contains(declared, name) {
		return nil, nil, call.Undeclared(h.o.Function.Name, name, declared)
	}
	m := h.models[name]
	if m == nil {
		m = &model{rows: make(map[string]*linkspan.Record)}
		h.models[name], h.changes[name] = m, &Changes{}
	}
	return m, h.changes[name], nil
}

// batch is a list of records as the prelude sends it, with their ids.
type batch struct {
	texts []json.RawMessage
	ids   []string
}

func readBatch(body []byte) (batch, error) {
	var b batch
	if err := json.Unmarshal(body, &b.texts); err != nil {
		return b, linkspan.E("trial.records", linkspan.KindInvalid, "invalid_records", err, "The records are not a JSON array.")
	}
	for i, text := range b.texts {
		var r struct {
			ID any `json:"id"`
		}
		if err := call.Decode(text, &r); err != nil {
			return b, linkspan.E("trial.records", linkspan.KindInvalid, "invalid_records", err, "Record %d is not an object.", i)
		}
		id := fmt.Sprint(r.ID) // a text, or a number as it was written
		if r.ID == nil || id == "" {
			return b, linkspan.E("trial.records", linkspan.KindInvalid, "invalid_records", nil, "Record %d has no id.", i)
		}
		b.ids = append(b.ids, id)
	}
	return b, nil
}

// write serves what changes records.
func (h *host) write(c sandbox.Call) (sandbox.Reply, error) {
	var p call.Model
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	b, err := readBatch(c.Body)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if c.Name == "records_save" {
		if err := h.checkRecords(p.Model, b.texts); err != nil {
			return sandbox.Reply{}, err
		}
	}
	method, err := h.apply(c.Name, p.Model, b)
	if err != nil {
		return sandbox.Reply{}, err
	}
	records := "records"
	if len(b.ids) == 1 {
		records = "record"
	}
	h.say("info", "%s of %s: %d %s", method, call.Clip(p.Model, call.MaxModel), len(b.ids), records)
	return sandbox.Reply{}, nil
}

// apply changes the records, and returns the name of the nango object's member that
// does so.
func (h *host) apply(name, modelName string, b batch) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, changes, err := h.of(modelName)
	if err != nil {
		return "", err
	}
	switch name {
	case "records_save":
		changes.Saved = append(changes.Saved, b.texts...)
		for i, id := range b.ids {
			m.see(id)
			h.save(m, id, b.texts[i])
		}
		return "batchSave", nil
	case "records_update":
		changes.Updated = append(changes.Updated, b.texts...)
		for i, id := range b.ids {
			if err := h.update(m, id, b.texts[i]); err != nil {
				return "", err
			}
		}
		return "batchUpdate", nil
	default:
		changes.Deleted = append(changes.Deleted, b.texts...)
		for _, id := range b.ids {
			if r := m.rows[id]; r != nil {
				h.remove(r)
			}
		}
		return "batchDelete", nil
	}
}

func (m *model) see(id string) {
	if m.tracked != nil {
		m.tracked.seen[id] = true
	}
}

// next moves on the order of changes: positions are microseconds, each its own.
func (h *host) next() linkspan.RecordPosition {
	h.position = max(h.position+1, linkspan.RecordPosition(h.now().UnixMicro()))
	return h.position
}

// save adds a record, or replaces the one that is there if it differs.
func (h *host) save(m *model, id string, text json.RawMessage) {
	payload := payloadOf(text, id)
	old := m.rows[id]
	if old != nil && old.DeletedAt.IsZero() && equalJSON(old.Payload.Reveal(), payload) {
		return
	}
	r := &linkspan.Record{ID: id, Payload: linkspan.NewSecret(payload), Action: linkspan.RecordAdded, FirstSeenAt: h.now(), Position: h.next()}
	if old != nil {
		r.FirstSeenAt = old.FirstSeenAt
		if old.DeletedAt.IsZero() {
			r.Action = linkspan.RecordUpdated
		}
	}
	m.rows[id] = r
}

// update merges into a record that is there.
func (h *host) update(m *model, id string, text json.RawMessage) error {
	old := m.rows[id]
	if old == nil || !old.DeletedAt.IsZero() {
		return nil
	}
	m.see(id)
	var was, patch map[string]any
	if err := call.Decode([]byte(old.Payload.Reveal()), &was); err != nil {
		return err
	}
	if err := call.Decode([]byte(payloadOf(text, id)), &patch); err != nil {
		return err
	}
	merged, err := call.Encode(merge(was, patch))
	if err != nil {
		return err
	}
	if !equalJSON(old.Payload.Reveal(), string(merged)) {
		old.Payload, old.Action, old.Position = linkspan.NewSecret(string(merged)), linkspan.RecordUpdated, h.next()
	}
	return nil
}

// merge puts members of patch over those of old; objects in both are merged.
func merge(old, patch map[string]any) map[string]any {
	out := maps.Clone(old)
	for name, value := range patch {
		before, had := out[name].(map[string]any)
		inner, is := value.(map[string]any)
		if had && is {
			value = merge(before, inner)
		}
		out[name] = value
	}
	return out
}

// remove marks a record as deleted.
func (h *host) remove(r *linkspan.Record) {
	if r.DeletedAt.IsZero() {
		r.Action, r.Position, r.DeletedAt = linkspan.RecordDeleted, h.next(), h.now()
	}
}

// payloadOf is a record as it is kept: without what the cache knows of it, its id a
// text.
func payloadOf(text json.RawMessage, id string) string {
	members := make(map[string]json.RawMessage)
	if json.Unmarshal(text, &members) != nil {
		return string(text) // it was read before: this can't be
	}
	_, known := members["_nango_metadata"]
	if !known && len(members["id"]) > 0 && members["id"][0] == '"' {
		return string(text)
	}
	delete(members, "_nango_metadata")
	if quoted, err := call.Encode(id); err == nil {
		members["id"] = quoted
	}
	out, err := call.Encode(members)
	if err != nil {
		return string(text)
	}
	return string(out)
}

func equalJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	return call.Decode([]byte(a), &x) == nil && call.Decode([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// recordsByID answers with records that exist: those of the trial, and those of the
// World that the function did not change.
func (h *host) recordsByID(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.RecordsByIDs
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	if len(p.IDs) > call.MaxIDs {
		return sandbox.Reply{}, linkspan.E("trial.records", linkspan.KindInvalid, "invalid_ids", nil, "At most %d records are read at a time.", call.MaxIDs)
	}
	found, others, err := h.find(p)
	if err != nil {
		return sandbox.Reply{}, err
	}
	if len(others) == 0 {
		return arrayOf(found), nil
	}
	params, err := call.Encode(call.RecordsByIDs{Model: p.Model, IDs: others})
	if err != nil {
		return sandbox.Reply{}, err
	}
	c.JSON = params
	reply, err := h.outside(ctx, c)
	if errors.Is(err, ErrUnserved) {
		return arrayOf(found), nil
	}
	if err != nil || len(found) == 0 {
		return reply, err
	}
	return joined(reply, found)
}

// find returns the records of the trial and the ids of those that it knows nothing
// of.
func (h *host) find(p call.RecordsByIDs) (found []linkspan.Record, others []string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, _, err := h.of(p.Model)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range p.IDs {
		switch r := m.rows[id]; {
		case r == nil:
			others = append(others, id)
		case r.DeletedAt.IsZero():
			found = append(found, *r)
		}
	}
	return found, others, nil
}

// joined adds records to an answer with a list of them.
func joined(reply sandbox.Reply, found []linkspan.Record) (sandbox.Reply, error) {
	list := strings.TrimSpace(string(reply.Body))
	if len(list) < 2 || list[0] != '[' {
		return reply, errors.New("reading records by their ids: the answer is no list")
	}
	ours := arrayOf(found)
	if strings.TrimSpace(list[1:len(list)-1]) == "" {
		return ours, nil
	}
	ours.Body = append(append([]byte(list[:len(list)-1]), ','), ours.Body[1:]...)
	return ours, nil
}

// arrayOf writes records as functions read them.
func arrayOf(records []linkspan.Record) sandbox.Reply {
	out := []byte{'['}
	for i := range records {
		if i > 0 {
			out = append(out, ',')
		}
		out = record.AppendJSON(out, &records[i])
	}
	return sandbox.Reply{Body: append(out, ']'), Text: true}
}

// listRecords answers with a page of records: the World's or, where that has none,
// the trial's.
func (h *host) listRecords(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	reply, err := h.outside(ctx, c)
	if !errors.Is(err, ErrUnserved) {
		return reply, err
	}
	var p call.RecordsList
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	var after linkspan.RecordPosition
	if p.Cursor != "" {
		if after, err = record.ParseCursor(p.Cursor); err != nil {
			return sandbox.Reply{}, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m, _, err := h.of(p.Model)
	if err != nil {
		return sandbox.Reply{}, err
	}
	return m.page(p, after, h.position)
}

// page returns the records that changed after a position; now is that of the newest
// change.
func (m *model) page(p call.RecordsList, after, now linkspan.RecordPosition) (sandbox.Reply, error) {
	var list []linkspan.Record
	for _, r := range m.rows {
		if r.Position > after {
			list = append(list, *r)
		}
	}
	slices.SortFunc(list, func(a, b linkspan.Record) int { return int(a.Position - b.Position) })
	head := call.RecordsPage{Until: p.Until}
	if head.Until == 0 {
		head.Until = now
	}
	if limit := min(max(p.Limit, 1), call.MaxPage); len(list) > limit {
		list = list[:limit]
		head.Next = record.Cursor(list[limit-1].Position)
	}
	head.Late = len(list)
	if i := slices.IndexFunc(list, func(r linkspan.Record) bool { return r.Position > head.Until }); i >= 0 {
		head.Late = i
	}
	reply, err := call.Answer(head)
	array := arrayOf(list)
	reply.Body, reply.Text = array.Body, true
	return reply, err
}

// setStrategy says what becomes of records that others change: in a trial nobody
// does.
func (h *host) setStrategy(p call.Strategy) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, _, err := h.of(p.Model.Model); err != nil {
		return nil, err
	}
	if p.Strategy != "override" && p.Strategy != "ignore_if_modified_after" {
		return nil, call.UnknownStrategy()
	}
	return nil, nil //nolint:nilnil // there is nothing to answer
}

// trackStart begins to note which records are saved; when it began before, that goes
// on.
func (h *host) trackStart(p call.Model) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, _, err := h.of(p.Model)
	if err == nil && m.tracked == nil {
		m.tracked = &window{began: h.position, seen: make(map[string]bool)}
	}
	return nil, err
}

// unseen are the ids of the records that were there before trackStart and were not
// saved since. If an earlier run began to track, there are none here.
func (m *model) unseen() []string {
	ids := []string{}
	for id, r := range m.rows {
		if m.tracked != nil && r.DeletedAt.IsZero() && r.Position <= m.tracked.began && !m.tracked.seen[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// trackEnd deletes the records that were there before trackStart and were not saved
// since. A run that goes on from a checkpoint may end what an earlier one began.
func (h *host) trackEnd(p call.Model) (any, error) {
	h.mu.Lock()
	m, changes, err := h.of(p.Model)
	if err != nil {
		h.mu.Unlock()
		return nil, err
	}
	if m.tracked == nil && !h.o.Lenient && !h.resumed {
		h.mu.Unlock()
		return nil, call.NotTracked(p.Model, nil)
	}
	gone := m.unseen()
	for _, id := range gone {
		h.remove(m.rows[id])
	}
	m.tracked = nil
	changes.Unseen = append(changes.Unseen, gone...)
	h.mu.Unlock()
	h.say("info", "trackDeletesEnd of %s: %d deleted", call.Clip(p.Model, call.MaxModel), len(gone))
	return call.Deleted{DeletedKeys: gone}, nil
}

// deleteUnseen would delete what was there before the run and was not saved in it:
// in a trial nothing was.
func (h *host) deleteUnseen(p call.Unseen) (any, error) {
	h.mu.Lock()
	_, _, err := h.of(p.Model.Model)
	partial := h.resumed || h.saved
	h.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case h.o.Lenient:
	case h.o.Webhook != nil:
		return nil, call.NotNoted()
	case partial && p.Automatic:
		h.say("warn", "%s", call.PartialWarning(p.Model.Model))
	case partial:
		return nil, call.Partial()
	}
	return call.Deleted{DeletedKeys: []string{}}, nil
}

package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/jsontext"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// Limits of one call about records. The prelude makes its batches accordingly.
const (
	maxBatch      = 1000
	maxBatchBytes = 4<<20 + 2 // a record and the brackets around it
	// maxBatchesShown is how many batches of a run are recorded.
	maxBatchesShown = 250
)

// Records keeps records; *record.Service does.
type Records interface {
	Save(ctx context.Context, w record.Write) (linkspan.RecordCounts, error)
	Update(ctx context.Context, w record.Write) (linkspan.RecordCounts, error)
	Delete(ctx context.Context, w record.Write) (linkspan.RecordCounts, error)
	Position(ctx context.Context, st linkspan.RecordStream) (linkspan.RecordPosition, error)
	ByIDs(ctx context.Context, st linkspan.RecordStream, ids []string) ([]linkspan.Record, error)
	List(ctx context.Context, q record.Query) (record.Page, error)
	TrackStart(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) error
	TrackEnd(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error)
	DeleteUnseen(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error)
}

// servedRecords returns what serves the calls about records.
func (x *Session) servedRecords(name string) server {
	records := x.s.c.Records
	if x.info.Sync == nil || records == nil {
		return nil
	}
	switch name {
	case "records_save":
		return x.write("batchSave", records.Save)
	case "records_update":
		return x.write("batchUpdate", records.Update)
	case "records_delete":
		return x.write("batchDelete", records.Delete)
	case "records_by_ids":
		return x.recordsByID
	case "records_list":
		return x.listRecords
	case "records_strategy":
		return with(x.setStrategy)
	case "track_start":
		return with(x.trackStart)
	case "track_end":
		return with(x.trackEnd)
	case "delete_unseen":
		return with(x.deleteUnseen)
	}
	return nil
}

// stream returns where the records of a model are, if the function declares it.
func (x *Session) stream(ctx context.Context, model string) (linkspan.RecordStream, error) {
	if !slices.Contains(x.info.Sync.Models, model) {
		return linkspan.RecordStream{}, call.Undeclared(x.info.Function, model, x.info.Sync.Models)
	}
	id, err := x.stored(ctx)
	if err != nil {
		return linkspan.RecordStream{}, err
	}
	return linkspan.RecordStream{EnvironmentID: x.info.Environment.ID, ConnectionID: id, Model: model, Variant: x.variant()}, nil
}

// write serves a batch of records with one of the methods of Records.
func (x *Session) write(method string, f func(ctx context.Context, w record.Write) (linkspan.RecordCounts, error)) server {
	return func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
		var p call.Model
		if err := decode(c.JSON, &p); err != nil {
			return sandbox.Reply{}, err
		}
		st, err := x.stream(ctx, p.Model)
		if err != nil {
			return sandbox.Reply{}, err
		}
		if err := checkBatch(c.Body); err != nil {
			return sandbox.Reply{}, err
		}
		x.mu.Lock()
		unless := x.unless[p.Model]
		x.mu.Unlock()
		counts, err := f(ctx, record.Write{Stream: st, Fence: x.info.Sync.Run, Records: c.Body, Unless: unless, Window: x.window()})
		if err != nil {
			return sandbox.Reply{}, err
		}
		x.wrote(method, p.Model, counts)
		return sandbox.Reply{}, nil
	}
}

// checkBatch refuses what would keep the database busy for long: other runs wait
// meanwhile.
func checkBatch(body []byte) error {
	if len(body) > maxBatchBytes || tooMany(body) {
		return linkspan.E("host.records", linkspan.KindTooLarge, "records_too_large", nil,
			"A batch has at most %d records and %d bytes.", maxBatch, maxBatchBytes)
	}
	return nil
}

// tooMany reports whether an array has more than maxBatch elements.
func tooMany(array []byte) bool {
	n := 0
	for range jsontext.Elements(array) {
		if n++; n > maxBatch {
			return true
		}
	}
	return false
}

// window reports whether it is noted which records the run saves. What a webhook
// tells of is never everything.
func (x *Session) window() bool {
	return x.info.Sync.Window && x.info.Webhook == nil && x.info.Sync.Run.Run != 0
}

// openWindows begins to note what the run saves before it can save anything, so
// that a model of which it saves nothing is found to be empty.
func (x *Session) openWindows(ctx context.Context) error {
	for _, model := range x.info.Sync.Models {
		st, err := x.stream(ctx, model)
		if err != nil {
			return err
		}
		if _, err := x.s.c.Records.Save(ctx, record.Write{Stream: st, Fence: x.info.Sync.Run, Records: []byte("[]"), Window: true}); err != nil {
			return fmt.Errorf("beginning to note which records are saved: %w", err)
		}
	}
	return nil
}

// wrote records a batch under the run's operation (features REC-12).
func (x *Session) wrote(method, model string, c linkspan.RecordCounts) {
	x.mu.Lock()
	x.batches++
	batches := x.batches
	x.mu.Unlock()
	switch {
	case batches > maxBatchesShown+1:
		return
	case batches == maxBatchesShown+1:
		x.info.Op.Message(linkspan.Message{Text: fmt.Sprintf("There were %d batches of records: later ones are not shown; the run's counts include them.", maxBatchesShown)})
		return
	}
	x.info.Op.Message(linkspan.Message{Text: fmt.Sprintf("%s of %s: %s", method, call.Clip(model, call.MaxModel), countsText(c)), Meta: x.batchMeta(model, c)})
}

// countsText says what changed, in words.
func countsText(c linkspan.RecordCounts) string {
	var parts []string
	for _, part := range []struct {
		n    int64
		word string
	}{{c.Added, "added"}, {c.Updated, "updated"}, {c.Deleted, "deleted"}, {c.Unchanged, "unchanged"}} {
		if part.n > 0 {
			parts = append(parts, strconv.FormatInt(part.n, 10)+" "+part.word)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing changed")
}

func (x *Session) batchMeta(model string, c linkspan.RecordCounts) json.RawMessage {
	meta, err := encode(struct {
		Model   string `json:"model"`
		Variant string `json:"variant"`
		linkspan.RecordCounts
	}{call.Clip(model, call.MaxModel), x.variant(), c})
	if err != nil {
		return nil
	}
	return meta
}

// recordsByID answers with the records that exist, as a JSON array. Deleted ones do
// not.
func (x *Session) recordsByID(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.RecordsByIDs
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	if len(p.IDs) > call.MaxIDs {
		return sandbox.Reply{}, linkspan.E("host.records", linkspan.KindInvalid, "invalid_ids", nil, "At most %d records are read at a time.", call.MaxIDs)
	}
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return sandbox.Reply{}, err
	}
	found, err := x.s.c.Records.ByIDs(ctx, st, p.IDs)
	if err != nil {
		return sandbox.Reply{}, err
	}
	found = slices.DeleteFunc(found, func(r linkspan.Record) bool { return !r.DeletedAt.IsZero() })
	return sandbox.Reply{Body: arrayOf(found), Text: true}, nil
}

// arrayOf writes records as the public API shows them.
func arrayOf(records []linkspan.Record) []byte {
	out := []byte{'['}
	for i := range records {
		if i > 0 {
			out = append(out, ',')
		}
		out = record.AppendJSON(out, &records[i])
	}
	return append(out, ']')
}

// listRecords answers with a page of records, deleted ones among them, as GET
// /records does.
func (x *Session) listRecords(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.RecordsList
	if err := decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return sandbox.Reply{}, err
	}
	q := record.Query{Stream: st, Limit: min(max(p.Limit, 1), call.MaxPage)}
	if p.Cursor != "" {
		if q.After, err = record.ParseCursor(p.Cursor); err != nil {
			return sandbox.Reply{}, err
		}
	}
	if p.Until == 0 {
		if p.Until, err = x.s.c.Records.Position(ctx, st); err != nil {
			return sandbox.Reply{}, err
		}
	}
	page, err := x.s.c.Records.List(ctx, q)
	if err != nil {
		return sandbox.Reply{}, err
	}
	head := call.RecordsPage{Until: p.Until, Late: len(page.Records)}
	if i := slices.IndexFunc(page.Records, func(r linkspan.Record) bool { return r.Position > p.Until }); i >= 0 {
		head.Late = i
	}
	if page.Next != 0 {
		head.Next = record.Cursor(page.Next)
	}
	reply, err := answer(head)
	reply.Body, reply.Text = arrayOf(page.Records), true
	return reply, err
}

// setStrategy says what becomes of records that others change from now on (features
// REC-11).
func (x *Session) setStrategy(ctx context.Context, p call.Strategy) (any, error) {
	st, err := x.stream(ctx, p.Model.Model)
	if err != nil {
		return nil, err
	}
	var unless linkspan.RecordPosition
	switch p.Strategy {
	case "override":
	case "ignore_if_modified_after":
		now, err := x.s.c.Records.Position(ctx, st)
		if err != nil {
			return nil, err
		}
		unless = max(now, 1) // 0 would protect nothing
	default:
		return nil, call.UnknownStrategy()
	}
	x.mu.Lock()
	x.unless[p.Model.Model] = unless
	x.mu.Unlock()
	return nil, nil //nolint:nilnil // there is nothing to answer
}

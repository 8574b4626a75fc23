package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/record"
)

// pruneDefault is how many records are emptied at once (wire contract §4.8).
const pruneDefault = 1000

// Records keeps what syncs have saved; *record.Service does.
type Records interface {
	List(ctx context.Context, q record.Query) (record.Page, error)
	Prune(ctx context.Context, st linkspan.RecordStream, until linkspan.RecordPosition, limit int) (n int, more bool, err error)
}

func (s *Server) listRecords(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.RecordsQuery](r)
	if err != nil {
		return err
	}
	return s.sendRecords(w, r, &q)
}

// sendRecords answers with the selected records of the connection in the headers.
func (s *Server) sendRecords(w http.ResponseWriter, r *http.Request, q *api.RecordsQuery) error {
	query, err := recordQuery(q, time.Now())
	if err != nil {
		return err
	}
	if query.Stream, err = s.recordStream(r, q.Model, deref(q.Variant)); err != nil {
		return err
	}
	page, err := s.cfg.Records.List(r.Context(), query)
	if err != nil {
		return err
	}
	body, _ := pages.Get().(*[]byte)
	*body = appendRecords((*body)[:0], &page)
	writeOutput(w, *body)
	if cap(*body) <= pooledPage {
		pages.Put(body)
	}
	return nil
}

// pooledPage is the largest page whose memory is used again, in bytes: ten times what
// a usual one needs.
const pooledPage = 1 << 20

//nolint:gochecknoglobals // a pool is shared by nature and holds no state
var pages = sync.Pool{New: func() any { return new([]byte) }}

// appendRecords writes a page without taking its payloads apart.
func appendRecords(body []byte, page *record.Page) []byte {
	const perRecord = 256 // of metadata
	size := 64
	for i := range page.Records {
		size += len(page.Records[i].Payload.Reveal()) + perRecord
	}
	body = append(slices.Grow(body, size), `{"records":[`...)
	for i := range page.Records {
		if i > 0 {
			body = append(body, ',')
		}
		body = record.AppendJSON(body, &page.Records[i])
	}
	body = append(body, `],"next_cursor":`...)
	if page.Next == 0 {
		return append(body, "null}"...)
	}
	body = append(body, '"')
	body = append(body, record.Cursor(page.Next)...)
	return append(body, `"}`...)
}

// recordQuery reads what selects records, except whose.
func recordQuery(q *api.RecordsQuery, now time.Time) (record.Query, error) {
	out := record.Query{IDs: q.IDs, Limit: q.Limit}
	if q.Cursor != nil {
		var err error
		if out.After, err = record.ParseCursor(*q.Cursor); err != nil {
			return out, err
		}
	}
	since, name := q.ModifiedAfter, "modified_after"
	if since == nil {
		since, name = q.Delta, "delta"
	}
	if since != nil {
		if since.Before(now.AddDate(-1, 0, 0)) {
			return out, httpx.Invalid("invalid_query_params", "too_small", "Invalid date: it must be within the last 12 months", name)
		}
		out.Since = *since
	}
	for i, word := range q.Filter {
		action := linkspan.RecordAction(strings.ToUpper(strings.TrimSpace(word)))
		switch action {
		case linkspan.RecordAdded, linkspan.RecordUpdated, linkspan.RecordDeleted:
			out.Actions = append(out.Actions, action)
		default:
			return out, httpx.Invalid("invalid_query_params", "invalid_value", `Invalid option: expected one of "added"|"updated"|"deleted"`, "filter", i)
		}
	}
	return out, nil
}

// recordStream finds whose records a request is about.
func (s *Server) recordStream(r *http.Request, model, variant string) (linkspan.RecordStream, error) {
	h, err := httpx.DecodeHeader[api.RecordHeaders](r)
	if err != nil {
		return linkspan.RecordStream{}, err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = h.ProviderConfigKey, h.ConnectionID
	env := environmentOf(r).ID
	t, err := s.cfg.Connections.Live(r.Context(), env, h.ProviderConfigKey, h.ConnectionID)
	switch linkspan.KindOf(err) {
	case linkspan.KindNotFound, linkspan.KindInvalid:
		return linkspan.RecordStream{}, linkspan.E("server.records", linkspan.KindInvalid, "unknown_connection", err,
			"Provided ConnectionId and ProviderConfigKey does not match a valid connection")
	}
	if err != nil {
		return linkspan.RecordStream{}, err
	}
	// Older clients put the variant behind the model.
	if name, behind, ok := strings.Cut(model, "::"); ok && variant == "" {
		model, variant = name, behind
	}
	return linkspan.RecordStream{EnvironmentID: env, ConnectionID: t.Connection.ID, Model: model, Variant: cmp.Or(variant, linkspan.BaseVariant)}, nil
}

func (s *Server) pruneRecords(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.PruneRecords](r)
	if err != nil {
		return err
	}
	until, err := record.ParseCursor(body.UntilCursor)
	if err != nil {
		return err
	}
	stream, err := s.recordStream(r, body.Model, deref(body.Variant))
	if err != nil {
		return err
	}
	limit := pruneDefault
	if body.Limit != nil {
		limit = *body.Limit
	}
	n, more, err := s.cfg.Records.Prune(r.Context(), stream, until, limit)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.PrunedRecords{Count: n, HasMore: more})
}

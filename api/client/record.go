package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/api"
)

// Records names the records of a model that a connection has.
type Records struct {
	ProviderConfigKey string
	ConnectionID      string
	Model             string
	// Variant is that of the sync. Empty: the base variant.
	Variant string
}

// RecordFilter selects records. Zero values don't count.
type RecordFilter struct {
	// Cursor is where to begin: a NextCursor, or the cursor of a record.
	Cursor string
	// ModifiedAfter is at most 12 months ago.
	ModifiedAfter time.Time
	// Actions keep records that were last "added", "updated" or "deleted".
	Actions []string
	// IDs keeps these, at most 100.
	IDs []string
	// Limit bounds the page: 100 unless it is given, at most 10000.
	Limit int
}

// ListRecords returns a page of records, in the order in which they changed. It may
// be shorter than the limit, and with Actions it may have none: there is more while
// NextCursor is not nil. It needs the scope environment:records:read. Codes:
// unknown_connection, invalid_cursor_value.
func (c *Client) ListRecords(ctx context.Context, of Records, f RecordFilter) (api.Records, error) {
	q := url.Values{"model": {of.Model}}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("variant", of.Variant)
	set("cursor", f.Cursor)
	set("filter", strings.Join(f.Actions, ","))
	if !f.ModifiedAfter.IsZero() {
		q.Set("modified_after", f.ModifiedAfter.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if len(f.IDs) > 0 {
		q["ids"] = f.IDs
	}
	return bare[api.Records](ctx, c, call{method: http.MethodGet, path: "/records", query: q, header: of.header()})
}

// PruneRecords empties the payloads of records up to the cursor of one of them, at
// most limit at once; 0 means 1000. Call it again while HasMore. It needs the scope
// environment:records:write. Codes: those of ListRecords.
func (c *Client) PruneRecords(ctx context.Context, of Records, until string, limit int) (api.PrunedRecords, error) {
	in := api.PruneRecords{Model: of.Model, UntilCursor: until}
	if of.Variant != "" {
		in.Variant = &of.Variant
	}
	if limit > 0 {
		in.Limit = &limit
	}
	return bare[api.PrunedRecords](ctx, c, call{method: http.MethodPatch, path: "/records/prune", body: in, header: of.header()})
}

func (r *Records) header() map[string]string {
	return map[string]string{"Connection-Id": r.ConnectionID, "Provider-Config-Key": r.ProviderConfigKey}
}

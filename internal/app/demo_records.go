package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// records reads the records after the cursor, page by page, and moves it.
func (d *demonstration) records(ctx context.Context, w *walk) (all []savedTicket, pages int, err error) {
	for {
		var page struct {
			Records    []savedTicket `json:"records"`
			NextCursor *string       `json:"next_cursor"`
		}
		q := url.Values{"model": {demoModel}, "limit": {"100"}}
		if w.cursor != "" {
			q.Set("cursor", w.cursor)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.world.url+"/records?"+q.Encode(), nil)
		if err != nil {
			return nil, 0, fmt.Errorf("making a request: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+d.secret.DevKey.Reveal())
		r.Header.Set("Provider-Config-Key", w.integration)
		r.Header.Set("Connection-Id", w.connection)
		res, err := d.world.client.Do(r)
		if err != nil {
			return nil, 0, err
		}
		if err := decodeAnswer(res, http.StatusOK, &page); err != nil {
			return nil, 0, err
		}
		pages++
		all = append(all, page.Records...)
		if n := len(page.Records); n > 0 {
			w.cursor = page.Records[n-1].Metadata.Cursor
		}
		if page.NextCursor == nil {
			return all, pages, nil
		}
	}
}

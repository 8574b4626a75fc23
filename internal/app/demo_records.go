package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/linkspan/linkspan/api/client"
)

// records reads the records after the cursor, page by page, and moves it.
func (d *demonstration) records(ctx context.Context, w *walk) (all []savedTicket, pages int, err error) {
	of := client.Records{ProviderConfigKey: w.integration, ConnectionID: w.connection, Model: demoModel}
	for {
		page, err := d.dev.ListRecords(ctx, of, client.RecordFilter{Cursor: w.cursor})
		if err != nil {
			return nil, 0, err
		}
		pages++
		for _, r := range page.Records {
			t, err := ticketOf(r)
			if err != nil {
				return nil, 0, err
			}
			all, w.cursor = append(all, t), t.Metadata.Cursor
		}
		if page.NextCursor == nil {
			return all, pages, nil
		}
		w.cursor = *page.NextCursor
	}
}

// savedTicket is a ticket in the records cache.
type savedTicket struct {
	ID       string `json:"id"`
	Subject  string `json:"subject"`
	Status   string `json:"status"`
	Priority string `json:"priority"`
	Metadata struct {
		LastAction string  `json:"last_action"`
		DeletedAt  *string `json:"deleted_at"`
		Cursor     string  `json:"cursor"`
	} `json:"_nango_metadata"`
}

// ticketOf reads a record.
func ticketOf(r map[string]any) (t savedTicket, err error) {
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return t, fmt.Errorf("reading a record: %w", err)
	}
	return t, nil
}

// String is one line of a table.
func (t savedTicket) String() string {
	return padded(t.ID, 4) + padded(t.Metadata.LastAction, 9) + padded(t.Status, 9) + padded(t.Priority, 8) + t.Subject
}

package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const (
	// What demofunctions calls them.
	demoSync   = "tickets"
	demoModel  = "Ticket"
	demoAction = "close-ticket"
	// demoComment is what the action answers on a ticket.
	demoComment = "Solved from Linkspan's demo."
	// demoPriority is what becomes of the ticket that is changed at the provider.
	demoPriority = "urgent"
	// shownRows is how many records are shown.
	shownRows = 3
	// statusEvery is how often the status of a sync is asked for.
	statusEvery = 50 * time.Millisecond
)

// stepFirstRun waits for the run that begins with the connection, and for the
// webhook about what it found: all that Ticketry has.
func (d *demonstration) stepFirstRun(ctx context.Context, w *walk) (string, error) {
	n, err := d.countTickets(ctx)
	if err != nil {
		return "", err
	}
	w.tickets = n
	w.want.Added += n
	if err := d.awaitChanges(ctx, w); err != nil {
		return "", err
	}
	status, err := d.awaitIdle(ctx, w)
	if err != nil {
		return "", err
	}
	if n := status.RecordCount[demoModel]; int(n) != w.tickets {
		return "", fmt.Errorf("the status tells of %d records, not %d", n, w.tickets)
	}
	every := ""
	if status.Frequency != nil {
		every = "then every " + *status.Frequency
	}
	return joined(plural(w.tickets, "ticket", "tickets"), every), nil
}

// stepSync has the sync run and waits for the webhooks about what it found.
func (d *demonstration) stepSync(ctx context.Context, w *walk) (string, error) {
	err := d.dev.TriggerSync(ctx, api.TriggerSync{
		Syncs: []api.SyncRef{{Name: demoSync}}, ProviderConfigKey: &w.integration, ConnectionID: &w.connection,
	})
	if err != nil {
		return "", err
	}
	if err := d.awaitChanges(ctx, w); err != nil {
		return "", err
	}
	return "from its checkpoint on", nil
}

// awaitChanges waits until the webhooks have told of all changes that are wanted,
// however many runs found them. More than those is an error.
func (d *demonstration) awaitChanges(ctx context.Context, w *walk) error {
	base := w.got
	what := func(c changes) string {
		return changes{c.Added - base.Added, c.Updated - base.Updated, c.Deleted - base.Deleted}.String()
	}
	err := d.await(ctx, w, "the webhook of the sync", func(a arrival) (verdict, error) {
		if a.Type != "sync" || a.ConnectionID != w.connection || a.SyncName != demoSync {
			return another, nil
		}
		if a.failed() {
			why := "it is not said why"
			if a.Error != nil {
				why = a.Error.why()
			}
			return enough, fmt.Errorf("the sync failed: %s", printable(why))
		}
		if a.Model != demoModel {
			return enough, fmt.Errorf("a webhook came about the model %q", a.Model)
		}
		w.got = w.got.plus(a.Results)
		if w.got.exceeds(w.want) {
			return enough, fmt.Errorf("a webhook told of %s in all, not of %s", what(w.got), what(w.want))
		}
		if w.got == w.want {
			return enough, nil
		}
		return counted, nil
	})
	if err != nil && ctx.Err() != nil {
		came := "none came"
		if w.got != base {
			came = what(w.got) + " came"
		}
		err = fmt.Errorf("%w; it was to tell of %s, but %s, and the sync %s", err, what(w.want), came, d.standing(ctx, w))
	}
	return err
}

// standing says where the sync stands, for who waited in vain.
func (d *demonstration) standing(ctx context.Context, w *walk) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	status, err := d.status(ctx, w)
	if err != nil {
		return "does not say where it stands: " + err.Error()
	}
	return "has the status " + status.Status
}

// status asks where the sync stands.
func (d *demonstration) status(ctx context.Context, w *walk) (api.SyncStatus, error) {
	all, err := d.dev.SyncStatus(ctx, w.integration, w.connection, api.SyncRef{Name: demoSync})
	if err != nil {
		return api.SyncStatus{}, fmt.Errorf("asking for the status of the sync: %w", err)
	}
	if len(all) != 1 {
		return api.SyncStatus{}, fmt.Errorf("%d syncs of the connection are called %s, not one", len(all), demoSync)
	}
	return all[0], nil
}

// awaitIdle waits until the sync's run has ended.
func (d *demonstration) awaitIdle(ctx context.Context, w *walk) (api.SyncStatus, error) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		status, err := d.status(ctx, w)
		if err != nil || status.Status != "RUNNING" {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, fmt.Errorf("waited for the end of the sync: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// stepAllRecords reads the records from the start, page by page.
func (d *demonstration) stepAllRecords(ctx context.Context, w *walk) (string, error) {
	records, pages, err := d.records(ctx, w)
	if err != nil {
		return "", err
	}
	if len(records) != w.tickets {
		return "", fmt.Errorf("there are %d records, not %d", len(records), w.tickets)
	}
	for _, r := range records {
		if r.Metadata.LastAction != "ADDED" {
			return "", fmt.Errorf("the record %s is %s, not ADDED", r.ID, r.Metadata.LastAction)
		}
		if r.Status == "open" && r.Priority != demoPriority {
			w.open = append(w.open, r.ID)
		}
	}
	for _, r := range records[:min(shownRows, len(records))] {
		w.rows = append(w.rows, r.String())
	}
	if more := len(records) - shownRows; more > 0 {
		w.rows = append(w.rows, fmt.Sprintf("… and %d more", more))
	}
	return joined(plural(len(records), "record", "records"), plural(pages, "page", "pages")), nil
}

// use takes a ticket that is open and that no step has used.
func (w *walk) use() (string, error) {
	if len(w.open) == 0 {
		return "", errors.New("there are too few tickets that are open: start a new demo")
	}
	id := w.open[0]
	w.open = w.open[1:]
	return id, nil
}

// stepClose has the action write to the provider.
func (d *demonstration) stepClose(ctx context.Context, w *walk) (_ string, err error) {
	if w.closed, err = w.use(); err != nil {
		return "", err
	}
	var out struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	err = d.dev.TriggerAction(ctx, client.Action{
		ProviderConfigKey: w.integration, ConnectionID: w.connection, Name: demoAction,
		Input: map[string]string{"id": w.closed, "comment": demoComment},
	}, &out)
	if err != nil {
		return "", err
	}
	if out.ID != w.closed || out.Status != "solved" {
		return "", fmt.Errorf("the action answered with ticket %q, %q", out.ID, out.Status)
	}
	w.want.Updated++
	return "no. " + w.closed + " is solved now", nil
}

// stepChange changes a ticket at the provider and deletes another, without
// Linkspan.
func (d *demonstration) stepChange(ctx context.Context, w *walk) (_ string, err error) {
	if w.changed, err = w.use(); err != nil {
		return "", err
	}
	if w.deleted, err = w.use(); err != nil {
		return "", err
	}
	change := map[string]string{"priority": demoPriority}
	if err := d.ticketry(ctx, http.MethodPatch, "/tickets/"+w.changed, change, http.StatusOK, nil); err != nil {
		return "", err
	}
	if err := d.ticketry(ctx, http.MethodDelete, "/tickets/"+w.deleted, nil, http.StatusNoContent, nil); err != nil {
		return "", err
	}
	w.want.Updated++
	w.want.Deleted++
	return fmt.Sprintf("no. %s is %s, no. %s is gone", w.changed, demoPriority, w.deleted), nil
}

// stepRecordClosed reads what has changed since the last reading: what the action
// wrote.
func (d *demonstration) stepRecordClosed(ctx context.Context, w *walk) (string, error) {
	return d.readChanges(ctx, w, map[string]func(savedTicket) bool{
		w.closed: func(r savedTicket) bool { return r.Metadata.LastAction == "UPDATED" && r.Status == "solved" },
	})
}

// stepRecordsChanged reads what has changed since the last reading: what happened
// at the provider.
func (d *demonstration) stepRecordsChanged(ctx context.Context, w *walk) (string, error) {
	return d.readChanges(ctx, w, map[string]func(savedTicket) bool{
		w.changed: func(r savedTicket) bool { return r.Metadata.LastAction == "UPDATED" && r.Priority == demoPriority },
		w.deleted: func(r savedTicket) bool { return r.Metadata.LastAction == "DELETED" && r.Metadata.DeletedAt != nil },
	})
}

// readChanges reads the records that have changed since the last reading: those
// that are wanted, each as it should be, and no other.
func (d *demonstration) readChanges(ctx context.Context, w *walk, want map[string]func(savedTicket) bool) (string, error) {
	records, _, err := d.records(ctx, w)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		right, wanted := want[r.ID]
		if !wanted {
			return "", fmt.Errorf("the record %s has not changed, and is there again", r.ID)
		}
		if !right(r) {
			return "", fmt.Errorf("the record is not what it should be: %s", r)
		}
		w.rows = append(w.rows, r.String())
	}
	if len(records) != len(want) {
		return "", fmt.Errorf("%s changed, not %d", plural(len(records), "record has", "records have"), len(want))
	}
	return plural(len(records), "record", "records") + ", nothing else", nil
}

package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/webhook"
)

// Webhook returns the sync that a run is for which takes a webhook of its provider:
// the base variant of its function for its connection. In a transaction nobody
// changes it until that ends. KindNotFound: there is none any more.
func (s *Service) Webhook(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) (linkspan.Sync, error) {
	ids, err := s.store.SyncIDs(ctx, tx, r.EnvironmentID, r.FunctionID, linkspan.BaseVariant, r.ConnectionID)
	if err != nil {
		return linkspan.Sync{}, fmt.Errorf("finding the sync of webhook run %s: %w", r.UUID, err)
	}
	list, err := s.store.Syncs(ctx, tx, r.EnvironmentID, ids)
	if err != nil {
		return linkspan.Sync{}, fmt.Errorf("reading the sync of webhook run %s: %w", r.UUID, err)
	}
	if len(list) == 0 {
		return linkspan.Sync{}, linkspan.E("schedule.Webhook", linkspan.KindNotFound, "", nil, "The sync was deleted.")
	}
	return list[0], nil
}

// WebhookEnded follows the end of a run that has taken a webhook, in the transaction
// that has stored it: the customer's backend is told of what was changed (features
// WHF-05). What one has changed that failed is announced with the next run of the
// sync that succeeds. The schedule of the sync goes on as if nothing had been.
func (s *Service) WebhookEnded(ctx context.Context, tx linkspan.Tx, e End) error {
	sy, err := s.Webhook(ctx, tx, e.Run)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	r := e.Run
	event := webhook.SyncEvent{
		EnvironmentID: r.EnvironmentID, IntegrationKey: r.IntegrationKey, Provider: r.Provider,
		ConnectionName: r.ConnectionName, ConnectionUUID: r.ConnectionUUID,
		Name: r.Name, Variant: linkspan.BaseVariant, Type: webhook.SyncWebhook, StartedAt: e.StartedAt,
	}
	var streams []linkspan.RecordStream
	for _, model := range e.models() {
		// One that did not change is none that an environment is told of: its runs
		// are told by the schedule.
		if c := r.Sync.Counts[model]; c.Changed() || r.State != linkspan.RunSucceeded {
			event.Models = append(event.Models, webhook.ModelResult{Model: model, Counts: c})
		}
		if c := r.Sync.Counts[model]; c.Changed() {
			streams = append(streams, linkspan.RecordStream{EnvironmentID: r.EnvironmentID, ConnectionID: r.ConnectionID, Model: model, Variant: linkspan.BaseVariant})
		}
	}
	if r.State != linkspan.RunSucceeded {
		now, err := s.store.Clock(ctx, tx)
		if err != nil {
			return fmt.Errorf("reading the time of a failure: %w", err)
		}
		event.Failure = failureOf(r.Error, now)
		remember(&sy, e.StartedAt, r.Sync.Counts)
		if err := s.store.SaveSync(ctx, tx, &sy); err != nil {
			return fmt.Errorf("storing the sync of webhook run %s: %w", r.UUID, err)
		}
	}
	if err := s.webhooks.AddSync(ctx, tx, event); err != nil {
		return fmt.Errorf("announcing the end of webhook run %s: %w", r.UUID, err)
	}
	if len(streams) == 0 {
		return nil
	}
	return s.records.Touch(ctx, tx, streams)
}

// withdraw aborts the runs in which syncs take webhooks: they write no more. What
// they have changed is kept to be announced with the next run, unless nobody needs to
// know.
func (s *Service) withdraw(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID, announce bool) error {
	const atOnce = 1000
	for chunk := range slices.Chunk(ids, atOnce) {
		runs, err := s.store.CancelWebhookRuns(ctx, tx, env, chunk)
		if err != nil {
			return err
		}
		if !announce {
			continue
		}
		if err := s.rememberAll(ctx, tx, env, runs); err != nil {
			return err
		}
	}
	return nil
}

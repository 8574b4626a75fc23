package schedule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/webhook"
)

// Begin returns what a run of a sync begins with. KindNotFound: the sync was
// deleted.
func (s *Service) Begin(ctx context.Context, r *linkspan.Run) (Begun, error) {
	list, err := s.store.Syncs(ctx, nil, r.EnvironmentID, []linkspan.SyncID{r.Sync.ID})
	if err != nil {
		return Begun{}, fmt.Errorf("reading the sync of run %s: %w", r.UUID, err)
	}
	if len(list) == 0 {
		return Begun{}, linkspan.E("schedule.Begin", linkspan.KindNotFound, "", nil, "The sync was deleted.")
	}
	checkpoints, err := s.store.SyncCheckpoints(ctx, nil, []linkspan.SyncID{r.Sync.ID})
	if err != nil {
		return Begun{}, fmt.Errorf("reading the checkpoint of run %s: %w", r.UUID, err)
	}
	sy := list[0]
	c, ok := checkpoints[sy.ID]
	if !ok {
		c.Key = linkspan.CheckpointKey(linkspan.FunctionSync, sy.Name, sy.Variant)
	}
	return Begun{Sync: sy, Checkpoint: c, LastSync: sy.SucceededAt}, nil
}

// Ended follows the end of a run of a sync, in the transaction that has stored it,
// which has taken the sync before the run: it notes the success, has the customer's
// backend told of what was changed, and stores the run that is to follow. What a run
// has changed that failed is announced with the next one that succeeds. A sync that
// was deleted has no followers.
func (s *Service) Ended(ctx context.Context, tx linkspan.Tx, e End) error {
	list, err := s.store.Syncs(ctx, tx, e.Run.EnvironmentID, []linkspan.SyncID{e.Run.Sync.ID})
	if err != nil {
		return fmt.Errorf("reading the sync of run %s: %w", e.Run.UUID, err)
	}
	if len(list) == 0 {
		return nil
	}
	sy := &list[0]
	if err := s.announce(ctx, tx, sy, &e); err != nil {
		return fmt.Errorf("announcing the end of run %s: %w", e.Run.UUID, err)
	}
	if err := s.settle(ctx, tx, sy, &e); err != nil {
		return fmt.Errorf("noting the end of run %s: %w", e.Run.UUID, err)
	}
	if err := s.continueSync(ctx, tx, sy, e.Run); err != nil {
		return fmt.Errorf("storing what follows run %s: %w", e.Run.UUID, err)
	}
	if err := s.store.SaveSync(ctx, tx, sy); err != nil {
		return fmt.Errorf("storing the sync of run %s: %w", e.Run.UUID, err)
	}
	return nil
}

// models are those that a run may have changed, in the order of its function.
func (e *End) models() []string {
	models := slices.Clone(e.Function.Version.Definition.Models)
	for _, model := range slices.Sorted(maps.Keys(e.Run.Sync.Counts)) {
		if !slices.Contains(models, model) { // it was declared when the run began
			models = append(models, model)
		}
	}
	return models
}

// announce writes the webhooks about a run. It is called before the sync is changed
// by its end.
func (s *Service) announce(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync, e *End) error {
	r := e.Run
	event := webhook.SyncEvent{
		EnvironmentID: r.EnvironmentID, IntegrationKey: r.IntegrationKey, Provider: r.Provider,
		ConnectionName: r.ConnectionName, ConnectionUUID: r.ConnectionUUID,
		Name: r.Name, Variant: r.Sync.Variant, Type: webhook.SyncIncremental, StartedAt: e.StartedAt,
		From: r.Sync.From, To: r.Sync.To,
		Checkpointed: r.Sync.From != nil || r.Sync.To != nil || slices.Contains(e.Function.Version.Definition.Features, "checkpoints"),
	}
	if r.Sync.From == nil && sy.SucceededAt.IsZero() {
		event.Type = webhook.SyncInitial
	}
	models := e.models()
	for model := range sy.Unannounced {
		if !slices.Contains(models, model) {
			models = append(models, model)
		}
	}
	slices.Sort(models[len(e.models()):])
	for _, model := range models {
		event.Models = append(event.Models, webhook.ModelResult{Model: model, Counts: r.Sync.Counts[model].Plus(sy.Unannounced[model])})
	}
	if r.State == linkspan.RunSucceeded {
		if !sy.UnannouncedSince.IsZero() && sy.UnannouncedSince.Before(e.StartedAt) {
			event.StartedAt = sy.UnannouncedSince
		}
		return s.webhooks.AddSync(ctx, tx, event)
	}
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return err
	}
	event.Failure = failureOf(r.Error, now)
	return s.webhooks.AddSync(ctx, tx, event)
}

// failureOf says in a webhook why a run failed.
func failureOf(e *linkspan.RunError, at time.Time) *webhook.SyncFailure {
	if e == nil {
		e = &linkspan.RunError{Code: "internal_server_error", Message: "The sync failed for an internal reason."}
	}
	f := &webhook.SyncFailure{Type: e.Code, Description: e.Message, Payload: e.Payload, Upstream: e.Upstream, FailedAt: at}
	if f.Description == "" {
		f.Description = e.Code
	}
	return f
}

// settle notes what a run has left.
func (s *Service) settle(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync, e *End) error {
	r := e.Run
	if r.State != linkspan.RunSucceeded {
		remember(sy, e.StartedAt, r.Sync.Counts)
	} else {
		sy.Unannounced, sy.UnannouncedSince = nil, time.Time{}
	}
	// One that was interrupted has not succeeded yet. The one that ends what it
	// began has read some of it before its own start.
	if r.State == linkspan.RunSucceeded && !r.Sync.Interrupted {
		began, err := s.store.BackfillStart(ctx, tx, sy.ID, r.ID)
		if err != nil {
			return err
		}
		if sy.SucceededAt = e.StartedAt; !began.IsZero() && began.Before(e.StartedAt) {
			sy.SucceededAt = began
		}
	}
	var streams []linkspan.RecordStream
	for _, model := range e.models() {
		streams = append(streams, linkspan.RecordStream{EnvironmentID: r.EnvironmentID, ConnectionID: r.ConnectionID, Model: model, Variant: r.Sync.Variant})
	}
	if len(streams) == 0 {
		return nil
	}
	return s.records.Touch(ctx, tx, streams)
}

// continueSync stores the run that follows another one at once: the rest of one
// that was interrupted, or one that somebody asked for meanwhile. Pausing a sync
// ends neither.
func (s *Service) continueSync(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync, r *linkspan.Run) error {
	cause := linkspan.CauseTrigger
	switch {
	case !sy.Enabled:
		return s.records.EndRun(ctx, tx, r.ID)
	case r.Sync.Interrupted && r.State == linkspan.RunSucceeded:
		cause = linkspan.CauseContinue
	case sy.Again:
		sy.Again = false
	default:
		return s.records.EndRun(ctx, tx, r.ID)
	}
	next := newRun(sy, cause, tx.Now())
	inserted, err := s.store.InsertSyncRuns(ctx, tx, []*linkspan.Run{next})
	if err != nil {
		return err
	}
	if cause == linkspan.CauseContinue && len(inserted) == 1 {
		return s.records.PassOn(ctx, tx, r.ID, inserted[0])
	}
	return s.records.EndRun(ctx, tx, r.ID)
}

// remember keeps what a run has changed and nobody was told of.
func remember(sy *linkspan.Sync, startedAt time.Time, counts map[string]linkspan.RecordCounts) {
	if !changedRecords(counts) {
		return
	}
	if sy.UnannouncedSince.IsZero() || startedAt.Before(sy.UnannouncedSince) {
		sy.UnannouncedSince = startedAt
	}
	sum := make(map[string]linkspan.RecordCounts, len(counts))
	maps.Copy(sum, sy.Unannounced)
	for model, c := range counts {
		if c.Changed() {
			c.Unchanged = 0
			sum[model] = sum[model].Plus(c)
		}
	}
	sy.Unannounced = sum
}

func changedRecords(counts map[string]linkspan.RecordCounts) bool {
	for _, c := range counts {
		if c.Changed() {
			return true
		}
	}
	return false
}

package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/linkspan/linkspan"
)

// syncRunColumns are those that InsertSyncRuns fills.
func syncRunColumns() []column {
	return []column{
		{"uuid", "text"},
		{"environment_id", "bigint"},
		{"function_id", "bigint"},
		{"connection_id", "bigint"},
		{"kind", "text"},
		{"name", "text"},
		{"event", "text"},
		{"integration_key", "text"},
		{"provider", "text"},
		{"connection_name", "text"},
		{"connection_uuid", "text"},
		{"state", "text"},
		{"max_attempts", "bigint"},
		{"attempts", "bigint"},
		{"attempt", "bigint"},
		{"holder", "text"},
		{"next_at", "bigint"},
		{"operation_id", "text"},
		{"created_at", "bigint"},
		{"expires_at", "bigint"},
		{"lane", "bigint"},
		{"sync_id", "bigint"},
		{"variant", "text"},
		{"cause", "text"},
	}
}

// InsertSyncRuns stores runs of syncs that are due at once, by the database's
// clock. A sync that has a run which has not ended gets no other one: its run here
// keeps the ID 0. It sets IDs, States, Lanes, CreatedAt and NextAt of the others
// and returns their IDs. All replicas learn of it.
func (s *Store) InsertSyncRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) ([]linkspan.RunID, error) {
	var inserted []linkspan.RunID
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		inserted, err = s.insertSyncRuns(ctx, t, runs)
		return err
	})
	return inserted, wrap("InsertSyncRuns", err)
}

func (s *Store) insertSyncRuns(ctx context.Context, t *txn, runs []*linkspan.Run) ([]linkspan.RunID, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	due, err := one(ctx, t, value[int64], "select "+s.dialect.now)
	if err != nil {
		return nil, err
	}
	b := bulk{table: "runs", columns: syncRunColumns(), tail: "on conflict do nothing"}
	values := make([]any, 0, len(runs)*len(b.columns))
	uuids := make([]string, len(runs))
	for i, r := range runs {
		uuids[i] = r.UUID
		values = append(values, r.UUID, int64(r.EnvironmentID), int64(r.FunctionID), int64(r.ConnectionID), string(r.Kind), storable(r.Name),
			string(r.Event), storable(r.IntegrationKey), storable(r.Provider), storable(r.ConnectionName), r.ConnectionUUID,
			string(linkspan.RunWaiting), int64(r.MaxAttempts), int64(0), int64(0), "", due,
			string(r.Operation), micros(t.now), micros(r.ExpiresAt), int64(linkspan.LaneSync), int64(r.Sync.ID), r.Sync.Variant, string(r.Sync.Cause))
	}
	ids, err := insertNumbered[linkspan.RunID](ctx, s, t, b, values, uuids)
	if err != nil {
		return nil, err
	}
	var inserted []linkspan.RunID
	for _, r := range runs {
		if r.ID = ids[r.UUID]; r.ID == 0 {
			continue
		}
		inserted = append(inserted, r.ID)
		r.State, r.Lane, r.CreatedAt, r.NextAt = linkspan.RunWaiting, linkspan.LaneSync, t.now, time.UnixMicro(due).UTC()
	}
	if len(inserted) > 0 {
		t.changed(linkspan.ChangeRunsDue, runs[0].EnvironmentID, "")
	}
	return inserted, nil
}

// HoldRun makes sure that an attempt is its run's newest and was neither cancelled
// nor given back, and that it stays so until the transaction ends: whoever takes
// the run over or cancels it waits until then. KindConflict with the code
// "run_lost" otherwise. A zero fence holds nothing.
func (s *Store) HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error {
	if f.Run == 0 {
		return nil
	}
	held, err := all(ctx, s.read(tx), value[int64], "select id from runs where id = $1 and attempt = $2 and lease_until is not null"+
		s.dialect.forKeyShare, int64(f.Run), f.Attempt)
	if err != nil {
		return wrap("HoldRun", err)
	}
	if len(held) == 0 {
		return linkspan.E("store.HoldRun", linkspan.KindConflict, "run_lost", nil,
			"The run was cancelled, or taken over by another process. What it does from now on is not stored.")
	}
	return nil
}

// CountRun adds to what a run has changed of a model.
func (s *Store) CountRun(ctx context.Context, tx linkspan.Tx, run linkspan.RunID, model string, c linkspan.RecordCounts) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `insert into run_models (run_id, model, added, updated, deleted, unchanged) values ($1, $2, $3, $4, $5, $6)
			on conflict (run_id, model) do update set added = run_models.added + excluded.added, updated = run_models.updated + excluded.updated,
				deleted = run_models.deleted + excluded.deleted, unchanged = run_models.unchanged + excluded.unchanged`,
			int64(run), model, c.Added, c.Updated, c.Deleted, c.Unchanged)
		return err
	})
	return wrap("CountRun", err)
}

// countRuns sets Sync.Counts of runs of syncs.
func (s *Store) countRuns(ctx context.Context, q queryer, runs []*linkspan.Run) error {
	byID := make(map[linkspan.RunID]*linkspan.RunSync, len(runs))
	ids := make([]linkspan.RunID, 0, len(runs))
	for _, r := range runs {
		if r.Sync != nil {
			ids, byID[r.ID], r.Sync.Counts = append(ids, r.ID), r.Sync, nil
		}
	}
	if len(ids) == 0 {
		return nil
	}
	text, err := jsonText(ids)
	if err != nil {
		return err
	}
	_, err = all(ctx, q, func(row scanner) (struct{}, error) {
		var id linkspan.RunID
		var model string
		var c linkspan.RecordCounts
		err := row.Scan(&id, &model, &c.Added, &c.Updated, &c.Deleted, &c.Unchanged)
		if r := byID[id]; err == nil {
			if r.Counts == nil {
				r.Counts = make(map[string]linkspan.RecordCounts)
			}
			r.Counts[model] = c
		}
		return struct{}{}, err
	}, "select run_id, model, added, updated, deleted, unchanged from run_models where "+s.dialect.among("run_id", "$1"), text)
	return err
}

// CancelRuns ends the runs of syncs that have not ended: nothing that they still
// write is stored, and the replicas that work on them are told to break them off.
// It returns them with what they have changed, State being what it was before.
func (s *Store) CancelRuns(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, syncs []linkspan.SyncID) ([]linkspan.Run, error) {
	text, err := jsonText(syncs)
	if err != nil {
		return nil, wrap("CancelRuns", err)
	}
	var cancelled []linkspan.Run
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		cancelled = nil
		if len(syncs) == 0 {
			return nil
		}
		found, err := all(ctx, t, scanRun, "select "+runColumns+" from runs r where "+s.dialect.among("r.sync_id", "$1")+
			" and r.environment_id = $2 and r.ended_at is null order by r.id"+s.dialect.forUpdate, text, int64(env))
		if err != nil || len(found) == 0 {
			return err
		}
		cancelled = found
		return s.cancelRuns(ctx, t, found)
	})
	return cancelled, wrap("CancelRuns", err)
}

// CancelWebhookRuns ends the runs that have not ended in which syncs take webhooks
// of their providers, and returns them as CancelRuns does.
func (s *Store) CancelWebhookRuns(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, syncs []linkspan.SyncID) ([]linkspan.Run, error) {
	text, err := jsonText(syncs)
	if err != nil {
		return nil, wrap("CancelWebhookRuns", err)
	}
	var cancelled []linkspan.Run
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		cancelled = nil
		if len(syncs) == 0 {
			return nil
		}
		found, err := all(ctx, t, scanWebhookRun, "select "+runColumns+", s.id from runs r join syncs s on s.function_id = r.function_id"+
			" and s.connection_id = r.connection_id and s.variant = 'base' where r.event <> '' and r.ended_at is null and r.event = 'webhook'"+
			" and r.environment_id = $2 and "+s.dialect.among("s.id", "$1")+" order by r.id"+s.dialect.of(s.dialect.forUpdate, "r"), text, int64(env))
		if err != nil || len(found) == 0 {
			return err
		}
		cancelled = found
		return s.cancelRuns(ctx, t, found)
	})
	return cancelled, wrap("CancelWebhookRuns", err)
}

// scanWebhookRun reads a run that has a sync take a webhook, and the sync's id.
func scanWebhookRun(row scanner) (linkspan.Run, error) {
	sync := linkspan.RunSync{Variant: linkspan.BaseVariant}
	r, err := scanRunAnd(row, &sync.ID)
	r.Sync = &sync
	return r, err
}

func (s *Store) cancelRuns(ctx context.Context, t *txn, runs []linkspan.Run) error {
	ids, rows := make([]linkspan.RunID, len(runs)), make([]*linkspan.Run, len(runs))
	for i := range runs {
		ids[i], rows[i] = runs[i].ID, &runs[i]
		if runs[i].State == linkspan.RunRunning {
			t.changed(linkspan.ChangeRunCancelled, runs[i].EnvironmentID, runs[i].UUID)
		}
	}
	text, err := jsonText(ids)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, `update runs set state = 'cancelled', attempt = attempt + 1, holder = '', lease_until = null, next_at = null,
		ended_at = `+s.dialect.now+` where `+s.dialect.among("id", "$1"), text); err != nil {
		return err
	}
	// Not left to their holders, who may be dead. One that never began has no
	// operation.
	if _, err := t.exec(ctx, `update operations set state = 'cancelled', message = 'The run was cancelled.', ended_at = $2
		where ended_at is null and id in (select operation_id from runs where `+s.dialect.among("id", "$1")+")", text, micros(t.now)); err != nil {
		return err
	}
	return s.countRuns(ctx, t, rows)
}

// VoidLeases ends all leases on runs, webhook deliveries and authors' jobs. On SQLite one server
// has the folder for itself: when it starts, whoever held them is dead. On
// PostgreSQL it does nothing: other replicas may be alive.
func (s *Store) VoidLeases(ctx context.Context) error {
	if s.dialect.forUpdate != "" {
		return nil
	}
	err := s.write(ctx, nil, func(ctx context.Context, t *txn) error {
		for _, table := range []string{"runs", "webhook_deliveries", "author_jobs"} {
			if _, err := t.exec(ctx, "update "+table+" set lease_until = 0 where lease_until is not null"); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("VoidLeases", err)
}

// checkpointOf is the column of the checkpoint of the run r, as SQL.
func checkpointOf(column string) string {
	return `(select c.` + column + ` from checkpoints c where c.connection_id = r.connection_id
		and c.key = r.kind || '/' || r.name || '/' || r.variant)`
}

// lockSync locks the sync of a run, and then the run itself: in this order whoever
// cancels runs locks them, too. A sync that was deleted needs no lock. What the run
// saves at the moment counts before it ends.
func (s *Store) lockSync(ctx context.Context, t *txn, r *linkspan.Run) error {
	if r.Sync == nil {
		return nil
	}
	if _, err := all(ctx, t, value[int64], "select id from syncs where id = $1"+s.dialect.forUpdate, int64(r.Sync.ID)); err != nil {
		return err
	}
	// An update alone would not wait for those that hold the run.
	_, err := all(ctx, t, value[int64], "select id from runs where id = $1"+s.dialect.forUpdate, int64(r.ID))
	return err
}

// endSync reads what a run of a sync leaves, into its Sync, and keeps the
// checkpoint with which it ended.
func (s *Store) endSync(ctx context.Context, t *txn, r *linkspan.Run) error {
	to, err := one(ctx, t, value[*string], "select "+checkpointOf("value")+" from runs r where r.id = $1", int64(r.ID))
	if err != nil {
		return err
	}
	if r.Sync.To = nil; to != nil {
		r.Sync.To = json.RawMessage(*to)
	}
	if _, err := t.exec(ctx, "update runs set checkpoint_to = $1, interrupted = $2 where id = $3", to, r.Sync.Interrupted, int64(r.ID)); err != nil {
		return err
	}
	return s.countRuns(ctx, t, []*linkspan.Run{r})
}

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func runAAD(column, uuid string) vault.AAD {
	return vault.AAD{Table: "runs", Column: column, Row: uuid}
}

// RunEnvironment returns an environment, of whatever account.
func (s *Store) RunEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error) {
	return s.environment(ctx, tx, "RunEnvironment", "e.id = $1", int64(env))
}

// InsertRuns stores runs that are due at once, by the database's clock, and sets
// their IDs, States, CreatedAt and NextAt. All replicas learn of it.
func (s *Store) InsertRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		for _, r := range runs {
			if err := s.insertRun(ctx, t, r); err != nil {
				return err
			}
		}
		if len(runs) > 0 {
			t.changed(linkspan.ChangeRunsDue, runs[0].EnvironmentID, "")
		}
		return nil
	})
	return wrap("InsertRuns", err)
}

func (s *Store) insertRun(ctx context.Context, t *txn, r *linkspan.Run) error {
	sealed, err := s.sealText(ctx, t, r.EnvironmentID, runAAD("input", r.UUID), r.Input.Reveal())
	if err != nil {
		return err
	}
	r.State, r.CreatedAt = linkspan.RunWaiting, t.now
	_, err = one(ctx, t, func(row scanner) (struct{}, error) {
		return struct{}{}, row.Scan(&r.ID, timeInto{&r.NextAt})
	}, `
		insert into runs (uuid, environment_id, function_id, connection_id, kind, name, event, integration_key, provider,
			connection_name, connection_uuid, state, input, max_attempts, attempts, attempt, holder, next_at, operation_id, created_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $12, $13, 0, 0, '', `+s.dialect.now+`, $14, $15, $16)
		returning id, next_at`,
		r.UUID, int64(r.EnvironmentID), int64(r.FunctionID), int64(r.ConnectionID), string(r.Kind), storable(r.Name), string(r.Event),
		storable(r.IntegrationKey), storable(r.Provider), storable(r.ConnectionName), r.ConnectionUUID, sealed, r.MaxAttempts,
		string(r.Operation), micros(t.now), micros(r.ExpiresAt))
	return err
}

// runColumns are read by scanRun; r is the table.
const runColumns = `r.id, r.uuid, r.environment_id, r.function_id, r.connection_id, r.kind, r.name, r.event, r.integration_key, r.provider,
	r.connection_name, r.connection_uuid, r.state, r.max_attempts, r.attempts, r.attempt, r.holder, r.next_at, r.lease_until,
	r.operation_id, r.created_at, r.started_at, r.ended_at, r.expires_at, r.lane,
	r.sync_id, r.variant, r.cause, r.checkpoint_from, r.checkpoint_to, r.progress, r.stalls, r.interrupted`

func scanRun(row scanner) (linkspan.Run, error) { return scanRunAnd(row) }

// scanRunAnd reads the runColumns and what follows them.
func scanRunAnd(row scanner, more ...any) (r linkspan.Run, err error) {
	var (
		sync     linkspan.RunSync
		id       *int64
		from, to *string
	)
	err = row.Scan(append([]any{
		&r.ID, &r.UUID, &r.EnvironmentID, &r.FunctionID, &r.ConnectionID, &r.Kind, &r.Name, &r.Event, &r.IntegrationKey, &r.Provider,
		&r.ConnectionName, &r.ConnectionUUID, &r.State, &r.MaxAttempts, &r.Attempts, &r.Attempt, &r.Holder,
		timeInto{&r.NextAt},
		timeInto{&r.LeaseUntil},
		&r.Operation,
		timeInto{&r.CreatedAt},
		timeInto{&r.StartedAt},
		timeInto{&r.EndedAt},
		timeInto{&r.ExpiresAt},
		&r.Lane,
		&id, &sync.Variant, &sync.Cause, &from, &to, &sync.Progress, &sync.Stalls, &sync.Interrupted,
	}, more...)...)
	if err != nil || id == nil {
		return r, err
	}
	sync.ID = linkspan.SyncID(*id)
	if from != nil {
		sync.From = json.RawMessage(*from)
	}
	if to != nil {
		sync.To = json.RawMessage(*to)
	}
	r.Sync = &sync
	return r, nil
}

// Run returns a run of the environment with its input, output and error.
func (s *Store) Run(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.Run, error) {
	var input, output, failure []byte
	r, err := one(ctx, s.read(tx), func(row scanner) (linkspan.Run, error) {
		return scanRunAnd(row, &input, &output, &failure)
	}, "select "+runColumns+", r.input, r.output, r.error from runs r where r.environment_id = $1 and r.uuid = $2", int64(env), uuid)
	if err != nil {
		return r, wrap("Run", err)
	}
	if err := s.countRuns(ctx, s.read(tx), []*linkspan.Run{&r}); err != nil {
		return r, wrap("Run", err)
	}
	if r.Input, err = s.openText(ctx, tx, env, runAAD("input", uuid), input); err != nil {
		return r, wrap("Run", err)
	}
	if r.Output, err = s.openText(ctx, tx, env, runAAD("output", uuid), output); err != nil {
		return r, wrap("Run", err)
	}
	text, err := s.openText(ctx, tx, env, runAAD("error", uuid), failure)
	if err != nil || text.IsZero() {
		return r, wrap("Run", err)
	}
	if err := json.Unmarshal([]byte(text.Reveal()), &r.Error); err != nil {
		return r, wrap("Run", fmt.Errorf("reading the stored error of a run: %w", err))
	}
	return r, nil
}

// FinishRun stores what became of an attempt: State, Attempts, Output and Error,
// and of that of a sync Stalls and Interrupted. A run that waits again is due in
// retryIn, by the database's clock; one of a sync that has ended gets the To and
// Counts of its Sync. It reports whether the attempt was still the newest.
func (s *Store) FinishRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run, retryIn time.Duration) (bool, error) {
	failure := ""
	if r.Error != nil {
		var err error
		if failure, err = jsonText(r.Error); err != nil {
			return false, wrap("FinishRun", err)
		}
	}
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := s.lockSync(ctx, t, r); err != nil {
			return err
		}
		output, err := s.sealText(ctx, t, r.EnvironmentID, runAAD("output", r.UUID), r.Output.Reveal())
		if err != nil {
			return err
		}
		problem, err := s.sealText(ctx, t, r.EnvironmentID, runAAD("error", r.UUID), failure)
		if err != nil {
			return err
		}
		next, ended := "null", s.dialect.now
		stalls := 0
		if r.Sync != nil {
			stalls = r.Sync.Stalls
		}
		args := []any{string(r.State), r.Attempts, output, problem, int64(r.ID), r.Attempt, stalls}
		if r.State == linkspan.RunWaiting {
			next, ended = s.dialect.now+" + $8", "null"
			args = append(args, retryIn.Microseconds())
		}
		n, err = t.exec(ctx, `
			update runs set state = $1, attempts = $2, output = $3, error = $4, stalls = $7, holder = '', lease_until = null,
				next_at = `+next+`, ended_at = `+ended+`
			where id = $5 and attempt = $6 and lease_until is not null`, args...)
		if err == nil && n > 0 && r.Sync != nil && r.State != linkspan.RunWaiting {
			err = s.endSync(ctx, t, r)
		}
		return err
	})
	return n > 0, wrap("FinishRun", err)
}

// WaitingRuns counts the runs that are due or planned and that nobody works on at
// the moment, up to limit.
func (s *Store) WaitingRuns(ctx context.Context, tx linkspan.Tx, limit int) (int, error) {
	n, err := one(ctx, s.read(tx), value[int], "select count(*) from (select 1 from runs where state = 'waiting' limit $1) as waiting", limit)
	return n, wrap("WaitingRuns", err)
}

// PurgeRuns removes at most limit runs that ended before the given time, except the
// last one of each sync, which its status tells of. It returns how many; call it
// again while that is limit.
func (s *Store) PurgeRuns(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, `delete from runs where id in (select r.id from runs r where r.ended_at < $1 and (r.sync_id is null
			or exists (select 1 from runs n where n.sync_id = r.sync_id and n.id > r.id and n.ended_at is not null)
			or not exists (select 1 from syncs s where s.id = r.sync_id))
		order by r.ended_at limit $2`+s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeRuns", err)
}

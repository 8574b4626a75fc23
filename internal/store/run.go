package store

import (
	"context"
	"encoding/json"
	"errors"
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
		timeInto{&r.NextAt}, timeInto{&r.LeaseUntil}, &r.Operation, timeInto{&r.CreatedAt}, timeInto{&r.StartedAt}, timeInto{&r.EndedAt},
		timeInto{&r.ExpiresAt}, &r.Lane,
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

// DueRuns returns runs whose holders let their leases lapse, at most limit, and
// then at most limit of those that are due: at most perEnvironment of each
// environment, in the order of environments, from behind after. Those in without
// are passed over. Only ID, EnvironmentID and LeaseUntil are filled in; LeaseUntil
// is zero unless a lease lapsed.
func (s *Store) DueRuns(ctx context.Context, tx linkspan.Tx, after linkspan.EnvironmentID, without []linkspan.EnvironmentID, perEnvironment, limit int) ([]linkspan.Run, error) {
	if without == nil {
		without = []linkspan.EnvironmentID{}
	}
	skip, err := jsonText(without)
	if err != nil {
		return nil, wrap("DueRuns", err)
	}
	list, err := all(ctx, s.read(tx), func(row scanner) (r linkspan.Run, err error) {
		var lapsed int
		return r, row.Scan(&lapsed, &r.ID, &r.EnvironmentID, timeInto{&r.LeaseUntil})
	}, s.dueRunsQuery(), int64(after), perEnvironment, limit, skip)
	return list, wrap("DueRuns", err)
}

// dueRunsQuery walks through the index of waiting runs without reading more of it
// than it returns, as dueQuery does: from each row to the next one of the same
// environment that is due, or, when there is none or there were enough, to the
// first one of the next environment, due or not.
func (s *Store) dueRunsQuery() string {
	const (
		order = " order by r.environment_id, r.next_at, r.id limit 1"
		rank  = "case when p.environment_id = h.environment_id then w.n + 1 else 1 end"
	)
	now := "(select " + s.dialect.now + ")"
	skipped := "h.environment_id in (" + s.dialect.ids("$4") + ")"
	taken := "w.taken + case when h.next_at <= " + now + " and not " + skipped + " then 1 else 0 end"
	return `
		with recursive walk(id, n, previous, taken) as (
			select (select r.id from runs r where r.state = 'waiting' and r.environment_id > $1` + order + `),
				cast(0 as bigint), cast(0 as bigint), cast(0 as bigint)
			union all
			select coalesce(
				case when ` + rank + ` < $2 and not ` + skipped + ` then (
					select r.id from runs r where r.state = 'waiting' and r.environment_id = h.environment_id
						and (r.next_at, r.id) > (h.next_at, h.id) and r.next_at <= ` + now + order + `) end,
				(select r.id from runs r where r.state = 'waiting' and r.environment_id > h.environment_id` + order + `)),
				` + rank + `, w.id, ` + taken + `
			from walk w join runs h on h.id = w.id left join runs p on p.id = w.previous
			where ` + taken + ` < $3
		)
		select 1 as lapsed, id, environment_id, lease_until from (
			select h.id, h.environment_id, h.lease_until from runs h
			where h.lease_until is not null and h.lease_until <= ` + now + ` and not ` + skipped + `
			order by h.lease_until limit $3) as left_behind
		union all
		select 0 as lapsed, h.id, h.environment_id, null
			from walk w join runs h on h.id = w.id where h.next_at <= ` + now + ` and not ` + skipped + `
		order by lapsed desc, environment_id, id`
}

// ClaimRuns makes holder the one that works for ttl, by the database's clock, on
// those of the runs that are still due, or that were left behind. It counts the
// attempts, raises the numbers that fence them, and returns the runs with their
// inputs. Error is set only when the input can't be decrypted, which is logged.
func (s *Store) ClaimRuns(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string, ttl time.Duration) ([]linkspan.Run, error) {
	if holder == "" {
		return nil, errors.New("store.ClaimRuns: a claim needs a holder")
	}
	wanted, err := jsonText(ids)
	if err != nil {
		return nil, wrap("ClaimRuns", err)
	}
	var claimed []linkspan.Run
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		now := s.dialect.now
		got, err := all(ctx, t, value[int64], `
			update runs set state = 'running', holder = $1, attempts = attempts + 1, attempt = attempt + 1, next_at = null,
				lease_until = `+now+` + $2, started_at = coalesce(started_at, `+now+`)
			where id in (select id from runs where id in (`+s.dialect.ids("$3")+`)
				and (state = 'waiting' and next_at <= `+now+` or state = 'running' and lease_until <= `+now+`)`+s.dialect.skipLocked+`)
			returning id`, holder, ttl.Microseconds(), wanted)
		if err != nil || len(got) == 0 {
			claimed = nil
			return err
		}
		claimed, err = s.claimedRuns(ctx, t, got)
		return err
	})
	return claimed, wrap("ClaimRuns", err)
}

// claimedRuns reads runs with their inputs.
func (s *Store) claimedRuns(ctx context.Context, t *txn, ids []int64) ([]linkspan.Run, error) {
	text, err := jsonText(ids)
	if err != nil {
		return nil, err
	}
	var inputs [][]byte
	list, err := all(ctx, t, func(row scanner) (r linkspan.Run, err error) {
		var sealed []byte
		r, err = scanRunAnd(row, &sealed)
		inputs = append(inputs, sealed)
		return r, err
	}, "select "+runColumns+", r.input from runs r where r.id in ("+s.dialect.ids("$1")+") order by r.id", text)
	if err != nil {
		return nil, err
	}
	for i := range list {
		r := &list[i]
		if r.Input, err = s.openText(ctx, t, r.EnvironmentID, runAAD("input", r.UUID), inputs[i]); err != nil {
			if t.failed != nil || ctx.Err() != nil {
				return nil, err
			}
			s.log.ErrorContext(ctx, "decrypting the input of a run failed", "run", r.UUID, "error", err)
			r.Input = linkspan.Secret{}
			r.Error = &linkspan.RunError{Code: "internal_server_error", Message: "The stored input of the run can't be decrypted."}
		}
	}
	return list, nil
}

// runFences makes the argument for dialect.pairs that names attempts.
func runFences(held []linkspan.Run) (string, error) {
	pairs := make([][2]int64, len(held))
	for i := range held {
		pairs[i] = [2]int64{int64(held[i].ID), held[i].Attempt}
	}
	return jsonText(pairs)
}

// RenewRuns lets leases last for ttl from now, by the database's clock, and
// returns the ids of those that nobody else has taken over.
func (s *Store) RenewRuns(ctx context.Context, tx linkspan.Tx, held []linkspan.Run, ttl time.Duration) ([]linkspan.RunID, error) {
	text, err := runFences(held)
	if err != nil {
		return nil, wrap("RenewRuns", err)
	}
	var kept []linkspan.RunID
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		kept, err = all(ctx, t, value[linkspan.RunID], "update runs set lease_until = "+s.dialect.now+" + $1 from "+
			s.dialect.pairs("$2")+" where runs.id = u.id and runs.attempt = u.at and runs.lease_until is not null returning runs.id",
			ttl.Microseconds(), text)
		return err
	})
	return kept, wrap("RenewRuns", err)
}

// ReleaseRun gives the lease back of an attempt that was broken off before it did
// anything: the run is due at once, and the attempt does not count. It reports
// whether the attempt was still the newest.
func (s *Store) ReleaseRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, "update runs set state = 'waiting', attempts = attempts - 1, next_at = "+s.dialect.now+
			", lease_until = null, holder = '' where id = $1 and attempt = $2 and lease_until is not null", int64(r.ID), r.Attempt)
		if n > 0 {
			t.changed(linkspan.ChangeRunsDue, r.EnvironmentID, "")
		}
		return err
	})
	return n > 0, wrap("ReleaseRun", err)
}

// ReleaseClaims gives back those of the runs that the holder has claimed, as if it
// had not: they are due at once, and the attempts don't count.
func (s *Store) ReleaseClaims(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string) error {
	text, err := jsonText(ids)
	if err != nil {
		return wrap("ReleaseClaims", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		n, err := t.exec(ctx, "update runs set state = 'waiting', attempts = attempts - 1, next_at = "+s.dialect.now+
			", lease_until = null, holder = '' where id in ("+s.dialect.ids("$1")+") and holder = $2 and lease_until is not null", text, holder)
		if n > 0 {
			t.changed(linkspan.ChangeRunsDue, 0, "")
		}
		return err
	})
	return wrap("ReleaseClaims", err)
}

// FinishRun stores what became of an attempt: State, Attempts, Output and Error.
// A run that waits again is due in retryIn, by the database's clock. It reports
// whether the attempt was still the newest.
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
		output, err := s.sealText(ctx, t, r.EnvironmentID, runAAD("output", r.UUID), r.Output.Reveal())
		if err != nil {
			return err
		}
		problem, err := s.sealText(ctx, t, r.EnvironmentID, runAAD("error", r.UUID), failure)
		if err != nil {
			return err
		}
		next, ended := "null", s.dialect.now
		args := []any{string(r.State), r.Attempts, output, problem, int64(r.ID), r.Attempt}
		if r.State == linkspan.RunWaiting {
			next, ended = s.dialect.now+" + $7", "null"
			args = append(args, retryIn.Microseconds())
		}
		n, err = t.exec(ctx, `
			update runs set state = $1, attempts = $2, output = $3, error = $4, holder = '', lease_until = null,
				next_at = `+next+`, ended_at = `+ended+`
			where id = $5 and attempt = $6 and lease_until is not null`, args...)
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

// PurgeRuns removes at most limit runs that ended before the given time. It
// returns how many; call it again while that is limit.
func (s *Store) PurgeRuns(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from runs where id in (select id from runs where ended_at < $1 order by ended_at limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeRuns", err)
}

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func authorJobAAD(column, uuid string) vault.AAD {
	return vault.AAD{Table: "author_jobs", Column: column, Row: uuid}
}

// InsertAuthorJob stores a job and sets its ID, CreatedAt and UpdatedAt. One whose
// State is final is stored with its result, as ended. KindConflict: so many of the
// environment have not ended that there is no room for it.
func (s *Store) InsertAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob, room int) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := lockEnvironment(ctx, t, s.dialect.forShare, j.EnvironmentID); err != nil {
			return err
		}
		open, err := one(ctx, t, value[int], "select count(*) from author_jobs where environment_id = $1 and ended_at is null", int64(j.EnvironmentID))
		if err != nil {
			return err
		}
		final := j.State == linkspan.RunSucceeded || j.State == linkspan.RunFailed
		if open >= room && !final {
			return linkspan.E("store.InsertAuthorJob", linkspan.KindConflict, "", nil, "%d jobs have not ended.", open)
		}
		sealed, err := s.sealAuthorJob(ctx, t, j)
		if err != nil {
			return err
		}
		j.CreatedAt, j.UpdatedAt = t.now, t.now
		if final {
			j.StartedAt, j.EndedAt = t.now, t.now
		}
		j.ID, err = one(ctx, t, value[linkspan.AuthorJobID], `
			insert into author_jobs (uuid, environment_id, kind, state, integration_key, function_name, function_kind, request, result, output, error,
				operation_id, attempt, holder, created_at, updated_at, started_at, ended_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '', $13, $13, $14, $15) returning id`,
			j.UUID, int64(j.EnvironmentID), string(j.Kind), string(j.State), storable(j.IntegrationKey), storable(j.FunctionName), string(j.FunctionKind),
			sealed.request, sealed.result, sealed.output, sealed.failure, string(j.Operation), micros(t.now), nullMicros(j.StartedAt), nullMicros(j.EndedAt))
		return err
	})
	return wrap("InsertAuthorJob", err)
}

// sealedJob are the columns of a job that are encrypted.
type sealedJob struct{ request, result, output, failure []byte }

func (s *Store) sealAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (c sealedJob, err error) {
	failure := ""
	if j.Error != nil {
		if failure, err = jsonText(j.Error); err != nil {
			return c, err
		}
	}
	for _, column := range []struct {
		name, text string
		into       *[]byte
	}{{"request", j.Request.Reveal(), &c.request}, {"result", j.Result.Reveal(), &c.result}, {"output", j.Output.Reveal(), &c.output}, {"error", failure, &c.failure}} {
		if *column.into, err = s.sealText(ctx, tx, j.EnvironmentID, authorJobAAD(column.name, j.UUID), column.text); err != nil {
			return c, err
		}
	}
	return c, nil
}

const authorJobColumns = `id, uuid, environment_id, kind, state, integration_key, function_name, function_kind, operation_id, attempt, holder,
	lease_until, created_at, updated_at, started_at, ended_at, request, result, output, error`

// scanAuthorJob reads the authorJobColumns of a row.
func scanAuthorJob(row scanner) (jobRow, error) {
	var r jobRow
	j := &r.job
	err := row.Scan(&j.ID, &j.UUID, &j.EnvironmentID, &j.Kind, &j.State, &j.IntegrationKey, &j.FunctionName, &j.FunctionKind, &j.Operation, &j.Attempt, &j.Holder,
		timeInto{&j.LeaseUntil}, timeInto{&j.CreatedAt}, timeInto{&j.UpdatedAt}, timeInto{&j.StartedAt}, timeInto{&j.EndedAt},
		&r.sealed.request, &r.sealed.result, &r.sealed.output, &r.sealed.failure)
	return r, err
}

// jobRow is a job as it is stored.
type jobRow struct {
	job    linkspan.AuthorJob
	sealed sealedJob
}

func (s *Store) openAuthorJob(ctx context.Context, tx linkspan.Tx, r jobRow) (linkspan.AuthorJob, error) {
	j := r.job
	var failure linkspan.Secret
	for _, column := range []struct {
		name   string
		sealed []byte
		into   *linkspan.Secret
	}{
		{"request", r.sealed.request, &j.Request},
		{"result", r.sealed.result, &j.Result},
		{"output", r.sealed.output, &j.Output},
		{"error", r.sealed.failure, &failure},
	} {
		var err error
		if *column.into, err = s.openText(ctx, tx, j.EnvironmentID, authorJobAAD(column.name, j.UUID), column.sealed); err != nil {
			return j, err
		}
	}
	if failure.IsZero() {
		return j, nil
	}
	if err := json.Unmarshal([]byte(failure.Reveal()), &j.Error); err != nil {
		return j, fmt.Errorf("reading the stored error of a job: %w", err)
	}
	return j, nil
}

// AuthorJob returns a job of the environment.
func (s *Store) AuthorJob(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.AuthorJob, error) {
	r, err := one(ctx, s.read(tx), scanAuthorJob, "select "+authorJobColumns+" from author_jobs where environment_id = $1 and uuid = $2", int64(env), uuid)
	if err != nil {
		return r.job, wrap("AuthorJob", err)
	}
	j, err := s.openAuthorJob(ctx, tx, r)
	return j, wrap("AuthorJob", err)
}

// DueAuthorJobs returns at most limit ids of jobs that nobody works on, environments
// in turns: the first one of each, then the second ones. Of the deploys of one
// function only the first is due, so that the last one asked for is the one that stays.
func (s *Store) DueAuthorJobs(ctx context.Context, tx linkspan.Tx, full []linkspan.EnvironmentID, limit int) ([]linkspan.AuthorJob, error) {
	text, err := jsonText(append([]linkspan.EnvironmentID{}, full...))
	if err != nil {
		return nil, wrap("DueAuthorJobs", err)
	}
	list, err := all(ctx, s.read(tx), func(row scanner) (j linkspan.AuthorJob, err error) {
		err = row.Scan(&j.ID, &j.EnvironmentID)
		return j, err
	}, `select id, environment_id from (
			select id, environment_id, row_number() over (partition by environment_id order by id) as turn from author_jobs
			where ended_at is null and (lease_until is null or lease_until <= `+s.dialect.now+`)
				and environment_id not in (`+s.dialect.ids("$1")+`)
				and not exists (select 1 from author_jobs b where b.ended_at is null and b.environment_id = author_jobs.environment_id
					and b.id < author_jobs.id and b.kind = 'deployment' and author_jobs.kind = 'deployment'
					and b.integration_key = author_jobs.integration_key and b.function_kind = author_jobs.function_kind
					and b.function_name = author_jobs.function_name)) as due
		order by turn, id limit $2`, text, limit)
	return list, wrap("DueAuthorJobs", err)
}

// ClaimAuthorJob makes holder the one that works on a job for ttl, by the database's
// clock, and returns it: false when somebody does already, or when it has ended.
func (s *Store) ClaimAuthorJob(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorJobID, holder string, ttl time.Duration) (linkspan.AuthorJob, bool, error) {
	var (
		j     linkspan.AuthorJob
		found bool
	)
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		list, err := all(ctx, t, scanAuthorJob, `
			update author_jobs set state = 'running', holder = $2, attempt = attempt + 1, lease_until = `+s.dialect.now+` + $3,
				started_at = coalesce(started_at, $4), updated_at = $4
			where id = $1 and ended_at is null and (lease_until is null or lease_until <= `+s.dialect.now+`)
			returning `+authorJobColumns, int64(id), holder, ttl.Microseconds(), micros(t.now))
		if found = len(list) > 0; err != nil || !found {
			return err
		}
		j, err = s.openAuthorJob(ctx, t, list[0])
		return err
	})
	return j, found && err == nil, wrap("ClaimAuthorJob", err)
}

// holdsAuthorJob selects a job while an attempt is its newest.
const holdsAuthorJob = " where id = $1 and attempt = $2 and ended_at is null and lease_until is not null"

// RenewAuthorJob lets the lease last for ttl from now, and reports whether the
// attempt is still the newest.
func (s *Store) RenewAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob, ttl time.Duration) (bool, error) {
	return s.changeAuthorJob(ctx, tx, "RenewAuthorJob", "update author_jobs set lease_until = "+s.dialect.now+" + $3"+holdsAuthorJob,
		int64(j.ID), j.Attempt, ttl.Microseconds())
}

// NoteAuthorJob stores how far a job is, its Output, for those who ask meanwhile and
// for whoever takes it over. It reports whether the attempt is still the newest.
func (s *Store) NoteAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		output, err := s.sealText(ctx, t, j.EnvironmentID, authorJobAAD("output", j.UUID), j.Output.Reveal())
		if err != nil {
			return err
		}
		n, err = t.exec(ctx, "update author_jobs set output = $3, updated_at = $4"+holdsAuthorJob, int64(j.ID), j.Attempt, output, micros(t.now))
		return err
	})
	return n > 0, wrap("NoteAuthorJob", err)
}

// ReleaseAuthorJob gives back a job that was not worked on: it waits again. It
// reports whether the attempt was still the newest.
func (s *Store) ReleaseAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error) {
	return s.changeAuthorJob(ctx, tx, "ReleaseAuthorJob", "update author_jobs set state = 'waiting', holder = '', lease_until = null, started_at = null"+holdsAuthorJob,
		int64(j.ID), j.Attempt)
}

func (s *Store) changeAuthorJob(ctx context.Context, tx linkspan.Tx, op, query string, args ...any) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, query, args...)
		return err
	})
	return n > 0, wrap(op, err)
}

// FinishAuthorJob stores how a job ended: State, Result, Output and Error. It
// reports whether the attempt was still the newest.
func (s *Store) FinishAuthorJob(ctx context.Context, tx linkspan.Tx, j *linkspan.AuthorJob) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		sealed, err := s.sealAuthorJob(ctx, t, j)
		if err != nil {
			return err
		}
		n, err = t.exec(ctx, `update author_jobs set state = $3, request = null, result = $4, output = $5, error = $6, holder = '', lease_until = null,
			updated_at = $7, ended_at = $7`+holdsAuthorJob,
			int64(j.ID), j.Attempt, string(j.State), sealed.result, sealed.output, sealed.failure, micros(t.now))
		return err
	})
	return n > 0, wrap("FinishAuthorJob", err)
}

// PurgeAuthorJobs removes at most limit jobs that ended before the given time, and
// returns how many.
func (s *Store) PurgeAuthorJobs(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	n, err := s.purge(ctx, tx, "delete from author_jobs where id in (select id from author_jobs where ended_at < $1 order by ended_at limit $2"+
		s.dialect.skipLocked+")", micros(before), limit)
	return n, wrap("PurgeAuthorJobs", err)
}

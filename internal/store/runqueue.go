package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
)

// maxRunSteps bounds how many rows one look for due runs goes through, so that
// none takes long however many groups there are of which nothing may run.
const maxRunSteps = 2000

// dueRow is a row that DueRuns reads.
type dueRow struct {
	kind int // 2: where the look was cut off; 1: lapsed; 0: due
	step int // in the walk
	run  linkspan.Run
}

// DueRuns returns runs whose holders let their leases lapse, at most q.Limit, and
// then at most q.Limit of those that are due: at most q.PerGroup of each group and
// q.PerEnvironment of each environment, in the order of environments and functions.
// Those for which there is no room are passed over. Only ID, EnvironmentID,
// FunctionID, ConnectionID, Provider and LeaseUntil are filled in; LeaseUntil is
// zero unless a lease lapsed. The group is the one at which it stopped because
// there were enough; zero: it saw everything from q.From on.
func (s *Store) DueRuns(ctx context.Context, tx linkspan.Tx, q linkspan.RunQuery) ([]linkspan.Run, linkspan.RunGroup, error) {
	args, err := dueRunsArgs(&q)
	if err != nil {
		return nil, linkspan.RunGroup{}, wrap("DueRuns", err)
	}
	list, err := all(ctx, s.read(tx), func(row scanner) (d dueRow, err error) {
		r := &d.run
		return d, row.Scan(&d.kind, &d.step, &r.ID, &r.EnvironmentID, &r.FunctionID, &r.ConnectionID, &r.Provider, timeInto{&r.LeaseUntil})
	}, s.dueRunsQuery(), args...)
	if err != nil {
		return nil, linkspan.RunGroup{}, wrap("DueRuns", err)
	}
	var cut linkspan.RunGroup
	found := make([]linkspan.Run, 0, len(list))
	for i := range list {
		if r := &list[i].run; list[i].kind == 2 {
			cut = linkspan.RunGroup{EnvironmentID: r.EnvironmentID, FunctionID: r.FunctionID}
		} else {
			found = append(found, *r)
		}
	}
	return found, cut, nil
}

func dueRunsArgs(q *linkspan.RunQuery) ([]any, error) {
	// Of two environments neither's name can begin with the other's: digits and a
	// slash. No environment has the ID 0.
	providers := make([]string, 0, len(q.FullProviders)+len(q.FullShares))
	for _, p := range q.FullProviders {
		providers = append(providers, "0/"+storable(p))
	}
	for _, share := range q.FullShares {
		providers = append(providers, strconv.FormatInt(int64(share.EnvironmentID), 10)+"/"+storable(share.Provider))
	}
	behind := make([][2]int64, 0, len(q.Behind))
	for env, fn := range q.Behind {
		behind = append(behind, [2]int64{int64(env), int64(fn)})
	}
	pairs := make([]string, len(q.FullPairs))
	for i, p := range q.FullPairs {
		pairs[i] = strconv.FormatInt(int64(p.FunctionID), 10) + "/" + strconv.FormatInt(int64(p.ConnectionID), 10)
	}
	args := []any{int64(q.Lane), int64(q.From), q.PerGroup, q.PerEnvironment, q.Limit, maxRunSteps}
	for _, list := range []any{behind, list(q.FullEnvironments), list(q.FullFunctions), list(q.FullConnections), providers, pairs} {
		text, err := jsonText(list)
		if err != nil {
			return nil, err
		}
		args = append(args, text)
	}
	return args, nil
}

// list is one that is encoded as [] when it is empty.
func list[T any](of []T) []T { return append([]T{}, of...) }

// dueRunsQuery walks through the index of waiting runs without reading more of it
// than it must: from each row to the next one of its group that may run; when there
// is none, or there were enough, to the first one of the next group, and when there
// were enough of the environment, or it is full, to that of the next environment.
// of_group, of_environment and taken count what was taken before a row: of its
// group, of its environment, and in all. What the lists say of a row is found out
// once, when the walk comes to it: PostgreSQL plans each mention of a list.
func (s *Store) dueRunsQuery() string {
	const (
		first   = "select r.id from runs r where r.state = 'waiting' and r.lane = $1 and "
		order   = " order by r.environment_id, r.function_id, r.next_at, r.id limit 1"
		nextEnv = "(" + first + "r.environment_id > w.environment_id" + order + ")"
		nextOne = "(" + first + "(r.environment_id, r.function_id) > (w.environment_id, w.function_id)" + order + ")"
		down    = "(" + first + "r.environment_id = w.environment_id and r.function_id > " +
			"(select at from begins where begins.id = w.environment_id)" + order + ")"
		may     = "(w.due and not w.full_environment and not w.full_group and not w.full_connection and not w.jump)"
		one     = "case when " + may + " then 1 else 0 end"
		ofGroup = "(w.of_group + " + one + ")"
		ofEnv   = "(w.of_environment + " + one + ")"
		taken   = "(w.taken + " + one + ")"
		sameEnv = "h.environment_id = w.environment_id"
	)
	var (
		now      = "(select " + s.dialect.now + ")"
		fullConn = func(of string) string {
			return "(" + of + ".connection_id in (" + s.dialect.ids("$10") + ") or cast(" + of + ".function_id as text) || '/' || cast(" + of +
				".connection_id as text) in (" + s.dialect.list("$12") + "))"
		}
		fullEnv = "h.environment_id in (" + s.dialect.ids("$8") + ")"
		fullOne = "(h.function_id in (" + s.dialect.ids("$9") + ") or '0/' || h.provider in (" + s.dialect.list("$11") +
			") or cast(h.environment_id as text) || '/' || h.provider in (" + s.dialect.list("$11") + "))"
		// An environment that has a function to begin behind is entered at its first
		// row, and left from there to behind that function.
		early = "coalesce(h.function_id <= (select at from begins where begins.id = h.environment_id), false)"
		row   = "h.id, h.environment_id, h.function_id, h.connection_id, h.provider, h.next_at, h.next_at <= " + now + ", " + fullEnv + ", " + fullOne +
			", " + fullConn("h") + ", "
		same = "(" + first + "r.environment_id = w.environment_id and r.function_id = w.function_id and (r.next_at, r.id) > (w.next_at, w.id) and r.next_at <= " +
			now + " and not " + fullConn("r") + order + ")"
	)
	return `
		with recursive begins(id, at) as (select u.id, u.at from ` + s.dialect.pairs("$7") + `),
		walk(id, environment_id, function_id, connection_id, provider, next_at, due, full_environment, full_group, full_connection, jump,
			of_group, of_environment, taken, step) as (
			select ` + row + early + `, 0, 0, 0, 1 from runs h where h.id = (` + first + `r.environment_id >= $2` + order + `)
			union all
			select ` + row + `(h.environment_id <> w.environment_id and ` + early + `),
				case when ` + sameEnv + ` and h.function_id = w.function_id then ` + ofGroup + ` else 0 end,
				case when ` + sameEnv + ` then ` + ofEnv + ` else 0 end, ` + taken + `, w.step + 1
			from walk w join runs h on h.id = case
				when w.full_environment or ` + ofEnv + ` >= $4 then ` + nextEnv + `
				when w.jump then coalesce(` + down + `, ` + nextEnv + `)
				when not w.due or w.full_group or ` + ofGroup + ` >= $3 then ` + nextOne + `
				else coalesce(` + same + `, ` + nextOne + `) end
			where ` + taken + ` < $5 and w.step < $6
		)
		select 2 as kind, step, id, environment_id, function_id, connection_id, provider, null as lease_until
			from walk w where step >= $6 or ` + taken + ` >= $5
		union all
		select 1, 0, id, environment_id, function_id, connection_id, provider, lease_until from (
			select h.id, h.environment_id, h.function_id, h.connection_id, h.provider, h.lease_until from runs h
			where h.lease_until is not null and h.lease_until <= ` + now + ` and h.lane = $1 and not ` + fullEnv + ` and not ` + fullOne + `
				and not ` + fullConn("h") + `
			order by h.lease_until limit cast($5 as bigint)) as left_behind
		union all
		select 0, step, id, environment_id, function_id, connection_id, provider, null from walk w where ` + may + `
		order by kind desc, step, id`
}

// RunsOfOthers returns the runs of a lane on which others than the holder work at
// the moment, by the database's clock, with the fields that DueRuns fills in. In a
// transaction it waits for every other one that has asked for the lane's: what they
// claim is seen here, and what this one claims is seen by those that come later.
func (s *Store) RunsOfOthers(ctx context.Context, tx linkspan.Tx, lane linkspan.RunLane, holder string) ([]linkspan.Run, error) {
	if tx != nil {
		if err := s.lockNamed(ctx, asTxn(tx), lockLanes+int64(lane)); err != nil {
			return nil, wrap("RunsOfOthers", err)
		}
	}
	list, err := all(ctx, s.read(tx), func(row scanner) (r linkspan.Run, err error) {
		return r, row.Scan(&r.ID, &r.EnvironmentID, &r.FunctionID, &r.ConnectionID, &r.Provider, timeInto{&r.LeaseUntil})
	}, "select id, environment_id, function_id, connection_id, provider, lease_until from runs where lease_until is not null and lease_until > (select "+
		s.dialect.now+") and lane = $1 and holder <> $2", int64(lane), holder)
	return list, wrap("RunsOfOthers", err)
}

// ClaimRuns makes holder the one that works for ttl, by the database's clock, on
// those of the runs that are still due, or that were left behind. It counts the
// attempts, raises the numbers that fence them, and returns the runs with their
// inputs. Error is set only when the input can't be decrypted, which is logged.
// Of syncs it notes the checkpoint's version as their progress: that they had
// another holder, who died without having moved it, is another stall, and none counts
// any more once it was moved. What its own holder claims again was not begun: that
// claim seemed to fail.
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
		now, version := s.dialect.now, "coalesce("+checkpointOf("version")+", 0)"
		got, err := all(ctx, t, value[int64], `
			update runs as r set state = 'running', holder = $1, attempts = attempts + 1, attempt = attempt + 1, next_at = null,
				lease_until = `+now+` + $2, started_at = coalesce(started_at, `+now+`),
				checkpoint_from = case when sync_id is not null and started_at is null then `+checkpointOf("value")+` else checkpoint_from end,
				stalls = case when sync_id is null or progress <> `+version+` then 0 when state = 'running' and holder <> $1 then stalls + 1 else stalls end,
				progress = case when sync_id is null then 0 else `+version+` end
			where id in (select id from runs where `+s.dialect.among("id", "$3")+`
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
	}, "select "+runColumns+", r.input from runs r where "+s.dialect.among("r.id", "$1")+" order by r.id", text)
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
// returns the ids of those that nobody else has taken over or cancelled, or is about
// to: nobody's leases must lapse because the deletion of what others have takes long.
func (s *Store) RenewRuns(ctx context.Context, tx linkspan.Tx, held []linkspan.Run, ttl time.Duration) ([]linkspan.RunID, error) {
	text, err := runFences(held)
	if err != nil {
		return nil, wrap("RenewRuns", err)
	}
	var kept []linkspan.RunID
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		kept, err = all(ctx, t, value[linkspan.RunID], "update runs set lease_until = "+s.dialect.now+" + $1 where id in ("+
			"select runs.id from runs join "+s.dialect.pairs("$2")+" on runs.id = u.id and runs.attempt = u.at where runs.lease_until is not null"+
			s.dialect.of(s.dialect.forNoKeyUpdate, "runs")+s.dialect.skip+") returning id", ttl.Microseconds(), text)
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
			", lease_until = null, holder = '' where "+s.dialect.among("id", "$1")+" and holder = $2 and lease_until is not null", text, holder)
		if n > 0 {
			t.changed(linkspan.ChangeRunsDue, 0, "")
		}
		return err
	})
	return wrap("ReleaseClaims", err)
}

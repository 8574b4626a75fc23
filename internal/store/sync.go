package store

import (
	"context"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// selectSyncs reads the syncs whose ids are the JSON array $1, in their order; s is
// the sync, and more are conditions on it. What belongs to a deleted integration or
// connection, or to a function that was removed, does not exist. The syncs are found
// on their own: a planner whose statistics are old would rather begin with all that
// an environment or a function has.
func (s *Store) selectSyncs(more string) string {
	return "with chosen as materialized (select * from syncs where " + s.dialect.among("id", "$1") + `)
		select s.id, s.uuid, s.environment_id, s.connection_id, s.function_id, s.variant, f.name, i.key, i.provider, c.name, c.uuid, f.enabled,
			s.state, s.frequency, s.every, s.cron, s.anchor, s.next_at, s.again, s.succeeded_at, s.unannounced_since, s.unannounced, s.created_at, s.updated_at
		from chosen s join functions f on f.id = s.function_id and f.deleted_at is null
		join connections c on c.id = s.connection_id and c.deleted_at is null
		join integrations i on i.id = f.integration_id and i.deleted_at is null` + more + " order by s.id"
}

func scanSync(row scanner) (sy linkspan.Sync, err error) {
	var every int64
	err = row.Scan(&sy.ID, &sy.UUID, &sy.EnvironmentID, &sy.ConnectionID, &sy.FunctionID, &sy.Variant, &sy.Name, &sy.IntegrationKey, &sy.Provider,
		&sy.ConnectionName, &sy.ConnectionUUID, &sy.Enabled, &sy.State, &sy.Frequency, &every, &sy.Cron, timeInto{&sy.Anchor}, timeInto{&sy.NextAt},
		&sy.Again, timeInto{&sy.SucceededAt}, timeInto{&sy.UnannouncedSince}, jsonInto{&sy.Unannounced}, timeInto{&sy.CreatedAt}, timeInto{&sy.UpdatedAt})
	sy.Every = time.Duration(every) * time.Microsecond
	return sy, err
}

func syncBulk() bulk {
	return bulk{table: "syncs", columns: []column{
		{"uuid", "text"},
		{"environment_id", "bigint"},
		{"connection_id", "bigint"},
		{"function_id", "bigint"},
		{"variant", "text"},
		{"state", "text"},
		{"frequency", "text"},
		{"every", "bigint"},
		{"cron", "text"},
		{"anchor", "bigint"},
		{"next_at", "bigint"},
		{"again", "boolean"},
		{"created_at", "bigint"},
		{"updated_at", "bigint"},
	}, tail: "on conflict do nothing"}
}

// Clock returns the database's time.
func (s *Store) Clock(ctx context.Context, tx linkspan.Tx) (time.Time, error) {
	var now time.Time
	_, err := one(ctx, s.read(tx), func(row scanner) (struct{}, error) { return struct{}{}, row.Scan(timeInto{&now}) }, "select "+s.dialect.now)
	return now, wrap("Clock", err)
}

// LastClock returns the latest time that the database's clock is known to have
// shown, by when the newest runs began or were due. Zero: there are none.
func (s *Store) LastClock(ctx context.Context, tx linkspan.Tx) (time.Time, error) {
	const newest = 100 // some may have come after it was put back
	var at time.Time
	_, err := one(ctx, s.read(tx), func(row scanner) (struct{}, error) { return struct{}{}, row.Scan(timeInto{&at}) },
		"select max(coalesce(started_at, next_at)) from (select started_at, next_at from runs order by id desc limit $1) as newest", newest)
	return at, wrap("LastClock", err)
}

// InsertSyncs stores those of the syncs that are not there: one of the connection,
// the function and the variant. It sets the times of all and the IDs of those it
// stored; that of another one stays 0.
func (s *Store) InsertSyncs(ctx context.Context, tx linkspan.Tx, syncs []*linkspan.Sync) error {
	if len(syncs) == 0 {
		return nil
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		b := syncBulk()
		values := make([]any, 0, len(syncs)*len(b.columns))
		uuids := make([]string, len(syncs))
		for i, sy := range syncs {
			sy.CreatedAt, sy.UpdatedAt = t.now, t.now
			uuids[i] = sy.UUID
			values = append(values, sy.UUID, int64(sy.EnvironmentID), int64(sy.ConnectionID), int64(sy.FunctionID), sy.Variant, string(sy.State),
				sy.Frequency, sy.Every.Microseconds(), sy.Cron, micros(sy.Anchor), nullMicros(sy.NextAt), sy.Again, micros(t.now), micros(t.now))
		}
		ids, err := insertNumbered[linkspan.SyncID](ctx, s, t, b, values, uuids)
		for _, sy := range syncs {
			sy.ID = ids[sy.UUID]
		}
		return err
	})
	return wrap("InsertSyncs", err)
}

// SyncIDs returns the ids of the syncs of a function, in their order. An empty
// variant is any, and so is the connection 0.
func (s *Store) SyncIDs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, function linkspan.FunctionID, variant string,
	connection linkspan.ConnectionID,
) ([]linkspan.SyncID, error) {
	var c conditions
	c.add("environment_id = " + c.arg(int64(env)))
	c.add("function_id = " + c.arg(int64(function)))
	if variant != "" {
		c.add("variant = " + c.arg(variant))
	}
	if connection != 0 {
		c.add("connection_id = " + c.arg(int64(connection)))
	}
	ids, err := all(ctx, s.read(tx), value[linkspan.SyncID], "select id from syncs where "+c.where()+" order by id", c.args...)
	return ids, wrap("SyncIDs", err)
}

// Syncs returns those of the syncs that exist, in the order of ids. In a
// transaction nobody changes them until it ends.
func (s *Store) Syncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID) ([]linkspan.Sync, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	text, err := listText(ids)
	if err != nil {
		return nil, wrap("Syncs", err)
	}
	if tx != nil && s.dialect.forUpdate != "" {
		// Not in one statement with the rest: what others have changed while it
		// waited would be seen in one table and not in the next.
		if _, err := all(ctx, s.read(tx), value[int64], "select id from syncs where "+s.dialect.among("id", "$1")+" and environment_id = $2 order by id"+
			s.dialect.forUpdate, text, int64(env)); err != nil {
			return nil, wrap("Syncs", err)
		}
	}
	list, err := all(ctx, s.read(tx), scanSync, s.selectSyncs(" where s.environment_id = $2"), text, int64(env))
	return list, wrap("Syncs", err)
}

// LockSyncs returns the ids of the syncs of functions, or of a connection, whether
// these exist or not. Nobody changes them until the transaction ends.
func (s *Store) LockSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, functions []linkspan.FunctionID, connection linkspan.ConnectionID) ([]linkspan.SyncID, error) {
	var c conditions
	c.add("environment_id = " + c.arg(int64(env)))
	if functions != nil {
		text, err := listText(functions)
		if err != nil {
			return nil, wrap("LockSyncs", err)
		}
		c.add(s.dialect.among("function_id", c.arg(text)))
	}
	if connection != 0 {
		c.add("connection_id = " + c.arg(int64(connection)))
	}
	ids, err := all(ctx, s.read(tx), value[linkspan.SyncID], "select id from syncs where "+c.where()+" order by id"+locked(tx, s.dialect.forUpdate), c.args...)
	return ids, wrap("LockSyncs", err)
}

// CountSyncs counts the syncs of a connection in all variants.
func (s *Store) CountSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) (int, error) {
	n, err := one(ctx, s.read(tx), value[int], `select count(*) from syncs s join functions f on f.id = s.function_id and f.deleted_at is null
		where s.environment_id = $1 and s.connection_id = $2`, int64(env), int64(connection))
	return n, wrap("CountSyncs", err)
}

// listText is jsonText of a list, of which nil is an empty one.
func listText[T any](list []T) (string, error) {
	if list == nil {
		list = []T{}
	}
	return jsonText(list)
}

// changeSyncs runs one update of syncs; $1 is the list as JSON.
func changeSyncs[T any](ctx context.Context, s *Store, tx linkspan.Tx, op, statement string, list []T, more ...any) error {
	text, err := listText(list)
	if err != nil {
		return wrap(op, err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, statement, append([]any{text}, more...)...)
		return err
	})
	return wrap(op, err)
}

// timePairs makes the argument of dialect.pairs for times that may be zero, which
// stand for null.
func timePairs(m map[linkspan.SyncID]time.Time) [][2]any {
	pairs := make([][2]any, 0, len(m))
	for id, at := range m {
		pairs = append(pairs, [2]any{int64(id), nullMicros(at)})
	}
	return pairs
}

// ScheduleSyncs sets when syncs run next; the zero time is never.
func (s *Store) ScheduleSyncs(ctx context.Context, tx linkspan.Tx, next map[linkspan.SyncID]time.Time) error {
	if len(next) == 0 {
		return nil
	}
	return changeSyncs(ctx, s, tx, "ScheduleSyncs", "update syncs set next_at = u.at from "+s.dialect.pairs("$1")+" where syncs.id = u.id", timePairs(next))
}

// StartSyncs has syncs run by their schedules, which are counted off from their
// anchors; the next run of all is at next, never if that is zero.
func (s *Store) StartSyncs(ctx context.Context, tx linkspan.Tx, anchors map[linkspan.SyncID]time.Time, next time.Time) error {
	return changeSyncs(ctx, s, tx, "StartSyncs", "update syncs set state = 'started', anchor = u.at, next_at = $2 from "+s.dialect.pairs("$1")+
		" where syncs.id = u.id", timePairs(anchors), nullMicros(next))
}

// PauseSyncs keeps syncs from running by their schedules.
func (s *Store) PauseSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error {
	return changeSyncs(ctx, s, tx, "PauseSyncs", "update syncs set state = 'paused', next_at = null where state <> 'paused' and "+s.dialect.among("id", "$1"), ids)
}

// SetSyncsAgain sets whether another run follows the one under way.
func (s *Store) SetSyncsAgain(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, again bool) error {
	return changeSyncs(ctx, s, tx, "SetSyncsAgain", "update syncs set again = $2 where again <> $2 and "+s.dialect.among("id", "$1"), ids, again)
}

// ResetSyncs forgets when syncs last succeeded, and their checkpoints; with
// unannounced, also the changes that were not announced yet.
func (s *Store) ResetSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, unannounced bool) error {
	text, err := listText(ids)
	if err != nil {
		return wrap("ResetSyncs", err)
	}
	set := "succeeded_at = null"
	if unannounced {
		set += ", unannounced_since = null, unannounced = null"
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := s.deleteSyncCheckpoints(ctx, t, text); err != nil {
			return err
		}
		_, err := t.exec(ctx, "update syncs set "+set+" where (succeeded_at is not null or unannounced_since is not null) and "+s.dialect.among("id", "$1"), text)
		return err
	})
	return wrap("ResetSyncs", err)
}

// deleteSyncCheckpoints removes the checkpoints of syncs, whose ids are a JSON
// array.
func (s *Store) deleteSyncCheckpoints(ctx context.Context, t *txn, ids string) error {
	_, err := t.exec(ctx, `delete from checkpoints where (connection_id, key) in (
		select s.connection_id, `+syncCheckpointKey+` from syncs s join functions f on f.id = s.function_id
		where `+s.dialect.among("s.id", "$1")+")", ids)
	return err
}

// syncCheckpointKey is linkspan.CheckpointKey of the sync s and its function f.
const syncCheckpointKey = "'sync/' || f.name || '/' || s.variant"

// SaveSync stores of a sync Frequency, Every, Cron, NextAt, Again, SucceededAt,
// UnannouncedSince and Unannounced.
func (s *Store) SaveSync(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync) error {
	var unannounced any
	if len(sy.Unannounced) > 0 {
		text, err := jsonText(sy.Unannounced)
		if err != nil {
			return wrap("SaveSync", err)
		}
		unannounced = text
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		sy.UpdatedAt = t.now
		return affected(t.exec(ctx, `update syncs set frequency = $1, every = $2, cron = $3, next_at = $4, again = $5, succeeded_at = $6,
			unannounced_since = $7, unannounced = $8, updated_at = $9 where id = $10 and environment_id = $11`,
			sy.Frequency, sy.Every.Microseconds(), sy.Cron, nullMicros(sy.NextAt), sy.Again, nullMicros(sy.SucceededAt),
			nullMicros(sy.UnannouncedSince), unannounced, micros(t.now), int64(sy.ID), int64(sy.EnvironmentID)))
	})
	return wrap("SaveSync", err)
}

// SetSyncFrequencies gives the syncs of a function that have no frequency of their
// own another one.
func (s *Store) SetSyncFrequencies(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID, every time.Duration, cron string) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, "update syncs set every = $1, cron = $2, updated_at = $3 where function_id = $4 and frequency = ''",
			every.Microseconds(), cron, micros(t.now), int64(function))
		return err
	})
	return wrap("SetSyncFrequencies", err)
}

// SyncCrons returns the cron expressions of a function's syncs, each once.
func (s *Store) SyncCrons(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID) ([]string, error) {
	list, err := all(ctx, s.read(tx), value[string], "select distinct cron from syncs where function_id = $1 and cron <> '' order by cron", int64(function))
	return list, wrap("SyncCrons", err)
}

// RescheduleSyncs works out anew when the started syncs of a function run next. A
// run that is due stays, and the first one, if it is yet to come, is due now; with
// first, so are those that never succeeded and have no next run. Steps are counted
// from the anchors, and ticks say when each cron expression comes next, zero for
// never, from when on syncs are spread by their anchors over the given time. One
// without a schedule has no next run.
func (s *Store) RescheduleSyncs(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID, now time.Time, ticks map[string]time.Time, spread time.Duration, first bool) error {
	const (
		// The first run is put off for a moment, unless the clock was put back since.
		starts  = "(next_at <= anchor or $3 and next_at is null and succeeded_at is null)"
		keep    = "case when next_at <= $2 then next_at when " + starts + " then $2 else "
		started = " where function_id = $1 and state = 'started' and "
	)
	// An anchor that is further ahead than a step is brought back by whole ones: all
	// runs until then would be taken for the first.
	set := func(step string) string {
		return "update syncs set anchor = case when anchor - $2 < " + step + " then anchor when next_at <= $2 or " + starts +
			" then anchor - (anchor - $2) / " + step + " * " + step + " else anchor - ((anchor - $2) / " + step + " + 1) * " + step + " end, next_at = " + keep
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if _, err := t.exec(ctx, set("every")+`
			case when anchor <= $2 then anchor + (($2 - anchor) / every + 1) * every
				when anchor - $2 < every then anchor + every
				else anchor - (anchor - $2 - 1) / every * every end end`+started+"every > 0", int64(function), micros(now), first); err != nil {
			return err
		}
		for cron, tick := range ticks {
			if _, err := t.exec(ctx, set("$6")+"$5 + anchor % $6 end"+started+"cron = $4",
				int64(function), micros(now), first, cron, nullMicros(tick), spread.Microseconds()); err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, "update syncs set next_at = null where function_id = $1 and every = 0 and cron = ''", int64(function))
		return err
	})
	return wrap("RescheduleSyncs", err)
}

// StopSyncs takes the next runs of a function's syncs away, which stay started.
func (s *Store) StopSyncs(ctx context.Context, tx linkspan.Tx, function linkspan.FunctionID) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, "update syncs set next_at = null, again = $2 where function_id = $1", int64(function), false)
		return err
	})
	return wrap("StopSyncs", err)
}

// DeleteSyncs deletes syncs with their checkpoints.
func (s *Store) DeleteSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) error {
	text, err := listText(ids)
	if err != nil {
		return wrap("DeleteSyncs", err)
	}
	err = s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if err := s.deleteSyncCheckpoints(ctx, t, text); err != nil {
			return fmt.Errorf("deleting checkpoints: %w", err)
		}
		_, err := t.exec(ctx, "delete from syncs where "+s.dialect.among("id", "$1"), text)
		return err
	})
	return wrap("DeleteSyncs", err)
}

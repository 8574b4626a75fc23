package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// SyncIntegration returns an integration by ID, Key and Provider alone.
func (s *Store) SyncIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	i, err := one(ctx, s.read(tx), func(row scanner) (i linkspan.Integration, err error) {
		i.EnvironmentID = env
		return i, row.Scan(&i.ID, &i.Key, &i.Provider)
	}, "select id, key, provider from integrations where environment_id = $1 and key = $2 and deleted_at is null", int64(env), key)
	return i, wrap("SyncIntegration", err)
}

// SyncConnection returns a connection without what is sealed. In a transaction
// nobody changes or deletes it until that ends.
func (s *Store) SyncConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, name string) (linkspan.Connection, error) {
	r, err := one(ctx, s.read(tx), scanConnection, "select "+connectionColumns+"null, null, null"+fromConnections+`
		where c.environment_id = $1 and c.integration_id = $2 and c.name = $3 and c.deleted_at is null and i.deleted_at is null`+
		locked(tx, s.dialect.of(s.dialect.forNoKeyUpdate, "c")), int64(env), int64(integration), name)
	return r.Connection, wrap("SyncConnection", err)
}

// SyncFunctions returns the integration's syncs, switched on or not, oldest first.
// In a transaction they stay as they are until it ends.
func (s *Store) SyncFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) ([]linkspan.Function, error) {
	const rest = "and f.integration_id = $2 and f.kind = 'sync' and f.deleted_at is null order by f.id"
	if tx != nil && s.dialect.forShare != "" {
		// Locked first and read then: a version that was changed while this waited
		// would be joined with the old one, and the function be missing.
		if _, err := all(ctx, s.read(tx), value[int64], "select f.id from functions f where f.environment_id = $1 "+rest+s.dialect.forShare,
			int64(env), int64(integration)); err != nil {
			return nil, wrap("SyncFunctions", err)
		}
	}
	return s.functions(ctx, tx, "SyncFunctions", rest, int64(env), int64(integration))
}

// AllSyncFunctions returns at most limit syncs of all environments by ID,
// EnvironmentID and IntegrationID alone, in the order of ids, from behind after.
func (s *Store) AllSyncFunctions(ctx context.Context, tx linkspan.Tx, after linkspan.FunctionID, limit int) ([]linkspan.Function, error) {
	list, err := all(ctx, s.read(tx), func(row scanner) (f linkspan.Function, err error) {
		return f, row.Scan(&f.ID, &f.EnvironmentID, &f.IntegrationID)
	}, `select f.id, f.environment_id, f.integration_id from functions f join integrations i on i.id = f.integration_id and i.deleted_at is null
		where f.id > $1 and f.kind = 'sync' and f.deleted_at is null order by f.id limit $2`, int64(after), limit)
	return list, wrap("AllSyncFunctions", err)
}

// connectionsWithoutSync looks up the sync of each connection. Told that there is
// none, PostgreSQL would join the two, and does that in the square of their number
// while it thinks that there are few.
const connectionsWithoutSync = "select " + connectionColumns + "null, null, null" + fromConnections + `
	where c.environment_id = $1 and c.integration_id = $2 and c.id > $3 and c.deleted_at is null and i.deleted_at is null and (
		select s.id from syncs s where s.connection_id = c.id and s.function_id = $4 and s.variant = 'base' limit 1) is null
	order by c.id limit $5`

// ConnectionsWithoutSync returns at most limit connections of an integration, in
// the order of ids, from behind after, that have no sync of the function in its
// base variant, without what is sealed. In a transaction they are not deleted until
// it ends.
func (s *Store) ConnectionsWithoutSync(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID,
	function linkspan.FunctionID, after linkspan.ConnectionID, limit int,
) ([]linkspan.Connection, error) {
	found, err := all(ctx, s.read(tx), scanConnection, connectionsWithoutSync+locked(tx, s.dialect.of(s.dialect.forShare, "c")),
		int64(env), int64(integration), int64(after), int64(function), limit)
	return unsealed(found), wrap("ConnectionsWithoutSync", err)
}

// DueSyncs returns the ids of at most limit syncs that are due, those first that
// are so longest. Where there are more, half of the places are for environments in
// turns, so that one with thousands delays nobody: the first of each comes before
// the second of any.
func (s *Store) DueSyncs(ctx context.Context, tx linkspan.Tx, limit int) ([]linkspan.SyncID, error) {
	now := "(select " + s.dialect.now + ")"
	oldest, err := all(ctx, s.read(tx), value[linkspan.SyncID], "select id from syncs where next_at <= "+now+" order by next_at limit $1", limit)
	if err != nil || len(oldest) < limit {
		return oldest, wrap("DueSyncs", err)
	}
	// Scalar queries throughout: for joins PostgreSQL may read the whole table. They
	// are ordered as the index of those with a next run is, which passes over the rest.
	ids, err := all(ctx, s.read(tx), value[linkspan.SyncID], `
		with recursive walk(env) as (
			select (select s.environment_id from syncs s where s.next_at is not null order by s.environment_id, s.next_at, s.id limit 1)
			union all
			select (select s.environment_id from syncs s where s.next_at is not null and s.environment_id > w.env
				order by s.environment_id, s.next_at, s.id limit 1)
			from walk w where w.env is not null
		),
		waiting(env, id, turn) as (
			select env, (select s.id from syncs s where s.environment_id = w.env and s.next_at <= `+now+` order by s.next_at, s.id limit 1), 1
			from walk w where w.env is not null
			union all
			select p.env, (select s.id from syncs s where s.environment_id = p.env and s.next_at <= `+now+`
				and (s.next_at, s.id) > ((select h.next_at from syncs h where h.id = p.id), p.id) order by s.next_at, s.id limit 1), p.turn + 1
			from waiting p where p.id is not null and p.turn < $1
		)
		select w.id from waiting w where w.id is not null order by w.turn, (select s.next_at from syncs s where s.id = w.id), w.id limit $2`,
		turnsOfDue, limit/2)
	if err != nil {
		return nil, wrap("DueSyncs", err)
	}
	for _, id := range oldest {
		if len(ids) < limit && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// turnsOfDue is how many syncs of one environment DueSyncs may find in turns.
const turnsOfDue = 10

// TakeDueSyncs returns those of the syncs that are still due and that no other
// transaction holds; nobody changes them until this one ends. The ids of those
// whose function or connection does not exist any more are gone.
func (s *Store) TakeDueSyncs(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID) (syncs []linkspan.Sync, gone []linkspan.SyncID, err error) {
	text, err := listText(ids)
	if err != nil {
		return nil, nil, wrap("TakeDueSyncs", err)
	}
	taken, err := all(ctx, s.read(tx), value[linkspan.SyncID], "select id from syncs where "+s.dialect.among("id", "$1")+" and next_at <= (select "+s.dialect.now+
		") order by id"+s.dialect.skipLocked, text)
	if err != nil || len(taken) == 0 {
		return nil, nil, wrap("TakeDueSyncs", err)
	}
	if text, err = listText(taken); err != nil {
		return nil, nil, wrap("TakeDueSyncs", err)
	}
	if syncs, err = all(ctx, s.read(tx), scanSync, s.selectSyncs(""), text); err != nil {
		return nil, nil, wrap("TakeDueSyncs", err)
	}
	there := make(map[linkspan.SyncID]bool, len(syncs))
	for i := range syncs {
		there[syncs[i].ID] = true
	}
	for _, id := range taken {
		if !there[id] {
			gone = append(gone, id)
		}
	}
	return syncs, gone, nil
}

// Connecting returns those of the connections whose functions of
// post-connection-creation have not all ended.
func (s *Store) Connecting(ctx context.Context, tx linkspan.Tx, ids []linkspan.ConnectionID) ([]linkspan.ConnectionID, error) {
	text, err := listText(ids)
	if err != nil {
		return nil, wrap("Connecting", err)
	}
	list, err := all(ctx, s.read(tx), value[linkspan.ConnectionID], `select distinct connection_id from runs
		where event <> '' and ended_at is null and event = 'post-connection-creation' and `+s.dialect.among("connection_id", "$1"), text)
	return list, wrap("Connecting", err)
}

// ActiveRuns returns the runs of syncs that have not ended: ID, State, NextAt and
// StartedAt.
func (s *Store) ActiveRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error) {
	return s.syncRuns(ctx, tx, "ActiveRuns", "r.ended_at is null and "+s.dialect.among("r.sync_id", "$1"), syncs)
}

// LastRuns returns the newest runs of syncs that have ended: ID, State, StartedAt,
// EndedAt and, in Sync, what they changed.
func (s *Store) LastRuns(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error) {
	found, err := s.syncRuns(ctx, tx, "LastRuns", `r.id in (select (select max(e.id) from runs e where e.sync_id = s.id and e.ended_at is not null)
		from syncs s where `+s.dialect.among("s.id", "$1")+")", syncs)
	if err != nil {
		return nil, err
	}
	runs := make([]*linkspan.Run, 0, len(found))
	for id := range found {
		r := found[id]
		runs = append(runs, &r)
	}
	if err := s.countRuns(ctx, s.read(tx), runs); err != nil {
		return nil, wrap("LastRuns", err)
	}
	for _, r := range runs {
		found[r.Sync.ID] = *r
	}
	return found, nil
}

func (s *Store) syncRuns(ctx context.Context, tx linkspan.Tx, op, where string, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Run, error) {
	text, err := listText(syncs)
	if err != nil {
		return nil, wrap(op, err)
	}
	found := make(map[linkspan.SyncID]linkspan.Run)
	_, err = all(ctx, s.read(tx), func(row scanner) (struct{}, error) {
		r := linkspan.Run{Sync: &linkspan.RunSync{}}
		err := row.Scan(&r.Sync.ID, &r.ID, &r.State, timeInto{&r.NextAt}, timeInto{&r.StartedAt}, timeInto{&r.EndedAt})
		found[r.Sync.ID] = r
		return struct{}{}, err
	}, "select r.sync_id, r.id, r.state, r.next_at, r.started_at, r.ended_at from runs r where "+where, text)
	return found, wrap(op, err)
}

// BackfillStart returns when the first of a sync's runs began that were
// interrupted before the given one, and after the last one that was not
// interrupted and succeeded. Zero: there was none.
func (s *Store) BackfillStart(ctx context.Context, tx linkspan.Tx, sync linkspan.SyncID, before linkspan.RunID) (time.Time, error) {
	var at time.Time
	_, err := one(ctx, s.read(tx), func(row scanner) (struct{}, error) { return struct{}{}, row.Scan(timeInto{&at}) }, `
		select min(r.started_at) from runs r where r.sync_id = $1 and r.id < $2 and r.interrupted = $3 and r.id > coalesce((
			select d.id from runs d where d.sync_id = $1 and d.id < $2 and d.state = 'success' and d.interrupted = $4 order by d.id desc limit 1), 0)`,
		int64(sync), int64(before), true, false)
	return at, wrap("BackfillStart", err)
}

// SyncCheckpoints returns the checkpoints of syncs.
func (s *Store) SyncCheckpoints(ctx context.Context, tx linkspan.Tx, syncs []linkspan.SyncID) (map[linkspan.SyncID]linkspan.Checkpoint, error) {
	text, err := listText(syncs)
	if err != nil {
		return nil, wrap("SyncCheckpoints", err)
	}
	found := make(map[linkspan.SyncID]linkspan.Checkpoint)
	_, err = all(ctx, s.read(tx), func(row scanner) (struct{}, error) {
		var (
			id   linkspan.SyncID
			c    linkspan.Checkpoint
			text string
		)
		err := row.Scan(&id, &c.Key, &text, &c.Version, timeInto{&c.UpdatedAt})
		c.Value = json.RawMessage(text)
		found[id] = c
		return struct{}{}, err
	}, `select s.id, k.key, k.value, k.version, k.updated_at from syncs s join functions f on f.id = s.function_id
		join checkpoints k on k.connection_id = s.connection_id and k.key = `+syncCheckpointKey+" where "+s.dialect.among("s.id", "$1"), text)
	return found, wrap("SyncCheckpoints", err)
}

// SyncPlaces returns the connections and variants of syncs, as streams without a
// model, except where one of the other functions has a sync as well.
func (s *Store) SyncPlaces(ctx context.Context, tx linkspan.Tx, ids []linkspan.SyncID, others []linkspan.FunctionID) ([]linkspan.RecordStream, error) {
	text, err := listText(ids)
	if err != nil {
		return nil, wrap("SyncPlaces", err)
	}
	except, err := listText(others)
	if err != nil {
		return nil, wrap("SyncPlaces", err)
	}
	list, err := all(ctx, s.read(tx), func(row scanner) (st linkspan.RecordStream, err error) {
		return st, row.Scan(&st.EnvironmentID, &st.ConnectionID, &st.Variant)
	}, `select s.environment_id, s.connection_id, s.variant from syncs s where `+s.dialect.among("s.id", "$1")+` and not exists (
		select 1 from syncs o where o.connection_id = s.connection_id and o.variant = s.variant and `+s.dialect.among("o.function_id", "$2")+") order by s.id",
		text, except)
	return list, wrap("SyncPlaces", err)
}

// LockOrphanedSyncs returns the ids of syncs whose connection was deleted, at an
// integration or, for the id 0, in the whole environment. Nobody changes them until
// the transaction ends.
func (s *Store) LockOrphanedSyncs(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) ([]linkspan.SyncID, error) {
	var c conditions
	c.add("environment_id = " + c.arg(int64(env)))
	c.add("deleted_at is not null")
	if integration != 0 {
		c.add("integration_id = " + c.arg(int64(integration)))
	}
	ids, err := all(ctx, s.read(tx), value[linkspan.SyncID], "select id from syncs where environment_id = $1 and connection_id in (select id from connections where "+
		c.where()+") order by id"+locked(tx, s.dialect.forUpdate), c.args...)
	return ids, wrap("LockOrphanedSyncs", err)
}

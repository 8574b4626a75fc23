package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// keepChanges is how long change rows are kept. A replica that reads none
	// of them for this long has closed its caches long before.
	keepChanges = 10 * time.Minute
	// purgeChangesEvery is how often a process removes older ones, in passing.
	purgeChangesEvery = time.Minute
	purgeChangesLimit = 5000
	changeChannel     = "linkspan_changes"
)

// recordChanges numbers and writes the noted changes. It must be the last
// statement before the commit: it locks the row that every other such
// transaction needs.
func (t *txn) recordChanges(ctx context.Context) error {
	if len(t.changes) == 0 {
		return nil
	}
	if err := t.purgeChanges(ctx); err != nil {
		return err
	}
	record := recordChangesSQLite
	if t.db.pg != nil {
		record = recordChangesPostgres
	}
	last, err := record(ctx, t)
	if err != nil {
		return err
	}
	first := last - int64(len(t.changes)) + 1
	for i := range t.changes {
		t.changes[i].Seq = first + int64(i)
	}
	return nil
}

func recordChangesSQLite(ctx context.Context, t *txn) (int64, error) {
	n := int64(len(t.changes))
	last, err := one(ctx, t, value[int64], "update change_sequence set seq = seq + $1 where id = 1 returning seq", n)
	if err != nil {
		return 0, err
	}
	for i, c := range t.changes {
		if _, err := t.exec(ctx, "insert into changes (seq, kind, environment_id, key, at) values ($1, $2, $3, $4, "+t.db.dialect.now+")",
			last-n+1+int64(i), string(c.Kind), int64(c.Environment), c.Key); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// recordChangesPostgres takes one round trip, so that the lock on the sequence
// is held for that and the commit only.
func recordChangesPostgres(ctx context.Context, t *txn) (int64, error) {
	kinds := make([]string, len(t.changes))
	envs := make([]int64, len(t.changes))
	keys := make([]string, len(t.changes))
	for i, c := range t.changes {
		kinds[i], envs[i], keys[i] = string(c.Kind), int64(c.Environment), c.Key
	}
	return one(ctx, t, func(s scanner) (seq int64, err error) {
		var notified bool
		return seq, s.Scan(&seq, &notified)
	}, `
		with next as (
			update change_sequence set seq = seq + cast($1 as bigint) where id = 1 returning seq
		), added as (
			insert into changes (seq, kind, environment_id, key, at)
			select next.seq - cast($1 as bigint) + u.n, u.kind, u.environment_id, u.key, `+t.db.dialect.now+`
			from next, unnest(cast($2 as text[]), cast($3 as bigint[]), cast($4 as text[])) with ordinality as u (kind, environment_id, key, n)
		)
		select seq, pg_notify('`+changeChannel+`', '') is not null from next`,
		int64(len(t.changes)), kinds, envs, keys)
}

// purgeChanges removes old change rows, now and then. Rows that another
// transaction is removing are left to it.
func (t *txn) purgeChanges(ctx context.Context) error {
	last, now := t.db.lastPurge.Load(), t.now.UnixMicro()
	if now-last < purgeChangesEvery.Microseconds() || !t.db.lastPurge.CompareAndSwap(last, now) {
		return nil
	}
	_, err := t.exec(ctx, "delete from changes where seq in (select seq from changes where at < "+t.db.dialect.now+
		" - $1 order by at limit $2"+t.db.dialect.skipLocked+")", keepChanges.Microseconds(), purgeChangesLimit)
	return err
}

// LatestChange returns the highest number of a change, 0 when there is none.
func (db *DB) LatestChange(ctx context.Context) (int64, error) {
	seq, err := one(ctx, db.read(nil), value[int64], "select seq from change_sequence where id = 1")
	return seq, wrap("LatestChange", err)
}

// ChangesSince returns at most limit changes with numbers above seq, in order.
// When some of them are gone, the only result is of kind ChangeLost with the
// number to go on from.
func (db *DB) ChangesSince(ctx context.Context, seq int64, limit int) ([]linkspan.Change, error) {
	// One statement, so that the latest number and the rows are of one moment.
	var latest int64
	found, err := all(ctx, db.read(nil), func(s scanner) (c linkspan.Change, err error) {
		return c, s.Scan(&latest, &c.Seq, &c.Kind, &c.Environment, &c.Key)
	}, `
		select s.seq, coalesce(c.seq, 0), coalesce(c.kind, ''), coalesce(c.environment_id, 0), coalesce(c.key, '')
		from change_sequence s left join changes c on c.seq > $1
		where s.id = 1
		order by c.seq limit cast($2 as bigint)`, seq, limit)
	if err != nil {
		return nil, wrap("ChangesSince", err)
	}
	if latest == seq {
		return nil, nil
	}
	for i, c := range found {
		if c.Seq != seq+1+int64(i) {
			return []linkspan.Change{{Seq: latest, Kind: linkspan.ChangeLost}}, nil
		}
	}
	return found, nil
}

// Notifications returns a channel that gets a value when changes may have been
// committed, and is closed when ctx ends or the database is closed. It is nil
// when only polling is possible. On SQLite it tells of this process's commits.
func (db *DB) Notifications(ctx context.Context) <-chan struct{} {
	if db.pollOnly && db.pg != nil {
		return nil
	}
	ch := make(chan struct{}, 1)
	if db.pg != nil {
		db.wg.Go(func() { db.listen(ctx, ch) })
		return ch
	}
	db.mu.Lock()
	db.wakers[ch] = struct{}{}
	db.mu.Unlock()
	db.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-db.done:
		}
		db.mu.Lock()
		defer db.mu.Unlock()
		delete(db.wakers, ch)
		close(ch)
	})
	return ch
}

// wake tells the in-process listeners; on PostgreSQL there are none.
func (db *DB) wake() {
	db.mu.Lock()
	defer db.mu.Unlock()
	for ch := range db.wakers {
		signal(ch)
	}
}

// signal never blocks: a value that waits already says the same.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

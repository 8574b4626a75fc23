package connect_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
)

// memory is a database in memory. Like SQLite it runs one transaction at a time;
// like every real one it forgets what a failed transaction did, and its own
// clock decides about leases.
type memory struct {
	// busy holds a value while a transaction runs. A channel, so that a test
	// with a fake clock can tell waiting from working.
	busy chan struct{}
	data *tables
	seq  atomic.Int64
	// reads counts lookups of single connections.
	reads atomic.Int64
	// skipped is how far all clocks were put forward.
	skipped atomic.Int64
}

// now is the one clock of a test. Putting it forward is much faster than letting
// a day pass in which every ticker ticks.
func (m *memory) now() time.Time { return time.Now().Add(time.Duration(m.skipped.Load())) }

func (m *memory) skip(d time.Duration) { m.skipped.Add(int64(d)) }

type tables struct {
	nextID       int64
	integrations map[string]linkspan.Integration // by key
	connections  map[linkspan.ConnectionID]linkspan.Connection
	writtenAt    map[linkspan.ConnectionID]time.Time // of the credentials
	deletedAt    map[linkspan.ConnectionID]time.Time
	leases       map[string]linkspan.Lease
	changes      []linkspan.Change

	authorizations map[string]linkspan.Authorization // by UUID
	popups         map[string]string
	told           []told
	jobs           []plannedJob
}

func newMemory() *memory {
	return &memory{busy: make(chan struct{}, 1), data: &tables{
		integrations: make(map[string]linkspan.Integration),
		connections:  make(map[linkspan.ConnectionID]linkspan.Connection),
		writtenAt:    make(map[linkspan.ConnectionID]time.Time),
		deletedAt:    make(map[linkspan.ConnectionID]time.Time),
		leases:       make(map[string]linkspan.Lease),

		authorizations: make(map[string]linkspan.Authorization), popups: make(map[string]string),
	}}
}

// clone copies the tables; rows are replaced, never changed.
func (t *tables) clone() *tables {
	c := *t
	c.integrations, c.connections = maps.Clone(t.integrations), maps.Clone(t.connections)
	c.writtenAt, c.deletedAt, c.leases = maps.Clone(t.writtenAt), maps.Clone(t.deletedAt), maps.Clone(t.leases)
	c.changes, c.told, c.jobs = slices.Clone(t.changes), slices.Clone(t.told), slices.Clone(t.jobs)
	c.authorizations, c.popups = maps.Clone(t.authorizations), maps.Clone(t.popups)
	return &c
}

// node is a replica's way to the database.
type node struct {
	*memory

	feed *change.Feed
	// dead makes everything fail, as for a process that is cut off.
	dead atomic.Bool
	// deaf breaks the way to the database after the next commit.
	deaf atomic.Bool
	// saveFault and stateFault, if set, decide about SaveCredentials and
	// SaveRefreshState.
	saveFault, stateFault atomic.Pointer[func() error]
	// listed, if set, is called with each batch for the background.
	listed atomic.Pointer[func([]linkspan.Connection)]
	// tellFault, if set, decides about AddAuth.
	tellFault atomic.Pointer[func() error]
}

var errDead = errors.New("the database can't be reached")

// memTx is an open transaction of memory.
type memTx struct {
	n       *node
	now     time.Time
	changes []linkspan.Change
	hooks   []func()
}

func (t *memTx) Now() time.Time    { return t.now }
func (t *memTx) OnCommit(f func()) { t.hooks = append(t.hooks, f) }
func (t *memTx) Unwrap() any       { return nil }

func (n *node) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	select {
	case n.busy <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t := &memTx{n: n, now: n.now().UTC().Truncate(time.Microsecond)}
	if err := n.attempt(ctx, t, f); err != nil {
		return err
	}
	for _, c := range t.changes {
		n.feed.Local(c)
	}
	if n.deaf.CompareAndSwap(true, false) {
		return errDead
	}
	for _, h := range t.hooks {
		h()
	}
	return nil
}

// attempt runs f and undoes what it did unless it succeeds; a panic undoes too.
func (n *node) attempt(ctx context.Context, t *memTx, f func(context.Context, linkspan.Tx) error) error {
	before, committed := n.data.clone(), false
	defer func() {
		if !committed {
			n.data = before
		}
		<-n.busy
	}()
	if n.dead.Load() {
		return errDead
	}
	if err := f(ctx, t); err != nil {
		return err
	}
	for _, c := range t.changes {
		c.Seq = n.seq.Add(1)
		n.data.changes = append(n.data.changes, c)
	}
	committed = true
	return nil
}

// do runs f in tx, or in a transaction of its own.
func (n *node) do(ctx context.Context, tx linkspan.Tx, f func(t *memTx) error) error {
	if tx != nil {
		if n.dead.Load() {
			return errDead
		}
		return f(tx.(*memTx))
	}
	return n.InTx(ctx, func(_ context.Context, tx linkspan.Tx) error { return f(tx.(*memTx)) })
}

func (t *memTx) changed(kind linkspan.ChangeKind, env linkspan.EnvironmentID, key string) {
	t.changes = append(t.changes, linkspan.Change{Kind: kind, Environment: env, Key: key})
}

func notFound() error { return linkspan.E("memory", linkspan.KindNotFound, "", nil, "") }
func conflict() error { return linkspan.E("memory", linkspan.KindConflict, "", nil, "") }

func (n *node) Integration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (out linkspan.Integration, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		i, ok := n.data.integrations[key]
		if !ok || i.EnvironmentID != env {
			return notFound()
		}
		out = i
		return nil
	})
	return out, err
}

func (n *node) Connection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (out linkspan.Connection, err error) {
	n.reads.Add(1)
	err = n.do(ctx, tx, func(*memTx) error {
		for id, c := range n.data.connections {
			if c.EnvironmentID == env && c.IntegrationKey == integrationKey && c.Name == name && n.data.deletedAt[id].IsZero() {
				out = c
				return nil
			}
		}
		return notFound()
	})
	return out, err
}

func (n *node) LockConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error) {
	if tx == nil {
		return linkspan.Connection{}, errors.New("a lock without a transaction")
	}
	return n.Connection(ctx, tx, env, integrationKey, name)
}

func (n *node) Connections(ctx context.Context, tx linkspan.Tx, f linkspan.ConnectionFilter) (out []linkspan.Connection, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		for id, c := range n.data.connections {
			if c.EnvironmentID == f.EnvironmentID && n.data.deletedAt[id].IsZero() && (f.Name == "" || f.Name == c.Name) {
				c.Credentials = linkspan.Secret{}
				out = append(out, c)
			}
		}
		slices.SortFunc(out, func(a, b linkspan.Connection) int { return cmp.Compare(b.ID, a.ID) })
		return nil
	})
	return out, err
}

func (n *node) InsertConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	return n.do(ctx, tx, func(t *memTx) error {
		if _, ok := n.data.integrations[c.IntegrationKey]; !ok {
			return notFound()
		}
		if _, err := n.Connection(ctx, t, c.EnvironmentID, c.IntegrationKey, c.Name); err == nil {
			return conflict()
		}
		n.data.nextID++
		c.ID, c.CreatedAt, c.UpdatedAt, c.CredentialsVersion = linkspan.ConnectionID(n.data.nextID), t.now, t.now, 1
		n.data.connections[c.ID] = *c
		n.data.writtenAt[c.ID] = t.now
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		return nil
	})
}

// row returns the stored row of a connection that is not deleted.
func (n *node) row(id linkspan.ConnectionID) (linkspan.Connection, error) {
	c, ok := n.data.connections[id]
	if !ok || !n.data.deletedAt[id].IsZero() {
		return c, notFound()
	}
	return c, nil
}

func (n *node) UpdateConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	return n.do(ctx, tx, func(t *memTx) error {
		row, err := n.row(c.ID)
		if err != nil {
			return err
		}
		next := *c
		next.Credentials, next.CredentialsVersion, next.ExpiresAt, next.Refresh = row.Credentials, row.CredentialsVersion, row.ExpiresAt, row.Refresh
		next.UpdatedAt = t.now
		n.data.connections[c.ID] = next
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		return nil
	})
}

func (n *node) SaveCredentials(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	if f := n.saveFault.Load(); f != nil {
		if err := (*f)(); err != nil {
			return err
		}
	}
	return n.do(ctx, tx, func(t *memTx) error {
		row, err := n.row(c.ID)
		if err != nil {
			return err
		}
		if row.CredentialsVersion != c.CredentialsVersion {
			return conflict()
		}
		row.Credentials, row.Config, row.ExpiresAt, row.Refresh = c.Credentials, c.Config, c.ExpiresAt, c.Refresh
		row.CredentialsVersion++
		row.UpdatedAt = t.now
		t.OnCommit(func() { c.CredentialsVersion, c.UpdatedAt = row.CredentialsVersion, t.now })
		n.data.connections[c.ID] = row
		n.data.writtenAt[c.ID] = t.now
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		return nil
	})
}

func (n *node) SaveRefreshState(ctx context.Context, tx linkspan.Tx, id linkspan.ConnectionID, uuid string, version int64, s linkspan.RefreshState) error {
	if f := n.stateFault.Load(); f != nil {
		if err := (*f)(); err != nil {
			return err
		}
	}
	return n.do(ctx, tx, func(t *memTx) error {
		row, err := n.row(id)
		if err != nil {
			return err
		}
		if row.CredentialsVersion != version {
			return conflict()
		}
		row.Refresh = s
		n.data.connections[id] = row
		t.changed(linkspan.ChangeConnection, row.EnvironmentID, uuid)
		return nil
	})
}

func (n *node) DeleteConnection(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	return n.do(ctx, tx, func(t *memTx) error {
		if _, err := n.row(c.ID); err != nil {
			return err
		}
		n.data.deletedAt[c.ID] = t.now
		t.changed(linkspan.ChangeConnection, c.EnvironmentID, c.UUID)
		return nil
	})
}

func (n *node) TouchConnections(ctx context.Context, tx linkspan.Tx, at map[linkspan.ConnectionID]time.Time) error {
	return n.do(ctx, tx, func(*memTx) error {
		for id, t := range at {
			if row, ok := n.data.connections[id]; ok && t.After(row.LastFetchedAt) {
				row.LastFetchedAt = t
				n.data.connections[id] = row
			}
		}
		return nil
	})
}

func (n *node) ConnectionsToRefresh(ctx context.Context, tx linkspan.Tx, refreshedBefore time.Time, after linkspan.ConnectionID, limit int) (out []linkspan.Connection, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		for _, id := range slices.Sorted(maps.Keys(n.data.connections)) {
			c := n.data.connections[id]
			if id > after && n.data.deletedAt[id].IsZero() && !c.ExpiresAt.IsZero() && !c.Refresh.Exhausted &&
				n.data.writtenAt[id].Before(refreshedBefore) && len(out) < limit {
				c.Credentials = linkspan.Secret{}
				out = append(out, c)
			}
		}
		return nil
	})
	if listed := n.listed.Load(); listed != nil {
		(*listed)(out)
	}
	return out, err
}

func (n *node) PurgeDeleted(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (purged int, err error) {
	err = n.do(ctx, tx, func(*memTx) error {
		for id, at := range n.data.deletedAt {
			if at.Before(before) && purged < limit {
				delete(n.data.connections, id)
				delete(n.data.deletedAt, id)
				purged++
			}
		}
		return nil
	})
	return purged, err
}

func (n *node) AcquireLease(ctx context.Context, tx linkspan.Tx, kind, key, holder string, ttl time.Duration) (out linkspan.Lease, ok bool, err error) {
	err = n.do(ctx, tx, func(t *memTx) error {
		l := n.data.leases[kind+"/"+key]
		if l.Holder != "" && t.now.Before(l.Until) {
			return nil
		}
		l = linkspan.Lease{
			Kind: kind, Key: key, Holder: holder, Attempt: l.Attempt + 1, Until: t.now.Add(ttl),
			State: l.State, TakenOver: l.Holder != "",
		}
		n.data.leases[kind+"/"+key] = l
		out, ok = l, true
		return nil
	})
	return out, ok, err
}

// withLease changes a lease that is still its holder's.
func (n *node) withLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, f func(t *memTx, row *linkspan.Lease)) (held bool, err error) {
	err = n.do(ctx, tx, func(t *memTx) error {
		row := n.data.leases[l.Kind+"/"+l.Key]
		if held = row.Holder == l.Holder && row.Attempt == l.Attempt; held {
			f(t, &row)
			n.data.leases[l.Kind+"/"+l.Key] = row
		}
		return nil
	})
	return held, err
}

func (n *node) RenewLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, ttl time.Duration) (bool, error) {
	return n.withLease(ctx, tx, l, func(t *memTx, row *linkspan.Lease) { row.Until = t.now.Add(ttl) })
}

func (n *node) SetLeaseState(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, state string) (bool, error) {
	return n.withLease(ctx, tx, l, func(_ *memTx, row *linkspan.Lease) { row.State = state })
}

func (n *node) CheckLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error) {
	return n.withLease(ctx, tx, l, func(*memTx, *linkspan.Lease) {})
}

func (n *node) ReleaseLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error) {
	return n.withLease(ctx, tx, l, func(t *memTx, row *linkspan.Lease) { row.Holder, row.State, row.Until = "", "", t.now })
}

func (n *node) LapsedLeases(ctx context.Context, tx linkspan.Tx, kind string, limit int) (out []linkspan.Lease, err error) {
	err = n.do(ctx, tx, func(t *memTx) error {
		for key, l := range n.data.leases {
			if strings.HasPrefix(key, kind+"/") && l.Holder != "" && !t.now.Before(l.Until) && len(out) < limit {
				out = append(out, l)
			}
		}
		return nil
	})
	return out, err
}

func (n *node) LatestChange(context.Context) (int64, error) {
	if n.dead.Load() {
		return 0, errDead
	}
	return n.seq.Load(), nil
}

func (n *node) ChangesSince(ctx context.Context, seq int64, limit int) (out []linkspan.Change, err error) {
	err = n.do(ctx, nil, func(*memTx) error {
		for _, c := range n.data.changes {
			if c.Seq > seq && len(out) < limit {
				out = append(out, c)
			}
		}
		return nil
	})
	return out, err
}

func (n *node) Notifications(context.Context) <-chan struct{} { return nil }

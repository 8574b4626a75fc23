package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

// newSync makes the row of a sync function for a connection. It is due at once if
// the function starts by itself.
func newSync(fn *linkspan.Function, c *linkspan.Connection, variant string, now time.Time) (*linkspan.Sync, error) {
	sy := &linkspan.Sync{
		UUID: linkspan.NewUUID(), EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, FunctionID: fn.ID, Variant: variant,
		Name: fn.Name, IntegrationKey: c.IntegrationKey, Provider: c.Provider, ConnectionName: c.Name, ConnectionUUID: c.UUID,
		Enabled: fn.Enabled, State: linkspan.SyncPaused,
	}
	d := &fn.Version.Definition
	if err := setFrequency(sy, d.Frequency); err != nil {
		return nil, fmt.Errorf("reading the frequency of sync %q: %w", fn.Name, err)
	}
	sy.Anchor = now.Add(jitter(sy.UUID, sy.Every))
	if !d.AutoStart {
		return sy, nil
	}
	if sy.State = linkspan.SyncStarted; fn.Enabled {
		sy.NextAt = now
	}
	return sy, nil
}

// Creating returns what gives a new connection of the integration its syncs, in
// the transaction that stores it. Nothing is looked up before: what is deployed
// meanwhile counts, too.
func (s *Service) Creating(context.Context, linkspan.EnvironmentID, string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error) {
	return s.connected, nil
}

func (s *Service) connected(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	functions, err := s.store.SyncFunctions(ctx, tx, c.EnvironmentID, c.IntegrationID)
	if err != nil {
		return fmt.Errorf("finding the syncs of connection %q of %q: %w", c.Name, c.IntegrationKey, err)
	}
	for i := range functions {
		if err := s.insert(ctx, tx, &functions[i], []linkspan.Connection{*c}); err != nil {
			return fmt.Errorf("storing the syncs of connection %q of %q: %w", c.Name, c.IntegrationKey, err)
		}
	}
	return nil
}

// insert stores the base variant of a sync function for connections.
func (s *Service) insert(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, connections []linkspan.Connection) error {
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return err
	}
	syncs := make([]*linkspan.Sync, len(connections))
	for i := range connections {
		if syncs[i], err = newSync(fn, &connections[i], linkspan.BaseVariant, now); err != nil {
			return err
		}
	}
	tx.OnCommit(s.wake)
	return s.store.InsertSyncs(ctx, tx, syncs)
}

// fillSize is how many connections get their rows of a function in one step: to find
// them, those that have theirs already are gone through.
const fillSize = 1000

// fill gives the connections of an integration their rows of a function, at most
// one batch if the transaction is not to last. It reports whether there may be
// more.
func (s *Service) fill(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, once bool) (more bool, err error) {
	var after linkspan.ConnectionID
	for {
		without, err := s.store.ConnectionsWithoutSync(ctx, tx, fn.EnvironmentID, fn.IntegrationID, fn.ID, after, fillSize)
		if err != nil || len(without) == 0 {
			return false, err
		}
		if err := s.insert(ctx, tx, fn, without); err != nil || once {
			return len(without) == fillSize, err
		}
		after = without[len(without)-1].ID
	}
}

// complete stores the rows of base variants that a selection names and that are not
// there: those of a connection that was brought back by hand, or of functions that
// were deployed before there were syncs.
func (s *Service) complete(ctx context.Context, r *resolved) error {
	for i := range r.targets {
		t := &r.targets[i]
		if t.variant != "" && t.variant != linkspan.BaseVariant {
			continue
		}
		if err := s.completeFunction(ctx, &t.function, &r.connection); err != nil {
			return fmt.Errorf("completing the syncs of %q: %w", t.function.Name, err)
		}
	}
	return nil
}

func (s *Service) completeFunction(ctx context.Context, fn *linkspan.Function, c *linkspan.Connection) error {
	if c.ID != 0 {
		ids, err := s.store.SyncIDs(ctx, nil, fn.EnvironmentID, fn.ID, linkspan.BaseVariant, c.ID)
		if err != nil || len(ids) > 0 {
			return err
		}
	}
	for {
		without, err := s.store.ConnectionsWithoutSync(ctx, nil, fn.EnvironmentID, fn.IntegrationID, fn.ID, 0, 1)
		if err != nil || len(without) == 0 {
			return err
		}
		var more bool
		err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			more = false
			return s.withFunction(ctx, tx, fn, func(fn *linkspan.Function) (err error) {
				more, err = s.fill(ctx, tx, fn, true)
				return err
			})
		})
		if err != nil || !more {
			return err
		}
	}
}

// withFunction calls f with a function as it is now and stays until the transaction
// ends, unless it was removed.
func (s *Service) withFunction(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, f func(fn *linkspan.Function) error) error {
	functions, err := s.store.SyncFunctions(ctx, tx, fn.EnvironmentID, fn.IntegrationID)
	if err != nil {
		return err
	}
	for i := range functions {
		if functions[i].ID == fn.ID {
			return f(&functions[i])
		}
	}
	return nil
}

// FunctionsChanged follows a change of functions of an environment, in the
// transaction that makes it: changed are those that are new, have another version
// or were switched on or off, as they are now; removed those that are gone; before
// holds, at least, the changed ones as they were, unless they are new. Functions of
// other kinds are passed over.
func (s *Service) FunctionsChanged(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, changed, removed, before []linkspan.Function) error {
	was := make(map[linkspan.FunctionID]*linkspan.Function, len(before))
	for i := range before {
		was[before[i].ID] = &before[i]
	}
	for i := range changed {
		if fn := &changed[i]; fn.Kind == linkspan.FunctionSync && was[fn.ID] == nil {
			if _, err := s.fill(ctx, tx, fn, false); err != nil {
				return fmt.Errorf("storing the syncs of %q: %w", fn.Name, err)
			}
		}
	}
	live, err := s.holdFunctions(ctx, tx, env, slices.Concat(changed, removed))
	if err != nil {
		return fmt.Errorf("holding the syncs of functions: %w", err)
	}
	for i := range removed {
		if fn := &removed[i]; fn.Kind == linkspan.FunctionSync {
			if err := s.remove(ctx, tx, fn, live[fn.IntegrationID]); err != nil {
				return fmt.Errorf("removing the syncs of %q: %w", fn.Name, err)
			}
		}
	}
	for i := range changed {
		if fn := &changed[i]; fn.Kind == linkspan.FunctionSync && was[fn.ID] != nil {
			if err := s.follow(ctx, tx, was[fn.ID], fn, live[fn.IntegrationID]); err != nil {
				return fmt.Errorf("changing the syncs of %q: %w", fn.Name, err)
			}
		}
	}
	tx.OnCommit(s.wake)
	return nil
}

// holdFunctions takes all syncs of functions at once, so that they are taken in the
// order in which everybody does, and returns the sync functions that there are at
// their integrations.
func (s *Service) holdFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, list []linkspan.Function) (map[linkspan.IntegrationID][]linkspan.Function, error) {
	live := make(map[linkspan.IntegrationID][]linkspan.Function)
	var ids []linkspan.FunctionID
	for i := range list {
		fn := &list[i]
		if fn.Kind != linkspan.FunctionSync {
			continue
		}
		ids = append(ids, fn.ID)
		if _, known := live[fn.IntegrationID]; known {
			continue
		}
		var err error
		if live[fn.IntegrationID], err = s.store.SyncFunctions(ctx, tx, env, fn.IntegrationID); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return live, nil
	}
	_, err := s.store.LockSyncs(ctx, tx, env, ids, 0)
	return live, err
}

// remove deletes the syncs of a function that was removed, and the records that no
// other one fills.
func (s *Service) remove(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, live []linkspan.Function) error {
	env := fn.EnvironmentID
	ids, err := s.store.LockSyncs(ctx, tx, env, []linkspan.FunctionID{fn.ID}, 0)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := s.cancel(ctx, tx, env, ids, false); err != nil {
		return err
	}
	if err := s.withdraw(ctx, tx, env, ids, false); err != nil {
		return err
	}
	if err := s.dropModels(ctx, tx, fn, live, ids, fn.Version.Definition.Models); err != nil {
		return err
	}
	return s.store.DeleteSyncs(ctx, tx, ids)
}

// dropModels empties the streams of syncs of a function, except those that another
// one of the live functions fills as well.
func (s *Service) dropModels(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, live []linkspan.Function, ids []linkspan.SyncID, models []string) error {
	if len(ids) == 0 {
		return nil
	}
	for _, model := range models {
		var others []linkspan.FunctionID
		for i := range live {
			if live[i].ID != fn.ID && slices.Contains(live[i].Version.Definition.Models, model) {
				others = append(others, live[i].ID)
			}
		}
		places, err := s.store.SyncPlaces(ctx, tx, ids, others)
		if err != nil {
			return err
		}
		if err := s.drop(ctx, tx, fn.EnvironmentID, places, []string{model}); err != nil {
			return err
		}
	}
	return nil
}

// follow brings the syncs of a function up to what it says now.
func (s *Service) follow(ctx context.Context, tx linkspan.Tx, old, fn *linkspan.Function, live []linkspan.Function) error {
	gone := slices.DeleteFunc(slices.Clone(old.Version.Definition.Models), func(model string) bool {
		return slices.Contains(fn.Version.Definition.Models, model)
	})
	changed := old.Version.Definition.Frequency != fn.Version.Definition.Frequency
	if len(gone) == 0 && !changed && old.Enabled == fn.Enabled {
		return nil
	}
	ids, err := s.store.LockSyncs(ctx, tx, fn.EnvironmentID, []linkspan.FunctionID{fn.ID}, 0)
	if err != nil {
		return err
	}
	if err := s.dropModels(ctx, tx, fn, live, ids, gone); err != nil {
		return err
	}
	if changed {
		var usual linkspan.Sync
		if err := setFrequency(&usual, fn.Version.Definition.Frequency); err != nil {
			return err
		}
		if err := s.store.SetSyncFrequencies(ctx, tx, fn.ID, usual.Every, usual.Cron); err != nil {
			return err
		}
	}
	switch {
	case !fn.Enabled && old.Enabled:
		if err := s.store.StopSyncs(ctx, tx, fn.ID); err != nil {
			return err
		}
		if err := s.withdraw(ctx, tx, fn.EnvironmentID, ids, true); err != nil {
			return err
		}
		return s.cancel(ctx, tx, fn.EnvironmentID, ids, true)
	case fn.Enabled && (changed || !old.Enabled):
		return s.reschedule(ctx, tx, fn, !old.Enabled)
	default:
		return nil
	}
}

// reschedule works out anew when the syncs of a function run next.
func (s *Service) reschedule(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, first bool) error {
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return err
	}
	crons, err := s.store.SyncCrons(ctx, tx, fn.ID)
	if err != nil {
		return err
	}
	ticks := make(map[string]time.Time, len(crons))
	for _, cron := range crons {
		f, err := function.ParseFrequency(cron)
		if err != nil || f.Cron == nil {
			continue // it never was one; the loop says so when it is due
		}
		ticks[cron] = f.Cron.Next(now)
	}
	return s.store.RescheduleSyncs(ctx, tx, fn.ID, now, ticks, function.CronSpread, first)
}

// ConnectionDeleted ends the syncs of a connection in the transaction that deletes
// it: their runs are aborted, and their records removed.
func (s *Service) ConnectionDeleted(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
	ids, err := s.store.LockSyncs(ctx, tx, c.EnvironmentID, nil, c.ID)
	if err != nil {
		return fmt.Errorf("finding the syncs of a deleted connection: %w", err)
	}
	if err := s.end(ctx, tx, c.EnvironmentID, ids); err != nil {
		return fmt.Errorf("ending the syncs of a deleted connection: %w", err)
	}
	return s.records.DropConnection(ctx, tx, c.EnvironmentID, c.ID)
}

// ConnectionsDeleted ends the syncs of the connections that were deleted with an
// integration, or for the id 0 with their environment, in the same transaction.
// Nobody can reach their records any more; a job removes them.
func (s *Service) ConnectionsDeleted(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) error {
	ids, err := s.store.LockOrphanedSyncs(ctx, tx, env, integration)
	if err != nil {
		return fmt.Errorf("finding the syncs of deleted connections: %w", err)
	}
	if err := s.end(ctx, tx, env, ids); err != nil {
		return fmt.Errorf("ending the syncs of deleted connections: %w", err)
	}
	return nil
}

// end aborts the runs of syncs and deletes them.
func (s *Service) end(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID) error {
	if len(ids) == 0 {
		return nil
	}
	if err := s.cancel(ctx, tx, env, ids, false); err != nil {
		return err
	}
	if err := s.withdraw(ctx, tx, env, ids, false); err != nil {
		return err
	}
	return s.store.DeleteSyncs(ctx, tx, ids)
}

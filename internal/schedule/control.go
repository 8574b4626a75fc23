package schedule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
)

// queueLimit is until when a run may begin that waits for room.
const queueLimit = 24 * time.Hour

// Start has syncs run at once and then by their schedules. Those that do already
// are left alone. Codes: unknown_provider_config, unknown_connection,
// no_syncs_found; then nothing was changed.
func (s *Service) Start(ctx context.Context, sel Selection) error {
	err := s.control(ctx, &sel, linkspan.ActionUnpause, "Started", s.start)
	s.wake()
	return err
}

// Pause ends the schedules of syncs. A run that is under way goes on, also over its
// time limit. Codes: those of Start.
func (s *Service) Pause(ctx context.Context, sel Selection) error {
	return s.control(ctx, &sel, linkspan.ActionPause, "Paused", func(ctx context.Context, tx linkspan.Tx, _ *linkspan.Function, list []linkspan.Sync) error {
		return s.store.PauseSyncs(ctx, tx, idsOf(list))
	})
}

// Cancel aborts the runs of syncs that are under way or wait; their schedules go
// on. Codes: those of Start.
func (s *Service) Cancel(ctx context.Context, sel Selection) error {
	return s.control(ctx, &sel, linkspan.ActionCancel, "Cancelled the runs of", func(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, list []linkspan.Sync) error {
		ids := idsOf(list)
		if err := s.store.SetSyncsAgain(ctx, tx, ids, false); err != nil {
			return err
		}
		return s.cancel(ctx, tx, fn.EnvironmentID, ids, true)
	})
}

// Trigger has syncs run at once, whatever their schedules are. A sync that is
// running runs once more after that; with Reset the run is aborted, and a new one
// begins from the start. Codes: those of Start, invalid_body for Empty without
// Reset, and disabled_resource for a named sync whose function is switched off.
func (s *Service) Trigger(ctx context.Context, sel Selection, o TriggerOptions) error {
	if o.Empty && !o.Reset {
		return linkspan.E("schedule.Trigger", linkspan.KindInvalid, "invalid_body", nil,
			"Emptying the records needs a reset: a sync that goes on from its checkpoint would not bring them back.")
	}
	action, done := linkspan.ActionRequestRun, "Asked for a run of"
	switch {
	case o.Empty:
		action, done = linkspan.ActionRequestRunFull, "Removed the records and asked for a run from the start of"
	case o.Reset:
		action, done = linkspan.ActionRequestRunFull, "Asked for a run from the start of"
	}
	return s.control(ctx, &sel, action, done, func(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, list []linkspan.Sync) error {
		return s.trigger(ctx, tx, fn, list, o)
	})
}

// change does something to syncs of one function, in a transaction that holds them.
type change func(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, list []linkspan.Sync) error

// control changes the syncs of a selection, and records it as one operation.
func (s *Service) control(ctx context.Context, sel *Selection, action linkspan.OperationAction, done string, f change) error {
	op := s.ops.Start(linkspan.Operation{
		EnvironmentID: sel.Environment, Type: linkspan.OperationSync, Action: action,
		IntegrationKey: sel.IntegrationKey, ConnectionName: sel.ConnectionName,
	})
	n, err := s.controlAll(ctx, sel, action, op, f)
	if err != nil {
		op.FailWith(err)
		return fmt.Errorf("changing syncs of %s: %w", sel.where(), err)
	}
	done += " " + sel.names()
	if n != 1 {
		done += fmt.Sprintf(", %d in all", n)
	}
	op.Succeed(done + ".")
	return nil
}

func (s *Service) controlAll(ctx context.Context, sel *Selection, action linkspan.OperationAction, op *oplog.Op, f change) (int, error) {
	r, err := s.resolve(ctx, "schedule.Control", sel, true)
	if err != nil {
		return 0, err
	}
	op.Describe("", r.integration.Provider, "", r.connection.UUID)
	if action == linkspan.ActionRequestRun || action == linkspan.ActionRequestRunFull {
		if err := r.skipDisabled(len(sel.Syncs) > 0); err != nil {
			return 0, err
		}
	}
	if err := s.complete(ctx, r); err != nil {
		return 0, err
	}
	n := 0
	for i := range r.targets {
		t := &r.targets[i]
		ids, err := s.store.SyncIDs(ctx, nil, r.env, t.function.ID, t.variant, r.connection.ID)
		if err != nil {
			return n, fmt.Errorf("finding syncs: %w", err)
		}
		for batch := range slices.Chunk(ids, batchSize) {
			changed, err := s.changeBatch(ctx, &t.function, batch, f)
			if err != nil {
				return n, err
			}
			n += changed
		}
	}
	return n, nil
}

// batchSize is how many syncs are changed in one transaction: nobody waits for long
// for what it holds.
const batchSize = 100

// changeBatch changes those of the syncs that still exist, and counts them.
func (s *Service) changeBatch(ctx context.Context, fn *linkspan.Function, ids []linkspan.SyncID, f change) (n int, err error) {
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		list, err := s.store.Syncs(ctx, tx, fn.EnvironmentID, ids)
		if n = len(list); err != nil || n == 0 {
			return err
		}
		return f(ctx, tx, fn, list)
	})
	return n, err
}

// skipDisabled takes syncs out that are switched off; named ones are refused.
func (r *resolved) skipDisabled(named bool) error {
	for i := range r.targets {
		if fn := &r.targets[i].function; named && !fn.Enabled {
			return linkspan.E("schedule.Trigger", linkspan.KindInvalid, "disabled_resource", nil, "The sync %q is switched off.", fn.Name).
				WithHint("Enable it first.")
		}
	}
	r.targets = slices.DeleteFunc(r.targets, func(t target) bool { return !t.function.Enabled })
	return nil
}

// names says for people which syncs are selected.
func (s *Selection) names() string {
	what := "all syncs"
	if len(s.Syncs) > 0 {
		names := make([]string, 0, mostShown+1)
		for i, ref := range s.Syncs {
			if i == mostShown {
				names = append(names, "…")
				break
			}
			names = append(names, ref.String())
		}
		if what = "the syncs "; len(names) == 1 {
			what = "the sync "
		}
		what += strings.Join(names, ", ")
	}
	if s.ConnectionName == "" {
		return what + " of all connections"
	}
	return what
}

func idsOf(syncs []linkspan.Sync) []linkspan.SyncID {
	ids := make([]linkspan.SyncID, len(syncs))
	for i := range syncs {
		ids[i] = syncs[i].ID
	}
	return ids
}

// start starts those of the syncs that are paused.
func (s *Service) start(ctx context.Context, tx linkspan.Tx, _ *linkspan.Function, list []linkspan.Sync) error {
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return err
	}
	// Of a function that is switched off they run when that is over.
	anchors, next := make(map[linkspan.SyncID]time.Time, len(list)), time.Time{}
	for i := range list {
		sy := &list[i]
		if sy.State == linkspan.SyncStarted {
			continue
		}
		anchors[sy.ID] = now.Add(jitter(sy.UUID, sy.Every))
		if sy.Enabled {
			next = now
		}
	}
	if len(anchors) == 0 {
		return nil
	}
	return s.store.StartSyncs(ctx, tx, anchors, next)
}

func (s *Service) trigger(ctx context.Context, tx linkspan.Tx, fn *linkspan.Function, list []linkspan.Sync, o TriggerOptions) error {
	ids := idsOf(list)
	if o.Reset {
		if err := s.reset(ctx, tx, fn.EnvironmentID, ids, fn.Version.Definition.Models, o.Empty); err != nil {
			return err
		}
	}
	active, err := s.store.ActiveRuns(ctx, tx, ids)
	if err != nil {
		return err
	}
	var (
		runs  []*linkspan.Run
		again []linkspan.SyncID
	)
	for i := range list {
		sy := &list[i]
		r, busy := active[sy.ID]
		switch {
		case !sy.Enabled: // switched off since it was selected
		case !busy:
			runs = append(runs, newRun(sy, linkspan.CauseTrigger, tx.Now()))
		case r.State == linkspan.RunRunning:
			again = append(again, sy.ID)
		}
	}
	if len(again) > 0 {
		if err := s.store.SetSyncsAgain(ctx, tx, again, true); err != nil {
			return err
		}
	}
	_, err = s.store.InsertSyncRuns(ctx, tx, runs)
	return err
}

// reset has syncs begin from the start with their next run, and removes their
// records of the models if they are to be emptied.
func (s *Service) reset(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID, models []string, empty bool) error {
	if err := s.store.SetSyncsAgain(ctx, tx, ids, false); err != nil {
		return err
	}
	if err := s.cancel(ctx, tx, env, ids, !empty); err != nil {
		return err
	}
	if err := s.store.ResetSyncs(ctx, tx, ids, empty); err != nil || !empty {
		return err
	}
	places, err := s.store.SyncPlaces(ctx, tx, ids, nil)
	if err != nil {
		return err
	}
	return s.drop(ctx, tx, env, places, models)
}

// drop empties the streams of models at places.
func (s *Service) drop(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, places []linkspan.RecordStream, models []string) error {
	const atOnce = 1000
	streams := make([]linkspan.RecordStream, 0, len(places)*len(models))
	for _, model := range models {
		for _, p := range places {
			p.Model = model
			streams = append(streams, p)
		}
	}
	for chunk := range slices.Chunk(streams, atOnce) {
		if err := s.records.Drop(ctx, tx, env, chunk); err != nil {
			return err
		}
	}
	return nil
}

// cancel ends the runs of syncs that the transaction holds. What they have changed
// is kept to be announced with the next run, unless nobody needs to know.
func (s *Service) cancel(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.SyncID, announce bool) error {
	const atOnce = 1000
	for chunk := range slices.Chunk(ids, atOnce) {
		runs, err := s.store.CancelRuns(ctx, tx, env, chunk)
		if err != nil {
			return err
		}
		changed := runs[:0]
		for i := range runs {
			r := &runs[i]
			if r.StartedAt.IsZero() && r.Sync.Cause != linkspan.CauseContinue {
				continue
			}
			if err := s.records.EndRun(ctx, tx, r.ID); err != nil {
				return err
			}
			changed = append(changed, *r)
		}
		if !announce {
			continue
		}
		if err := s.rememberAll(ctx, tx, env, changed); err != nil {
			return err
		}
	}
	return nil
}

// newRun makes a run of a sync that is due at once.
func newRun(sy *linkspan.Sync, cause linkspan.RunCause, now time.Time) *linkspan.Run {
	return &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: sy.EnvironmentID, FunctionID: sy.FunctionID, ConnectionID: sy.ConnectionID,
		Kind: linkspan.FunctionSync, Name: sy.Name, IntegrationKey: sy.IntegrationKey, Provider: sy.Provider,
		ConnectionName: sy.ConnectionName, ConnectionUUID: sy.ConnectionUUID, MaxAttempts: 1, Lane: linkspan.LaneSync,
		Operation: linkspan.NewOperationID(now), ExpiresAt: now.Add(queueLimit),
		Sync: &linkspan.RunSync{ID: sy.ID, Variant: sy.Variant, Cause: cause},
	}
}

// rememberAll keeps what runs have changed that were broken off, in the syncs that
// the transaction holds.
func (s *Service) rememberAll(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, runs []linkspan.Run) error {
	changed := make(map[linkspan.SyncID][]*linkspan.Run)
	for i := range runs {
		if r := &runs[i]; changedRecords(r.Sync.Counts) {
			changed[r.Sync.ID] = append(changed[r.Sync.ID], r)
		}
	}
	list, err := s.store.Syncs(ctx, tx, env, slices.Sorted(maps.Keys(changed)))
	if err != nil {
		return err
	}
	for i := range list {
		for _, r := range changed[list[i].ID] {
			remember(&list[i], r.StartedAt, r.Sync.Counts)
		}
		if err := s.store.SaveSync(ctx, tx, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

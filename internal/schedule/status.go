package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// Status tells how syncs are (wire contract §4.7), by connection and name; those
// that do not exist are left out. Codes: unknown_provider_config,
// unknown_connection.
func (s *Service) Status(ctx context.Context, sel Selection) ([]Status, error) {
	r, err := s.resolve(ctx, "schedule.Status", &sel, false)
	if err != nil {
		return nil, err
	}
	var ids []linkspan.SyncID
	for i := range r.targets {
		t := &r.targets[i]
		found, err := s.store.SyncIDs(ctx, nil, r.env, t.function.ID, t.variant, r.connection.ID)
		if err != nil {
			return nil, fmt.Errorf("finding syncs: %w", err)
		}
		ids = append(ids, found...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return []Status{}, nil
	}
	return s.statuses(ctx, r, ids)
}

func (s *Service) statuses(ctx context.Context, r *resolved, ids []linkspan.SyncID) ([]Status, error) {
	f, err := s.facts(ctx, r.env, ids)
	if err != nil {
		return nil, fmt.Errorf("reading how syncs are: %w", err)
	}
	models := make(map[linkspan.FunctionID][]string, len(r.targets))
	for i := range r.targets {
		fn := &r.targets[i].function
		models[fn.ID] = fn.Version.Definition.Models
	}
	out := make([]Status, len(f.syncs))
	for i := range f.syncs {
		out[i] = f.status(&f.syncs[i], models[f.syncs[i].FunctionID])
	}
	return out, nil
}

// facts are what the statuses of syncs are made of.
type facts struct {
	now         time.Time
	syncs       []linkspan.Sync
	active      map[linkspan.SyncID]linkspan.Run
	last        map[linkspan.SyncID]linkspan.Run
	checkpoints map[linkspan.SyncID]linkspan.Checkpoint
	live        map[linkspan.RecordStream]int64
}

// facts reads everything about all of the syncs together.
func (s *Service) facts(ctx context.Context, env linkspan.EnvironmentID, ids []linkspan.SyncID) (*facts, error) {
	f := &facts{}
	var err error
	if f.syncs, err = s.store.Syncs(ctx, nil, env, ids); err != nil {
		return nil, err
	}
	if f.active, err = s.store.ActiveRuns(ctx, nil, ids); err != nil {
		return nil, err
	}
	// The clock is read behind the runs: one that was due when it was found must not
	// seem to be due later.
	if f.now, err = s.store.Clock(ctx, nil); err != nil {
		return nil, err
	}
	if f.last, err = s.store.LastRuns(ctx, nil, ids); err != nil {
		return nil, err
	}
	if f.checkpoints, err = s.store.SyncCheckpoints(ctx, nil, ids); err != nil {
		return nil, err
	}
	connections := make([]linkspan.ConnectionID, len(f.syncs))
	for i := range f.syncs {
		connections[i] = f.syncs[i].ConnectionID
	}
	slices.Sort(connections)
	f.live, err = s.records.Live(ctx, nil, env, slices.Compact(connections))
	return f, err
}

// status is that of one sync whose function has the models.
func (f *facts) status(sy *linkspan.Sync, models []string) Status {
	st := Status{Sync: *sy, Frequency: normal(sy), Initial: sy.SucceededAt.IsZero(), Records: make(map[string]int64, len(models))}
	for _, model := range models {
		st.Records[model] = f.live[linkspan.RecordStream{
			EnvironmentID: sy.EnvironmentID, ConnectionID: sy.ConnectionID, Model: model, Variant: sy.Variant,
		}]
	}
	if last, ok := f.last[sy.ID]; ok {
		st.Last, st.FinishedAt = last.State, last.EndedAt
		st.Latest = make(map[string]linkspan.RecordCounts, len(models))
		for _, model := range models {
			st.Latest[model] = last.Sync.Counts[model]
		}
	}
	if c, ok := f.checkpoints[sy.ID]; ok {
		st.Checkpoint = c.Value
	}
	if sy.Enabled && sy.State == linkspan.SyncStarted {
		st.NextAt = sy.NextAt
	}
	st.State = f.state(sy, st.Last)
	return st
}

// state derives what people are told of a sync.
func (f *facts) state(sy *linkspan.Sync, last linkspan.RunState) State {
	r, active := f.active[sy.ID]
	switch {
	case active && (r.State == linkspan.RunRunning || !r.NextAt.After(f.now)):
		return StateRunning
	case !sy.Enabled || sy.State == linkspan.SyncPaused:
		return StatePaused
	case last == linkspan.RunFailed || last == linkspan.RunCancelled:
		return StateError
	case last == "" && sy.Every == 0 && sy.Cron == "":
		return StateStopped
	default:
		return StateSuccess
	}
}

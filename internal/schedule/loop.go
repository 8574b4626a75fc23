package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// pollEvery bounds how late a sync runs; what starts at once wakes the loop.
	pollEvery = time.Second
	// lookSize is how many due syncs are looked for at once.
	lookSize = 1000
	// callTimeout bounds what is done about them.
	callTimeout = 30 * time.Second
	// followTimeout bounds how long one function's syncs are followed after a clock,
	// of which there may be a million.
	followTimeout = 10 * callTimeout
	// putBack is by how much the database's clock goes back when it was put back: less
	// is an adjustment, or another server after the first one has failed.
	putBack = time.Minute
	// connectingPause is for how long a sync is put off whose connection is still
	// being set up by the customer's functions.
	connectingPause = 2 * time.Second
	// brokenPause is for how long a sync is put off whose schedule can't be followed.
	brokenPause = time.Hour
)

// Run stores a run for each sync that is due, until ctx ends. Any number of
// processes may run it on one database: each due sync is taken by one of them.
func (s *Service) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { s.completeAll(ctx) })
	failing := false
	var clock time.Time
	for {
		began := time.Now()
		err := s.Tick(ctx)
		if err == nil {
			clock, err = s.followClock(ctx, clock)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			s.log.WarnContext(ctx, "running syncs by their schedules is held up; it is tried again in a moment", "error", err)
		case err == nil && failing:
			s.log.InfoContext(ctx, "running syncs by their schedules works again")
		}
		failing = err != nil
		pause, due := pollEvery, s.due
		if failing {
			// A database that is too slow is left alone for as long as it was kept busy.
			pause, due = max(pollEvery, time.Since(began)), nil
		}
		if !idle(ctx, pause, due) {
			return nil
		}
	}
}

// idle waits for a while or until it is woken, and reports false when ctx ends.
func idle(ctx context.Context, pause time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// Tick stores a run for each sync that is due at the moment. Those that missed
// several turns get one run. What is wrong with one sync is logged, and hinders no
// other.
func (s *Service) Tick(ctx context.Context) error {
	for {
		more, err := s.tick(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// tick takes what one look finds, and reports whether to look again at once: not
// when all that are due are held by others, who may take their time.
func (s *Service) tick(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ids, err := s.store.DueSyncs(ctx, nil, lookSize)
	if err != nil {
		return false, fmt.Errorf("looking for due syncs: %w", err)
	}
	taken := 0
	for batch := range slices.Chunk(ids, batchSize) {
		n, err := s.take(ctx, batch)
		if err != nil {
			n, err = len(batch), s.takeEach(ctx, batch, err)
		}
		if err != nil {
			return false, err
		}
		taken += n
	}
	return len(ids) == lookSize && taken > 0, nil
}

// takeEach takes syncs one by one that could not be taken together, and puts those
// off that can't be taken at all. It fails when none could be: then it is not about
// the syncs.
func (s *Service) takeEach(ctx context.Context, ids []linkspan.SyncID, cause error) error {
	if ctx.Err() != nil || linkspan.KindOf(cause) == linkspan.KindUnavailable {
		return fmt.Errorf("taking due syncs: %w", cause)
	}
	var broken []linkspan.SyncID
	for _, id := range ids {
		if _, err := s.take(ctx, []linkspan.SyncID{id}); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("taking due syncs: %w", errors.Join(cause, err))
			}
			s.log.WarnContext(ctx, "a sync can't be run by its schedule and is put off", "sync_id", int64(id), "error", err)
			broken = append(broken, id)
		}
	}
	if len(broken) == len(ids) && len(ids) > 1 {
		return fmt.Errorf("taking due syncs: %w", cause)
	}
	return s.putOff(ctx, broken)
}

func (s *Service) putOff(ctx context.Context, ids []linkspan.SyncID) error {
	if len(ids) == 0 {
		return nil
	}
	now, err := s.store.Clock(ctx, nil)
	if err != nil {
		return fmt.Errorf("putting syncs off: %w", err)
	}
	next := make(map[linkspan.SyncID]time.Time, len(ids))
	for _, id := range ids {
		next[id] = now.Add(brokenPause)
	}
	if err := s.store.ScheduleSyncs(ctx, nil, next); err != nil {
		return fmt.Errorf("putting syncs off: %w", err)
	}
	return nil
}

// take stores runs for those of the syncs that are still due and that nobody holds,
// and when they are due next, in one transaction. It returns how many these are.
func (s *Service) take(ctx context.Context, ids []linkspan.SyncID) (taken int, err error) {
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		due, gone, err := s.store.TakeDueSyncs(ctx, tx, ids)
		taken = len(due) + len(gone)
		if err != nil {
			return err
		}
		p, err := s.plan(ctx, tx, due)
		if err != nil {
			return err
		}
		for _, id := range gone {
			p.next[id] = time.Time{}
		}
		if len(p.restart) > 0 {
			if err := s.store.StartSyncs(ctx, tx, p.restart, p.now.Add(connectingPause)); err != nil {
				return err
			}
		}
		if err := s.store.ScheduleSyncs(ctx, tx, p.next); err != nil {
			return err
		}
		// A sync that has a run which has not ended gets no other one.
		_, err = s.store.InsertSyncRuns(ctx, tx, p.runs)
		return err
	})
	return taken, err
}

// plan is what to do with syncs that are due.
type plan struct {
	now  time.Time
	runs []*linkspan.Run
	// next says when they are due next, zero for never.
	next map[linkspan.SyncID]time.Time
	// restart holds the anchors of those whose first run is put off.
	restart map[linkspan.SyncID]time.Time
}

func (s *Service) plan(ctx context.Context, tx linkspan.Tx, due []linkspan.Sync) (*plan, error) {
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return nil, err
	}
	p := &plan{now: now, next: make(map[linkspan.SyncID]time.Time, len(due)), restart: make(map[linkspan.SyncID]time.Time)}
	waiting, err := s.connecting(ctx, tx, due)
	if err != nil {
		return nil, err
	}
	for i := range due {
		sy := &due[i]
		if !sy.Enabled || sy.State != linkspan.SyncStarted {
			p.next[sy.ID] = time.Time{}
			continue
		}
		first := starting(sy)
		if first && waiting[sy.ConnectionID] {
			// The anchor moves along, so that it still is the first run.
			p.restart[sy.ID] = now.Add(connectingPause + jitter(sy.UUID, sy.Every))
			continue
		}
		next, err := nextAfter(sy, now)
		if err != nil {
			s.log.WarnContext(ctx, "the schedule of a sync can't be followed; it is put off", "sync", sy.UUID, "error", err)
			p.next[sy.ID] = now.Add(brokenPause)
			continue
		}
		p.next[sy.ID] = next
		cause := linkspan.CauseSchedule
		if first {
			cause = linkspan.CauseStart
		}
		p.runs = append(p.runs, newRun(sy, cause, tx.Now()))
	}
	return p, nil
}

// connecting returns those of the connections of syncs that run for the first time
// for which the customer's functions are not done yet.
func (s *Service) connecting(ctx context.Context, tx linkspan.Tx, due []linkspan.Sync) (map[linkspan.ConnectionID]bool, error) {
	var ids []linkspan.ConnectionID
	for i := range due {
		if starting(&due[i]) {
			ids = append(ids, due[i].ConnectionID)
		}
	}
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // nobody waits
	}
	list, err := s.store.Connecting(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	waiting := make(map[linkspan.ConnectionID]bool, len(list))
	for _, id := range list {
		waiting[id] = true
	}
	return waiting, nil
}

// followClock returns the latest time that the database's clock is known to have
// shown; zero: nothing is known yet. When it was put back since, what waits for a
// time is worked out anew: it would wait for as long as the clock was put back.
func (s *Service) followClock(ctx context.Context, latest time.Time) (time.Time, error) {
	look, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, err := s.store.Clock(look, nil)
	if err == nil && latest.IsZero() { // it may have been put back while nobody looked
		latest, err = s.store.LastClock(look, nil)
	}
	if err != nil {
		return latest, fmt.Errorf("reading the database's clock: %w", err)
	}
	if !now.Before(latest) {
		return now, nil
	}
	if now.After(latest.Add(-putBack)) {
		return latest, nil // the later one: what is put back little by little adds up
	}
	s.log.WarnContext(ctx, "the database's clock was put back; all schedules are worked out anew", "was", latest, "is", now)
	if err := s.store.FollowClock(look, nil); err != nil {
		return latest, fmt.Errorf("following the database's clock: %w", err)
	}
	if err := s.eachFunction(ctx, s.followClockOf); err != nil {
		return latest, fmt.Errorf("scheduling syncs by the database's clock: %w", err)
	}
	return now, nil
}

// followClockOf works out anew when the syncs of a function run next.
func (s *Service) followClockOf(ctx context.Context, fn *linkspan.Function) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		return s.withFunction(ctx, tx, fn, func(fn *linkspan.Function) error {
			if !fn.Enabled {
				return nil
			}
			if _, err := s.store.LockSyncs(ctx, tx, fn.EnvironmentID, []linkspan.FunctionID{fn.ID}, 0); err != nil {
				return err
			}
			return s.reschedule(ctx, tx, fn, false)
		})
	})
}

// completeAll gives every connection the syncs that it has none of: functions may
// have been deployed before there were syncs.
func (s *Service) completeAll(ctx context.Context) {
	err := s.eachFunction(ctx, func(ctx context.Context, fn *linkspan.Function) error {
		if err := s.completeFunction(ctx, fn, &linkspan.Connection{}); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "giving connections their syncs failed", "function_id", int64(fn.ID), "error", err)
		}
		return ctx.Err()
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "finding connections without their syncs failed", "error", err)
	}
}

// eachFunction calls f with every sync function of all environments, by ID,
// EnvironmentID and IntegrationID alone.
func (s *Service) eachFunction(ctx context.Context, f func(ctx context.Context, fn *linkspan.Function) error) error {
	var after linkspan.FunctionID
	for {
		list, err := s.store.AllSyncFunctions(ctx, nil, after, batchSize)
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			if err := f(ctx, &list[i]); err != nil {
				return err
			}
		}
		after = list[len(list)-1].ID
	}
}

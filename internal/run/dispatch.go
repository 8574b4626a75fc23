package run

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
	// ttl is how long a claim lasts without being renewed, and renewEvery leaves
	// room for two failed renewals (ARCHITECTURE.md, "Storage").
	ttl        = 15 * time.Second
	renewEvery = 5 * time.Second
	// pollEvery bounds how late a retry may be, or a run whose announcement was
	// missed.
	pollEvery = time.Second
	// callTimeout bounds one call of the store: well below ttl.
	callTimeout = 4 * time.Second
	// drainTimeout is how long runs under way may go on when the process stops,
	// before they are broken off.
	drainTimeout = 10 * time.Second
	// perLook is how many due runs are looked at in one query, and looksPerTurn
	// how often one turn looks before it sees to what has ended meanwhile. A look
	// sees as many runs of an environment as groupsPerLook functions may have.
	perLook       = 512
	looksPerTurn  = 4
	groupsPerLook = 2
	// lookAgain is when the next turn begins, at the earliest, if one has not seen
	// everything although there is room.
	lookAgain = 20 * time.Millisecond
	// perSave is how many results one transaction stores: each may be 2 MB long.
	perSave = 16
	// remembered bounds what is remembered of turns, rememberedBehind how much of it
	// goes into each query.
	remembered       = 10_000
	rememberedBehind = 256
)

// flight is a run under way.
type flight struct {
	run    linkspan.Run
	cancel context.CancelCauseFunc
}

// dispatcher runs what is due in a lane. All its state belongs to the goroutine
// that runs it.
type dispatcher struct {
	*Service
	turns

	usage *usage

	// running is the parent context of the runs.
	running context.Context //nolint:containedctx // it outlives Run's own by the time of draining
	working sync.WaitGroup
	done    chan outcome
	// unsaved are the results that are not stored yet.
	unsaved []outcome
	// refused are those that the database does not take, though it works. They are
	// tried again with every poll, and keep nobody else from anything.
	refused []outcome
	flights map[linkspan.RunID]*flight

	// more means that the last turn saw what it could not take, or did not see
	// everything.
	more bool
	// unfinished means that the last turn could have taken what it did not see yet,
	// and took is how long it took.
	unfinished bool
	took       time.Duration
	// doubtful are runs that may be claimed without this process knowing: the call
	// which claimed them failed, maybe after it was done.
	doubtful []linkspan.RunID
	// failing means that the last call of the store failed, which was logged.
	failing bool
}

// Run runs what is due until ctx ends. It then gives runs under way a few seconds
// to end, and hands back those that have changed nothing yet, and all those of
// syncs. Any number of processes may run it on one database.
func (s *Service) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.stopping.Store(true) })()
	var lanes sync.WaitGroup
	for _, c := range s.limits.lanes() {
		if c.lane == linkspan.LaneQuick || s.syncs != nil {
			lanes.Go(func() { s.runLane(ctx, c) })
		}
	}
	lanes.Wait()
	return nil
}

// runLane is Run for one lane.
func (s *Service) runLane(ctx context.Context, c caps) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	d := &dispatcher{
		Service: s, running: running, done: make(chan outcome, c.all), flights: make(map[linkspan.RunID]*flight),
		usage: newUsage(c), turns: newTurns(),
	}
	d.loop(ctx)
	d.drain(ctx, stop)
}

func (d *dispatcher) loop(ctx context.Context) {
	poll := time.NewTimer(0) // the first look is at once: dead processes may have left something
	defer poll.Stop()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	for {
		var look, polled bool
		select {
		case <-ctx.Done():
			return
		case <-d.due[d.usage.caps.lane]:
			look = true
		case <-poll.C:
			look, polled = true, true
			d.unsaved, d.refused = append(d.unsaved, d.refused...), nil
		case <-renew.C:
			d.renew(ctx)
			continue
		case <-d.missed[d.usage.caps.lane]:
			d.renew(ctx) // which tells what this process has lost
			continue
		case o := <-d.done:
			d.land(o)
			look = d.more
		}
		d.collect()
		if d.failing && !polled {
			continue // whatever happens meanwhile: the poll tries again
		}
		began := d.now()
		d.work(ctx, look)
		switch {
		case d.failing:
			// A database that is too slow is left alone for as long as it was kept busy.
			poll.Reset(max(pollEvery, d.now().Sub(began)))
		case look && d.unfinished:
			poll.Reset(min(pollEvery, max(lookAgain, d.took)))
		case polled:
			poll.Reset(pollEvery)
		}
	}
}

// collect takes what else has ended, so that one transaction stores it all.
func (d *dispatcher) collect() {
	for {
		select {
		case o := <-d.done:
			d.land(o)
		default:
			return
		}
	}
}

// land notes that a run has ended.
func (d *dispatcher) land(o outcome) {
	f := d.flights[o.run.ID]
	f.cancel(nil)
	d.forget(f.run.UUID)
	delete(d.flights, o.run.ID)
	d.usage.add(&f.run, -1)
	d.usage.note(&o, d.now())
	d.unsaved = append(d.unsaved, o)
}

// work stores what has ended and starts what is due.
func (d *dispatcher) work(ctx context.Context, look bool) {
	d.unfinished = false
	err := d.save(ctx)
	if err == nil {
		err = d.settleDoubts(ctx)
	}
	switch {
	case err != nil || !look:
	case d.usage.all+len(d.refused) >= d.usage.caps.all:
		d.more = true // it is not known: look again when there is room
	default:
		err = d.goRound(ctx)
	}
	d.report(ctx, err)
}

// goRound looks through what is due, from where the last turn stopped, and starts
// what there is room for. A turn that can't see everything leaves the rest to the
// next one, so that environments which come late in the order get theirs however
// many wait before them.
func (d *dispatcher) goRound(ctx context.Context) error {
	began := d.now()
	d.more = false
	for range looksPerTurn {
		q, found, cut, err := d.lookAndClaim(ctx)
		if err != nil {
			return err
		}
		if d.advance(&q, found, cut) {
			return nil // that was all
		}
		// A slow database must not keep the claims from being renewed.
		if d.took = d.now().Sub(began); d.took >= renewEvery {
			break
		}
		if d.usage.all >= d.usage.caps.all {
			d.more = true
			return nil
		}
	}
	d.more, d.unfinished = true, true
	return nil
}

// report logs the first of a row of failures, and that they are over.
func (d *dispatcher) report(ctx context.Context, err error) {
	switch {
	case err != nil && !d.failing && ctx.Err() == nil:
		d.failing = true
		d.log.WarnContext(ctx, "running functions in the background is held up; it is tried again in a moment", "error", err)
	case err == nil && d.failing:
		d.failing = false
		d.log.InfoContext(ctx, "running functions in the background works again")
	}
}

// holds reports whether this process works on a run, or has its result. Its lease
// may have lapsed because the database was away.
func (d *dispatcher) holds(id linkspan.RunID) bool {
	if _, ok := d.flights[id]; ok {
		return true
	}
	same := func(o outcome) bool { return o.run.ID == id }
	return slices.ContainsFunc(d.unsaved, same) || slices.ContainsFunc(d.refused, same)
}

// lookAndClaim looks once, and claims and starts what there is room for.
func (d *dispatcher) lookAndClaim(ctx context.Context) (linkspan.RunQuery, []linkspan.Run, linkspan.RunGroup, error) {
	looking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	others, err := d.elsewhere(looking, nil)
	if err != nil {
		return linkspan.RunQuery{}, nil, linkspan.RunGroup{}, err
	}
	q, found, cut, err := d.look(looking, others)
	if err == nil && len(found) > 0 {
		err = d.claim(ctx, found, others)
	}
	return q, found, cut, err
}

// claim claims what it chooses of what was found, and starts it. What others have
// begun since the look counts: caps that hold for all replicas are never exceeded.
func (d *dispatcher) claim(ctx context.Context, found, others []linkspan.Run) error {
	chosen := d.choose(found, others)
	if len(chosen) == 0 {
		d.more = true
		return nil
	}
	// The end of ctx must not come between a claim and its execution: an attempt
	// would be spent on nothing.
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	var ids []linkspan.RunID
	var claimed []linkspan.Run
	err := d.tx.InTx(storeCtx, func(ctx context.Context, tx linkspan.Tx) error {
		others, err := d.elsewhere(ctx, tx)
		if err != nil {
			return err
		}
		chosen, ids, claimed = d.choose(found, others), nil, nil
		for i := range chosen {
			ids = append(ids, chosen[i].ID)
		}
		if len(ids) > 0 {
			claimed, err = d.store.ClaimRuns(ctx, tx, ids, d.holder, ttl)
		}
		return err
	})
	if err != nil {
		d.doubtful = ids
		return fmt.Errorf("claiming runs: %w", err)
	}
	d.remember(chosen)
	// What others were faster to claim may have more behind it.
	d.more = d.more || len(claimed) < len(found)
	for i := range claimed {
		d.start(claimed[i]) //nolint:contextcheck // runs outlive Run's context by the time of draining
	}
	return nil
}

// settleDoubts gives back what a claim that failed has claimed all the same.
func (d *dispatcher) settleDoubts(ctx context.Context) error {
	if len(d.doubtful) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := d.store.ReleaseClaims(ctx, nil, d.doubtful, d.holder); err != nil {
		return fmt.Errorf("giving back runs whose claim failed: %w", err)
	}
	d.doubtful = nil
	return nil
}

func (d *dispatcher) start(r linkspan.Run) {
	ctx, cancel := context.WithCancelCause(d.running)
	d.flights[r.ID] = &flight{run: r, cancel: cancel}
	d.usage.add(&r, 1)
	d.cancelBy(r.UUID, cancel)
	d.working.Go(func() {
		d.done <- d.perform(ctx, r) // never blocks: there is room for all
	})
}

// save stores what has ended, a few at a time. What takes too long goes to the back
// and is tried alone.
func (d *dispatcher) save(ctx context.Context) error {
	for len(d.unsaved) > 0 {
		n := min(perSave, len(d.unsaved))
		// The end of a sync locks what others lock as well: one at a time, or they
		// would wait for each other.
		if d.failing || d.usage.caps.lane == linkspan.LaneSync {
			n = 1
		} else if at := slices.IndexFunc(d.unsaved[:n], func(o outcome) bool { return o.run.TakesWebhook() }); at >= 0 {
			n = max(at, 1)
		}
		batch := d.unsaved[:n]
		err := d.saveBatch(ctx, batch)
		switch {
		case err != nil && away(err):
			d.unsaved = append(slices.Clone(d.unsaved[n:]), batch...)
			return err
		case err != nil && n > 1:
			if err := d.saveEach(ctx, batch); err != nil {
				return err
			}
			continue
		case err != nil:
			d.refuse(ctx, batch[0], err)
		default:
			for i := range batch {
				d.ended(&batch[i])
			}
		}
		d.unsaved = slices.Clone(d.unsaved[n:])
	}
	return nil
}

// saveEach stores the first results one by one, of which one was refused.
func (d *dispatcher) saveEach(ctx context.Context, batch []outcome) error {
	for i := range batch {
		err := d.saveBatch(ctx, batch[i:i+1])
		switch {
		case err != nil && away(err):
			return err
		case err != nil:
			d.refuse(ctx, batch[i], err)
		default:
			d.ended(&batch[i])
		}
		d.unsaved = d.unsaved[1:]
	}
	return nil
}

// refuse keeps a result that the database does not take for the next poll.
func (d *dispatcher) refuse(ctx context.Context, o outcome, err error) {
	if !o.refused {
		d.log.ErrorContext(ctx, "the result of a run can't be stored; it is tried again every second", "run", o.run.UUID, "error", err)
	}
	o.refused = true
	d.refused = append(d.refused, o)
}

// away reports whether it was the database that failed, rather than that it refuses
// what it was given.
func away(err error) bool {
	return linkspan.KindOf(err) == linkspan.KindUnavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// saveBatch stores results, together with the webhooks that tell of them. It
// outlives the end of ctx, which would leave open whether they are stored.
func (d *dispatcher) saveBatch(ctx context.Context, batch []outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	err := d.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		for i := range batch {
			if err := d.saveOne(ctx, tx, &batch[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing the results of runs: %w", err)
	}
	return nil
}

func (d *dispatcher) saveOne(ctx context.Context, tx linkspan.Tx, o *outcome) (err error) {
	// What is not the newest attempt any more was lost to somebody else, who sees
	// to it.
	if o.released {
		o.stored, err = d.store.ReleaseRun(ctx, tx, &o.run)
		return err
	}
	webhook := o.run.TakesWebhook() && o.run.State != linkspan.RunWaiting
	if webhook {
		if err := d.holdWebhookSync(ctx, tx, &o.run); err != nil {
			return err
		}
	}
	if o.stored, err = d.store.FinishRun(ctx, tx, &o.run, o.retryIn); err != nil || !o.stored {
		return err
	}
	if webhook {
		return d.webhookEnded(ctx, tx, o)
	}
	if o.run.Sync != nil && o.run.State != linkspan.RunWaiting {
		return d.syncEnded(ctx, tx, o)
	}
	if o.event == nil || d.webhooks == nil {
		return nil
	}
	return d.webhooks.AddAsyncAction(ctx, tx, *o.event)
}

// renew keeps the claims alive, those of results that are not stored yet as well,
// and breaks off runs whose claim was lost.
func (d *dispatcher) renew(ctx context.Context) {
	held := make([]linkspan.Run, 0, len(d.flights)+len(d.unsaved))
	for _, f := range d.flights {
		held = append(held, f.run)
	}
	for _, o := range slices.Concat(d.unsaved, d.refused) {
		held = append(held, o.run)
	}
	if len(held) == 0 {
		return
	}
	storeCtx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kept, err := d.store.RenewRuns(storeCtx, nil, held, ttl)
	if err != nil {
		d.report(ctx, fmt.Errorf("renewing the claims on runs: %w", err))
		return
	}
	for id, f := range d.flights {
		if !slices.Contains(kept, id) {
			f.cancel(errLost) // another process is at it, or it was cancelled
		}
	}
}

// drain waits for the runs under way, breaks off those that take too long, and
// stores what became of them all.
func (d *dispatcher) drain(ctx context.Context, stop context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	patience := time.AfterFunc(drainTimeout, stop)
	defer patience.Stop()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	for len(d.flights) > 0 {
		select {
		case o := <-d.done:
			d.land(o)
		case <-renew.C:
			d.renew(ctx)
		}
	}
	d.working.Wait()
	d.unsaved, d.refused = append(d.unsaved, d.refused...), nil
	if err := errors.Join(d.save(ctx), d.settleDoubts(ctx)); err != nil {
		// They lapse, and others take them over.
		d.log.WarnContext(ctx, "storing the last results of runs failed", "error", err)
	}
}

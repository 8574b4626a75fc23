package webhook

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
	// pollEvery bounds how late a retry may be, or a message whose announcement
	// was missed; pollSlowest is for when so many receivers fail that looking
	// through them takes its time.
	pollEvery   = time.Second
	pollSlowest = 10 * time.Second
	// callTimeout bounds one call of the store: well below ttl.
	callTimeout = 4 * time.Second
	// drainTimeout is how long attempts under way may go on when the process
	// stops, before they are handed back.
	drainTimeout = 5 * time.Second

	// inAll bounds the attempts under way in this process: each holds a
	// connection, a message and its answer, some 100 kB.
	inAll = 64
	// perReceiver bounds those to one receiver: enough to keep a distant one
	// busy, and no flood for a small one.
	perReceiver = 4
	// A receiver that failed or kept us waiting gets one attempt at a time until
	// one succeeds swiftly, and all such receivers share half of the slots: the
	// other half stays for those that work.
	inAllPoor = inAll / 2
	slowAfter = 5 * time.Second
	// perLook is how many due deliveries are looked at in one query, and
	// perGroup how many of each receiver: one more than can be sent, which shows
	// that there is more.
	perLook  = 512
	perGroup = perReceiver + 1
	// looksPerTurn bounds how often one turn looks before it sees to what has
	// ended meanwhile.
	looksPerTurn = 4
	// remembered bounds what is remembered of receivers and turns.
	remembered = 10_000
)

// group names a receiver, which is what takes turns: the messages of one
// environment to one origin. What one environment's URLs at a host do to it is
// nothing that another one which uses the same host has to bear.
type group struct {
	destination string
	env         linkspan.EnvironmentID
}

// receiver is what a dispatcher knows of a receiver.
type receiver struct {
	inFlight int
	poor     bool
}

// flight is an attempt under way.
type flight struct {
	delivery linkspan.WebhookDelivery
	poor     bool // it was when the attempt began
	cancel   context.CancelFunc
}

// dispatcher sends what is due. All its state belongs to the goroutine of Run.
type dispatcher struct {
	*Service

	// sending is the parent context of the attempts.
	sending context.Context //nolint:containedctx // it outlives Run's own by the time of draining
	working sync.WaitGroup
	done    chan outcome
	unsaved []outcome
	// doubtful are deliveries whose claim failed, which may have happened all the
	// same.
	doubtful  []linkspan.WebhookDeliveryID
	flights   map[linkspan.WebhookDeliveryID]*flight
	receivers map[group]*receiver
	poor      int // attempts under way to poor receivers

	// served says in which turn a group was last served: those that waited
	// longest come first.
	served map[group]int64
	turn   int64
	// behind is the group behind which the next look begins.
	behind group
	// more means that the last turn saw what it could not take, or did not see
	// everything.
	more bool
	// failing means that the last call of the store failed, which was logged.
	failing bool
}

// Run sends due webhooks until ctx ends. It then gives attempts under way a few
// seconds to end and hands the rest back. Any number of processes may run it on
// one database.
func (s *Service) Run(ctx context.Context) error {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	d := &dispatcher{
		Service: s, sending: sending, done: make(chan outcome, inAll),
		flights: make(map[linkspan.WebhookDeliveryID]*flight), receivers: make(map[group]*receiver), served: make(map[group]int64),
	}
	d.loop(ctx)
	d.drain(ctx, stop)
	s.client.CloseIdleConnections()
	return nil
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
		case <-d.due:
			look = true
		case <-poll.C:
			look, polled = true, true
		case <-renew.C:
			d.renew(ctx)
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
		case polled:
			poll.Reset(d.pollAfter())
		}
	}
}

// pollAfter is when to look next although nothing was announced. Looking costs
// a step for each receiver with planned retries.
func (d *dispatcher) pollAfter() time.Duration {
	const cheap = 256
	return min(pollSlowest, pollEvery*time.Duration(1+len(d.receivers)/cheap))
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

// land notes that an attempt has ended.
func (d *dispatcher) land(o outcome) {
	f := d.flights[o.delivery.ID]
	f.cancel()
	delete(d.flights, o.delivery.ID)
	d.underWay.Add(-1)
	g := groupOf(&o.delivery)
	r := d.receivers[g]
	r.inFlight--
	if f.poor {
		d.poor--
	}
	if !o.released && !o.ours {
		r.poor = o.slow || o.delivery.State == linkspan.DeliveryPending || o.delivery.State == linkspan.DeliveryFailed
	}
	if r.inFlight == 0 && (!r.poor || len(d.receivers) > remembered) {
		delete(d.receivers, g)
	}
	d.unsaved = append(d.unsaved, o)
}

// work stores what has ended and starts what is due.
func (d *dispatcher) work(ctx context.Context, look bool) {
	err := d.settleDoubts(ctx)
	switch {
	case err != nil:
	case !look:
		err = d.step(ctx, nil)
	case len(d.flights) >= inAll:
		d.more = true // it is not known: look again when there is room
		err = d.step(ctx, nil)
	default:
		err = d.goRound(ctx)
	}
	d.report(ctx, err)
}

// settleDoubts gives back what a claim that failed has claimed all the same, or it
// would wait until the claim lapses.
func (d *dispatcher) settleDoubts(ctx context.Context) error {
	if len(d.doubtful) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if err := d.store.ReleaseDeliveryClaims(ctx, nil, d.doubtful, d.holder); err != nil {
		return fmt.Errorf("giving back deliveries whose claim failed: %w", err)
	}
	d.doubtful = nil
	return nil
}

// goRound looks through what is due, from where the last turn stopped, and
// starts what there is room for. A turn that can't see everything leaves the rest
// to the next one, so that those who come late in the order get theirs however
// many wait before them.
func (d *dispatcher) goRound(ctx context.Context) error {
	began := d.now()
	d.more = false
	for range looksPerTurn {
		begin := d.behind
		found, err := d.look(ctx)
		if err != nil {
			return err
		}
		chosen := d.choose(found)
		if err := d.step(ctx, chosen); err != nil {
			return err
		}
		d.more = d.more || len(chosen) < len(found)
		if d.behind = nextGroup(found); d.behind == (group{}) && begin == (group{}) {
			return nil // that was all
		}
		// A slow database must not keep the claims from being renewed.
		if len(d.flights) >= inAll || d.now().Sub(began) >= renewEvery {
			break
		}
	}
	d.more = true
	return nil
}

// nextGroup returns behind which group to go on looking; none if there is
// nothing further.
func nextGroup(found []linkspan.WebhookDelivery) group {
	due := 0
	for i := range found {
		if found[i].LeaseUntil.IsZero() {
			due++
		}
	}
	if due < perLook {
		return group{}
	}
	return groupOf(&found[len(found)-1])
}

// report logs the first of a row of failures, and that they are over.
func (d *dispatcher) report(ctx context.Context, err error) {
	switch {
	case err != nil && !d.failing && ctx.Err() == nil:
		d.failing = true
		d.log.WarnContext(ctx, "sending webhooks is held up; it is tried again in a moment", "error", err)
	case err == nil && d.failing:
		d.failing = false
		d.log.InfoContext(ctx, "sending webhooks works again")
	}
}

// look reads what is due, from where the last look ended.
func (d *dispatcher) look(ctx context.Context) ([]linkspan.WebhookDelivery, error) {
	var full []linkspan.WebhookDelivery
	for g, r := range d.receivers {
		if r.inFlight >= d.room(r) {
			full = append(full, g.delivery())
		}
	}
	d.more = d.more || len(full) > 0
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := d.store.DueDeliveries(ctx, nil, d.behind.delivery(), full, perGroup, perLook)
	if err != nil {
		return nil, fmt.Errorf("looking for due webhooks: %w", err)
	}
	return found, nil
}

// room is how many attempts to a receiver may be under way now.
func (d *dispatcher) room(r *receiver) int {
	switch {
	case !r.poor:
		return perReceiver
	case d.poor < inAllPoor:
		return 1
	default:
		return 0
	}
}

// choose picks whom to serve: first one delivery of each group, those first that
// were served longest ago, then the second of each, while there is room.
func (d *dispatcher) choose(found []linkspan.WebhookDelivery) []linkspan.WebhookDelivery {
	type candidate struct {
		index, rank int
		served      int64
	}
	candidates := make([]candidate, len(found))
	ranks := make(map[group]int)
	for i := range found {
		g := groupOf(&found[i])
		candidates[i] = candidate{index: i, rank: ranks[g], served: d.served[g]}
		ranks[g]++
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return int(min(max(a.served-b.served, -1), 1))
	})
	var (
		chosen []linkspan.WebhookDelivery
		taken  = make(map[group]int)
		poor   = d.poor
	)
	for _, c := range candidates {
		if len(d.flights)+len(chosen) >= inAll {
			break
		}
		f := &found[c.index]
		r, g := d.receiver(f), groupOf(f)
		if _, mine := d.flights[f.ID]; mine || r.inFlight+taken[g] >= d.room(r) {
			continue
		}
		if r.poor {
			if poor >= inAllPoor {
				continue
			}
			poor++
		}
		taken[g]++
		chosen = append(chosen, *f)
	}
	return chosen
}

// receiver returns what is known of a delivery's receiver. Of a new one the
// delivery tells whether it has failed before.
func (d *dispatcher) receiver(f *linkspan.WebhookDelivery) *receiver {
	if r := d.receivers[groupOf(f)]; r != nil {
		return r
	}
	return &receiver{poor: f.Attempts > 0}
}

func groupOf(d *linkspan.WebhookDelivery) group { return group{d.Destination, d.EnvironmentID} }

// delivery is the group as the store takes it.
func (g group) delivery() linkspan.WebhookDelivery {
	return linkspan.WebhookDelivery{Destination: g.destination, EnvironmentID: g.env}
}

// step stores what has ended and claims what was chosen, in one transaction, and
// starts it.
func (d *dispatcher) step(ctx context.Context, chosen []linkspan.WebhookDelivery) error {
	if len(d.unsaved)+len(chosen) == 0 {
		return nil
	}
	ids := make([]linkspan.WebhookDeliveryID, len(chosen))
	for i := range chosen {
		ids[i] = chosen[i].ID
	}
	var claimed []linkspan.WebhookDelivery
	// The end of ctx would leave open what was stored and claimed.
	storeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	err := d.tx.InTx(storeCtx, func(ctx context.Context, tx linkspan.Tx) (err error) {
		claimed = nil
		if err := d.save(ctx, tx); err != nil || len(ids) == 0 {
			return err
		}
		claimed, err = d.store.ClaimDeliveries(ctx, tx, ids, d.holder, ttl)
		return err
	})
	if err != nil {
		d.doubtful = ids
		return fmt.Errorf("storing and claiming deliveries: %w", err)
	}
	for i := range d.unsaved {
		d.count(&d.unsaved[i])
	}
	d.unsaved = d.unsaved[:0]
	d.remember(chosen)
	// What others were faster to claim may have more behind it.
	d.more = d.more || len(claimed) < len(chosen)
	d.start(claimed) //nolint:contextcheck // attempts outlive Run's context by the time of draining
	return nil
}

// save stores what has ended. What is not the newest attempt any more was lost
// to somebody else, who sees to it.
func (d *dispatcher) save(ctx context.Context, tx linkspan.Tx) error {
	var released []linkspan.WebhookDelivery
	for i := range d.unsaved {
		o := &d.unsaved[i]
		if o.released {
			released = append(released, o.delivery)
			continue
		}
		var err error
		if o.stored, err = d.store.FinishDelivery(ctx, tx, o.delivery, o.retryIn); err != nil {
			return err
		}
	}
	if len(released) == 0 {
		return nil
	}
	return d.store.ReleaseDeliveries(ctx, tx, released)
}

// remember notes whose turn it was.
func (d *dispatcher) remember(chosen []linkspan.WebhookDelivery) {
	if len(d.served) > remembered {
		clear(d.served)
	}
	d.turn++
	for i := range chosen {
		d.served[groupOf(&chosen[i])] = d.turn
	}
}

// start begins the attempts of what was claimed. Those of an environment read
// its keys once together, and keep nobody else waiting for them.
func (d *dispatcher) start(claimed []linkspan.WebhookDelivery) {
	signers := make(map[linkspan.EnvironmentID]func() keys)
	for i := range claimed {
		delivery := claimed[i]
		env := delivery.EnvironmentID
		signer := signers[env]
		if signer == nil {
			signer = sync.OnceValue(func() keys { return d.keys(d.sending, env) })
			signers[env] = signer
		}
		r := d.receiver(&delivery)
		d.receivers[groupOf(&delivery)] = r
		r.inFlight++
		if r.poor {
			d.poor++
		}
		ctx, cancel := context.WithCancel(d.sending)
		d.flights[delivery.ID] = &flight{delivery: delivery, poor: r.poor, cancel: cancel}
		d.underWay.Add(1)
		d.working.Go(func() {
			d.done <- d.attempt(ctx, delivery, signer) // never blocks: there is room for all
		})
	}
}

// renew keeps the claims alive and ends the attempts whose claim was lost.
func (d *dispatcher) renew(ctx context.Context) {
	if len(d.flights) == 0 {
		return
	}
	held := make([]linkspan.WebhookDelivery, 0, len(d.flights))
	for _, f := range d.flights {
		held = append(held, f.delivery)
	}
	storeCtx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	kept, err := d.store.RenewDeliveries(storeCtx, nil, held, ttl)
	if err != nil {
		d.report(ctx, fmt.Errorf("renewing the claims on deliveries: %w", err))
		return
	}
	for id, f := range d.flights {
		if !slices.Contains(kept, id) {
			f.cancel() // another process is at it
		}
	}
}

// drain waits for the attempts under way, makes those that take too long give
// up, and stores what became of them all.
func (d *dispatcher) drain(ctx context.Context, stop context.CancelFunc) {
	patience := time.AfterFunc(drainTimeout, stop)
	defer patience.Stop()
	for len(d.flights) > 0 {
		d.land(<-d.done)
	}
	d.working.Wait()
	// Whatever fails of this lapses, and is sent again.
	if err := errors.Join(d.settleDoubts(ctx), d.step(ctx, nil)); err != nil {
		d.log.WarnContext(ctx, "storing the last deliveries failed", "error", err)
	}
}

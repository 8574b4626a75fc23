package host

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/schedule"
)

// Sync is what a run is told besides when it may save records: that of a sync, or
// of a sync's onWebhook.
type Sync struct {
	// UUID is the sync's, nango.syncId.
	UUID string
	// Run lets it write while it is the run's newest attempt. Its Run is also
	// nango.syncJobId.
	Run linkspan.RunFence
	// Models are those that the function declares. It can save no others.
	Models []string
	// LastSync is when the last run that succeeded began. Zero: none did.
	LastSync time.Time
	// TrackDeletes says that records which the run did not save are deleted in the
	// end, and Window that it is noted which ones it saves, for this or because the
	// function asks for it.
	TrackDeletes, Window bool
	// Read is told that the function asked for its checkpoint; nil: nobody is.
	Read func()
	// InterruptDue reports whether the run is to end when it has saved a checkpoint;
	// nil: never. Interrupt then ends it: it cancels the context of the run.
	InterruptDue func() bool
	Interrupt    func()
	// Lost ends a run that is not the newest attempt any more: it cancels the context
	// of the run. Nil: the function meets an error with the code "run_lost".
	Lost func()
}

// Syncs starts other syncs; *schedule.Service does.
type Syncs interface {
	Trigger(ctx context.Context, sel schedule.Selection, o schedule.TriggerOptions) error
	Start(ctx context.Context, sel schedule.Selection) error
}

// codeLost is the code of errors of writes by a run that is not the newest
// attempt any more.
const codeLost = "run_lost"

// interrupted ends the run if it is time to, now that the checkpoint is another
// one than it began with. It returns only if not.
func (x *Session) interrupted(ctx context.Context, moved bool) error {
	y := x.info.Sync
	if y == nil || !moved || y.InterruptDue == nil || !y.InterruptDue() {
		return nil
	}
	y.Interrupt()
	<-ctx.Done()
	return ctx.Err()
}

// abandoned ends a run that lost its fence, and reports whether it did.
func (x *Session) abandoned(ctx context.Context, err error) bool {
	if linkspan.CodeOf(err) != codeLost || x.info.Sync == nil || x.info.Sync.Lost == nil {
		return false
	}
	x.info.Sync.Lost()
	<-ctx.Done()
	return true
}

// fenced runs f in a transaction in which the run is the newest attempt. Runs that
// have no fence need none, and no transaction.
func (x *Session) fenced(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	if x.info.Sync == nil || x.info.Sync.Run.Run == 0 {
		return f(ctx, nil)
	}
	return x.s.c.Tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := x.s.c.Store.HoldRun(ctx, tx, x.info.Sync.Run); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// Limits of the calls about syncs: how many one names, and the length of names.
const (
	maxSyncs = 100
	maxName  = 255
)

// selection checks the parameters. Without a connection all of the integration are
// meant.
func (x *Session) selection(p *call.Syncs) (schedule.Selection, error) {
	const op = "host.syncs"
	if x.info.Syncs == nil {
		return schedule.Selection{}, linkspan.E(op, linkspan.KindInvalid, "not_available", nil, "There are no syncs to start here.")
	}
	if p.Integration == "" || len(p.Syncs) > maxSyncs {
		return schedule.Selection{}, linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "The call needs an integration and at most %d syncs.", maxSyncs)
	}
	if len(p.Integration) > maxName || len(p.Connection) > maxName {
		return schedule.Selection{}, linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "The names of integrations and connections have at most %d bytes.", maxName)
	}
	sel := schedule.Selection{Environment: x.info.Environment.ID, IntegrationKey: p.Integration, ConnectionName: p.Connection}
	for _, ref := range p.Syncs {
		if ref.Name == "" || len(ref.Name) > maxName || len(ref.Variant) > maxName {
			return schedule.Selection{}, linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "The names of syncs and variants have 1 to %d bytes.", maxName)
		}
		sel.Syncs = append(sel.Syncs, schedule.Ref(ref))
	}
	return sel, nil
}

// triggerSyncs has syncs run once.
func (x *Session) triggerSyncs(ctx context.Context, p call.Syncs) (any, error) {
	sel, err := x.selection(&p)
	if err != nil {
		return nil, err
	}
	x.effect()
	return nil, x.info.Syncs.Trigger(ctx, sel, schedule.TriggerOptions{Reset: p.Reset, Empty: p.Empty})
}

// startSyncs has syncs run by their schedules from now on.
func (x *Session) startSyncs(ctx context.Context, p call.Syncs) (any, error) {
	sel, err := x.selection(&p)
	if err != nil {
		return nil, err
	}
	x.effect()
	return nil, x.info.Syncs.Start(ctx, sel)
}

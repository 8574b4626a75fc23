package lease

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan"
)

// sweepLimit bounds how many lapsed leases one sweep reads.
const sweepLimit = 500

// Sweeper looks for work that dead processes left behind.
type Sweeper struct {
	store   Store
	kind    string
	every   time.Duration
	reclaim func(context.Context, linkspan.Lease) error
	log     *slog.Logger
}

// NewSweeper returns a sweeper for leases of a kind. reclaim is given each
// lapsed lease once in each sweep, one after the other, and again in the next
// one if it is still lapsed then. It must take the lease over, with
// Keeper.Acquire or AcquireLease in its own transaction, before it touches
// anything: several processes sweep at once.
func NewSweeper(store Store, kind string, every time.Duration, reclaim func(context.Context, linkspan.Lease) error, log *slog.Logger) *Sweeper {
	return &Sweeper{store: store, kind: kind, every: every, reclaim: reclaim, log: log}
}

// Run sweeps at once and then periodically until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "looking for lapsed leases failed", "kind", s.kind, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Sweeper) sweep(ctx context.Context) error {
	lapsed, err := s.store.LapsedLeases(ctx, nil, s.kind, sweepLimit)
	if err != nil {
		return fmt.Errorf("reading lapsed leases: %w", err)
	}
	for _, l := range lapsed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.hand(ctx, l)
	}
	return nil
}

// hand hands one lease to reclaim. One that cannot be reclaimed must not keep
// the others from it.
func (s *Sweeper) hand(ctx context.Context, l linkspan.Lease) {
	err := s.reclaim(ctx, l)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "reclaiming a lapsed lease failed", "kind", l.Kind, "key", l.Key, "attempt", l.Attempt, "error", err)
	}
}

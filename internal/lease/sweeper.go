package lease

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan"
)

// sweepLimit is how many lapsed leases one read returns at most.
const sweepLimit = 100

// Sweeper hands leases whose holders died to a function that puts their work
// back. It works at start-up and then periodically; every replica may run one,
// since the function has to acquire the lease before it does anything.
type Sweeper struct {
	store   Store
	kind    string
	every   time.Duration
	reclaim func(context.Context, linkspan.Lease) error
	log     *slog.Logger
}

// NewSweeper returns a sweeper for one kind of lease. reclaim is called once per
// sweep for each lapsed lease; it should acquire or release the lease, else the
// next sweep calls it again.
func NewSweeper(store Store, kind string, every time.Duration, reclaim func(context.Context, linkspan.Lease) error, log *slog.Logger) *Sweeper {
	return &Sweeper{store: store, kind: kind, every: every, reclaim: reclaim, log: log}
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "looking for lapsed leases failed", "error", err, "kind", s.kind)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep looks once. A lease that can't be reclaimed is logged and left to the
// next sweep.
func (s *Sweeper) Sweep(ctx context.Context) error {
	lapsed, err := s.store.LapsedLeases(ctx, nil, s.kind, sweepLimit)
	if err != nil {
		return fmt.Errorf("reading lapsed leases: %w", err)
	}
	for _, l := range lapsed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.reclaim(ctx, l); err != nil {
			s.log.WarnContext(ctx, "reclaiming a lapsed lease failed; the next sweep tries again", "error", err, "kind", l.Kind, "key", l.Key)
		}
	}
	return nil
}

package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan"
)

const (
	// refreshAtLeast is how often every token is refreshed even when nobody
	// uses it: providers retire grants that rest.
	refreshAtLeast = 24 * time.Hour
	// idlePause is how long the background leaves a connection alone whose
	// refresh failed. A dead grant would be tried with every round otherwise.
	idlePause    = time.Hour
	refreshBatch = 100
	// refreshAtOnce bounds how many are refreshed at the same time.
	refreshAtOnce = 8
	// keepDeleted is how long deleted connections can be brought back by hand.
	keepDeleted = 31 * 24 * time.Hour
	purgeBatch  = 500

	// roundKind and roundKey name the lease of a round of background refreshes.
	roundKind = "refresh_round"
	roundKey  = "all"
)

// RefreshDue refreshes every token that was not refreshed for a day. A failure
// is noted on its connection and does not stop the others. It returns when all
// are done or ctx ends, and at once while another round is going on, here or on
// another replica.
func (s *Service) RefreshDue(ctx context.Context) (err error) {
	held, ok, err := s.leases.Acquire(ctx, roundKind, roundKey)
	if err != nil || !ok {
		return err
	}
	defer func() { err = errors.Join(err, held.Release(ctx)) }()
	return s.refreshRound(held.Context()) //nolint:contextcheck // it descends from ctx, and ends with the lease
}

func (s *Service) refreshRound(ctx context.Context) error {
	before := s.now().Add(-refreshAtLeast)
	var after linkspan.ConnectionID
	for {
		batch, err := s.store.ConnectionsToRefresh(ctx, nil, before, after, refreshBatch)
		if err != nil {
			return fmt.Errorf("finding connections to refresh: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		s.refreshBatch(ctx, batch)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("refreshing in the background: %w", context.Cause(ctx))
		}
		after = batch[len(batch)-1].ID
	}
}

func (s *Service) refreshBatch(ctx context.Context, batch []linkspan.Connection) {
	var g errgroup.Group
	g.SetLimit(refreshAtOnce)
	for i := range batch {
		if ctx.Err() != nil {
			break
		}
		c := &batch[i]
		g.Go(func() error {
			s.refreshIdle(ctx, c)
			return nil
		})
	}
	_ = g.Wait() // the functions report what fails themselves
}

// refreshIdle refreshes one connection that nobody may have used for long. It
// goes around the cache, which is for those in use.
func (s *Service) refreshIdle(ctx context.Context, c *linkspan.Connection) {
	if failed := c.Refresh.FailedAt; !failed.IsZero() && within(failed, s.now(), idlePause) {
		return
	}
	e, err := s.read(ctx, cacheKey{c.EnvironmentID, c.IntegrationKey, c.Name})
	switch {
	case linkspan.KindOf(err) == linkspan.KindNotFound && err != nil:
		return // deleted in the meantime
	case err == nil && e.target.Load().Connection.CredentialsVersion != c.CredentialsVersion:
		return // refreshed since the batch was read
	case err == nil && (!e.target.Load().Credentials.Refreshable() || e.target.Load().Provider.CodeFacts.RefreshOnlyWhenForced):
		return
	case err == nil:
		_, err = s.refreshed(ctx, e, modeBackground, s.now())
	}
	if _, noted := errors.AsType[*RefreshError](err); err == nil || noted || ctx.Err() != nil {
		return
	}
	s.log.WarnContext(ctx, "refreshing an idle connection failed", "error", err, "connection", c.UUID, "environment_id", int64(c.EnvironmentID))
}

// PurgeDeleted removes for good what was deleted more than 31 days ago.
func (s *Service) PurgeDeleted(ctx context.Context) error {
	before := s.now().Add(-keepDeleted)
	for {
		n, err := s.store.PurgeDeleted(ctx, nil, before, purgeBatch)
		if err != nil {
			return fmt.Errorf("purging deleted connections: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}

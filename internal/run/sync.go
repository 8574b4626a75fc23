package run

import (
	"context"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/schedule"
)

// Syncs knows what runs of syncs begin with and what follows them;
// *schedule.Service does.
type Syncs interface {
	// Begin returns what a run begins with. KindNotFound: the sync was deleted.
	Begin(ctx context.Context, r *linkspan.Run) (schedule.Begun, error)
	// Ended notes the end of a run in the transaction that stores it.
	Ended(ctx context.Context, tx linkspan.Tx, e schedule.End) error
	// Creating is like [Service.Creating].
	Creating(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) (func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, error)
}

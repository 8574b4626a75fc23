package oplog

import (
	"context"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// deletionsPerWrite bounds how many connections are in memory at a time.
const deletionsPerWrite = 500

// DeletionStore finds connections that went with what they belonged to.
type DeletionStore interface {
	Store
	// ConnectionsDeletedWith returns connections that were deleted together
	// with an integration, or for the id zero with their environment: at most
	// limit, by id, from behind after.
	ConnectionsDeletedWith(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID, after linkspan.ConnectionID, limit int) ([]linkspan.Connection, error)
}

// RecordDeletions writes an operation for every connection that tx deleted
// together with an integration, or for the id zero with its environment. It
// writes in the transaction, since there may be more of them than the buffer of
// a Log takes: either all are recorded, or nothing is deleted.
func RecordDeletions(ctx context.Context, tx linkspan.Tx, store DeletionStore, env linkspan.EnvironmentID, integration linkspan.IntegrationID, message string) error {
	var after linkspan.ConnectionID
	for {
		page, err := store.ConnectionsDeletedWith(ctx, tx, env, integration, after, deletionsPerWrite)
		if err != nil {
			return fmt.Errorf("finding the deleted connections: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		ops := make([]linkspan.Operation, len(page))
		for i := range page {
			ops[i] = deletion(&page[i], message, tx.Now())
		}
		if err := store.SaveOperations(ctx, tx, ops, nil); err != nil {
			return fmt.Errorf("recording the deleted connections: %w", err)
		}
		after = page[len(page)-1].ID
	}
}

func deletion(c *linkspan.Connection, message string, now time.Time) linkspan.Operation {
	return linkspan.Operation{
		ID: linkspan.NewOperationID(now), EnvironmentID: c.EnvironmentID,
		Type: linkspan.OperationAuth, Action: linkspan.ActionDeleteConnection, State: linkspan.StateSuccess, Message: message,
		IntegrationKey: c.IntegrationKey, Provider: c.Provider, ConnectionName: c.Name, ConnectionUUID: c.UUID,
		CreatedAt: now, StartedAt: now, EndedAt: now, ExpiresAt: now.Add(lifetime(linkspan.OperationAuth)),
	}
}

package authorize

import (
	"context"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
)

func actionOf(renewed linkspan.ConnectionID) linkspan.OperationAction {
	if renewed != 0 {
		return linkspan.ActionUpdateConnection
	}
	return linkspan.ActionCreateConnection
}

// operation begins the operation of an attempt, or continues the one of its
// connect session if no attempt has ended that: so that the one attempt that
// most sessions see is in one place with what Connect UI tells of it.
func (s *Service) operation(ctx context.Context, pl *plan, in Request) *oplog.Op {
	e := pl.principal.Environment
	op := linkspan.Operation{
		AccountID: e.AccountID, EnvironmentID: e.ID, Type: linkspan.OperationAuth, Action: actionOf(pl.reconnect),
		Message: "Connecting an account.", ConnectionName: pl.name, ExpiresAt: s.now().UTC().Add(flowLifetime),
	}
	if isKey(in.IntegrationKey) {
		op.IntegrationKey = in.IntegrationKey
	}
	if pl.provider != nil {
		op.Provider = pl.provider.Name
	}
	if session := pl.principal.Session; session != nil && session.Operation != "" {
		// One that is not found has not been written yet.
		before, err := s.store.Operation(ctx, nil, e.ID, session.Operation)
		if err == nil && !before.State.Final() || linkspan.KindOf(err) == linkspan.KindNotFound && err != nil {
			op.ID = session.Operation
		}
	}
	return s.ops.Resume(op)
}

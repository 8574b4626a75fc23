package connect

import (
	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// startOperation begins an operation about a connection. The environment says
// whose it is; callers that know the account use begin.
func (s *Service) startOperation(action linkspan.OperationAction, t *upstream.Target) *oplog.Op {
	return s.begin(0, action, t)
}

// begin begins an operation about a connection of an account.
func (s *Service) begin(account linkspan.AccountID, action linkspan.OperationAction, t *upstream.Target) *oplog.Op {
	return s.ops.Start(linkspan.Operation{
		AccountID:      account,
		EnvironmentID:  t.Integration.EnvironmentID,
		Type:           linkspan.OperationAuth,
		Action:         action,
		Message:        started(action),
		IntegrationKey: t.Integration.Key,
		Provider:       t.Provider.Name,
		ConnectionName: t.Connection.Name,
		ConnectionUUID: t.Connection.UUID,
	})
}

// noteChange records what was done to a connection. It needs nothing of the
// catalogue: a provider may be gone whose connections are not.
func (s *Service) noteChange(c *linkspan.Connection, action linkspan.OperationAction, done string, notes ...linkspan.Message) {
	op := s.ops.Start(linkspan.Operation{
		EnvironmentID:  c.EnvironmentID,
		Type:           linkspan.OperationAuth,
		Action:         action,
		IntegrationKey: c.IntegrationKey,
		Provider:       c.Provider,
		ConnectionName: c.Name,
		ConnectionUUID: c.UUID,
	})
	for _, m := range notes {
		op.Message(m)
	}
	op.Succeed(done)
}

// started says what an operation that has no end yet is doing.
func started(a linkspan.OperationAction) string {
	switch a {
	case linkspan.ActionRefreshToken:
		return "Refreshing the credentials."
	case linkspan.ActionCreateConnection:
		return "Creating the connection."
	case linkspan.ActionUpdateConnection:
		return "Updating the connection."
	case linkspan.ActionConnectionTest:
		return "Trying the credentials out."
	default:
		return ""
	}
}

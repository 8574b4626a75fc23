package authorize

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

// Headless connects an account with credentials that the user has typed, or with
// none. p is of kind access.Session or access.PublicKey. Errors have the codes of
// wire contract §7; invalid_body and invalid_query_params have an issue for each
// problem.
func (s *Service) Headless(ctx context.Context, p *access.Principal, in Request, creds credential.Credentials) (connect.Outcome, error) {
	if err := s.attempt(p); err != nil {
		return connect.Outcome{}, err
	}
	pl, err := s.newPlan(ctx, p, in)
	op := s.operation(ctx, pl, in)
	if err == nil && string(pl.provider.Auth.Mode) != string(creds.Type) {
		err = invalid("authorize.Headless", "invalid_auth_mode",
			fmt.Sprintf("The provider %s uses %s, not %s.", pl.provider.Name, pl.provider.Auth.Mode, creds.Type))
	}
	if err != nil {
		s.refuseHeadless(ctx, pl, op, err)
		return connect.Outcome{}, err
	}
	op.Publish()
	grant := connect.Authorized{
		Environment: p.Environment, IntegrationKey: pl.integration.Key, Name: pl.name, Reconnect: pl.reconnect, Credentials: creds,
		ConnectionConfig: pl.config(), Given: pl.given, WebhookURLOverride: pl.webhookURL, PopupID: pl.popupID, Operation: op.ID(),
	}
	if p.Session != nil {
		grant.Tags, grant.EndUser = p.Session.Tags, p.Session.EndUser
	}
	return s.connections.Authorize(ctx, grant)
}

// refuseHeadless records credentials that were not even tried.
func (s *Service) refuseHeadless(ctx context.Context, pl *plan, op *oplog.Op, err error) {
	f := failureOf(err)
	op.Fail(f.code, f.text())
	s.log.InfoContext(ctx, "credentials of a user were refused", "code", f.code,
		"environment_id", int64(pl.env()), "principal", string(pl.principal.Kind), "operation", string(op.ID()))
}

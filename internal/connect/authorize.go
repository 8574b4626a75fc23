package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/webhook"
)

const (
	// authorizationLease is the kind of the leases of authorizations; their key
	// is the authorization's UUID.
	authorizationLease = "authorization"
	// authorizeDeadline bounds what a user waits for.
	authorizeDeadline = 60 * time.Second
	// grantDeadline bounds the attempts to store a grant. The user is there and
	// can try again, so it need not outlast every failover.
	grantDeadline = 15 * time.Second
	// finishAfter is when the job looks whether a process has died over an
	// authorization. It is longer than a lease lives.
	finishAfter = 20 * time.Second
	// finishPoll is how often the job looks whether the work is done that
	// somebody else is doing.
	finishPoll = time.Second
)

// CodePending means that an account is authorized and its grant stored, but that
// the database failed before the connection was: a job makes it, and tells the
// page that waits, as soon as that is possible. So nobody else must tell it that
// the authorization failed.
const CodePending = "authorization_pending"

// Authorized is what a finished authorization brought.
type Authorized struct {
	Environment linkspan.Environment
	// IntegrationKey and Name identify the connection. An empty name gets a
	// random one.
	IntegrationKey, Name string
	// Reconnect is the connection that gets the credentials. Zero: whatever has
	// the name, or a new one.
	Reconnect linkspan.ConnectionID
	// Credentials must be of the provider's kind.
	Credentials credential.Credentials
	// ConnectionConfig is the whole new connection_config. A webhook URL in it
	// is dropped: what comes by a browser must not choose one.
	ConnectionConfig map[string]any
	// Given are the settings in it that somebody chose, rather than the provider
	// or an earlier connection: hooks replace no value of theirs.
	Given map[string]any
	// Tags, EndUser and WebhookURLOverride stay as they are on a connection that
	// exists when they are nil.
	Tags               map[string]string
	EndUser            *linkspan.EndUser
	WebhookURLOverride *string
	// PopupID names the page that waits for the result. Empty: none does.
	PopupID string
	// Operation is the one that the flow is recorded in; it ends here. Empty:
	// one is begun.
	Operation linkspan.OperationID
}

// Outcome is the connection that an authorization made or renewed.
type Outcome struct {
	IntegrationKey, Name string
	Created              bool
}

// FinishAuthorization is the job that finishes an authorization whose process
// died. Its handler is [Service.FinishAuthorization].
type FinishAuthorization struct {
	UUID string `json:"uuid"`
}

// Kind implements job.Args.
func (FinishAuthorization) Kind() string { return "finish_authorization" }

var _ job.Args = FinishAuthorization{}

// Authorize makes a connection of a grant, or gives the grant to the connection
// that is there. First the grant is stored, with a job that finishes what this
// process may not live to finish. Then the credentials are tried out where the
// provider tells how. Then one transaction stores the connection, announces it
// to the customer's backend and tells the page that waits.
//
// When the credentials are refused the connection stays as it was, and backend
// and page are told that; a provider that can't be reached counts as a refusal,
// because a user waits. The caller's context is not heeded: a grant must be kept
// although its user has left. Errors: unknown_provider_config, unknown_provider,
// unsupported_provider, invalid_body, invalid_connection, connection_test_failed,
// connection_validation_failed,
// and [CodePending] when the database failed on the way.
func (s *Service) Authorize(ctx context.Context, in Authorized) (Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), authorizeDeadline)
	defer cancel()
	a := s.newAuthorization(in)
	if err := a.complete(); err != nil {
		return Outcome{}, a.refuseUnstored(ctx, err)
	}
	if err := a.keep(ctx); err != nil {
		return Outcome{}, a.refuseUnstored(ctx, err)
	}
	held, ok, err := s.leases.Acquire(ctx, authorizationLease, a.row.UUID)
	if err != nil || !ok {
		return Outcome{}, a.later(err)
	}
	defer s.releaseAuthorization(ctx, held)
	return a.finish(ctx, held)
}

// AuthorizationFailed tells the customer's backend and the page that waits, in
// one transaction, that an authorization failed before there was a grant: the
// provider gave none, or did not keep to the protocol. Of in everything counts
// but what a grant brings. The type is one of wire contract §8.3; both texts are
// shown to people. The operation of the flow goes on: its end is the caller's.
func (s *Service) AuthorizationFailed(ctx context.Context, in Authorized, errorType, description string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	a := s.newAuthorization(in)
	_ = a.complete() // says what is wrong with a grant; there is none
	if _, err := a.candidate(ctx); err != nil && !isRefusal(err) {
		return fmt.Errorf("reading whose authorization failed: %w", err)
	}
	return a.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		return a.tellFailure(ctx, tx, webhook.Failure{Type: errorType, Description: description}, errorType)
	})
}

// FinishAuthorization does what is left to do of an authorization, if anything
// is. It waits while somebody else works on it, and may be called any number of
// times: what is done is done once. An error means that it must be called again.
func (s *Service) FinishAuthorization(ctx context.Context, uuid string) error {
	for {
		row, err := s.store.Authorization(ctx, nil, uuid)
		if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading authorization %s: %w", uuid, err)
		}
		done, err := s.tryFinish(ctx, row)
		if err != nil || done {
			return err
		}
		if err := sleep(ctx, finishPoll); err != nil {
			return fmt.Errorf("waiting for the process that works on authorization %s: %w", uuid, err)
		}
	}
}

// tryFinish finishes an authorization unless somebody else is at it: false.
func (s *Service) tryFinish(ctx context.Context, row linkspan.Authorization) (done bool, err error) {
	held, ok, err := s.leases.Acquire(ctx, authorizationLease, row.UUID)
	if err != nil || !ok {
		return false, err
	}
	defer s.releaseAuthorization(ctx, held)
	a, err := s.storedAuthorization(row)
	if err != nil {
		return false, err
	}
	_, err = a.finish(ctx, held)
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Code == CodePending {
		return false, err
	}
	return true, nil // done also when it was refused: whom that concerns was told
}

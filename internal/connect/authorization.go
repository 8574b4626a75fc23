package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/webhook"
)

// errSettled means that the row of an authorization is gone: another process
// finished it, or a newer authorization of the same connection.
var errSettled = errors.New("the authorization was finished in the meantime")

// authorization is one on its way to a connection.
type authorization struct {
	*Service

	// row is what is stored of it. Its ID is zero until it is.
	row   linkspan.Authorization
	in    ImportInput
	popup string
	op    *oplog.Op
	// about is the connection as far as it is known, for those who are told.
	about linkspan.Connection
}

// payload is what an authorization's row holds sealed. The names are stored.
type payload struct {
	ConnectionUUID     string                `json:"connection_uuid"`
	Credentials        json.RawMessage       `json:"credentials"`
	Config             map[string]any        `json:"config"`
	Given              []string              `json:"given,omitempty"`
	Tags               map[string]string     `json:"tags"`
	EndUser            *linkspan.EndUser     `json:"end_user"`
	WebhookURLOverride *string               `json:"webhook_url_override"`
	Reconnect          linkspan.ConnectionID `json:"reconnect"`
	PopupID            string                `json:"popup_id"`
	Operation          linkspan.OperationID  `json:"operation"`
}

func (s *Service) newAuthorization(in Authorized) *authorization {
	a := &authorization{
		Service: s, popup: in.PopupID,
		row: linkspan.Authorization{UUID: linkspan.NewUUID(), EnvironmentID: in.Environment.ID, IntegrationKey: in.IntegrationKey},
		in: ImportInput{
			IntegrationKey: in.IntegrationKey, Name: in.Name, Credentials: in.Credentials, ConnectionConfig: maps.Clone(in.ConnectionConfig),
			WebhookURLOverride: in.WebhookURLOverride, EndUser: in.EndUser, Tags: in.Tags, reconnect: in.Reconnect, given: givenNames(in.Given),
		},
	}
	if a.in.ConnectionConfig == nil {
		a.in.ConnectionConfig = map[string]any{}
	}
	a.record(in.Environment.AccountID, in.Operation)
	return a
}

// record continues the flow's operation, or begins one.
func (a *authorization) record(account linkspan.AccountID, id linkspan.OperationID) {
	action := linkspan.ActionCreateConnection
	if a.in.reconnect != 0 {
		action = linkspan.ActionUpdateConnection
	}
	a.op = a.ops.Resume(linkspan.Operation{
		ID: id, AccountID: account, EnvironmentID: a.row.EnvironmentID, Type: linkspan.OperationAuth, Action: action,
		Message: started(action), IntegrationKey: a.in.IntegrationKey, ConnectionName: a.in.Name,
	})
}

// complete refuses what can't be a connection anywhere, and gives names to the
// rest. It needs no database, so that a grant is stored before anything fails.
func (a *authorization) complete() error {
	delete(a.in.ConnectionConfig, keyWebhookURL)
	if a.in.Credentials.Type == credential.OAuth2 {
		a.in.hoistClient()
	}
	err := a.in.complete("connect.Authorize", nil)
	a.row.ConnectionName = a.in.Name
	a.describe(a.in.newConnection(linkspan.Integration{EnvironmentID: a.row.EnvironmentID, Key: a.in.IntegrationKey}))
	return err
}

// describe says what the authorization is about.
func (a *authorization) describe(c linkspan.Connection) {
	a.about = c
	a.in.apply(&a.about)
	a.op.Describe(c.IntegrationKey, c.Provider, c.Name, c.UUID)
}

// keep stores the grant together with the job that finishes it.
func (a *authorization) keep(ctx context.Context) error {
	if err := a.seal(); err != nil {
		return err
	}
	trying, cancel := context.WithTimeout(ctx, grantDeadline)
	defer cancel()
	pause := firstRetry
	for {
		err := a.insert(trying)
		if err == nil {
			return nil
		}
		if linkspan.KindOf(err) == linkspan.KindConflict {
			return a.inserted(ctx, err)
		}
		if sleep(trying, pause) != nil {
			return linkspan.E("connect.Authorize", linkspan.KindUnavailable, "", err, "The account was authorized, but that could not be stored.").
				WithHint("Try again in a minute.")
		}
		pause = min(2*pause, lastRetry)
	}
}

func (a *authorization) insert(ctx context.Context) error {
	return a.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := a.store.InsertAuthorization(ctx, tx, &a.row); err != nil {
			return fmt.Errorf("storing the grant: %w", err)
		}
		if a.jobs == nil {
			return nil
		}
		return a.jobs.EnqueueAt(ctx, tx, a.now().Add(finishAfter), FinishAuthorization{UUID: a.row.UUID})
	})
}

// inserted answers a conflict. An attempt before may have been committed without
// our knowing, because the way to the database broke at that moment.
func (a *authorization) inserted(ctx context.Context, conflict error) error {
	row, err := a.store.Authorization(ctx, nil, a.row.UUID)
	if err != nil {
		return conflict
	}
	a.row.ID = row.ID
	return nil
}

// seal makes the row's payload.
func (a *authorization) seal() error {
	text, err := json.Marshal(payload{
		ConnectionUUID: a.in.uuid, Credentials: json.RawMessage(a.in.Credentials.Encode().Reveal()), Config: a.in.ConnectionConfig, Given: a.in.given,
		Tags: a.in.Tags, EndUser: a.in.EndUser, WebhookURLOverride: a.in.WebhookURLOverride, Reconnect: a.in.reconnect,
		PopupID: a.popup, Operation: a.op.ID(),
	})
	if err != nil {
		return fmt.Errorf("encoding the grant: %w", err)
	}
	a.row.Payload = linkspan.NewSecret(string(text))
	return nil
}

// storedAuthorization is the inverse of seal.
func (s *Service) storedAuthorization(row linkspan.Authorization) (*authorization, error) {
	var p payload
	dec := json.NewDecoder(bytes.NewReader([]byte(row.Payload.Reveal())))
	dec.UseNumber()
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("reading the grant of authorization %s: it is not what was stored (%T)", row.UUID, err)
	}
	credentials, err := credential.Parse(linkspan.NewSecret(string(p.Credentials)))
	if err != nil {
		return nil, fmt.Errorf("reading the grant of authorization %s: %w", row.UUID, err)
	}
	a := &authorization{
		Service: s, row: row, popup: p.PopupID,
		in: ImportInput{
			IntegrationKey: row.IntegrationKey, Name: row.ConnectionName, Credentials: credentials, ConnectionConfig: p.Config,
			WebhookURLOverride: p.WebhookURLOverride, EndUser: p.EndUser, Tags: p.Tags, uuid: p.ConnectionUUID, reconnect: p.Reconnect, given: p.Given,
		},
	}
	a.record(0, p.Operation)
	a.describe(a.in.newConnection(linkspan.Integration{EnvironmentID: row.EnvironmentID, Key: row.IntegrationKey}))
	return a, nil
}

// finish makes the connection under the lease, or refuses it.
func (a *authorization) finish(ctx context.Context, held *lease.Held) (Outcome, error) {
	t, err := a.candidate(ctx)
	if err == nil {
		err = a.tryOut(held.Context(), t) //nolint:contextcheck // it descends from ctx, and ends with the lease
	}
	if err == nil {
		a.findOut(held.Context(), t, &a.in, a.op.Message) //nolint:contextcheck // as above
		err = a.validate(held.Context(), t, &a.in)        //nolint:contextcheck // as above
	}
	if held.Context().Err() != nil {
		// What went wrong says nothing about the credentials.
		return Outcome{}, a.later(errors.Join(err, context.Cause(held.Context()))) //nolint:contextcheck // only the cause of its end is asked for
	}
	var out Outcome
	if err == nil {
		out, err = a.activate(ctx, held, t.Integration)
	}
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, errSettled):
		return a.settled(ctx)
	case isRefusal(err):
		return Outcome{}, a.refuse(ctx, held, err)
	default:
		return Outcome{}, a.later(err)
	}
}

// candidate is the connection as it would be.
func (a *authorization) candidate(ctx context.Context) (*upstream.Target, error) {
	integration, err := a.integration(ctx, a.row.EnvironmentID, a.in.IntegrationKey)
	if err != nil {
		return nil, err
	}
	a.about.Provider, a.about.IntegrationID = integration.Provider, integration.ID
	provider, err := a.provider(integration.Provider)
	if err != nil {
		return nil, err
	}
	draft, err := a.draft(ctx, integration, a.in)
	if err != nil {
		return nil, err
	}
	a.describe(draft)
	if err := checkType("connect.Authorize", provider, a.in.Credentials.Type); err != nil {
		return nil, err
	}
	return &upstream.Target{Provider: provider, Integration: integration, Connection: draft, Credentials: a.in.Credentials}, nil
}

// tryOut tries the credentials out. Whatever goes wrong is a refusal.
func (a *authorization) tryOut(ctx context.Context, t *upstream.Target) error {
	if !a.verifiable(t.Provider) {
		return nil
	}
	err := a.try(ctx, t, a.op.Message)
	if err == nil {
		a.op.Message(linkspan.Message{Text: "The provider accepted the credentials."})
		return nil
	}
	if isRefusal(err) {
		return err
	}
	return linkspan.E("connect.Authorize", linkspan.KindInvalid, "connection_test_failed", err,
		"The credentials cannot be tested for an internal reason.").WithHint("The server's log says more.")
}

// activate stores the connection and tells everybody, in one transaction.
func (a *authorization) activate(ctx context.Context, held *lease.Held, i linkspan.Integration) (Outcome, error) {
	follow, err := a.following(ctx, &i)
	if err != nil {
		return Outcome{}, err
	}
	var saved linkspan.Connection
	var created bool
	err = a.inUpsert(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := a.claim(ctx, tx, held); err != nil {
			return err
		}
		// What an older grant of this connection still wants must not undo this.
		// Its row comes before the connection, so that two of these never wait for
		// each other.
		if _, err := a.store.DeleteOlderAuthorizations(ctx, tx, &a.row); err != nil {
			return err
		}
		var err error
		if created, err = a.put(ctx, tx, i, a.in, &saved); err != nil {
			return err
		}
		if err := follow.write(ctx, tx, &saved); err != nil {
			return err
		}
		if err := a.announce(ctx, tx, &saved, authOperation(created), nil); err != nil {
			return err
		}
		return a.tellPopup(ctx, tx, PopupSuccess(a.in.IntegrationKey, a.in.Name))
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("storing connection %q of %q: %w", a.in.Name, i.Key, err)
	}
	a.op.Describe(saved.IntegrationKey, saved.Provider, saved.Name, saved.UUID)
	if created {
		a.op.Succeed("Created the connection.")
	} else {
		a.op.Succeed("Replaced the credentials of the connection.")
	}
	return Outcome{IntegrationKey: a.in.IntegrationKey, Name: a.in.Name, Created: created}, nil
}

// claim takes the authorization's row away in a transaction that ends it, so
// that nobody else can.
func (a *authorization) claim(ctx context.Context, tx linkspan.Tx, held *lease.Held) error {
	if err := held.Check(ctx, tx); err != nil {
		return err
	}
	there, err := a.store.DeleteAuthorization(ctx, tx, a.row.ID)
	if err != nil {
		return fmt.Errorf("ending the authorization: %w", err)
	}
	if !there {
		return errSettled
	}
	return nil
}

// refuse tells everybody that there will be no connection, and returns why.
func (a *authorization) refuse(ctx context.Context, held *lease.Held, why error) error {
	failure := failureOf(why)
	err := a.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := a.claim(ctx, tx, held); err != nil {
			return err
		}
		return a.tellFailure(ctx, tx, failure, popupType(failure.Type))
	})
	if errors.Is(err, errSettled) {
		// A newer grant counts, and has told its own page only.
		a.tellRefused(ctx, failure)
	} else if err != nil {
		return a.later(errors.Join(err, why))
	}
	a.op.Fail(failure.Type, failure.Description)
	return why
}

// tellRefused tells the page alone, if it can be told.
func (a *authorization) tellRefused(ctx context.Context, f webhook.Failure) {
	if err := a.tellPopup(ctx, nil, a.popupError(popupType(f.Type), f)); err != nil {
		a.op.Message(linkspan.Message{Level: "warn", Text: "The page that waits for the result could not be told."})
	}
}

// refuseUnstored is refuse for what was never stored. The backend is not told:
// either its own form was filled in wrongly, or the database is away.
func (a *authorization) refuseUnstored(ctx context.Context, why error) error {
	failure := failureOf(why)
	a.tellRefused(ctx, failure)
	a.op.Fail(failure.Type, failure.Description)
	return why
}

// tellFailure tells backend and page in the transaction.
func (a *authorization) tellFailure(ctx context.Context, tx linkspan.Tx, f webhook.Failure, errorType string) error {
	created := a.about.ID == 0 && a.in.reconnect == 0
	if err := a.announce(ctx, tx, &a.about, authOperation(created), &f); err != nil {
		return err
	}
	return a.tellPopup(ctx, tx, a.popupError(errorType, f))
}

func (a *authorization) popupError(errorType string, f webhook.Failure) string {
	return PopupError(a.in.IntegrationKey, a.in.Name, errorType, f.Description)
}

// announce has the customer's backend told in the transaction.
func (s *Service) announce(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection, o webhook.Operation, f *webhook.Failure) error {
	if s.webhooks == nil {
		return nil
	}
	e := webhook.AuthEvent{EnvironmentID: c.EnvironmentID, Connection: c, AuthMode: s.authMode(c.Provider), Operation: o, Err: f}
	if err := s.webhooks.AddAuth(ctx, tx, e); err != nil {
		return fmt.Errorf("announcing connection %q of %q: %w", c.Name, c.IntegrationKey, err)
	}
	return nil
}

// tellPopup has the page told that waits for the authorization.
func (a *authorization) tellPopup(ctx context.Context, tx linkspan.Tx, message string) error {
	if a.popup == "" {
		return nil
	}
	if err := a.store.InsertPopupResult(ctx, tx, linkspan.PopupResult{PopupID: a.popup, Message: message}); err != nil {
		return fmt.Errorf("telling the page that waits: %w", err)
	}
	return nil
}

// settled answers when somebody else has ended the authorization. This process
// had found nothing against it, so the connection that is there is its own, or
// that of a newer grant.
func (a *authorization) settled(ctx context.Context) (Outcome, error) {
	key := cacheKey{a.row.EnvironmentID, a.in.IntegrationKey, a.in.Name}
	if _, err := a.store.Connection(ctx, nil, key.env, key.integration, key.name); err != nil {
		return Outcome{}, noConnection("connect.Authorize", key, err)
	}
	// The newer one has told its own page, not this one's.
	if err := a.tellPopup(ctx, nil, PopupSuccess(key.integration, key.name)); err != nil {
		return Outcome{}, err
	}
	a.op.Succeed("The connection has newer credentials already; those count.")
	return Outcome{IntegrationKey: key.integration, Name: key.name}, nil
}

// later is the answer when the job has to finish the authorization.
func (a *authorization) later(err error) error {
	a.op.Message(linkspan.Message{Level: "warn", Text: "The connection could not be stored yet. It is tried again."})
	a.op.Publish()
	return linkspan.E("connect.Authorize", linkspan.KindUnavailable, CodePending, err,
		"The account is authorized, but the connection could not be stored yet. It will be in a minute.").
		WithHint("There is no need to authorize again.")
}

func (s *Service) releaseAuthorization(ctx context.Context, held *lease.Held) {
	if err := held.Release(ctx); err != nil {
		s.log.WarnContext(ctx, "releasing the lease of an authorization failed; it lapses by itself", "error", err)
	}
}

// isRefusal reports whether trying again would end in the same error.
func isRefusal(err error) bool {
	switch linkspan.KindOf(err) {
	case linkspan.KindInvalid, linkspan.KindNotFound, linkspan.KindForbidden, linkspan.KindUpstream:
		return linkspan.CodeOf(err) != ""
	default:
		return false
	}
}

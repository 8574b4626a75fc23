package authorize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
)

// arrival is a browser that comes back from a provider.
type arrival struct {
	*Service

	query url.Values
	// row, flow and the rest are known once the authorization is.
	row      linkspan.OAuthSession
	flow     *flow
	env      linkspan.Environment
	provider *catalog.Provider
	op       *oplog.Op
}

// Callback takes a browser back from a provider: it checks that it is the one
// that was sent there, exchanges the code, and makes the connection. query is
// what came in the URL, cookie returns a cookie of the browser by its name. It
// may be called with anything. The browser need not wait: whether it is still
// there is not heeded, because the provider gives a grant once.
func (s *Service) Callback(ctx context.Context, query url.Values, cookie func(name string) string) Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
	defer cancel()
	a := &arrival{Service: s, query: query}
	if f, ok := a.take(ctx, stateOf(query), cookie); !ok {
		return a.page(f)
	}
	return a.finish(ctx)
}

// stateOf returns the state wherever a provider puts it (provider semantics §3.1).
func stateOf(query url.Values) string {
	for _, name := range []string{"state", "payload", "customField"} {
		if state := query.Get(name); state != "" {
			return state
		}
	}
	return ""
}

// take finds the authorization and takes it, if it is this browser's. Otherwise
// ok is false.
func (a *arrival) take(ctx context.Context, state string, cookie func(name string) string) (f failure, ok bool) {
	const again = "Start again from the beginning."
	if state == "" || len(state) > maxState {
		a.refused(ctx, CodeState, "no state")
		return fail(CodeState, "The address lacks what tells us which connection it is about.", again), false
	}
	stateHash := hash(state)
	secret := cookie(cookieName(stateHash))
	if len(secret) > maxState {
		secret = ""
	}
	browser := hash(secret)
	row, taken, err := a.store.TakeOAuthSession(ctx, nil, stateHash, browser, a.now())
	switch {
	case linkspan.KindOf(err) == linkspan.KindNotFound && err != nil:
		a.refused(ctx, CodeState, "unknown state")
		return fail(CodeState, "This connection was not begun here, or it was begun too long ago.", again), false
	case err != nil:
		a.log.ErrorContext(ctx, "reading an authorization failed", "error", err)
		return failureOf(err), false
	}
	a.row = row
	switch {
	case secret == "" || row.BrowserHash != browser:
		a.refused(ctx, CodeStateCookie, "another browser")
		return fail(CodeStateCookie, "This connection was begun in another browser.",
			"Finish it in the browser in which you began, with cookies allowed, or start again here."), false
	case taken:
		return failure{}, true
	case !row.UsedAt.IsZero():
		a.refused(ctx, CodeState, "used before")
		return fail(CodeState, "This address has been used already: it works once.", "If the account is not connected, start again from the beginning."), false
	default:
		a.refused(ctx, CodeState, "expired")
		f := fail(CodeState, "It took too long to come back, so the connection was given up.", again)
		a.tellPopup(ctx, row.PopupID, row.IntegrationKey, row.ConnectionName, f)
		return f, false
	}
}

// refused logs a callback that is not what it should be, in the flow's operation
// too where that is known. Nothing of what the browser sent is written.
func (a *arrival) refused(ctx context.Context, code, reason string) {
	a.log.WarnContext(ctx, "an OAuth callback was refused", "code", code, "reason", reason,
		"environment_id", int64(a.row.EnvironmentID), "operation", string(a.row.Operation))
	if a.row.Operation == "" {
		return
	}
	op := a.ops.Attach(a.row.Operation, a.row.EnvironmentID)
	op.Message(linkspan.Message{Level: "warn", Text: "Refused a browser that came back from the provider: " + reason + "."})
	op.End(linkspan.StateRunning, "")
}

// finish makes a connection of what the browser brought.
func (a *arrival) finish(ctx context.Context) Result {
	if err := a.load(ctx); err != nil {
		return a.end(ctx, a.internal(ctx, "reading what an authorization is about", err))
	}
	out, f, ok := a.connect(ctx)
	if !ok {
		return a.end(ctx, f)
	}
	r := a.page(failure{status: http.StatusOK})
	r.Success, r.ConnectionName, r.Query = true, out.Name, nil
	return r
}

// load reads what the authorization is about.
func (a *arrival) load(ctx context.Context) error {
	f, err := flowOf(a.row)
	a.flow = f
	a.op = a.ops.Resume(linkspan.Operation{
		ID: a.row.Operation, AccountID: a.flow.AccountID, EnvironmentID: a.row.EnvironmentID, Type: linkspan.OperationAuth,
		Action: actionOf(a.flow.Reconnect), Message: "Connecting an account.", IntegrationKey: a.row.IntegrationKey, ConnectionName: a.row.ConnectionName,
	})
	if err != nil {
		return err
	}
	if a.env, err = a.store.EnvironmentByID(ctx, nil, a.flow.AccountID, a.row.EnvironmentID); err != nil {
		return fmt.Errorf("reading the environment: %w", err)
	}
	return nil
}

// connect does what finish promises. ok is false when it failed.
func (a *arrival) connect(ctx context.Context) (out connect.Outcome, f failure, ok bool) {
	integration, err := a.store.Integration(ctx, nil, a.env.ID, a.row.IntegrationKey)
	if linkspan.KindOf(err) == linkspan.KindNotFound && err != nil {
		return out, fail(CodeProviderConfig, "The integration has been removed in the meantime.", "Tell whoever sent you here."), false
	}
	if err != nil {
		return out, a.internal(ctx, "reading the integration", err), false
	}
	if a.provider, err = a.providers.Provider(integration.Provider); err != nil {
		return out, fail(CodeUnknownConfig, "The provider of the integration does not exist any more.", "Tell whoever sent you here."), false
	}
	a.op.Describe("", a.provider.Name, "", "")
	a.note()
	if f, failed := a.answered(ctx); failed {
		return out, f, false
	}
	grant, err := a.exchange(ctx, integration)
	if err != nil {
		return out, tokenFailure(a.provider, err), false
	}
	config := maps.Clone(a.flow.Base)
	if config == nil {
		config = make(map[string]any, len(grant.Captured))
	}
	maps.Copy(config, grant.Captured)
	// The connection ends the operation, so what is known of it goes first.
	a.op.Publish()
	in := a.authorized()
	in.Credentials, in.ConnectionConfig = grant.Credentials, overlay(config, a.flow.Given)
	in.Given = a.flow.Given
	if out, err = a.connections.Authorize(ctx, in); err != nil {
		return out, a.authorizeFailure(ctx, err), false
	}
	return out, failure{}, true
}

// authorized is what is known of the connection without a grant.
func (a *arrival) authorized() connect.Authorized {
	return connect.Authorized{
		Environment: a.env, IntegrationKey: a.row.IntegrationKey, Name: a.row.ConnectionName, Reconnect: a.flow.Reconnect,
		Tags: a.flow.Tags, EndUser: a.flow.EndUser, WebhookURLOverride: a.flow.WebhookURL,
		PopupID: a.row.PopupID, Operation: a.row.Operation,
	}
}

// answered judges the provider's answer before anything is done with it.
func (a *arrival) answered(ctx context.Context) (f failure, failed bool) {
	refusal := a.query.Get("error")
	// An answer of another server must not even be believed when it is an error.
	// Some servers leave their name out of errors, where nothing depends on it.
	if refusal == "" || a.query.Has("iss") {
		if err := a.checkIssuer(ctx); err != nil {
			a.refused(ctx, CodeCallback, "another issuer")
			return failureOf(err), true
		}
	}
	if refusal != "" {
		f := providerFailure(a.provider, refusal)
		f.detail = providerDetail(a.query)
		return f, true
	}
	if a.query.Get(oauth.CodeParam(a.provider)) == "" {
		f := fail(CodeCallback, a.provider.DisplayName+" sent you back without what is needed to connect.", tryAgain)
		f.detail = "Did not get an authorization code in the callback. " + providerDetail(a.query)
		return f, true
	}
	return failure{}, false
}

func (a *arrival) checkIssuer(ctx context.Context) error {
	page, err := url.Parse(a.flow.AuthorizeURL)
	if err != nil {
		return fmt.Errorf("reading the address of the consent page: %w", err)
	}
	return a.oauth.CheckIssuer(ctx, oauth.IssuerCheck{
		Provider: a.provider, ConnectionConfig: a.flow.known(), AuthorizeURL: page, Callback: a.query,
	})
}

// note writes into the operation what the provider answered, without secrets.
func (a *arrival) note() {
	params := make(map[string]string)
	for _, q := range shownQuery(a.query, oauth.CodeParam(a.provider)) {
		params[q.Name] = q.Value
	}
	m := linkspan.Message{Text: "The user came back from the provider."}
	if text, err := json.Marshal(map[string]any{"query": params}); err == nil {
		m.Meta = text
	}
	a.op.Message(m)
}

func (a *arrival) exchange(ctx context.Context, i linkspan.Integration) (oauth.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	return a.oauth.Exchange(ctx, oauth.ExchangeRequest{
		Provider: a.provider, Integration: i.Secrets, Code: a.query.Get(oauth.CodeParam(a.provider)),
		RedirectURI: a.flow.RedirectURI, CodeVerifier: a.flow.CodeVerifier, ConnectionConfig: a.settings(),
		ClientIDOverride: a.flow.ClientID, ClientSecretOverride: linkspan.NewSecret(a.flow.ClientSecret),
		RefreshTokenOverride: linkspan.NewSecret(a.flow.RefreshToken), Callback: a.query, Trace: a.op.Message,
	})
}

// settings are those that the code is exchanged with. What the redirect brings
// counts for more than what the connection had before: its account may have moved
// to another server.
func (a *arrival) settings() map[string]any {
	base := maps.Clone(a.flow.Base)
	maps.DeleteFunc(base, func(name string, _ any) bool {
		return a.query.Get(name) != "" && slices.Contains(a.provider.Auth.Capture.CallbackQuery, name)
	})
	return overlay(base, a.flow.Given)
}

// authorizeFailure makes a failure of why there is no connection.
func (a *arrival) authorizeFailure(ctx context.Context, err error) failure {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		f := a.internal(ctx, "making a connection of the grant", err)
		f.told = true
		return f
	}
	f := failureOf(e)
	f.told = true
	switch e.Code {
	case "connection_test_failed":
		f.code, f.detail = "connection_validation_failed", e.Msg
		f.message = "Your account at " + a.provider.DisplayName + " was authorized, but a test of the connection failed."
		f.hint = "Check that the account may use the API, and try again."
	case "invalid_connection":
		f.code = "connection_not_found"
	case "unknown_provider_config":
		f.code = CodeProviderConfig
	case "unknown_provider":
		f.code = CodeUnknownConfig
	}
	return f
}

// internal logs what nobody but us can do something about.
func (a *arrival) internal(ctx context.Context, doing string, err error) failure {
	a.log.ErrorContext(ctx, "an OAuth callback could not be handled", "doing", doing, "error", err,
		"environment_id", int64(a.row.EnvironmentID), "operation", string(a.row.Operation))
	return failureOf(err)
}

// end ends an authorization that failed: the customer's backend, operation,
// waiting page and popup are told.
func (a *arrival) end(ctx context.Context, f failure) Result {
	if !f.told {
		a.op.Fail(f.code, f.text())
		a.tell(ctx, f)
		a.log.InfoContext(ctx, "an authorization failed", "code", f.code, "environment_id", int64(a.row.EnvironmentID),
			"integration", a.row.IntegrationKey, "operation", string(a.row.Operation))
	}
	return a.page(f)
}

// tell has the customer's backend and the waiting page told, or at least the
// latter.
func (a *arrival) tell(ctx context.Context, f failure) {
	if a.env.ID != 0 {
		err := a.connections.AuthorizationFailed(ctx, a.authorized(), f.code, f.text())
		if err == nil {
			return
		}
		a.log.WarnContext(ctx, "telling the backend of a failed authorization failed", "error", err,
			"environment_id", int64(a.env.ID), "operation", string(a.row.Operation))
	}
	a.tellPopup(ctx, a.row.PopupID, a.row.IntegrationKey, a.row.ConnectionName, f)
}

// page is the page in the popup. What it says of the authorization it says to
// the browser that began it only.
func (a *arrival) page(f failure) Result {
	r := f.result()
	code := ""
	if a.provider != nil {
		code = oauth.CodeParam(a.provider)
	}
	r.Query = shownQuery(a.query, code)
	if a.row.ID == 0 || f.code == CodeStateCookie {
		return r
	}
	r.ClearCookie = cookieName(a.row.StateHash)
	r.IntegrationKey, r.ConnectionName = a.row.IntegrationKey, a.row.ConnectionName
	r.Look = a.env.Settings.ConnectUI
	r.describe(a.provider)
	if a.flow != nil {
		r.Lang = a.flow.Lang
	}
	return r
}

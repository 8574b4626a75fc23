package access

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// NewKey describes an API key to make.
type NewKey struct {
	AccountID linkspan.AccountID
	// EnvironmentID is zero for an account key.
	EnvironmentID linkspan.EnvironmentID
	DisplayName   string
	// Scopes are what the key may do. Empty means everything: environment:* or
	// account:*.
	Scopes []string
	// Secret is the key itself when the operator chose it. Zero means a random
	// one.
	Secret linkspan.Secret
}

// Mint makes an API key without storing it, for callers that store several
// things in one transaction. Scopes are checked as by ValidateScopes.
func Mint(in NewKey) (linkspan.APIKey, linkspan.Secret, error) {
	if err := ValidateScopes(in.Scopes, in.EnvironmentID == 0); err != nil {
		return linkspan.APIKey{}, linkspan.Secret{}, err
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(in.Scopes)))
	if len(scopes) == 0 {
		scopes = []string{linkspan.ScopeEnvironmentAll}
		if in.EnvironmentID == 0 {
			scopes = []string{linkspan.ScopeAccountAll}
		}
	}
	secret := in.Secret
	if secret.IsZero() {
		secret = linkspan.NewSecret(linkspan.NewUUID())
	}
	hash, ok := HashKey(secret.Reveal())
	if !ok {
		return linkspan.APIKey{}, linkspan.Secret{}, linkspan.E("access.Mint", linkspan.KindInvalid, "invalid_secret_key_format", nil,
			"The API key that was given is malformed. API keys are UUIDs of version 4.")
	}
	return linkspan.APIKey{
		UUID: linkspan.NewUUID(), AccountID: in.AccountID, EnvironmentID: in.EnvironmentID,
		DisplayName: in.DisplayName, Scopes: scopes, Hash: hash,
	}, secret, nil
}

// CreateKey makes and stores an API key. The secret is not kept: this is the
// only time it can be read. Errors: conflict when the name is taken,
// invalid_body for unknown scopes.
func (s *Service) CreateKey(ctx context.Context, tx linkspan.Tx, in NewKey) (linkspan.APIKey, linkspan.Secret, error) {
	key, secret, err := Mint(in)
	if err != nil {
		return linkspan.APIKey{}, linkspan.Secret{}, err
	}
	err = s.store.InsertAPIKey(ctx, tx, &key)
	if linkspan.KindOf(err) == linkspan.KindConflict {
		return linkspan.APIKey{}, linkspan.Secret{}, linkspan.E("access.CreateKey", linkspan.KindConflict, "conflict", err,
			"A key with this name already exists")
	}
	if err != nil {
		return linkspan.APIKey{}, linkspan.Secret{}, fmt.Errorf("storing an API key: %w", err)
	}
	return key, secret, nil
}

// Keys lists the keys of an environment, or of the account itself when env is
// zero. A display name restricts the list; empty means all.
func (s *Service) Keys(ctx context.Context, account linkspan.AccountID, env linkspan.EnvironmentID, displayName string) ([]linkspan.APIKey, error) {
	keys, err := s.store.APIKeys(ctx, nil, account, env, displayName)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	return keys, nil
}

// Key returns a key by its UUID. The error is not_found when the environment
// has no such key.
func (s *Service) Key(ctx context.Context, account linkspan.AccountID, env linkspan.EnvironmentID, uuid string) (linkspan.APIKey, error) {
	key, err := s.store.APIKey(ctx, nil, account, env, uuid)
	return key, keyError("reading an API key", err)
}

// KeyByID returns a key by its number. The error is not_found when the
// environment has no such key.
func (s *Service) KeyByID(ctx context.Context, account linkspan.AccountID, env linkspan.EnvironmentID, id linkspan.APIKeyID) (linkspan.APIKey, error) {
	key, err := s.store.APIKeyByID(ctx, nil, account, env, id)
	return key, keyError("reading an API key", err)
}

// DeleteKey deletes a key: it stops working here at once, and on other replicas
// within a second.
func (s *Service) DeleteKey(ctx context.Context, key linkspan.APIKey) error {
	return keyError("deleting an API key", s.store.DeleteAPIKey(ctx, nil, key))
}

func keyError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case linkspan.KindOf(err) == linkspan.KindNotFound:
		return linkspan.E("access.Key", linkspan.KindNotFound, "not_found", err, "API key not found")
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// PurgeSessions deletes connect sessions that expired an hour ago or longer, at
// most limit of them, and returns how many.
func (s *Service) PurgeSessions(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgeConnectSessions(ctx, nil, s.now().Add(-time.Hour), limit)
	if err != nil {
		return n, fmt.Errorf("purging expired connect sessions: %w", err)
	}
	return n, nil
}

// ValidateScopes checks that each scope is known, or a wildcard that covers a
// known one, and fits the kind of key. The error is invalid_body with an issue
// for each that is not.
func ValidateScopes(scopes []string, account bool) error {
	var issues []linkspan.Issue
	for i, scope := range scopes {
		if !validScope(scope, account) {
			issues = append(issues, linkspan.Issue{
				Code: "invalid_value", Message: "Unknown scope " + strconv.Quote(scope), Path: []any{"scopes", i},
			})
		}
	}
	if len(issues) == 0 {
		return nil
	}
	return &linkspan.Error{Kind: linkspan.KindInvalid, Code: "invalid_body", Op: "access.ValidateScopes", Issues: issues}
}

func validScope(scope string, account bool) bool {
	prefix := "environment:"
	if account {
		prefix = "account:"
	}
	if !strings.HasPrefix(scope, prefix) {
		return false
	}
	return slices.ContainsFunc(KnownScopes(), func(known string) bool { return linkspan.Grants([]string{scope}, known) })
}

// KnownScopes lists the scopes of wire contract §2.3, also those of routes that
// a later version brings, so that keys can be made once and for all.
func KnownScopes() []string {
	return []string{
		linkspan.ScopeIntegrationsList, linkspan.ScopeIntegrationsListCreds, "environment:integrations:list_functions",
		linkspan.ScopeIntegrationsRead, linkspan.ScopeIntegrationsReadCreds, linkspan.ScopeIntegrationsCreate,
		linkspan.ScopeIntegrationsUpdate, linkspan.ScopeIntegrationsDelete,
		linkspan.ScopeConnectionsList, linkspan.ScopeConnectionsListCreds, linkspan.ScopeConnectionsRead,
		linkspan.ScopeConnectionsReadCreds, linkspan.ScopeConnectionsCreate, linkspan.ScopeConnectionsUpdate,
		linkspan.ScopeConnectionsDelete,
		linkspan.ScopeConnectSessionsWrite, "environment:agent_sessions:write",
		linkspan.ScopeWebhooksRead, linkspan.ScopeWebhooksReplay,
		"environment:syncs:read", "environment:syncs:execute", "environment:syncs:update",
		"environment:syncs:variant:create", "environment:syncs:variant:delete",
		"environment:functions:list", "environment:functions:read", "environment:functions:delete",
		"environment:functions:compile", "environment:functions:dryrun", "environment:functions:invocations",
		"environment:deploy", "environment:records:read", "environment:records:write",
		linkspan.ScopeLogsRead, "environment:actions:execute", linkspan.ScopeProxy, linkspan.ScopeVariablesRead,
		linkspan.ScopeVariablesWrite, linkspan.ScopeSettingsRead, linkspan.ScopeSettingsUpdate,
		linkspan.ScopeSigningKeyRotate, "environment:mcp",
		linkspan.ScopeAccountEnvironmentsList, linkspan.ScopeAccountEnvironmentsCreate,
		linkspan.ScopeAccountEnvironmentsUpdate, linkspan.ScopeAccountEnvironmentsDelete,
		linkspan.ScopeAccountEnvironmentsSetProd, linkspan.ScopeAccountKeysList, linkspan.ScopeAccountKeysRead,
		linkspan.ScopeAccountKeysCreate, linkspan.ScopeAccountKeysDelete,
	}
}

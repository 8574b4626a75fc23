package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// Operation is what happened to a connection.
type Operation string

// The operations of auth webhooks (wire contract §14.4).
const (
	// Creation is a new connection, or the failed attempt to make one.
	Creation Operation = "creation"
	// Override is that an existing connection got new credentials from its
	// owner, or the failed attempt.
	Override Operation = "override"
	// Refresh is that renewing credentials failed; success is not told.
	Refresh Operation = "refresh"
	// Deletion is that a connection was deleted.
	Deletion Operation = "deletion"
)

const (
	typeAuth = "auth"
	// unknown stands for a provider or a mode that can't be told any more.
	unknown = "unknown"
)

// Failure says why something failed. Both texts are shown to the customer.
type Failure struct {
	// Type is a stable code such as "token_refresh_error".
	Type        string
	Description string
}

// AuthEvent is what happened to a connection.
type AuthEvent struct {
	EnvironmentID linkspan.EnvironmentID
	// Connection is whom it happened to; its Name, IntegrationKey, Provider,
	// Tags, EndUser, WebhookURLOverride and UUID are used. For a failed creation
	// it is what would have been stored.
	Connection *linkspan.Connection
	// AuthMode is the provider's, such as "OAUTH2". Empty: it is not known.
	AuthMode  string
	Operation Operation
	// Err is why it failed. Nil: it succeeded.
	Err *Failure
}

// authPayload is the body of an auth webhook (wire contract §14.4).
type authPayload struct {
	From           string            `json:"from"`
	Type           string            `json:"type"`
	ConnectionID   string            `json:"connectionId"`
	IntegrationKey string            `json:"providerConfigKey"`
	AuthMode       string            `json:"authMode"`
	Provider       string            `json:"provider"`
	Environment    string            `json:"environment"`
	Operation      Operation         `json:"operation"`
	Success        bool              `json:"success"`
	Tags           map[string]string `json:"tags"`
	EndUser        *endUserPayload   `json:"endUser,omitempty"`
	Error          *errorPayload     `json:"error,omitempty"`
}

type endUserPayload struct {
	ID             string            `json:"endUserId"`
	Email          *string           `json:"endUserEmail"`
	OrganizationID string            `json:"organizationId,omitempty"`
	Tags           map[string]string `json:"tags"`
}

type errorPayload struct {
	Type        string `json:"type"`
	Description string `json:"description"`
}

// AddAuth writes the webhook about what happened to a connection: an event and
// a delivery for each URL, in tx, or in a transaction of its own if that is nil.
// The dispatchers learn of it when the transaction commits. Nothing is written
// when the environment has no URL, or has switched the event off.
func (s *Service) AddAuth(ctx context.Context, tx linkspan.Tx, e AuthEvent) error {
	if e.Connection == nil {
		return errors.New("webhook.AddAuth: the event is about no connection")
	}
	if tx == nil {
		return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return s.AddAuth(ctx, tx, e) })
	}
	env, exists, err := s.environment(ctx, tx, e.EnvironmentID)
	if err != nil || !exists {
		return err
	}
	wanted, err := e.wanted(env.Settings.Webhooks)
	if err != nil {
		return err
	}
	urls := targets(env.Settings.Webhooks, e.Connection.WebhookURLOverride)
	if !wanted || len(urls) == 0 {
		return nil
	}
	body, err := Canonical(e.payload(env.Name))
	if err != nil {
		return fmt.Errorf("writing the body of a webhook: %w", err)
	}
	return s.add(ctx, tx, linkspan.WebhookEvent{
		UUID: linkspan.NewUUID(), EnvironmentID: e.EnvironmentID, Type: typeAuth, Operation: string(e.Operation),
		IntegrationKey: e.Connection.IntegrationKey, Provider: e.Connection.Provider,
		ConnectionName: e.Connection.Name, ConnectionUUID: e.Connection.UUID, Body: linkspan.NewSecret(string(body)),
	}, urls)
}

// wanted reports whether the environment's settings ask for the event (wire
// contract §14.3).
func (e *AuthEvent) wanted(s linkspan.WebhookSettings) (bool, error) {
	switch e.Operation {
	case Creation:
		return s.OnAuthCreation, nil
	case Override:
		return true, nil // has no switch
	case Refresh:
		return s.OnAuthRefreshError && e.Err != nil, nil
	case Deletion:
		return s.OnAuthDeletion, nil
	default:
		return false, fmt.Errorf("webhook.AddAuth: %q is not an operation of auth webhooks", e.Operation)
	}
}

func (e *AuthEvent) payload(environment string) authPayload {
	c := e.Connection
	p := authPayload{
		From: "nango", Type: typeAuth, ConnectionID: c.Name, IntegrationKey: c.IntegrationKey,
		AuthMode: cmp.Or(e.AuthMode, unknown), Provider: cmp.Or(c.Provider, unknown), Environment: environment,
		Operation: e.Operation, Success: e.Err == nil, Tags: orEmpty(c.Tags),
	}
	if u := c.EndUser; u != nil {
		p.EndUser = &endUserPayload{ID: u.ID, Tags: orEmpty(u.Tags)}
		if u.Email != "" {
			p.EndUser.Email = &u.Email
		}
		if u.Organization != nil {
			p.EndUser.OrganizationID = u.Organization.ID
		}
	}
	if e.Err != nil {
		p.Error = &errorPayload{Type: e.Err.Type, Description: e.Err.Description}
	}
	return p
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// receivers returns the URLs to which a webhook about a run for a connection goes.
// They are those of this moment: runs may take hours.
func (s *Service) receivers(ctx context.Context, tx linkspan.Tx, env *linkspan.Environment, connection string) ([]string, error) {
	override, err := s.store.WebhookOverride(ctx, tx, env.ID, connection)
	if err != nil {
		return nil, fmt.Errorf("reading where webhooks about a connection go: %w", err)
	}
	return targets(env.Settings.Webhooks, override), nil
}

// targets returns the URLs to send to, each once: a connection's own URL
// replaces the environment's two.
func targets(s linkspan.WebhookSettings, override string) []string {
	urls := []string{s.PrimaryURL, s.SecondaryURL}
	if override != "" {
		urls = []string{override}
	}
	urls = slices.DeleteFunc(urls, func(u string) bool { return u == "" })
	return slices.Compact(urls)
}

// destination returns the origin of a URL, by which receivers are kept apart. A URL
// that has none is refused when it is sent to.
func destination(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "invalid"
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// environment reads where an environment's webhooks go. One that was deleted, with
// everything in it, has nobody left to tell: false.
func (s *Service) environment(ctx context.Context, tx linkspan.Tx, id linkspan.EnvironmentID) (linkspan.Environment, bool, error) {
	env, err := s.store.WebhookEnvironment(ctx, tx, id)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return linkspan.Environment{}, false, nil
	}
	if err != nil {
		return linkspan.Environment{}, false, fmt.Errorf("reading where webhooks go: %w", err)
	}
	return env, true, nil
}

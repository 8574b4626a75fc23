package connect

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/upstream"
)

// ImportInput is a connection to create, or the new state of one that exists.
type ImportInput struct {
	// IntegrationKey and Name identify it. An empty name gets a random one.
	IntegrationKey string
	Name           string
	// Credentials must be of the provider's kind.
	Credentials credential.Credentials
	// ConnectionConfig, Metadata, WebhookURLOverride, EndUser and Tags stay as
	// they are on a connection that exists when they are nil. An empty
	// override removes it.
	ConnectionConfig   map[string]any
	Metadata           map[string]any
	WebhookURLOverride *string
	EndUser            *linkspan.EndUser
	Tags               map[string]string

	// uuid is the one of a connection that does not exist yet.
	uuid string
	// reconnect is the connection that this must be. Zero: any, or a new one.
	reconnect linkspan.ConnectionID
	// given names the settings that hooks leave alone, found is what a hook
	// found out.
	given []string
	found map[string]any
}

// Import creates a connection, or gives an existing one new credentials and
// forgets its failures. The credentials are tried out first where the provider
// tells how; when they fail nothing is stored. Errors: unknown_provider_config,
// unknown_provider, unsupported_provider, invalid_body, connection_test_failed,
// connection_validation_failed.
func (s *Service) Import(ctx context.Context, env linkspan.Environment, in ImportInput) (*upstream.Target, error) {
	integration, err := s.integration(ctx, env.ID, in.IntegrationKey)
	if err != nil {
		return nil, err
	}
	provider, err := s.provider(integration.Provider)
	if err != nil {
		return nil, err
	}
	if err := checkType("connect.Import", provider, in.Credentials.Type); err != nil {
		return nil, err
	}
	if err := s.checkImport(&in); err != nil {
		return nil, err
	}
	draft, err := s.draft(ctx, integration, in)
	if err != nil {
		return nil, err
	}
	candidate := &upstream.Target{Provider: provider, Integration: integration, Connection: draft, Credentials: in.Credentials}
	if err := s.verify(ctx, env, candidate); err != nil {
		return nil, err
	}
	var notes []linkspan.Message
	s.findOut(ctx, candidate, &in, func(m linkspan.Message) { notes = append(notes, m) })
	if err := s.validate(ctx, candidate, &in); err != nil {
		return nil, err
	}
	saved, created, err := s.upsert(ctx, integration, in)
	if err != nil {
		return nil, err
	}
	out := &upstream.Target{Provider: provider, Integration: integration, Connection: saved, Credentials: in.Credentials}
	s.noteImport(env, out, created, notes)
	return out, nil
}

// checkImport checks the input and puts its parts where they belong.
func (s *Service) checkImport(in *ImportInput) error {
	issues := in.hoist()
	in.given = givenNames(in.ConnectionConfig)
	issues = append(issues, s.checkWebhookURL(in.WebhookURLOverride)...)
	return in.complete("connect.Import", issues)
}

// complete gives a connection that may be new its ids, and reports what is wrong
// with the input besides what was found before.
func (in *ImportInput) complete(op string, found []linkspan.Issue) error {
	in.uuid = linkspan.NewUUID()
	issues := found
	if in.Name == "" {
		in.Name = linkspan.NewUUID()
	} else if !IsName(in.Name) {
		issues = append(issues, issue("invalid_union", "Invalid input", "connection_id"))
	}
	issues = append(issues, checkCredentials(in.Credentials)...)
	tags, tagIssues := Tags(in.Tags, "tags")
	in.Tags = tags
	if issues = append(issues, tagIssues...); len(issues) > 0 {
		return invalidBody(op, issues)
	}
	return nil
}

// IsName reports whether a connection may be called name (wire contract §3).
func IsName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return !isLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune(`,.;:=+~[]|@${}"'\/_ -`, r)
	})
}

// draft is the connection as it would be stored, to try its credentials out.
func (s *Service) draft(ctx context.Context, i linkspan.Integration, in ImportInput) (linkspan.Connection, error) {
	c, err := s.store.Connection(ctx, nil, i.EnvironmentID, i.Key, in.Name)
	if err := in.checkFound(&c, err); err != nil {
		return c, err
	}
	if err != nil {
		c = in.newConnection(i)
	}
	in.apply(&c)
	return c, nil
}

// checkFound passes on why looking for the connection failed, unless a new one
// can be made, and refuses another one than the input is for.
func (in *ImportInput) checkFound(c *linkspan.Connection, err error) error {
	missing := err != nil && linkspan.KindOf(err) == linkspan.KindNotFound
	switch {
	case err != nil && !missing:
		return fmt.Errorf("reading connection %q of %q: %w", in.Name, in.IntegrationKey, err)
	case in.reconnect != 0 && (missing || c.ID != in.reconnect):
		return linkspan.E("connect.Reconnect", linkspan.KindInvalid, "invalid_connection", err,
			"The connection %q, which was to be connected again, does not exist any more.", in.Name).
			WithHint("Make a new connection instead.")
	default:
		return nil
	}
}

func (in *ImportInput) newConnection(i linkspan.Integration) linkspan.Connection {
	return linkspan.Connection{
		UUID: in.uuid, EnvironmentID: i.EnvironmentID, IntegrationID: i.ID,
		IntegrationKey: i.Key, Provider: i.Provider, Name: in.Name,
		Config: map[string]any{}, Tags: map[string]string{},
	}
}

// apply writes the input over a connection.
func (in *ImportInput) apply(c *linkspan.Connection) {
	c.Credentials, c.Refresh = in.Credentials.Encode(), linkspan.RefreshState{}
	c.ExpiresAt = in.Credentials.ExpiresAt
	if !in.Credentials.Refreshable() {
		// The column is there to find what the background has to refresh, and
		// would offer a token without refresh token again and again.
		c.ExpiresAt = time.Time{}
	}
	if in.ConnectionConfig != nil {
		c.Config = in.ConnectionConfig
	}
	if len(in.found) > 0 {
		config := make(map[string]any, len(c.Config)+len(in.found))
		maps.Copy(config, c.Config)
		maps.Copy(config, in.found)
		c.Config = config
	}
	if in.Metadata != nil {
		c.Metadata = in.Metadata
	}
	if in.WebhookURLOverride != nil {
		c.WebhookURLOverride = *in.WebhookURLOverride
	}
	applyOwner(c, in.Tags, in.EndUser)
}

// applyOwner writes tags and end user over a connection. Given tags replace all;
// an end user alone adds the tags that stand for it.
func applyOwner(c *linkspan.Connection, tags map[string]string, u *linkspan.EndUser) {
	if u != nil {
		c.EndUser = u
	}
	switch {
	case tags != nil:
		c.Tags = MergeTags(tags, u)
	case u != nil:
		c.Tags = overlayTags(c.Tags, EndUserTags(u))
	}
}

// overlayTags writes derived tags over those of before, unless that makes too
// many.
func overlayTags(before, derived map[string]string) map[string]string {
	out := MergeTags(derived, nil)
	for k, v := range before {
		if _, ok := out[k]; !ok {
			out[k] = v
		}
	}
	if len(out) > maxTags {
		return before
	}
	return out
}

// verify tries credentials out that a person typed; tokens come from a provider
// that has just vouched for them.
func (s *Service) verify(ctx context.Context, env linkspan.Environment, t *upstream.Target) error {
	if !s.verifiable(t.Provider) || t.Credentials.Type != credential.APIKey && t.Credentials.Type != credential.Basic {
		return nil
	}
	op := s.begin(env.AccountID, linkspan.ActionConnectionTest, t)
	if err := s.try(ctx, t, op.Message); err != nil {
		op.FailWith(err)
		return fmt.Errorf("trying out the credentials: %w", err)
	}
	op.Succeed("The provider accepted the credentials.")
	return nil
}

// upsert stores the connection.
func (s *Service) upsert(ctx context.Context, i linkspan.Integration, in ImportInput) (saved linkspan.Connection, created bool, err error) {
	follow, err := s.following(ctx, &i)
	if err != nil {
		return saved, false, err
	}
	err = s.inUpsert(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if created, err = s.put(ctx, tx, i, in, &saved); err != nil {
			return err
		}
		return follow.write(ctx, tx, &saved)
	})
	if err != nil {
		return saved, created, fmt.Errorf("storing connection %q of %q: %w", in.Name, i.Key, err)
	}
	return saved, created, nil
}

// inUpsert runs f, which puts a connection, in a transaction. Two that make the
// same one at once are one insertion and one update, in the order in which they
// commit.
func (s *Service) inUpsert(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	const tries = 3
	for try := 1; ; try++ {
		err := s.tx.InTx(ctx, f)
		if err == nil || linkspan.KindOf(err) != linkspan.KindConflict || try == tries {
			return err
		}
	}
}

// put stores the connection in a transaction, and in saved once that commits.
func (s *Service) put(ctx context.Context, tx linkspan.Tx, i linkspan.Integration, in ImportInput, saved *linkspan.Connection) (created bool, err error) {
	*saved, err = s.store.LockConnection(ctx, tx, i.EnvironmentID, i.Key, in.Name)
	if err := in.checkFound(saved, err); err != nil {
		return false, err
	}
	if err == nil {
		in.apply(saved)
		if err := s.store.UpdateConnection(ctx, tx, saved); err != nil {
			return false, err
		}
		return false, s.store.SaveCredentials(ctx, tx, saved)
	}
	*saved = in.newConnection(i)
	in.apply(saved)
	err = s.store.InsertConnection(ctx, tx, saved)
	if err != nil && linkspan.KindOf(err) == linkspan.KindNotFound {
		return false, noIntegration(i.Key, err) // deleted since it was read
	}
	return true, err
}

func (s *Service) noteImport(env linkspan.Environment, t *upstream.Target, created bool, notes []linkspan.Message) {
	action, done := linkspan.ActionUpdateConnection, "Replaced the credentials of the connection by an import."
	if created {
		action, done = linkspan.ActionCreateConnection, "Imported the connection."
	}
	op := s.begin(env.AccountID, action, t)
	for _, m := range notes {
		op.Message(m)
	}
	op.Succeed(done)
}

package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/webhook"
)

// deleteDeadline bounds a deletion: a minute for the customer's functions, half of
// one for the provider's hook, and what the database needs.
const deleteDeadline = 2 * time.Minute

// PatchInput is what to change on a connection; nil leaves things as they are.
type PatchInput struct {
	EndUser *linkspan.EndUser
	// Tags replace all tags; an empty map removes them.
	Tags map[string]string
	// WebhookURLOverride replaces the environment's webhook URL; empty removes
	// the override.
	WebhookURLOverride *string
}

// Patch changes a connection. Errors: unknown_provider_config,
// unknown_connection, invalid_body.
func (s *Service) Patch(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, in PatchInput) error {
	tags, issues := Tags(in.Tags, "tags")
	if issues = append(issues, s.checkWebhookURL(in.WebhookURLOverride)...); len(issues) > 0 {
		return invalidBody("connect.Patch", issues)
	}
	key := cacheKey{env, integrationKey, name}
	return s.change(ctx, key, linkspan.ActionUpdateConnection, "Changed the connection.", func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
		applyOwner(c, tags, in.EndUser)
		if in.WebhookURLOverride != nil {
			c.WebhookURLOverride = *in.WebhookURLOverride
		}
		return s.store.UpdateConnection(ctx, tx, c)
	})
}

// Delete deletes a connection and has the customer's backend told. First the
// customer's functions run, and its provider is told where it has a hook for that;
// neither hinders it, and nor does a caller who leaves meanwhile: what they said
// farewell to must go. It is gone for every caller at once; the row is kept for 31
// days. Errors: unknown_provider_config, unknown_connection.
func (s *Service) Delete(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteDeadline)
	defer cancel()
	key := cacheKey{env, integrationKey, name}
	known, err := s.store.Connection(ctx, nil, env, integrationKey, name)
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading connection %q of %q: %w", name, integrationKey, err)
	}
	if s.functions != nil && err == nil {
		s.functions.Deleting(ctx, env, integrationKey, name)
	}
	notes := s.farewell(ctx, key)
	return s.change(ctx, key, linkspan.ActionDeleteConnection, "Deleted the connection.", func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
		if known.UUID != "" && c.UUID != known.UUID {
			// Somebody else deleted it meanwhile, and made another of its name.
			return noConnection("connect.Delete", key, linkspan.E("connect.Delete", linkspan.KindNotFound, "", nil, "It was replaced."))
		}
		if err := s.store.DeleteConnection(ctx, tx, c); err != nil {
			return err
		}
		if s.syncs != nil {
			if err := s.syncs.ConnectionDeleted(ctx, tx, c); err != nil {
				return err
			}
		}
		return s.announce(ctx, tx, c, webhook.Deletion, nil)
	}, notes...)
}

// change does something to one connection in a transaction of its own, and
// records it.
func (s *Service) change(ctx context.Context, key cacheKey, action linkspan.OperationAction, done string,
	f func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error, notes ...linkspan.Message,
) error {
	if _, err := s.integration(ctx, key.env, key.integration); err != nil {
		return err
	}
	var c linkspan.Connection
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		var err error
		if c, err = s.store.LockConnection(ctx, tx, key.env, key.integration, key.name); err != nil {
			return noConnection("connect.Change", key, err)
		}
		return f(ctx, tx, &c)
	})
	if err != nil {
		return fmt.Errorf("changing connection %q of %q: %w", key.name, key.integration, err)
	}
	s.noteChange(&c, action, done, notes...)
	return nil
}

// SetMetadata replaces the metadata of connections: of all of them, or of none
// when one is missing (unknown_connection).
func (s *Service) SetMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, md map[string]any) error {
	return s.writeMetadata(ctx, env, integrationKey, names, func(map[string]any) map[string]any { return md })
}

// MergeMetadata sets the given top-level properties of the metadata of
// connections: of all of them, or of none when one is missing
// (unknown_connection).
func (s *Service) MergeMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, md map[string]any) error {
	return s.writeMetadata(ctx, env, integrationKey, names, func(old map[string]any) map[string]any {
		merged := make(map[string]any, len(old)+len(md))
		maps.Copy(merged, old)
		maps.Copy(merged, md)
		return merged
	})
}

func (s *Service) writeMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, next func(map[string]any) map[string]any) error {
	// In one order everywhere, so that two writers can't wait for each other.
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var written []linkspan.Connection
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		written = make([]linkspan.Connection, 0, len(names))
		for _, name := range names {
			c, err := s.store.LockConnection(ctx, tx, env, integrationKey, name)
			if err != nil {
				return noConnection("connect.Metadata", cacheKey{env, integrationKey, name}, err)
			}
			c.Metadata = next(c.Metadata)
			if err := s.store.UpdateConnection(ctx, tx, &c); err != nil {
				return fmt.Errorf("writing the metadata of connection %q of %q: %w", name, integrationKey, err)
			}
			written = append(written, c)
		}
		return nil
	})
	if err != nil {
		return noneWritten(err, len(names))
	}
	for i := range written {
		s.noteChange(&written[i], linkspan.ActionUpdateConnection, "Changed the metadata of the connection.")
	}
	return nil
}

// noneWritten adds to a missing connection's error that the others are as before.
func noneWritten(err error, names int) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code != "unknown_connection" || names < 2 {
		return err
	}
	c := *e
	c.Msg += ". No actions were taken on any of the connections as a result of this failure."
	return &c
}

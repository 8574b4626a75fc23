// Package integration manages integrations: providers of the catalogue set up
// in an environment with a developer app's credentials and the values that the
// provider asks of whoever sets it up.
package integration

import (
	"context"
	"fmt"
	"maps"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/oplog"
)

// Masked stands for a secret value that is set, wherever configuration is read.
// Writing it back leaves the value as it is.
const Masked = "***"

// Store is what the service needs of the database. Lookups report a
// linkspan.Error of KindNotFound, inserts and renames one of KindConflict.
type Store interface {
	Integrations(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.Integration, error)
	Integration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	// LockIntegration is Integration that keeps others from changing it until
	// the transaction ends.
	LockIntegration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	InsertIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error
	UpdateIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error
	DeleteIntegration(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error
	CountConnections(ctx context.Context, tx linkspan.Tx, id linkspan.IntegrationID) (int, error)
	oplog.DeletionStore
}

// Providers looks providers up; *catalog.Catalog does.
type Providers interface {
	Provider(name string) (*catalog.Provider, error)
}

// Syncs keeps what is copied from connections on a schedule; *schedule.Service does.
type Syncs interface {
	// ConnectionsDeleted ends the syncs of the connections that were deleted with an
	// integration, in the same transaction.
	ConnectionsDeleted(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) error
}

// Service manages integrations. It is safe for concurrent use.
type Service struct {
	store     Store
	tx        linkspan.Transactor
	providers Providers
	syncs     Syncs
	shared    map[string]SharedApp
}

// New returns a service over the store and the catalogue.
func New(store Store, tx linkspan.Transactor, providers Providers) *Service {
	return &Service{store: store, tx: tx, providers: providers}
}

// UseSyncs has syncs end with their integration. It must be called before anything
// else is.
func (s *Service) UseSyncs(syncs Syncs) { s.syncs = syncs }

// List returns the environment's integrations, oldest first.
func (s *Service) List(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.Integration, error) {
	list, err := s.store.Integrations(ctx, nil, env)
	if err != nil {
		return nil, fmt.Errorf("listing integrations: %w", err)
	}
	return list, nil
}

// Get returns an integration, or a not_found error.
func (s *Service) Get(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	i, err := s.store.Integration(ctx, nil, env, key)
	if err != nil {
		return i, missing("integration.Get", key, err)
	}
	return i, nil
}

// lock reads an integration for a change in the same transaction.
func (s *Service) lock(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error) {
	i, err := s.store.LockIntegration(ctx, tx, env, key)
	if err != nil {
		return i, missing("integration.lock", key, err)
	}
	return i, nil
}

func missing(op, key string, err error) error {
	if linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("accessing integration %q: %w", key, err)
	}
	return linkspan.E(op, linkspan.KindNotFound, "not_found", err, "Integration %q does not exist", key)
}

// CreateInput is a new integration.
type CreateInput struct {
	Provider    string
	Key         string
	DisplayName string // empty: the provider's own
	// Credentials are nil when the provider's mode has none.
	Credentials *Credentials
	// ForwardWebhooks is nil for the default, true.
	ForwardWebhooks *bool
	// Config fills the provider's integration_config form; its defaults apply.
	Config map[string]string
	// Custom holds free values.
	Custom map[string]string
}

// Create makes an integration. Codes: invalid_body, unsupported_provider.
func (s *Service) Create(ctx context.Context, env linkspan.EnvironmentID, in CreateInput) (linkspan.Integration, error) {
	return s.create(ctx, env, in, false)
}

func (s *Service) create(ctx context.Context, env linkspan.EnvironmentID, in CreateInput, shared bool) (linkspan.Integration, error) {
	p, err := s.usableProvider(in.Provider)
	if err != nil {
		return linkspan.Integration{}, err
	}
	fresh := linkspan.Integration{
		UUID:            linkspan.NewUUID(),
		EnvironmentID:   env,
		Key:             in.Key,
		Provider:        p.Name,
		DisplayName:     in.DisplayName,
		ForwardWebhooks: in.ForwardWebhooks == nil || *in.ForwardWebhooks,
	}
	if err := setCredentials(&fresh.Secrets, p, in.Credentials, true); err != nil {
		return linkspan.Integration{}, err
	}
	if err := configure(&fresh.Secrets, p, in.Config, in.Custom, true); err != nil {
		return linkspan.Integration{}, err
	}
	fresh.Secrets.Shared = shared
	var made linkspan.Integration
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		made = fresh
		return s.store.InsertIntegration(ctx, tx, &made)
	})
	if linkspan.KindOf(err) == linkspan.KindConflict {
		return linkspan.Integration{}, invalid("integration.Create", err, linkspan.Issue{
			Code: "invalid_string", Message: "Unique key already exists", Path: []any{"uniqueKey"},
		})
	}
	if err != nil {
		return linkspan.Integration{}, fmt.Errorf("inserting integration %q: %w", in.Key, err)
	}
	return made, nil
}

// UpdateInput changes what is not nil.
type UpdateInput struct {
	Key             *string
	DisplayName     *string
	Credentials     *Credentials
	ForwardWebhooks *bool
	// Config and Custom change only the names they hold.
	Config map[string]string
	Custom map[string]string
}

// Update changes an integration and returns it as it is then. Codes: not_found,
// invalid_body.
func (s *Service) Update(ctx context.Context, env linkspan.EnvironmentID, key string, in UpdateInput) (linkspan.Integration, error) {
	var updated linkspan.Integration
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		i, err := s.lock(ctx, tx, env, key)
		if err != nil {
			return err
		}
		if err := s.apply(ctx, tx, &i, in); err != nil {
			return err
		}
		if err := s.store.UpdateIntegration(ctx, tx, &i); err != nil {
			if linkspan.KindOf(err) == linkspan.KindConflict {
				return linkspan.E("integration.Update", linkspan.KindInvalid, "invalid_body", err, "uniqueKey is already used by another integration")
			}
			return missing("integration.Update", key, err)
		}
		updated = i
		return nil
	})
	if err != nil {
		return linkspan.Integration{}, err
	}
	return updated, nil
}

func (s *Service) apply(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration, in UpdateInput) error {
	if in.Key != nil && *in.Key != i.Key {
		if err := s.mayRename(ctx, tx, i); err != nil {
			return err
		}
		i.Key = *in.Key
	}
	if in.DisplayName != nil {
		i.DisplayName = *in.DisplayName
	}
	if in.ForwardWebhooks != nil {
		i.ForwardWebhooks = *in.ForwardWebhooks
	}
	if in.Credentials == nil && len(in.Config) == 0 && len(in.Custom) == 0 {
		return nil
	}
	p, err := s.usableProvider(i.Provider)
	if err != nil {
		return err
	}
	if in.Credentials != nil {
		if err := setCredentials(&i.Secrets, p, in.Credentials, false); err != nil {
			return err
		}
	}
	i.Secrets.Custom = maps.Clone(i.Secrets.Custom)
	return configure(&i.Secrets, p, in.Config, in.Custom, false)
}

// mayRename refuses to rename an integration that connections belong to: the
// customer's code names them by its key.
func (s *Service) mayRename(ctx context.Context, tx linkspan.Tx, i *linkspan.Integration) error {
	n, err := s.store.CountConnections(ctx, tx, i.ID)
	if err != nil {
		return fmt.Errorf("counting the connections of integration %q: %w", i.Key, err)
	}
	if n > 0 {
		return invalidText("integration.Update", "The integration has %d connections and can't be renamed: delete them first, or create another integration", n)
	}
	return nil
}

// Delete removes an integration and its connections, each of which is recorded
// as an operation. Code: not_found.
func (s *Service) Delete(ctx context.Context, env linkspan.EnvironmentID, key string) error {
	return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		i, err := s.lock(ctx, tx, env, key)
		if err != nil {
			return err
		}
		if err := s.store.DeleteIntegration(ctx, tx, &i); err != nil {
			return missing("integration.Delete", key, err)
		}
		if s.syncs != nil {
			if err := s.syncs.ConnectionsDeleted(ctx, tx, env, i.ID); err != nil {
				return err
			}
		}
		return oplog.RecordDeletions(ctx, tx, s.store, env, i.ID, "Deleted the connection with its integration.")
	})
}

// usableProvider returns a provider that this version can serve.
func (s *Service) usableProvider(name string) (*catalog.Provider, error) {
	p, err := s.providers.Provider(name)
	if err != nil {
		return nil, invalid("integration.usableProvider", err, linkspan.Issue{
			Code: "invalid_string", Message: "Invalid provider", Path: []any{"provider"},
		})
	}
	if reason, unsupported := p.Unsupported(); unsupported {
		return nil, linkspan.E("integration.usableProvider", linkspan.KindInvalid, "unsupported_provider", nil,
			"%s can't be used with this version: %s", p.DisplayName, reason)
	}
	return p, nil
}

// invalid is the error for problems of a body that the service finds.
func invalid(op string, err error, issues ...linkspan.Issue) error {
	e := linkspan.E(op, linkspan.KindInvalid, "invalid_body", err, "")
	e.Issues = issues
	return e
}

func invalidText(op, msg string, args ...any) error {
	return linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, msg, args...)
}

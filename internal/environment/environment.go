// Package environment manages what an account owns directly: its environments,
// their settings, variables and signing keys, and the first start, which makes
// the account itself.
package environment

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/oplog"
)

// ProductionName is the environment that is always production and can't be
// deleted (features ENV-04).
const ProductionName = "prod"

// DefaultKeyName is the display name of the full-access key that every
// environment starts with (features KEY-03).
const DefaultKeyName = "Default - Full access"

// PreviousKeyTime is how long a replaced signing key goes on signing webhooks
// beside the new one.
const PreviousKeyTime = 24 * time.Hour

// Masked stands for a secret that is set, wherever settings are read. Writing
// it back leaves the secret as it is.
const Masked = "***"

// Store is what the service needs of the database. Lookups report a
// linkspan.Error of KindNotFound, inserts one of KindConflict.
type Store interface {
	LockBootstrap(ctx context.Context, tx linkspan.Tx) error
	Accounts(ctx context.Context, tx linkspan.Tx) ([]linkspan.Account, error)
	InsertAccount(ctx context.Context, tx linkspan.Tx, a *linkspan.Account) error
	InsertAPIKey(ctx context.Context, tx linkspan.Tx, k *linkspan.APIKey) error

	Environments(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, name string) ([]linkspan.Environment, error)
	EnvironmentByUUID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error)
	// LockEnvironment is EnvironmentByUUID that keeps others from changing the
	// environment until the transaction ends.
	LockEnvironment(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error)
	EnvironmentByID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, id linkspan.EnvironmentID) (linkspan.Environment, error)
	InsertEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error
	UpdateEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error
	DeleteEnvironment(ctx context.Context, tx linkspan.Tx, e *linkspan.Environment) error

	Variables(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]linkspan.SecretPair, error)
	ReplaceVariables(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, envUUID string, vars []linkspan.SecretPair) error
	oplog.DeletionStore
}

// Syncs keeps what is copied from connections on a schedule; *schedule.Service does.
type Syncs interface {
	// ConnectionsDeleted ends the syncs of the connections that were deleted with
	// their environment, for which the integration is 0, in the same transaction.
	ConnectionsDeleted(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration linkspan.IntegrationID) error
}

// Service manages environments. It is safe for concurrent use.
type Service struct {
	store    Store
	tx       linkspan.Transactor
	checkURL func(*url.URL) error
	syncs    Syncs
}

// Option changes how a Service works.
type Option func(*Service)

// CheckURLs has check say whether webhooks may be sent to a URL. Without it only
// their form is checked.
func CheckURLs(check func(*url.URL) error) Option {
	return func(s *Service) { s.checkURL = check }
}

// New returns a service over the store.
func New(store Store, tx linkspan.Transactor, options ...Option) *Service {
	s := &Service{store: store, tx: tx}
	for _, o := range options {
		o(s)
	}
	return s
}

// UseSyncs has syncs end with their environment. It must be called before anything
// else is.
func (s *Service) UseSyncs(syncs Syncs) { s.syncs = syncs }

// List returns the account's environments, oldest first; a name keeps only the
// one of exactly that name.
func (s *Service) List(ctx context.Context, account linkspan.AccountID, name string) ([]linkspan.Environment, error) {
	envs, err := s.store.Environments(ctx, nil, account, name)
	if err != nil {
		return nil, fmt.Errorf("listing environments: %w", err)
	}
	return envs, nil
}

// ByUUID returns an environment of the account, or a not_found error. A previous
// signing key whose time is over is left out.
func (s *Service) ByUUID(ctx context.Context, account linkspan.AccountID, uuid string) (linkspan.Environment, error) {
	env, err := s.store.EnvironmentByUUID(ctx, nil, account, uuid)
	if err != nil {
		return env, missing("environment.ByUUID", err)
	}
	dropPreviousKey(&env, time.Now())
	return env, nil
}

// ByID returns an environment of the account by number, or a not_found error.
func (s *Service) ByID(ctx context.Context, account linkspan.AccountID, id linkspan.EnvironmentID) (linkspan.Environment, error) {
	env, err := s.store.EnvironmentByID(ctx, nil, account, id)
	if err != nil {
		return env, missing("environment.ByID", err)
	}
	return env, nil
}

// lock reads an environment for a change in the same transaction.
func (s *Service) lock(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, uuid string) (linkspan.Environment, error) {
	env, err := s.store.LockEnvironment(ctx, tx, account, uuid)
	if err != nil {
		return env, missing("environment.lock", err)
	}
	return env, nil
}

// missing gives the store's not-found error its public code and message.
func missing(op string, err error) error {
	if linkspan.KindOf(err) != linkspan.KindNotFound {
		return fmt.Errorf("reading an environment: %w", err)
	}
	return linkspan.E(op, linkspan.KindNotFound, "not_found", err, "Environment not found")
}

// CreateInput is a new environment.
type CreateInput struct {
	Name string
	// IsProduction is nil for the default: false, except for "prod".
	IsProduction *bool
	// Settings that are nil have their defaults: see newEnvironment.
	Settings Settings
}

// Create makes an environment with its default full-access key, whose text
// nobody learns (features ENV-05): callers make keys of their own. Codes:
// conflict when the name is taken, invalid_is_prod_flag, invalid_body.
func (s *Service) Create(ctx context.Context, account linkspan.AccountID, in CreateInput) (linkspan.Environment, error) {
	production, err := productionFlag(in.Name, in.IsProduction)
	if err != nil {
		return linkspan.Environment{}, err
	}
	if err := s.checkSettings(in.Settings); err != nil {
		return linkspan.Environment{}, err
	}
	var made linkspan.Environment
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		env := newEnvironment(account, in.Name, production)
		in.Settings.apply(&env.Settings)
		if err := checkHMAC(in.Settings, env.Settings); err != nil {
			return err
		}
		if err := s.insert(ctx, tx, &env, linkspan.NewSecret(linkspan.NewUUID())); err != nil {
			return err
		}
		made = env
		return nil
	})
	if err != nil {
		return linkspan.Environment{}, err
	}
	return made, nil
}

// insert writes an environment and its default key.
func (s *Service) insert(ctx context.Context, tx linkspan.Tx, env *linkspan.Environment, key linkspan.Secret) error {
	if err := s.store.InsertEnvironment(ctx, tx, env); err != nil {
		if linkspan.KindOf(err) == linkspan.KindConflict {
			return linkspan.E("environment.Create", linkspan.KindConflict, "conflict", err, "Environment already exists")
		}
		return fmt.Errorf("inserting environment %q: %w", env.Name, err)
	}
	return s.insertKey(ctx, tx, access.NewKey{
		AccountID: env.AccountID, EnvironmentID: env.ID, DisplayName: DefaultKeyName, Secret: key,
	})
}

// newEnvironment makes an environment with its defaults. The public key, which
// everybody can read in a page's source, works where there is nothing to lose.
func newEnvironment(account linkspan.AccountID, name string, production bool) linkspan.Environment {
	return linkspan.Environment{
		UUID:              linkspan.NewUUID(),
		AccountID:         account,
		Name:              name,
		IsProduction:      production,
		PublicKey:         linkspan.NewUUID(),
		WebhookSigningKey: linkspan.NewSecret(linkspan.NewUUID()),
		Settings: linkspan.EnvironmentSettings{
			PublicKeyEnabled: !production,
			Webhooks:         linkspan.DefaultWebhookSettings(),
		},
	}
}

// productionFlag decides whether an environment of this name is production.
func productionFlag(name string, asked *bool) (bool, error) {
	if name != ProductionName {
		return asked != nil && *asked, nil
	}
	if asked != nil && !*asked {
		return false, linkspan.E("environment.productionFlag", linkspan.KindInvalid, "invalid_is_prod_flag", nil,
			"The environment %q is always a production environment", ProductionName)
	}
	return true, nil
}

// UpdateInput changes what is not nil.
type UpdateInput struct {
	IsProduction *bool
	Settings     Settings
	// RevokePreviousSigningKey stops the signing key before the present one at
	// once.
	RevokePreviousSigningKey bool
}

// Update changes an environment's settings and returns it as it is then. Codes:
// not_found, invalid_is_prod_flag, invalid_body.
func (s *Service) Update(ctx context.Context, account linkspan.AccountID, uuid string, in UpdateInput) (linkspan.Environment, error) {
	if err := s.checkSettings(in.Settings); err != nil {
		return linkspan.Environment{}, err
	}
	return s.change(ctx, account, uuid, func(env *linkspan.Environment, _ time.Time) error {
		if in.IsProduction != nil {
			production, err := productionFlag(env.Name, in.IsProduction)
			if err != nil {
				return err
			}
			env.IsProduction = production
		}
		if in.RevokePreviousSigningKey {
			env.PreviousSigningKey, env.PreviousSigningKeyUntil = linkspan.Secret{}, time.Time{}
		}
		in.Settings.apply(&env.Settings)
		return checkHMAC(in.Settings, env.Settings)
	})
}

// RotateSigningKey replaces the key that signs outgoing webhooks and returns
// the new one. The old one signs beside it for PreviousKeyTime, so that no
// webhook is refused while receivers change over; the one before that, if it
// still did, stops at once. Code: not_found.
func (s *Service) RotateSigningKey(ctx context.Context, account linkspan.AccountID, uuid string) (linkspan.Secret, error) {
	env, err := s.change(ctx, account, uuid, func(env *linkspan.Environment, now time.Time) error {
		env.PreviousSigningKey, env.PreviousSigningKeyUntil = env.WebhookSigningKey, now.Add(PreviousKeyTime)
		env.WebhookSigningKey = linkspan.NewSecret(linkspan.NewUUID())
		return nil
	})
	return env.WebhookSigningKey, err
}

// dropPreviousKey forgets a previous signing key whose time is over.
func dropPreviousKey(env *linkspan.Environment, now time.Time) {
	if !env.PreviousSigningKeyUntil.After(now) {
		env.PreviousSigningKey, env.PreviousSigningKeyUntil = linkspan.Secret{}, time.Time{}
	}
}

// change reads, changes and writes an environment in one transaction, whose time
// f is given.
func (s *Service) change(
	ctx context.Context, account linkspan.AccountID, uuid string, f func(env *linkspan.Environment, now time.Time) error,
) (linkspan.Environment, error) {
	var changed linkspan.Environment
	err := s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		env, err := s.lock(ctx, tx, account, uuid)
		if err != nil {
			return err
		}
		dropPreviousKey(&env, tx.Now())
		if err := f(&env, tx.Now()); err != nil {
			return err
		}
		if err := s.store.UpdateEnvironment(ctx, tx, &env); err != nil {
			return missing("environment.Update", err)
		}
		changed = env
		return nil
	})
	if err != nil {
		return linkspan.Environment{}, err
	}
	return changed, nil
}

// Delete removes an environment; its keys, integrations and connections stop
// working at once. Each connection is recorded as an operation. Codes: not_found, cannot_delete_prod_environment.
func (s *Service) Delete(ctx context.Context, account linkspan.AccountID, uuid string) error {
	return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		env, err := s.lock(ctx, tx, account, uuid)
		if err != nil {
			return err
		}
		if env.Name == ProductionName {
			return linkspan.E("environment.Delete", linkspan.KindInvalid, "cannot_delete_prod_environment", nil,
				"The environment %q can't be deleted", ProductionName)
		}
		if err := s.store.DeleteEnvironment(ctx, tx, &env); err != nil {
			return missing("environment.Delete", err)
		}
		if s.syncs != nil {
			if err := s.syncs.ConnectionsDeleted(ctx, tx, env.ID, 0); err != nil {
				return err
			}
		}
		return oplog.RecordDeletions(ctx, tx, s.store, env.ID, 0, "Deleted the connection with its environment.")
	})
}

// Variables returns the environment's variables, by name.
func (s *Service) Variables(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.SecretPair, error) {
	vars, err := s.store.Variables(ctx, nil, env)
	if err != nil {
		return nil, fmt.Errorf("reading environment variables: %w", err)
	}
	return vars, nil
}

// ReplaceVariables makes vars the whole set of the environment's variables. A
// name given twice is refused with invalid_body.
func (s *Service) ReplaceVariables(ctx context.Context, account linkspan.AccountID, uuid string, vars []linkspan.SecretPair) error {
	if err := checkVariables(vars); err != nil {
		return err
	}
	return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		env, err := s.lock(ctx, tx, account, uuid)
		if err != nil {
			return err
		}
		if err := s.store.ReplaceVariables(ctx, tx, env.ID, env.UUID, vars); err != nil {
			return fmt.Errorf("replacing environment variables: %w", err)
		}
		return nil
	})
}

func checkVariables(vars []linkspan.SecretPair) error {
	seen := make(map[string]bool, len(vars))
	for i, v := range vars {
		if seen[v.Name] {
			e := linkspan.E("environment.ReplaceVariables", linkspan.KindInvalid, "invalid_body", nil, "")
			e.Issues = []linkspan.Issue{{
				Code:    "custom",
				Message: fmt.Sprintf("The variable %q is given twice", v.Name),
				Path:    []any{"variables", i, "name"},
			}}
			return e
		}
		seen[v.Name] = true
	}
	return nil
}

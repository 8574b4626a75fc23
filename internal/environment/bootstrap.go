package environment

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
)

// maxGivenKey bounds a signing key given from outside, in bytes.
const maxGivenKey = 255

// AccountKeyName is the display name of the account key of the first start.
const AccountKeyName = "Account key"

// BootstrapInput says what the first start makes. Zero secrets are generated.
type BootstrapInput struct {
	// AccountName defaults to "Default".
	AccountName string
	// AccountKey is a UUID, version 4.
	AccountKey linkspan.Secret
	// Environments fixes keys by environment name. The environments made are
	// always dev and prod; other names are refused.
	Environments map[string]GivenKeys
}

// GivenKeys are keys that an operator fixed for an environment.
type GivenKeys struct {
	// SecretKey is a UUID, version 4.
	SecretKey linkspan.Secret
	// WebhookSigningKey is any text of at most 255 bytes.
	WebhookSigningKey linkspan.Secret
	// PublicKey is a UUID, version 4. Giving one switches its use on, in
	// production too.
	PublicKey string
}

// Bootstrapped is what the first start made.
type Bootstrapped struct {
	Account      linkspan.Account
	AccountKey   Key
	Environments []BootstrappedEnvironment
}

// BootstrappedEnvironment is an environment of the first start with its key.
type BootstrappedEnvironment struct {
	Environment linkspan.Environment
	SecretKey   Key
}

// Key is a key of the first start. Only generated ones are worth printing: the
// operator has the others already.
type Key struct {
	Secret    linkspan.Secret
	Generated bool
}

// developmentName is the other environment of a new account (features ENV-01).
const developmentName = "dev"

// Bootstrap makes the account, dev, prod and their keys when the database is
// empty, in one transaction, and returns what it made. It returns nil when there
// is an account already; of several replicas that start at once, one makes it.
// The input is checked even when nothing is made, so that a wrong key is noticed
// at once.
func (s *Service) Bootstrap(ctx context.Context, in BootstrapInput) (*Bootstrapped, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	accounts, err := s.store.Accounts(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("looking for an account: %w", err)
	}
	if len(accounts) > 0 {
		return nil, nil //nolint:nilnil // documented: nil means that there was nothing to do
	}
	var made *Bootstrapped
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		made = nil
		if err := s.store.LockBootstrap(ctx, tx); err != nil {
			return fmt.Errorf("waiting for other replicas: %w", err)
		}
		accounts, err := s.store.Accounts(ctx, tx)
		if err != nil || len(accounts) > 0 {
			return err
		}
		made, err = s.bootstrap(ctx, tx, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making the first account: %w", err)
	}
	return made, nil
}

func (s *Service) bootstrap(ctx context.Context, tx linkspan.Tx, in BootstrapInput) (*Bootstrapped, error) {
	name := in.AccountName
	if name == "" {
		name = "Default"
	}
	out := &Bootstrapped{
		Account:    linkspan.Account{UUID: linkspan.NewUUID(), Name: name},
		AccountKey: keyOrNew(in.AccountKey),
	}
	if err := s.store.InsertAccount(ctx, tx, &out.Account); err != nil {
		return nil, fmt.Errorf("inserting the account: %w", err)
	}
	for _, name := range []string{developmentName, ProductionName} {
		given := in.Environments[name]
		env := newEnvironment(out.Account.ID, name, name == ProductionName)
		if !given.WebhookSigningKey.IsZero() {
			env.WebhookSigningKey = given.WebhookSigningKey
		}
		if given.PublicKey != "" {
			env.PublicKey = strings.ToLower(given.PublicKey)
			env.Settings.PublicKeyEnabled = true
		}
		key := keyOrNew(given.SecretKey)
		if err := s.insert(ctx, tx, &env, key.Secret); err != nil {
			return nil, err
		}
		out.Environments = append(out.Environments, BootstrappedEnvironment{Environment: env, SecretKey: key})
	}
	err := s.insertKey(ctx, tx, access.NewKey{
		AccountID: out.Account.ID, DisplayName: AccountKeyName, Secret: out.AccountKey.Secret,
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// insertKey stores a full-access key.
func (s *Service) insertKey(ctx context.Context, tx linkspan.Tx, in access.NewKey) error {
	key, _, err := access.Mint(in)
	if err != nil {
		return fmt.Errorf("making the key %q: %w", in.DisplayName, err)
	}
	if err := s.store.InsertAPIKey(ctx, tx, &key); err != nil {
		return fmt.Errorf("inserting the key %q: %w", in.DisplayName, err)
	}
	return nil
}

func keyOrNew(given linkspan.Secret) Key {
	if given.IsZero() {
		return Key{Secret: linkspan.NewSecret(linkspan.NewUUID()), Generated: true}
	}
	return Key{Secret: given}
}

// check refuses keys that could never be used.
func (in BootstrapInput) check() error {
	if err := checkUUIDv4("account key", in.AccountKey.Reveal()); err != nil {
		return err
	}
	uses := map[string]string{strings.ToLower(in.AccountKey.Reveal()): "account key"}
	for _, name := range slices.Sorted(maps.Keys(in.Environments)) {
		given := in.Environments[name]
		if err := given.check(name); err != nil {
			return err
		}
		for _, k := range []struct{ use, text string }{
			{"secret key of " + name, given.SecretKey.Reveal()},
			{"public key of " + name, given.PublicKey}, // everybody can read it
		} {
			key := strings.ToLower(k.text)
			if other, taken := uses[key]; taken && key != "" {
				return fmt.Errorf("the %s is the same as the %s: give each its own", k.use, other)
			}
			uses[key] = k.use
		}
	}
	return nil
}

func (g GivenKeys) check(name string) error {
	if name != developmentName && name != ProductionName {
		return fmt.Errorf("keys were given for environment %q, but the first start makes only %s and %s", name, developmentName, ProductionName)
	}
	if err := checkUUIDv4("secret key of "+name, g.SecretKey.Reveal()); err != nil {
		return err
	}
	if err := checkUUIDv4("public key of "+name, g.PublicKey); err != nil {
		return err
	}
	if len(g.WebhookSigningKey.Reveal()) > maxGivenKey {
		return fmt.Errorf("the webhook signing key of %s is longer than %d bytes", name, maxGivenKey)
	}
	return nil
}

func checkUUIDv4(what, text string) error {
	if text == "" || linkspan.IsUUIDv4(text) {
		return nil
	}
	return fmt.Errorf("the %s is not a UUID, version 4: make one with uuidgen, or leave it out and one is generated", what)
}

package environment_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

func newService(t *testing.T) (*environment.Service, *store.Store) {
	t.Helper()
	s := storetest.Open(t, store.Config{DataDir: t.TempDir()}, vault.NewRing(vault.NewMasterKey()))
	return environment.New(s, s), s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	service, s := newService(t)
	given := linkspan.NewSecret("AAAAAAAA-0000-4000-8000-000000000001")
	signing := linkspan.NewSecret("whsec")
	in := environment.BootstrapInput{Environments: map[string]environment.GivenKeys{
		"dev": {SecretKey: given, WebhookSigningKey: signing, PublicKey: "BBBBBBBB-0000-4000-8000-000000000002"},
	}}
	made, err := service.Bootstrap(t.Context(), in)
	check(t, err)
	if made == nil || len(made.Environments) != 2 {
		t.Fatalf("made %v", made)
	}
	dev, prod := made.Environments[0], made.Environments[1]
	if dev.Environment.Name != "dev" || dev.Environment.IsProduction || prod.Environment.Name != "prod" || !prod.Environment.IsProduction {
		t.Errorf("environments %v and %v", dev.Environment, prod.Environment)
	}
	if dev.SecretKey.Generated || !prod.SecretKey.Generated || !made.AccountKey.Generated {
		t.Error("what was given and what was generated is mixed up")
	}
	if !dev.Environment.WebhookSigningKey.Equal(signing) || dev.Environment.PublicKey != "bbbbbbbb-0000-4000-8000-000000000002" {
		t.Error("given keys are not used")
	}
	for _, k := range []struct {
		key   linkspan.Secret
		env   string
		scope string
	}{{given, "dev", linkspan.ScopeEnvironmentAll}, {prod.SecretKey.Secret, "prod", linkspan.ScopeEnvironmentAll}, {made.AccountKey.Secret, "", linkspan.ScopeAccountAll}} {
		key, env, err := s.APIKeyByHash(t.Context(), nil, sha256.Sum256([]byte(strings.ToLower(k.key.Reveal()))))
		check(t, err)
		if env.Name != k.env || len(key.Scopes) != 1 || key.Scopes[0] != k.scope {
			t.Errorf("key of %q: environment %q, scopes %v", k.env, env.Name, key.Scopes)
		}
	}
	again, err := service.Bootstrap(t.Context(), in)
	if err != nil || again != nil {
		t.Errorf("the second start made %v, %v", again, err)
	}
}

// Several processes that start at once on a new database make one account.
func TestBootstrapAtOnce(t *testing.T) {
	t.Parallel()
	for name, newDatabase := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bootstrapAtOnce(t, newDatabase(t))
		})
	}
}

func bootstrapAtOnce(t *testing.T, database store.Config) {
	t.Helper()
	ring := vault.NewRing(vault.NewMasterKey())
	const starts = 6
	var services []*environment.Service
	var last *store.Store
	for range starts {
		last = storetest.Open(t, database, ring)
		services = append(services, environment.New(last, last))
	}
	made := make([]*environment.Bootstrapped, starts)
	errs := make([]error, starts)
	var wg sync.WaitGroup
	for i, service := range services {
		wg.Go(func() { made[i], errs[i] = service.Bootstrap(t.Context(), environment.BootstrapInput{}) })
	}
	wg.Wait()
	count := 0
	for i := range made {
		check(t, errs[i])
		if made[i] != nil {
			count++
		}
	}
	accounts, err := last.Accounts(t.Context(), nil)
	check(t, err)
	if count != 1 || len(accounts) != 1 {
		t.Fatalf("%d starts made something and there are %d accounts, want one of each", count, len(accounts))
	}
	envs, err := last.Environments(t.Context(), nil, accounts[0].ID, "")
	check(t, err)
	if len(envs) != 2 {
		t.Errorf("%d environments, want dev and prod", len(envs))
	}
}

func TestBootstrapRefusesKeysThatCannotWork(t *testing.T) {
	t.Parallel()
	service, s := newService(t)
	good := linkspan.NewSecret("aaaaaaaa-0000-4000-8000-000000000001")
	envs := func(name string, g environment.GivenKeys) environment.BootstrapInput {
		return environment.BootstrapInput{Environments: map[string]environment.GivenKeys{name: g}}
	}
	for name, in := range map[string]environment.BootstrapInput{
		"account key that is no UUID": {AccountKey: linkspan.NewSecret("letmein-hunter2")},
		"secret key of version 1":     envs("dev", environment.GivenKeys{SecretKey: linkspan.NewSecret("aaaaaaaa-0000-1000-8000-000000000001")}),
		"public key that is no UUID":  envs("dev", environment.GivenKeys{PublicKey: "x"}),
		"signing key too long":        envs("prod", environment.GivenKeys{WebhookSigningKey: linkspan.NewSecret(strings.Repeat("x", 256))}),
		"other environment":           envs("staging", environment.GivenKeys{SecretKey: good}),
		"one key for two": {AccountKey: good, Environments: map[string]environment.GivenKeys{
			"dev": {SecretKey: linkspan.NewSecret(strings.ToUpper(good.Reveal()))},
		}},
		"one public key for two": {Environments: map[string]environment.GivenKeys{
			"dev": {PublicKey: good.Reveal()}, "prod": {PublicKey: strings.ToUpper(good.Reveal())},
		}},
		"public key that is the secret key": envs("dev", environment.GivenKeys{SecretKey: good, PublicKey: good.Reveal()}),
	} {
		_, err := service.Bootstrap(t.Context(), in)
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		if linkspan.KindOf(err) == linkspan.KindConflict {
			t.Errorf("%s: only the database noticed: %v", name, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	accounts, err := s.Accounts(t.Context(), nil)
	check(t, err)
	if len(accounts) != 0 {
		t.Error("something was made")
	}
}

func TestLifeOfAnEnvironment(t *testing.T) {
	t.Parallel()
	service, s := newService(t)
	made, err := service.Bootstrap(t.Context(), environment.BootstrapInput{})
	check(t, err)
	ctx, account := t.Context(), made.Account.ID

	env, err := service.Create(ctx, account, environment.CreateInput{Name: "staging", Settings: environment.Settings{
		HMACKey: new(linkspan.NewSecret("hk")), OTLPHeaders: &[]linkspan.SecretPair{{Name: "a", Value: linkspan.NewSecret("1")}},
	}})
	check(t, err)
	keys, err := s.APIKeys(ctx, nil, account, env.ID, environment.DefaultKeyName)
	if err != nil || len(keys) != 1 {
		t.Errorf("default keys: %v, %v", keys, err)
	}
	if _, err := service.Create(ctx, account, environment.CreateInput{Name: "staging"}); linkspan.CodeOf(err) != "conflict" {
		t.Errorf("a taken name: %v", err)
	}

	// A header that is masked keeps its value; one that never had a value goes.
	env, err = service.Update(ctx, account, env.UUID, environment.UpdateInput{Settings: environment.Settings{
		CallbackURL: new("https://x.example"), OTLPHeaders: &[]linkspan.SecretPair{
			{Name: "a", Value: linkspan.NewSecret(environment.Masked)}, {Name: "b", Value: linkspan.NewSecret(environment.Masked)}, {Name: "c", Value: linkspan.NewSecret("3")},
		},
	}})
	check(t, err)
	var headers []string
	for _, h := range env.Settings.OTLPHeaders {
		headers = append(headers, h.Name+"="+h.Value.Reveal())
	}
	if diff := cmp.Diff([]string{"a=1", "c=3"}, headers); diff != "" || env.Settings.HMACKey.Reveal() != "hk" {
		t.Errorf("settings after the change: %s", diff)
	}

	i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Key: "k", Provider: "p"}
	check(t, s.InsertIntegration(ctx, nil, &i))
	c := linkspan.Connection{UUID: linkspan.NewUUID(), EnvironmentID: env.ID, IntegrationID: i.ID, Name: "c", Credentials: linkspan.NewSecret("{}")}
	check(t, s.InsertConnection(ctx, nil, &c))
	check(t, service.Delete(ctx, account, env.UUID))
	ops, err := s.Operations(ctx, nil, linkspan.OperationFilter{EnvironmentID: env.ID, Limit: 10})
	if err != nil || len(ops) != 1 || ops[0].ConnectionUUID != c.UUID || ops[0].Action != linkspan.ActionDeleteConnection {
		t.Errorf("the deletion of the connection is recorded as %+v, %v", ops, err)
	}
	for name, err := range map[string]error{
		"read":   second(service.ByUUID(ctx, account, env.UUID)),
		"number": second(service.ByID(ctx, account, env.ID)),
		"change": second(service.Update(ctx, account, env.UUID, environment.UpdateInput{})),
		"delete": service.Delete(ctx, account, env.UUID),
		"write":  service.ReplaceVariables(ctx, account, env.UUID, nil),
		"other":  second(service.ByUUID(ctx, account+1, made.Environments[0].Environment.UUID)),
	} {
		if linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("%s after the deletion: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Changes of different settings at the same time lose none of them.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	for name, newDatabase := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t, newDatabase(t), vault.NewRing(vault.NewMasterKey()))
			concurrentChanges(t, environment.New(s, s))
		})
	}
}

func concurrentChanges(t *testing.T, service *environment.Service) {
	t.Helper()
	made, err := service.Bootstrap(t.Context(), environment.BootstrapInput{})
	check(t, err)
	env := made.Environments[0].Environment
	var wg sync.WaitGroup
	for i, in := range []environment.Settings{
		{CallbackURL: new("https://x.example")},
		{SlackNotifications: new(true)},
		{OTLPEndpoint: new("https://o.example")},
		{Webhooks: environment.Webhooks{OnSyncError: new(false)}},
		{Webhooks: environment.Webhooks{PrimaryURL: new("https://w.example")}},
		{ConnectUI: environment.ConnectUI{AppName: new("App")}},
	} {
		wg.Go(func() {
			if _, err := service.Update(t.Context(), env.AccountID, env.UUID, environment.UpdateInput{Settings: in}); err != nil {
				t.Error(fmt.Errorf("change %d: %w", i, err))
			}
		})
	}
	wg.Wait()
	env, err = service.ByUUID(t.Context(), env.AccountID, env.UUID)
	check(t, err)
	set := env.Settings
	if set.CallbackURL == "" || !set.SlackNotifications || set.OTLPEndpoint == "" ||
		set.Webhooks.OnSyncError || set.Webhooks.PrimaryURL == "" || set.ConnectUI.AppName == "" {
		t.Errorf("a change was lost: %+v", set)
	}
}

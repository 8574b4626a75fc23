package connect_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// TestOnRealDatabases runs the main promises on the real store: the stampede, a
// failure that is remembered, and a process that dies at the worst moment. The
// fake clock's tests have the details.
func TestOnRealDatabases(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, config(t))
			t.Run("stampede", d.testStampede)
			t.Run("failure", d.testFailure)
			t.Run("interruption", d.testInterruption)
			t.Run("operations", d.testOperations)
			t.Run("deletion", d.testDeletion)
			t.Run("deletion during an import", d.testDeletionDuringImport)
			t.Run("authorization killed", d.testAuthorizationKilled)
			if name != "sqlite" { // there one writer waits for the other to end
				t.Run("overlapping authorizations", d.testOverlappingAuthorizations)
			}
		})
	}
}

// database is a migrated database with an environment and an integration.
type database struct {
	config store.Config
	ring   *vault.Ring
	env    linkspan.Environment
	world  *world
}

func newDatabase(t *testing.T, c store.Config) *database {
	t.Helper()
	d := &database{config: c, ring: vault.NewRing(vault.NewMasterKey()), world: newWorld(t)}
	s := d.open(t)
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, s.InsertAccount(t.Context(), nil, &account))
	d.env = linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: account.ID, Name: "dev", PublicKey: linkspan.NewUUID(),
		WebhookSigningKey: linkspan.NewSecret(rand.Text()), Settings: linkspan.EnvironmentSettings{Webhooks: linkspan.DefaultWebhookSettings()},
	}
	must(t, s.InsertEnvironment(t.Context(), nil, &d.env))
	must(t, s.InsertIntegration(t.Context(), nil, &linkspan.Integration{
		UUID: linkspan.NewUUID(), EnvironmentID: d.env.ID, Key: "acme", Provider: "acme",
		Secrets: linkspan.IntegrationSecrets{ClientID: "client", ClientSecret: linkspan.NewSecret("client-secret")},
	}))
	must(t, s.InsertIntegration(t.Context(), nil, &linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: d.env.ID, Key: "tested", Provider: "keyed"}))
	return d
}

func (d *database) open(t *testing.T) *store.Store {
	t.Helper()
	return storetest.Open(t, d.config, d.ring)
}

// replica starts a service of its own over the store.
func (d *database) replica(t *testing.T, s *store.Store, a *authority) *connect.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	feed := change.NewFeed(s, log)
	s.OnLocalChange(feed.Local)
	ops := oplog.New(s, log, oplog.Options{})
	service := connect.New(connect.Config{
		Store: s, Tx: s, Providers: d.world, Feed: feed, Leases: lease.NewKeeper(s, rand.Text(), log),
		Upstream: d.world.verifier, OAuth: oauth.New(oauth.Config{HTTP: &http.Client{Transport: a}}), Ops: ops, Log: log,
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{feed.Run, ops.Run, service.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	for !feed.Fresh() {
		runtime.Gosched()
	}
	return service
}

func (d *database) importExpired(t *testing.T, s *connect.Service, name string, a *authority) {
	t.Helper()
	_, err := s.Import(t.Context(), d.env, connect.ImportInput{
		IntegrationKey: "acme", Name: name, Credentials: credential.NewOAuth2("at-old", a.current, time.Now().Add(-time.Minute)),
	})
	must(t, err)
}

func (d *database) testStampede(t *testing.T) {
	a := newAuthority()
	a.delay = 100 * time.Millisecond
	replicas := []*connect.Service{d.replica(t, d.open(t), a), d.replica(t, d.open(t), a)}
	d.importExpired(t, replicas[0], "stampede", a)
	var callers sync.WaitGroup
	for i := range 200 {
		callers.Go(func() {
			target, err := replicas[i%2].Fresh(t.Context(), d.env.ID, "acme", "stampede", asNeeded)
			if err != nil || target.Credentials.AccessToken.Reveal() != "at-1" {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	callers.Wait()
	if n := a.count(); n != 1 {
		t.Errorf("the token endpoint was called %d times, want once", n)
	}
}

func (d *database) testFailure(t *testing.T) {
	a := newAuthority()
	a.fail(refused())
	s := d.replica(t, d.open(t), a)
	d.importExpired(t, s, "failure", a)
	for _, code := range []string{connect.CodeRefreshFailed, connect.CodeRefreshBackoff} {
		if _, err := s.Fresh(t.Context(), d.env.ID, "acme", "failure", asNeeded); linkspan.CodeOf(err) != code {
			t.Errorf("error = %v, want %s", err, code)
		}
	}
	list, err := s.List(t.Context(), linkspan.ConnectionFilter{EnvironmentID: d.env.ID, Name: "failure", Limit: 1})
	if err != nil || len(list) != 1 || len(connect.Errors(&list[0])) != 1 {
		t.Errorf("List = %+v, %v; want one connection with an error", list, err)
	}
	if _, err := s.Fresh(t.Context(), d.env.ID, "acme", "failure", forced); err != nil {
		t.Errorf("forced refresh: %v", err)
	}
}

// testInterruption leaves behind what a process leaves that is killed after it
// has sent the refresh token: a lease that lapses, with a note.
func (d *database) testInterruption(t *testing.T) {
	a := newAuthority()
	st := d.open(t)
	s := d.replica(t, st, a)
	d.importExpired(t, s, "interrupted", a)
	target, err := s.Live(t.Context(), d.env.ID, "acme", "interrupted")
	must(t, err)
	l, ok, err := st.AcquireLease(t.Context(), nil, "refresh", target.Connection.UUID, "killed", time.Microsecond)
	must(t, err)
	if !ok {
		t.Fatal("the lease of an idle connection is held")
	}
	_, err = st.SetLeaseState(t.Context(), nil, l, "calling 1")
	must(t, err)
	if _, _, err := a.exchange(a.current); err != nil { // the answer nobody stored
		t.Fatal(err)
	}
	if _, err := s.Fresh(t.Context(), d.env.ID, "acme", "interrupted", asNeeded); linkspan.CodeOf(err) != connect.CodeRefreshInterrupted {
		t.Errorf("error = %v, want %s", err, connect.CodeRefreshInterrupted)
	}
}

// testOperations looks for the account on everything that is recorded, also of
// calls that name their environment only.
func (d *database) testOperations(t *testing.T) {
	a := newAuthority()
	st := d.open(t)
	s := d.replica(t, st, a)
	d.importExpired(t, s, "recorded", a)
	_, err := s.Fresh(t.Context(), d.env.ID, "acme", "recorded", asNeeded)
	must(t, err)
	must(t, s.Patch(t.Context(), d.env.ID, "acme", "recorded", connect.PatchInput{Tags: map[string]string{"a": "b"}}))
	must(t, s.Delete(t.Context(), d.env.ID, "acme", "recorded"))
	const created, refreshed, updated, deleted = 1, 1, 1, 1
	patient, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		ops, err := st.Operations(patient, nil, linkspan.OperationFilter{EnvironmentID: d.env.ID, ConnectionName: "recorded", Limit: 100})
		must(t, err)
		for i := range ops {
			if ops[i].AccountID != d.env.AccountID {
				t.Errorf("operation %s is of account %d, want %d", ops[i].Action, ops[i].AccountID, d.env.AccountID)
			}
		}
		if t.Failed() || len(ops) == created+refreshed+updated+deleted {
			return
		}
		runtime.Gosched()
	}
}

// testDeletion deletes an environment under the eyes of two replicas that have
// its connection at hand.
func (d *database) testDeletion(t *testing.T) {
	a := newAuthority()
	here, there := d.open(t), d.open(t)
	replicas := []*connect.Service{d.replica(t, here, a), d.replica(t, there, a)}
	env := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: d.env.AccountID, Name: "doomed", PublicKey: linkspan.NewUUID()}
	must(t, here.InsertEnvironment(t.Context(), nil, &env))
	integration := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Key: "acme", Provider: "acme"}
	must(t, here.InsertIntegration(t.Context(), nil, &integration))
	in := connect.ImportInput{IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("at", a.current, time.Now().Add(time.Hour))}
	_, err := replicas[0].Import(t.Context(), env, in)
	must(t, err)
	for _, r := range replicas {
		_, err := r.Live(t.Context(), env.ID, "acme", "c")
		must(t, err)
	}
	must(t, here.DeleteEnvironment(t.Context(), nil, &env))
	if _, err := replicas[0].Live(t.Context(), env.ID, "acme", "c"); linkspan.CodeOf(err) != "unknown_provider_config" {
		t.Errorf("Live where the environment was deleted: %v", err)
	}
	patient, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for linkspan.CodeOf(err) != "unknown_provider_config" {
		if _, err = replicas[1].Live(patient, env.ID, "acme", "c"); patient.Err() != nil {
			t.Fatalf("Live elsewhere: %v", err)
		}
		runtime.Gosched()
	}
}

// testDeletionDuringImport deletes the integration while the credentials for it
// are tried out.
func (d *database) testDeletionDuringImport(t *testing.T) {
	st := d.open(t)
	s := d.replica(t, st, newAuthority())
	integration := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: d.env.ID, Key: "keyed", Provider: "keyed"}
	must(t, st.InsertIntegration(t.Context(), nil, &integration))
	d.world.verifier.during = func() { must(t, st.DeleteIntegration(t.Context(), nil, &integration)) }
	_, err := s.Import(t.Context(), d.env, connect.ImportInput{IntegrationKey: "keyed", Name: "c", Credentials: credential.NewAPIKey("key")})
	if linkspan.CodeOf(err) != "unknown_provider_config" {
		t.Errorf("error = %v, want unknown_provider_config", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Package storetest is the conformance suite of package store: what every
// database must do. Each part runs on a database of its own, which the tests of
// other packages can have here too.
package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
)

// Run runs the suite. open returns a new, empty, migrated store and closes it
// when the test ends.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	t.Helper()
	for _, part := range []struct {
		name string
		test func(t *testing.T, w *world)
	}{
		{"transactions", testTransactions},
		{"transaction retry", testRetry},
		{"changes", testChanges},
		{"changes in commit order", testChangeOrder},
		{"lost changes", testLostChanges},
		{"notifications", testNotifications},
		{"bootstrap", testBootstrap},
		{"environments", testEnvironments},
		{"variables", testVariables},
		{"data keys", testDataKeys},
		{"API keys", testAPIKeys},
		{"connect sessions", testConnectSessions},
		{"OAuth sessions", testOAuthSessions},
		{"OAuth sessions under competition", testOAuthSessionRace},
		{"popup results", testPopupResults},
		{"lookups by number", testByNumber},
		{"rate counts", testRateCounts},
		{"integrations", testIntegrations},
		{"connections", testConnections},
		{"connection lists", testConnectionLists},
		{"credentials", testCredentials},
		{"credentials under competition", testCredentialRace},
		{"authorizations", testAuthorizations},
		{"older authorizations", testOlderAuthorizations},
		{"refresh candidates", testRefreshCandidates},
		{"touching", testTouching},
		{"isolation", testIsolation},
		{"deleted environment", testDeletedEnvironment},
		{"purge", testPurge},
		{"undecryptable rows", testUndecryptable},
		{"unstorable text", testUnstorableText},
		{"leases", testLeases},
		{"lease under competition", testLeaseRace},
		{"checkpoints", testCheckpoints},
		{"function locks", testFunctionLocks},
		{"authors' jobs", testAuthorJobs},
		{"turns of authors' jobs", testAuthorJobTurns},
		{"order of authors' deploys", testAuthorJobOrder},
		{"webhooks", testWebhooks},
		{"webhook fences", testWebhookFences},
		{"webhook turns", testWebhookTurns},
		{"webhooks under competition", testWebhookRace},
		{"webhook isolation", testWebhookIsolation},
		{"webhook purge", testWebhookPurge},
		{"webhook secrecy", testWebhookSecrecy},
		{"runs", testRuns},
		{"run fences", testRunFences},
		{"runs of others", testRunsOfOthers},
		{"run turns", testRunTurns},
		{"runs under competition", testRunRace},
		{"run isolation", testRunIsolation},
		{"run purge", testRunPurge},
		{"run secrecy", testRunSecrecy},
		{"runs of syncs", testSyncRuns},
		{"syncs", testSyncs},
		{"due syncs", testDueSyncs},
		{"due syncs in turns", testDueSyncsInTurns},
		{"sync isolation", testSyncIsolation},
		{"run holds", testRunHolds},
		{"run holds under competition", testRunHoldRace},
		{"run groups", testRunGroups},
		{"runs behind a full backlog", testRunsBehindFull},
		{"run groups, many", testManyGroups},
		{"run leases, void", testVoidLeases},
		{"clock put back", testClockPutBack},
		{"functions", testFunctions},
		{"functions in transactions", testFunctionTransactions},
		{"function isolation", testFunctionIsolation},
		{"function code", testFunctionCode},
		{"function purges", testFunctionPurges},
		{"record keys", testRecordKeys},
		{"records", testRecords},
		{"rare records", testRareRecords},
		{"record streams", testRecordStreams},
		{"record retention", testRecordRetention},
		{"idle records", testIdleRecords},
		{"record windows", testRecordWindows},
		{"records under competition", testRecordRace},
		{"record secrecy", testRecordSecrecy},
		{"operations", testOperations},
		{"operation lists", testOperationLists},
		{"operations' end", testOperationsEnd},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, newWorld(t, open(t)))
		})
	}
}

// world is a store with an account and an environment in it.
type world struct {
	*store.Store

	account linkspan.Account
	env     linkspan.Environment
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{Store: s, account: linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}}
	must(t, s.InsertAccount(t.Context(), nil, &w.account))
	w.env = w.newEnvironment(t, "dev")
	return w
}

func (w *world) newEnvironment(t *testing.T, name string) linkspan.Environment {
	t.Helper()
	e := linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: name, PublicKey: linkspan.NewUUID(),
		WebhookSigningKey: linkspan.NewSecret("signing key of " + name),
	}
	must(t, w.InsertEnvironment(t.Context(), nil, &e))
	return e
}

func (w *world) newIntegration(t *testing.T, env linkspan.Environment, key string) linkspan.Integration {
	t.Helper()
	i := linkspan.Integration{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Key: key, Provider: "github", DisplayName: "GitHub", ForwardWebhooks: true,
		Secrets: linkspan.IntegrationSecrets{
			ClientID: "id", ClientSecret: linkspan.NewSecret("client secret"), Scopes: "a,b", WebhookSecret: linkspan.NewSecret("hook"),
			AppID: "app", AppLink: "https://example.com", PrivateKey: linkspan.NewSecret("private"),
			Custom: map[string]linkspan.Secret{"x": linkspan.NewSecret("y")},
		},
	}
	must(t, w.InsertIntegration(t.Context(), nil, &i))
	return i
}

func (w *world) newConnection(t *testing.T, i linkspan.Integration, name string, change func(*linkspan.Connection)) linkspan.Connection {
	t.Helper()
	c := linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: i.EnvironmentID, IntegrationID: i.ID, IntegrationKey: i.Key, Provider: i.Provider,
		Name: name, Credentials: linkspan.NewSecret(`{"type":"NONE"}`),
	}
	if change != nil {
		change(&c)
	}
	must(t, w.InsertConnection(t.Context(), nil, &c))
	return c
}

func (w *world) newAPIKey(t *testing.T, env linkspan.EnvironmentID, name string) linkspan.APIKey {
	t.Helper()
	k := linkspan.APIKey{
		UUID: linkspan.NewUUID(), AccountID: w.account.ID, EnvironmentID: env, DisplayName: name,
		Scopes: []string{linkspan.ScopeEnvironmentAll}, Hash: newHash(),
	}
	must(t, w.InsertAPIKey(t.Context(), nil, &k))
	return k
}

// exec runs SQL behind the store's back.
func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	exec(t, w.Store, query, args...)
}

func exec(tb testing.TB, s *store.Store, query string, args ...any) {
	tb.Helper()
	var err error
	switch pool := s.Pool().(type) {
	case *pgxpool.Pool:
		_, err = pool.Exec(tb.Context(), query, args...)
	case *sql.DB:
		_, err = pool.ExecContext(tb.Context(), query, args...)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func newHash() [32]byte { return sha256.Sum256([]byte(rand.Text())) }

// past is a fixed time with microseconds.
func past() time.Time { return time.Date(2024, 2, 29, 12, 30, 45, 123_456_000, time.UTC) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, want linkspan.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Kind != want {
		t.Fatalf("error is %v, want one of kind %s", err, want)
	}
}

func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(linkspan.Secret.Equal)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// inTx runs f in a transaction that must commit.
func (w *world) inTx(t *testing.T, f func(ctx context.Context, tx linkspan.Tx)) {
	t.Helper()
	must(t, w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		f(ctx, tx)
		return nil
	}))
}

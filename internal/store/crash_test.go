package store_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// crashVariable tells the process that is to be killed what to work on.
const crashVariable = "LINKSPAN_TEST_CRASH"

type crash struct {
	Config     store.Config
	Key        string
	Env        linkspan.EnvironmentID
	Connection string
}

func (c crash) ring(t *testing.T) *vault.Ring {
	t.Helper()
	ring, err := vault.ParseRing(linkspan.NewSecret(c.Key), nil)
	must(t, err)
	return ring
}

// connection returns the one the process works on.
func (c crash) connection(t *testing.T, s *store.Store) linkspan.Connection {
	t.Helper()
	found, err := s.Connection(t.Context(), nil, c.Env, "acme", c.Connection)
	must(t, err)
	return found
}

// TestKilledProcess kills a process that has stored one token and is about to
// commit the next.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := crash{Config: config(t), Key: vault.NewMasterKey().Text().Reveal(), Connection: "c"}
			prepareCrash(t, &c)
			storetest.RunAndKill(t, "TestKilledProcessChild", crashVariable, c)

			s := storetest.Open(t, c.Config, c.ring(t))
			got := c.connection(t, s)
			if text := got.Credentials.Reveal(); text != "acknowledged" || got.CredentialsVersion != 2 {
				t.Errorf("the credentials are %q of version %d, want what was acknowledged", text, got.CredentialsVersion)
			}
			if list, err := s.Connections(t.Context(), nil, linkspan.ConnectionFilter{EnvironmentID: c.Env, Limit: 10}); err != nil || len(list) != 1 {
				t.Errorf("there are %d connections, want one (%v)", len(list), err)
			}
			before, err := s.LatestChange(t.Context())
			must(t, err)
			// Nothing of what the dead held keeps the living from going on.
			got.Credentials = linkspan.NewSecret("next")
			must(t, s.SaveCredentials(t.Context(), nil, &got))
			changes, err := s.ChangesSince(t.Context(), before, 10)
			if err != nil || len(changes) != 1 || changes[0].Key != got.UUID {
				t.Errorf("changes after the crash: %+v, %v", changes, err)
			}
		})
	}
}

func prepareCrash(t *testing.T, c *crash) {
	t.Helper()
	db, err := store.Open(t.Context(), c.Config, discard())
	must(t, err)
	_, err = db.Migrate(t.Context())
	must(t, err)
	s := store.New(db, vault.New(c.ring(t), db))
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, s.InsertAccount(t.Context(), nil, &account))
	env := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: account.ID, Name: "dev", PublicKey: linkspan.NewUUID()}
	must(t, s.InsertEnvironment(t.Context(), nil, &env))
	i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Key: "acme", Provider: "acme"}
	must(t, s.InsertIntegration(t.Context(), nil, &i))
	c.Env = env.ID
	must(t, s.InsertConnection(t.Context(), nil, newConnection(i, c.Connection)))
	must(t, db.Close()) // a SQLite folder belongs to one process at a time
}

func newConnection(i linkspan.Integration, name string) *linkspan.Connection {
	return &linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: i.EnvironmentID, IntegrationID: i.ID, Name: name, Credentials: linkspan.NewSecret("first"),
	}
}

func TestKilledProcessChild(t *testing.T) {
	t.Parallel()
	task := os.Getenv(crashVariable)
	if task == "" {
		t.Skip("it is run by TestKilledProcess")
	}
	var c crash
	must(t, json.Unmarshal([]byte(task), &c))
	s := storetest.Open(t, c.Config, c.ring(t))
	own := c.connection(t, s)
	own.Credentials = linkspan.NewSecret("acknowledged")
	must(t, s.SaveCredentials(t.Context(), nil, &own))
	err := s.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		own.Credentials = linkspan.NewSecret("torn")
		must(t, s.SaveCredentials(ctx, tx, &own))
		must(t, s.InsertConnection(ctx, tx, newConnection(linkspan.Integration{ID: own.IntegrationID, EnvironmentID: c.Env}, "torn")))
		say := os.NewFile(3, "ready")
		_, err := say.WriteString("!")
		must(t, err)
		<-ctx.Done() // until it is killed
		return ctx.Err()
	})
	t.Errorf("the transaction ended with %v", err)
}

package function

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// crashVariable tells the process that is to be killed what to work on.
const crashVariable = "LINKSPAN_TEST_CRASH"

type crash struct {
	Config store.Config
	Key    string
	Env    linkspan.EnvironmentID
}

func (c crash) service(t *testing.T, holder string, wrap func(Store) Store) (*store.Store, *Service) {
	t.Helper()
	ring, err := vault.ParseRing(linkspan.NewSecret(c.Key), nil)
	must(t, err)
	s := storetest.Open(t, c.Config, ring)
	return s, New(Config{
		Store: wrap(s), Tx: s, Feed: change.NewFeed(s, discard()), Leases: lease.NewKeeper(s, holder, discard()), Log: discard(),
	})
}

// TestKilledDeploy kills a process that has written all of a deploy and is about
// to commit it.
func TestKilledDeploy(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := crash{Config: config(t), Key: vault.NewMasterKey().Text().Reveal()}
			prepareCrash(t, &c)
			storetest.RunAndKill(t, "TestKilledDeployChild", crashVariable, c)

			db, s := c.service(t, "living", func(s Store) Store { return s })
			list, err := s.All(t.Context(), c.Env)
			must(t, err)
			if len(list) != 1 || list[0].Version.Number != 1 {
				t.Fatalf("after the crash there are %+v, want what was acknowledged", list)
			}
			// The dead one's right lapses; until then others are refused.
			d := all(action("github", "a", "2"), action("github", "b", "1"))
			_, err = s.Deploy(t.Context(), c.Env, d)
			wantCode(t, err, linkspan.KindConflict, "concurrent_deployment")
			lapse(t, db, c.Env)
			done, err := s.Deploy(t.Context(), c.Env, d)
			if err != nil || len(done.Functions) != 2 || done.Functions[0].Version.Number != 2 {
				t.Errorf("the next deploy: %+v, %v", done, err)
			}
		})
	}
}

// lapse ends the right of the dead one, as if its time had passed. It was the
// second to have it.
func lapse(t *testing.T, db *store.Store, env linkspan.EnvironmentID) {
	t.Helper()
	l := linkspan.Lease{Kind: leaseKind, Key: strconv.FormatInt(int64(env), 10), Holder: "doomed", Attempt: 2}
	if ok, err := db.RenewLease(t.Context(), nil, l, -time.Second); err != nil || !ok {
		t.Fatalf("the right is not the dead one's (%v)", err)
	}
}

func prepareCrash(t *testing.T, c *crash) {
	t.Helper()
	ring, err := vault.ParseRing(linkspan.NewSecret(c.Key), nil)
	must(t, err)
	db, err := store.Open(t.Context(), c.Config, discard())
	must(t, err)
	_, err = db.Migrate(t.Context())
	must(t, err)
	w := &world{Store: store.New(db, vault.New(ring, db)), tb: t, integrations: make(map[string]linkspan.Integration)}
	w.account = linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, w.InsertAccount(t.Context(), nil, &w.account))
	w.env = w.environment("dev")
	w.integration(w.env, "github")
	w.feed = change.NewFeed(w, discard())
	w.service = w.replica(w.Store)
	w.deploy(action("github", "a", "1"))
	c.Env = w.env
	must(t, db.Close()) // a SQLite folder belongs to one process at a time
}

func TestKilledDeployChild(t *testing.T) {
	t.Parallel()
	task := os.Getenv(crashVariable)
	if task == "" {
		t.Skip("runs as a child of TestKilledDeploy")
	}
	var c crash
	must(t, json.Unmarshal([]byte(task), &c))
	_, s := c.service(t, "doomed", func(s Store) Store { return hanging{s} })
	_, err := s.Deploy(t.Context(), c.Env, all(action("github", "a", "2"), action("github", "b", "1")))
	t.Error("the process was not killed:", err)
}

// hanging is a store that waits for the end once everything is written.
type hanging struct{ Store }

// RemoveFunctions implements Store.
func (h hanging) RemoveFunctions(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, ids []linkspan.FunctionID) error {
	if err := h.Store.RemoveFunctions(ctx, tx, env, ids); err != nil {
		return err
	}
	if _, err := os.NewFile(3, "ready").WriteString("x"); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

package e2e

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
)

// TestMasterKeyRotatesOnline rotates the master key of a running instance,
// which then must read what was sealed before, seal new things so that its
// successor can read them, and forget the old key.
func TestMasterKeyRotatesOnline(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	db := apptest.NewSQLite(t)
	db.Keys.Encryption = "" // kept in the folder
	o := apptest.Options{Database: db, ProvidersDir: world.ProvidersDir}
	child := apptest.StartProcess(t, o)
	dev := child.Dev(t)
	world.Integrate(t, dev, apptest.ProviderKey, "keyed")
	apptest.Import(t, dev, "keyed", "before", object{"type": "API_KEY", "apiKey": "key before"})

	for range 2 { // the second rotation finds an instance that has followed the first
		var out bytes.Buffer
		code := cli.Run(context.WithoutCancel(t.Context()), cli.System{
			Args: []string{"keys", "rotate", "--data=" + db.Dir}, Environ: func(string) string { return "" }, Stdout: &out, Stderr: &out,
		}, apptest.Server())
		if code != 0 {
			t.Fatalf("keys rotate ended with code %d\n%s", code, out.Bytes())
		}
		wantKey(t, dev, "before", "key before")
	}
	// A new environment has a new data key: it must not be wrapped by a master
	// key that is gone.
	var made struct{ Data struct{ UUID string } }
	child.Account(t).Do(t, http.MethodPost, "/environments", object{"name": "staging"}).Want(t, http.StatusOK).Into(t, &made)
	variables := []object{{"name": "A", "value": "1"}}
	child.Account(t).Do(t, http.MethodPut, "/environments/"+made.Data.UUID+"/variables", object{"variables": variables}).Want(t, http.StatusOK)
	staging := makeKey(t, &child.Instance, made.Data.UUID, "key").Secret
	apptest.Import(t, dev, "keyed", "after", object{"type": "API_KEY", "apiKey": "key after"})

	child.Terminate(t)
	child.Wait(t)
	again := apptest.StartProcess(t, o)
	wantKey(t, again.Dev(t), "before", "key before")
	wantKey(t, again.Dev(t), "after", "key after")
	var got []struct{ Name, Value string }
	again.Dev(t).WithKey(staging).Do(t, http.MethodGet, "/environment-variables", nil).Want(t, http.StatusOK).Into(t, &got)
	if len(got) != 1 || got[0].Value != "1" {
		t.Errorf("the new environment's variables came back as %v", got)
	}
}

// wantKey fails the test unless a connection has the API key.
func wantKey(t *testing.T, c apptest.Client, name, key string) {
	t.Helper()
	var connection struct {
		Credentials struct{ APIKey string }
	}
	c.Do(t, http.MethodGet, "/connections/"+name+"?provider_config_key=keyed", nil).Want(t, http.StatusOK).Into(t, &connection)
	if connection.Credentials.APIKey != key {
		t.Errorf("connection %s has the key %q, not %q", name, connection.Credentials.APIKey, key)
	}
}

// TestWrongMasterKeyIsRefused starts on data that another key sealed.
func TestWrongMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			first := apptest.StartProcess(t, apptest.Options{Database: db})
			first.Terminate(t)
			first.Wait(t)
			before := db.State(t)
			db.Keys.Encryption = apptest.NewKeys().Encryption
			second := apptest.SpawnProcess(t, apptest.Options{Database: db})
			if code := second.Wait(t); code == 0 {
				t.Error("the instance ended as if all were well")
			}
			if after := db.State(t); after != before {
				t.Error("the refused start changed the database")
			}
		})
	}
}

package e2e

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// stampede is how many callers want a token at the same instant.
const stampede = 200

// TestRefreshOnce lets many callers find an expired token at once. The refresh
// token works once, so a second refresh would lock the connection out.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		open     func(testing.TB) apptest.Database
		replicas int
		pollOnly bool
	}{
		{"one replica on SQLite", apptest.NewSQLite, 1, false},
		{"two replicas on PostgreSQL", apptest.NewPostgres, 2, false},
		{"two replicas on PostgreSQL without LISTEN", apptest.NewPostgres, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			world := apptest.NewWorld(t)
			world.Authority.Delay = 200 * time.Millisecond // so that all callers come while it goes on
			o := apptest.Options{Database: c.open(t), ProvidersDir: world.ProvidersDir, PollOnly: c.pollOnly}
			var clients []apptest.Client
			for range c.replicas {
				clients = append(clients, apptest.Start(t, o).Dev(t))
			}
			world.Integrate(t, clients[0], apptest.ProviderOAuth, "crm")

			old := world.ImportOAuth(t, clients[0], "crm", "expired", -time.Minute)
			stampedeOn(t, clients, "expired")
			if n := world.Authority.Calls(); n != 1 {
				t.Errorf("the token endpoint was called %d times, not once", n)
			}
			for _, r := range world.SaaS.Requests() {
				if r.Header.Get("Authorization") == "Bearer "+old.Access {
					t.Error("a call was made with the expired token")
					break
				}
			}

			// The same when only the provider knows that the token has ended.
			revoked := world.ImportOAuth(t, clients[0], "crm", "revoked", time.Hour)
			world.Authority.Expire(revoked.Access)
			stampedeOn(t, clients, "revoked", "Retries", "1")
			if n := world.Authority.Calls(); n != 2 {
				t.Errorf("the token endpoint was called %d times more, not once", n-1)
			}
		})
	}
}

// stampedeOn makes many proxied calls at once, spread over the replicas, and
// fails the test unless all succeed.
func stampedeOn(t *testing.T, replicas []apptest.Client, connection string, headers ...string) {
	t.Helper()
	headers = append([]string{"Provider-Config-Key", "crm", "Connection-Id", connection}, headers...)
	replies := make([]apptest.Reply, stampede)
	errs := make([]error, stampede)
	start := make(chan struct{})
	var callers sync.WaitGroup
	for i := range stampede {
		callers.Go(func() {
			<-start
			replies[i], errs[i] = replicas[i%len(replicas)].Try(t, http.MethodGet, "/proxy/private/me", nil, headers...)
		})
	}
	close(start)
	callers.Wait()

	failed := 0
	for i, r := range replies {
		if errs[i] != nil || r.Status != http.StatusOK {
			failed++
			t.Logf("call %d: status %d, error %v\n%s", i, r.Status, errs[i], r.Body)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d calls on %s failed", failed, stampede, connection)
	}
}

// TestRefreshFailureIsReported has the provider refuse the refresh token.
func TestRefreshFailureIsReported(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	instance := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	dev := instance.Dev(t)
	world.Integrate(t, dev, apptest.ProviderOAuth, "crm")
	world.ImportOAuth(t, dev, "crm", "acme", -time.Minute)
	world.Authority.FailNext(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"revoked by the user"}`)

	const get = "/connections/acme?provider_config_key=crm"
	first := dev.Do(t, http.MethodGet, get, nil)
	if first.Code() != "invalid_credentials" || first.Status < 400 || first.Status >= 500 {
		t.Errorf("the first call got %d %q, not the contract's invalid_credentials\n%s", first.Status, first.Code(), first.Body)
	}
	dev.Do(t, http.MethodGet, get, nil).WantStatusIn(t, http.StatusBadRequest, http.StatusFailedDependency)
	if n := world.Authority.Calls(); n != 1 {
		t.Errorf("%d refreshes within the cooldown, not one", n)
	}

	var list struct {
		Connections []struct {
			Errors []struct {
				Type  string `json:"type"`
				LogID string `json:"log_id"`
			} `json:"errors"`
		} `json:"connections"`
	}
	dev.Do(t, http.MethodGet, "/connections?connectionId=acme", nil).Want(t, http.StatusOK).Into(t, &list)
	if len(list.Connections) != 1 || len(list.Connections[0].Errors) != 1 {
		t.Fatalf("the list shows %+v, not one connection with one error", list)
	}
	e := list.Connections[0].Errors[0]
	if e.Type != "auth" {
		t.Errorf("the error is of type %q, not auth", e.Type)
	}
	apptest.Poll(t, "the operation of the failed refresh is stored", func() bool {
		return dev.Do(t, http.MethodGet, "/logs/operations/"+e.LogID, nil).Status == http.StatusOK
	})

	// New credentials heal it.
	world.ImportOAuth(t, dev, "crm", "acme", time.Hour)
	dev.Do(t, http.MethodGet, get, nil).Want(t, http.StatusOK)
	apptest.Proxy(t, dev, http.MethodGet, "crm", "acme", "/private/me", nil).Want(t, http.StatusOK)
}

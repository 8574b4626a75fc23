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
	t.Run("one replica on SQLite", func(t *testing.T) {
		t.Parallel()
		testRefreshOnce(t, apptest.NewSQLite(t), 1, false)
	})
	t.Run("two replicas on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		testRefreshOnce(t, apptest.NewPostgres(t), 2, false)
	})
	t.Run("two replicas on PostgreSQL without LISTEN", func(t *testing.T) {
		t.Parallel()
		testRefreshOnce(t, apptest.NewPostgres(t), 2, true)
	})
}

func testRefreshOnce(t *testing.T, db apptest.Database, replicas int, pollOnly bool) {
	t.Helper()
	world := apptest.NewWorld(t)
	var clients []apptest.Client
	for range replicas {
		instance := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: world.ProvidersDir, PollOnly: pollOnly})
		clients = append(clients, instance.Dev(t))
	}
	world.Integrate(t, clients[0], apptest.ProviderOAuth, "crm")
	old := world.ImportOAuth(t, clients[0], "crm", "acme", -time.Minute)

	replies := make([]apptest.Reply, stampede)
	errs := make([]error, stampede)
	start := make(chan struct{})
	var callers sync.WaitGroup
	for i := range stampede {
		callers.Go(func() {
			<-start
			replies[i], errs[i] = clients[i%replicas].Try(t, http.MethodGet, "/proxy/private/me", nil,
				"Provider-Config-Key", "crm", "Connection-Id", "acme")
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
		t.Errorf("%d of %d calls failed", failed, stampede)
	}
	if n := world.Authority.Calls(); n != 1 {
		t.Errorf("the token endpoint was called %d times, not once", n)
	}
	for _, r := range world.SaaS.Requests() {
		if r.Header.Get("Authorization") == "Bearer "+old.Access {
			t.Error("a call was made with the expired token")
			break
		}
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
	apptest.Poll(t, 100, "the operation of the failed refresh is stored", func() bool {
		return dev.Do(t, http.MethodGet, "/logs/operations/"+e.LogID, nil).Status == http.StatusOK
	})

	// New credentials heal it.
	world.ImportOAuth(t, dev, "crm", "acme", time.Hour)
	dev.Do(t, http.MethodGet, get, nil).Want(t, http.StatusOK)
	apptest.Proxy(t, dev, http.MethodGet, "crm", "acme", "/private/me", nil).Want(t, http.StatusOK)
}

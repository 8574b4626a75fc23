package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestKilledWhileRefreshing kills the process, as kill -9 does, when the
// provider has exchanged the refresh token and the new one is not stored.
func TestKilledWhileRefreshing(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name+", provider with a grace period", func(t *testing.T) {
			t.Parallel()
			world, child := crash(t, open(t), true)
			apptest.Proxy(t, child.Dev(t), http.MethodGet, "crm", "acme", "/private/me", nil).Want(t, http.StatusOK)
			if n := world.Authority.Calls(); n != 2 {
				t.Errorf("the token endpoint was called %d times, not once before and once after the crash", n)
			}
		})
		t.Run(name+", provider without", func(t *testing.T) {
			t.Parallel()
			_, child := crash(t, open(t), false)
			dev := child.Dev(t)
			r := apptest.Proxy(t, dev, http.MethodGet, "crm", "acme", "/private/me", nil)
			if r.Status < 400 || r.Status >= 500 || !strings.Contains(string(r.Body), "refresh_interrupted") {
				t.Errorf("the call got %d, and not the cause refresh_interrupted\n%s", r.Status, r.Body)
			}
			wantOperationError(t, dev, "refresh_interrupted")
		})
	}
}

// TestKilledAfterTheAnswer kills the process when the provider's answer is on
// the wire: whether it was stored or not, the next call works or says why not.
func TestKilledAfterTheAnswer(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	o := apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir}
	child := apptest.StartProcess(t, o)
	world.Integrate(t, child.Dev(t), apptest.ProviderOAuth, "crm")
	world.ImportOAuth(t, child.Dev(t), "crm", "acme", -time.Minute)
	var once sync.Once
	world.Authority.AfterAnswer = func(*http.Request) { once.Do(child.KillNow) }
	_, _ = child.Dev(t).Try(t, http.MethodGet, "/proxy/private/me", nil,
		"Provider-Config-Key", "crm", "Connection-Id", "acme") // with luck it was fast enough to answer
	child.Kill()

	again := apptest.StartProcess(t, o)
	r := apptest.Proxy(t, again.Dev(t), http.MethodGet, "crm", "acme", "/private/me", nil)
	if r.Status != http.StatusOK && !strings.Contains(string(r.Body), "refresh_interrupted") {
		t.Errorf("the call got %d, neither success nor the cause\n%s", r.Status, r.Body)
	}
}

// crash imports an expired connection, lets a child die in the middle of its
// refresh and returns the child that takes over.
func crash(t *testing.T, db apptest.Database, tolerant bool) (*apptest.World, *apptest.Process) {
	t.Helper()
	world := apptest.NewWorld(t)
	world.Authority.Tolerant = tolerant
	o := apptest.Options{Database: db, ProvidersDir: world.ProvidersDir}
	child := apptest.StartProcess(t, o)
	world.Integrate(t, child.Dev(t), apptest.ProviderOAuth, "crm")
	world.ImportOAuth(t, child.Dev(t), "crm", "acme", -time.Minute)
	var once sync.Once
	world.Authority.BeforeAnswer = func(*http.Request) { once.Do(child.Kill) }
	_, err := child.Dev(t).Try(t, http.MethodGet, "/proxy/private/me", nil,
		"Provider-Config-Key", "crm", "Connection-Id", "acme")
	if err == nil {
		t.Fatal("the call was answered by a process that is dead")
	}
	return world, apptest.StartProcess(t, o)
}

// wantOperationError waits for a failed operation with the code.
func wantOperationError(t *testing.T, c apptest.Client, code string) {
	t.Helper()
	apptest.Poll(t, "an operation failed with "+code, func() bool {
		var page struct {
			Data []struct {
				Error *struct{ Code string }
			}
		}
		c.Do(t, http.MethodGet, "/logs/operations?limit=100", nil).Want(t, http.StatusOK).Into(t, &page)
		for _, op := range page.Data {
			if op.Error != nil && op.Error.Code == code {
				return true
			}
		}
		return false
	})
}

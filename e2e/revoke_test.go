package e2e

import (
	"net/http"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// revokeRounds is how many looks, 50 ms apart, a change may take to reach the
// other replica: the promised second, and room for a busy machine.
const revokeRounds = 400

// TestRevocationReachesOtherReplicas deletes things on one replica while the
// other has them in its caches.
func TestRevocationReachesOtherReplicas(t *testing.T) {
	t.Parallel()
	for name, pollOnly := range map[string]bool{"with LISTEN": false, "without LISTEN": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := apptest.NewPostgres(t)
			world := apptest.NewWorld(t)
			o := apptest.Options{Database: db, ProvidersDir: world.ProvidersDir, PollOnly: pollOnly}
			a, b := apptest.Start(t, o), apptest.Start(t, o)
			t.Run("key", func(t *testing.T) { testKeyRevoked(t, a, b) })
			t.Run("connection", func(t *testing.T) { testConnectionDeleted(t, world, a, b) })
			t.Run("credentials", func(t *testing.T) { testCredentialsReplaced(t, world, a, b) })
		})
	}
}

func testKeyRevoked(t *testing.T, a, b *apptest.Instance) {
	t.Helper()
	dev := a.DevUUID(t)
	key := makeKey(t, a, dev, "doomed")
	onB := b.Dev(t).WithKey(key.Secret)
	onB.Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusOK) // now it is cached
	a.Account(t).Do(t, http.MethodDelete, "/environments/"+dev+"/api-keys/"+key.UUID, nil).Want(t, http.StatusOK)
	a.Dev(t).WithKey(key.Secret).Do(t, http.MethodGet, "/integrations", nil).WantError(t, http.StatusUnauthorized, "unknown_account")
	rounds := apptest.PollWithin(t, revokeRounds, "the key stops working", func() bool {
		return onB.Do(t, http.MethodGet, "/integrations", nil).Status == http.StatusUnauthorized
	})
	t.Logf("the key stopped working by look %d", rounds)
}

func testConnectionDeleted(t *testing.T, world *apptest.World, a, b *apptest.Instance) {
	t.Helper()
	world.Integrate(t, a.Dev(t), apptest.ProviderNone, "open")
	apptest.Import(t, a.Dev(t), "open", "c", map[string]any{"type": "NONE"})
	onB := b.Dev(t)
	call := func() int {
		return apptest.Proxy(t, onB, http.MethodGet, "open", "c", "/x", nil).Status
	}
	if got := call(); got != http.StatusOK { // now it is cached
		t.Fatalf("the first call got %d", got)
	}
	a.Dev(t).Do(t, http.MethodDelete, "/connections/c?provider_config_key=open", nil).Want(t, http.StatusOK)
	rounds := apptest.PollWithin(t, revokeRounds, "the connection stops working", func() bool { return call() == http.StatusBadRequest })
	t.Logf("the connection stopped working by look %d", rounds)
}

// testCredentialsReplaced uses on one replica what appears and changes on the
// other.
func testCredentialsReplaced(t *testing.T, world *apptest.World, a, b *apptest.Instance) {
	t.Helper()
	world.Integrate(t, a.Dev(t), apptest.ProviderKey, "keyed")
	onB := b.Dev(t)
	keyOnB := func() string {
		r := apptest.Proxy(t, onB, http.MethodGet, "keyed", "late", "/x", nil)
		if r.Status != http.StatusOK {
			return ""
		}
		var echo apptest.Request
		r.Into(t, &echo)
		return echo.Header.Get("X-Api-Key")
	}
	if got := keyOnB(); got != "" { // now it is known to be absent
		t.Fatalf("a connection that does not exist has the key %q", got)
	}
	for _, key := range []string{"first", "second"} {
		apptest.Import(t, a.Dev(t), "keyed", "late", map[string]any{"type": "API_KEY", "apiKey": key})
		apptest.PollWithin(t, revokeRounds, "the other replica uses the "+key+" key", func() bool { return keyOnB() == key })
	}
}

// apiKey is a created API key.
type apiKey struct {
	UUID   string
	Secret string
}

// makeKey creates an environment key; no scopes means all.
func makeKey(t *testing.T, i *apptest.Instance, environment, name string, scopes ...string) apiKey {
	t.Helper()
	body := map[string]any{"display_name": name}
	if len(scopes) > 0 {
		body["scopes"] = scopes
	}
	var created struct{ Data apiKey }
	i.Account(t).Do(t, http.MethodPost, "/environments/"+environment+"/api-keys", body).Want(t, http.StatusOK).Into(t, &created)
	return created.Data
}

package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func testIntegrations(t *testing.T, w *world) {
	ctx := t.Context()
	a, b := w.newIntegration(t, w.env, "b"), w.newIntegration(t, w.env, "a")
	got, err := w.Integration(ctx, nil, w.env.ID, "b")
	must(t, err)
	wantEqual(t, "integration", got, a)
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		got, err := w.LockIntegration(ctx, tx, w.env.ID, "b")
		must(t, err)
		wantEqual(t, "locked", got, a)
		_, err = w.LockIntegration(ctx, tx, w.env.ID+1, "b")
		wantKind(t, err, linkspan.KindNotFound)
	})
	list, err := w.Integrations(ctx, nil, w.env.ID)
	must(t, err)
	wantEqual(t, "list", list, []linkspan.Integration{a, b})
	twin := a
	twin.UUID = linkspan.NewUUID()
	wantKind(t, w.InsertIntegration(ctx, nil, &twin), linkspan.KindConflict)

	a.Key, a.DisplayName, a.ForwardWebhooks, a.Secrets = "renamed", "", false, linkspan.IntegrationSecrets{}
	must(t, w.UpdateIntegration(ctx, nil, &a))
	got, err = w.Integration(ctx, nil, w.env.ID, "renamed")
	must(t, err)
	wantEqual(t, "updated", got, a)
	_, err = w.Integration(ctx, nil, w.env.ID, "b")
	wantKind(t, err, linkspan.KindNotFound)
	taken := a
	taken.Key = "a"
	wantKind(t, w.UpdateIntegration(ctx, nil, &taken), linkspan.KindConflict)

	w.newConnection(t, a, "one", nil)
	c := w.newConnection(t, a, "two", nil)
	must(t, w.DeleteConnection(ctx, nil, &c))
	n, err := w.CountConnections(ctx, nil, a.ID)
	must(t, err)
	if n != 1 {
		t.Fatalf("%d connections, want 1", n)
	}
	must(t, w.DeleteIntegration(ctx, nil, &a))
	wantKind(t, w.DeleteIntegration(ctx, nil, &a), linkspan.KindNotFound)
	wantKind(t, w.UpdateIntegration(ctx, nil, &a), linkspan.KindNotFound)
	_, err = w.Connection(ctx, nil, w.env.ID, "renamed", "one")
	wantKind(t, err, linkspan.KindNotFound)
	gone, err := w.ConnectionsDeletedWith(ctx, nil, w.env.ID, a.ID, 0, 10)
	must(t, err)
	if len(gone) != 1 || gone[0].Name != "one" || gone[0].IntegrationKey != "renamed" || gone[0].Provider != a.Provider {
		t.Fatalf("deleted with the integration: %+v", gone) // not "two", which was deleted before
	}
	gone, err = w.ConnectionsDeletedWith(ctx, nil, w.env.ID, a.ID, gone[0].ID, 10)
	must(t, err)
	if len(gone) != 0 {
		t.Fatalf("the page behind the last: %+v", gone)
	}
	gone, err = w.ConnectionsDeletedWith(ctx, nil, w.env.ID+1, a.ID, 0, 10)
	must(t, err)
	if len(gone) != 0 {
		t.Fatalf("another environment sees %+v", gone)
	}
	n, err = w.CountConnections(ctx, nil, a.ID)
	must(t, err)
	if n != 0 {
		t.Fatalf("a deleted integration has %d connections", n)
	}
	c.UUID = linkspan.NewUUID()
	wantKind(t, w.InsertConnection(ctx, nil, &c), linkspan.KindNotFound)
	w.newIntegration(t, w.env, "renamed") // the key is free again
}

func fullConnection(c *linkspan.Connection) {
	c.Credentials = linkspan.NewSecret(`{"type":"API_KEY","apiKey":"abc"}`)
	c.Config = map[string]any{"subdomain": "acme", "id": json.Number("12345678901234567890"), "on": true}
	c.Metadata = map[string]any{"nested": map[string]any{"list": []any{json.Number("1.50"), nil}}}
	c.Tags = map[string]string{"plan": "pro", "end_user_email": "Eve@Example.com"}
	c.EndUser = &linkspan.EndUser{ID: "u1", DisplayName: "Ünal 100%", Email: "u@example.com", Organization: &linkspan.Organization{ID: "o1"}}
	c.WebhookURLOverride = "https://example.com/hook"
	c.ExpiresAt = past()
	c.LastFetchedAt = past()
	c.Refresh = linkspan.RefreshState{FailedAt: past(), FailedDays: 2, Exhausted: true, Reason: "invalid_grant", Message: "m", Operation: "op"}
}

func testConnections(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	bare := w.newConnection(t, i, "bare", nil)
	full := w.newConnection(t, i, "full", fullConnection)
	bare.Tags = map[string]string{}
	for _, want := range []linkspan.Connection{bare, full} {
		got, err := w.Connection(ctx, nil, w.env.ID, "github", want.Name)
		must(t, err)
		wantEqual(t, "connection", got, want)
	}
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		got, err := w.LockConnection(ctx, tx, w.env.ID, "github", "full")
		must(t, err)
		wantEqual(t, "locked", got, full)
	})
	_, err := w.LockConnection(ctx, nil, w.env.ID, "github", "nobody")
	wantKind(t, err, linkspan.KindNotFound)
	twin := full
	twin.UUID = linkspan.NewUUID()
	wantKind(t, w.InsertConnection(ctx, nil, &twin), linkspan.KindConflict)
	w.newConnection(t, w.newIntegration(t, w.env, "other"), "full", nil) // one name, two integrations

	full.Config, full.Metadata, full.Tags, full.EndUser = nil, map[string]any{}, map[string]string{"plan": "free"}, nil
	full.WebhookURLOverride = ""
	must(t, w.UpdateConnection(ctx, nil, &full))
	got, err := w.Connection(ctx, nil, w.env.ID, "github", "full")
	must(t, err)
	wantEqual(t, "updated", got, full)

	must(t, w.DeleteConnection(ctx, nil, &full))
	wantKind(t, w.DeleteConnection(ctx, nil, &full), linkspan.KindNotFound)
	wantKind(t, w.UpdateConnection(ctx, nil, &full), linkspan.KindNotFound)
	wantKind(t, w.SaveCredentials(ctx, nil, &full), linkspan.KindNotFound)
	_, err = w.Connection(ctx, nil, w.env.ID, "github", "full")
	wantKind(t, err, linkspan.KindNotFound)
	w.newConnection(t, i, "full", nil) // the name is free again
}

func testConnectionLists(t *testing.T, w *world) {
	ctx := t.Context()
	gh, hub := w.newIntegration(t, w.env, "github"), w.newIntegration(t, w.env, "hubspot")
	for n := range 5 {
		i := gh
		if n%2 == 1 {
			i = hub
		}
		w.newConnection(t, i, fmt.Sprintf("conn-%d", n), func(c *linkspan.Connection) {
			c.Tags = map[string]string{"n": fmt.Sprint(n), "parity": fmt.Sprint(n % 2)}
		})
	}
	w.newConnection(t, hub, "full_1", fullConnection)
	w.newConnection(t, gh, "fullx1", func(c *linkspan.Connection) {
		c.Tags = map[string]string{"end_user_id": "u2", "organization_id": "o1", "end_user_display_name": "Zoë"}
	})
	for name, tt := range map[string]struct {
		filter linkspan.ConnectionFilter
		want   []string
	}{
		"all":              {linkspan.ConnectionFilter{}, []string{"fullx1", "full_1", "conn-4", "conn-3", "conn-2", "conn-1", "conn-0"}},
		"page":             {linkspan.ConnectionFilter{Limit: 2, Offset: 3}, []string{"conn-3", "conn-2"}},
		"name":             {linkspan.ConnectionFilter{Name: "conn-2"}, []string{"conn-2"}},
		"search id":        {linkspan.ConnectionFilter{Search: "ONN-", Limit: 2}, []string{"conn-4", "conn-3"}},
		"search wildcard":  {linkspan.ConnectionFilter{Search: "l_1"}, []string{"full_1"}},
		"search percent":   {linkspan.ConnectionFilter{Search: "ÜNAL 100%"}, []string{"full_1"}},
		"search backslash": {linkspan.ConnectionFilter{Search: `\`}, nil},
		"search tag":       {linkspan.ConnectionFilter{Search: "zoË"}, []string{"fullx1"}},
		"search e-mail":    {linkspan.ConnectionFilter{Search: "eve@example"}, []string{"full_1"}},
		"integrations":     {linkspan.ConnectionFilter{IntegrationKeys: []string{"hubspot", "none"}}, []string{"full_1", "conn-3", "conn-1"}},
		"end user":         {linkspan.ConnectionFilter{EndUserID: "u1"}, []string{"full_1"}},
		"end user's tag":   {linkspan.ConnectionFilter{EndUserID: "u2"}, []string{"fullx1"}},
		"organization":     {linkspan.ConnectionFilter{OrganizationID: "o1"}, []string{"fullx1", "full_1"}},
		"tag":              {linkspan.ConnectionFilter{Tags: map[string]string{"parity": "1"}}, []string{"conn-3", "conn-1"}},
		"tags":             {linkspan.ConnectionFilter{Tags: map[string]string{"parity": "1", "n": "3"}}, []string{"conn-3"}},
		"tags of two":      {linkspan.ConnectionFilter{Tags: map[string]string{"parity": "1", "n": "2"}}, nil},
		"everything": {linkspan.ConnectionFilter{
			Name: "full_1", Search: "full", IntegrationKeys: []string{"hubspot"}, EndUserID: "u1", OrganizationID: "o1",
			Tags: map[string]string{"plan": "pro"},
		}, []string{"full_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.filter.EnvironmentID = w.env.ID
			if tt.filter.Limit == 0 {
				tt.filter.Limit = 100
			}
			list, err := w.Connections(ctx, nil, tt.filter)
			must(t, err)
			var names []string
			for _, c := range list {
				names = append(names, c.Name)
				if !c.Credentials.IsZero() {
					t.Error("a list holds credentials")
				}
			}
			wantEqual(t, "names", names, tt.want)
		})
	}
	list, err := w.Connections(ctx, nil, linkspan.ConnectionFilter{EnvironmentID: w.env.ID, Name: "full_1", Limit: 1})
	must(t, err)
	one, err := w.Connection(ctx, nil, w.env.ID, "hubspot", "full_1")
	must(t, err)
	one.Credentials = linkspan.Secret{}
	wantEqual(t, "a listed connection", list[0], one)
}

func testCredentials(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	c := w.newConnection(t, i, "one", fullConnection)
	outdated := c
	c.Credentials, c.ExpiresAt, c.Refresh = linkspan.NewSecret("new"), past().Add(time.Hour), linkspan.RefreshState{}
	c.Config = map[string]any{"instance": "eu"}
	must(t, w.SaveCredentials(ctx, nil, &c))
	if c.CredentialsVersion != 2 {
		t.Fatalf("version is %d, want 2", c.CredentialsVersion)
	}
	got, err := w.Connection(ctx, nil, w.env.ID, "github", "one")
	must(t, err)
	wantEqual(t, "with new credentials", got, c)

	wantKind(t, w.SaveCredentials(ctx, nil, &outdated), linkspan.KindConflict)
	failed := linkspan.RefreshState{FailedAt: past(), FailedDays: 1, Reason: "r", Message: "bad \x00 byte \xff", Operation: "op"}
	wantKind(t, w.SaveRefreshState(ctx, nil, c.ID, c.UUID, 1, failed), linkspan.KindConflict)
	wantKind(t, w.SaveRefreshState(ctx, nil, c.ID, linkspan.NewUUID(), 2, failed), linkspan.KindNotFound)
	must(t, w.SaveRefreshState(ctx, nil, c.ID, c.UUID, 2, failed))
	c.Refresh = failed
	c.Refresh.Message = "bad \uFFFD byte \uFFFD"
	got, err = w.Connection(ctx, nil, w.env.ID, "github", "one")
	must(t, err)
	wantEqual(t, "with a failure", got, c)
}

// testCredentialRace has many writers work from one version: one wins.
func testCredentialRace(t *testing.T, w *world) {
	c := w.newConnection(t, w.newIntegration(t, w.env, "github"), "one", nil)
	var won atomic.Int32
	var wg sync.WaitGroup
	for n := range 10 {
		wg.Go(func() {
			mine := c
			mine.Credentials = linkspan.NewSecret(fmt.Sprint(n))
			switch err := w.SaveCredentials(t.Context(), nil, &mine); {
			case err == nil:
				won.Add(1)
			case linkspan.KindOf(err) != linkspan.KindConflict:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d writers won", won.Load())
	}
}

func testRefreshCandidates(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	expiring := func(c *linkspan.Connection) { c.ExpiresAt = past() }
	a := w.newConnection(t, i, "a", expiring)
	w.newConnection(t, i, "never expires", nil)
	w.newConnection(t, i, "exhausted", func(c *linkspan.Connection) {
		expiring(c)
		c.Refresh.Exhausted = true
	})
	gone := w.newConnection(t, i, "gone", expiring)
	must(t, w.DeleteConnection(ctx, nil, &gone))
	fresh := w.newConnection(t, i, "fresh", expiring)
	b := w.newConnection(t, i, "b", expiring)
	w.exec(t, "update connections set credentials_at = $1 where id <> $2", past().UnixMicro(), int64(fresh.ID))
	names := func(after linkspan.ConnectionID, limit int) (out []string) {
		t.Helper()
		list, err := w.ConnectionsToRefresh(ctx, nil, past().Add(time.Hour), after, limit)
		must(t, err)
		for _, c := range list {
			if c.IntegrationKey != "github" || c.EnvironmentID != w.env.ID || !c.ExpiresAt.Equal(past()) {
				t.Errorf("incomplete: %+v", c)
			}
			out = append(out, c.Name)
		}
		return out
	}
	wantEqual(t, "all", names(0, 10), []string{"a", "b"})
	wantEqual(t, "page", names(0, 1), []string{"a"})
	wantEqual(t, "next page", names(a.ID, 10), []string{"b"})
	wantEqual(t, "after the last", names(b.ID, 10), nil)
}

func testTouching(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	a, b := w.newConnection(t, i, "a", nil), w.newConnection(t, i, "b", nil)
	k := w.newAPIKey(t, w.env.ID, "key")
	start, err := w.LatestChange(ctx)
	must(t, err)
	for _, tt := range []struct{ touch, want time.Time }{
		{past(), past()}, {past().Add(-time.Hour), past()}, {past().Add(time.Hour), past().Add(time.Hour)},
	} {
		must(t, w.TouchConnections(ctx, nil, map[linkspan.ConnectionID]time.Time{a.ID: tt.touch, 999: tt.touch}))
		must(t, w.TouchAPIKeys(ctx, nil, map[linkspan.APIKeyID]time.Time{k.ID: tt.touch}))
		got, err := w.Connection(ctx, nil, w.env.ID, "github", "a")
		must(t, err)
		key, err := w.APIKey(ctx, nil, w.account.ID, w.env.ID, k.UUID)
		must(t, err)
		if !got.LastFetchedAt.Equal(tt.want) || !key.LastUsedAt.Equal(tt.want) {
			t.Fatalf("touched at %v: %v and %v", tt.touch, got.LastFetchedAt, key.LastUsedAt)
		}
	}
	got, err := w.Connection(ctx, nil, w.env.ID, "github", "b")
	must(t, err)
	if !got.LastFetchedAt.IsZero() {
		t.Fatalf("%s was touched", b.Name)
	}
	must(t, w.TouchConnections(ctx, nil, nil))
	must(t, w.TouchAPIKeys(ctx, nil, nil))
	end, err := w.LatestChange(ctx)
	must(t, err)
	if start != end {
		t.Fatal("touching is no change that caches care about")
	}
}

// testIsolation builds two environments alike and looks from each for what is
// the other's.
func testIsolation(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	mine, theirs := w.newIntegration(t, w.env, "github"), w.newIntegration(t, other, "github")
	c := w.newConnection(t, mine, "one", nil)
	got, err := w.Integration(ctx, nil, other.ID, "github")
	must(t, err)
	wantEqual(t, "their integration", got, theirs)
	_, err = w.Connection(ctx, nil, other.ID, "github", "one")
	wantKind(t, err, linkspan.KindNotFound)
	list, err := w.Connections(ctx, nil, linkspan.ConnectionFilter{EnvironmentID: other.ID, Limit: 10})
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("they see %v", list)
	}
	stolen := mine
	stolen.EnvironmentID = other.ID
	wantKind(t, w.UpdateIntegration(ctx, nil, &stolen), linkspan.KindNotFound)
	wantKind(t, w.DeleteIntegration(ctx, nil, &stolen), linkspan.KindNotFound)
	c.EnvironmentID = other.ID
	wantKind(t, w.UpdateConnection(ctx, nil, &c), linkspan.KindNotFound)
	wantKind(t, w.DeleteConnection(ctx, nil, &c), linkspan.KindNotFound)
	c.UUID = linkspan.NewUUID()
	wantKind(t, w.InsertConnection(ctx, nil, &c), linkspan.KindNotFound) // my integration, their environment
	c.IntegrationID = theirs.ID
	must(t, w.InsertConnection(ctx, nil, &c)) // the same names are free over there
}

func testDeletedEnvironment(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	w.newConnection(t, i, "one", func(c *linkspan.Connection) { c.ExpiresAt = past() })
	k := w.newAPIKey(t, w.env.ID, "key")
	s := linkspan.ConnectSession{UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, Hash: newHash(), ExpiresAt: past()}
	must(t, w.InsertConnectSession(ctx, nil, &s))
	earlier := w.newConnection(t, i, "earlier", nil)
	must(t, w.DeleteConnection(ctx, nil, &earlier))
	none, err := w.ConnectionsDeletedWith(ctx, nil, w.env.ID, 0, 0, 10)
	must(t, err)
	if len(none) != 0 {
		t.Fatalf("deleted with an environment that is there: %+v", none)
	}
	must(t, w.DeleteEnvironment(ctx, nil, &w.env))
	gone, err := w.ConnectionsDeletedWith(ctx, nil, w.env.ID, 0, 0, 10)
	must(t, err)
	if len(gone) != 1 || gone[0].Name != "one" || gone[0].IntegrationKey != "github" {
		t.Fatalf("deleted with the environment: %+v", gone)
	}

	_, _, err = w.APIKeyByHash(ctx, nil, k.Hash)
	wantKind(t, err, linkspan.KindNotFound)
	_, _, err = w.ConnectSessionByHash(ctx, nil, s.Hash)
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.APIKey(ctx, nil, w.account.ID, w.env.ID, k.UUID)
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.Integration(ctx, nil, w.env.ID, "github")
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.Connection(ctx, nil, w.env.ID, "github", "one")
	wantKind(t, err, linkspan.KindNotFound)
	list, err := w.ConnectionsToRefresh(ctx, nil, time.Now().Add(time.Hour), 0, 10)
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("connections of a deleted environment would be refreshed: %v", list)
	}
	i.UUID, s.UUID, s.Hash = linkspan.NewUUID(), linkspan.NewUUID(), newHash()
	wantKind(t, w.InsertIntegration(ctx, nil, &i), linkspan.KindNotFound)
	wantKind(t, w.InsertConnectSession(ctx, nil, &s), linkspan.KindNotFound)
	k.UUID, k.Hash, k.DisplayName = linkspan.NewUUID(), newHash(), "new"
	wantKind(t, w.InsertAPIKey(ctx, nil, &k), linkspan.KindNotFound)
}

func testPurge(t *testing.T, w *world) {
	ctx := t.Context()
	doomed := w.newEnvironment(t, "doomed")
	di := w.newIntegration(t, doomed, "github")
	w.newConnection(t, di, "x", fullConnection)
	w.newAPIKey(t, doomed.ID, "key")
	must(t, w.ReplaceVariables(ctx, nil, doomed.ID, doomed.UUID, []linkspan.SecretPair{{Name: "a"}}))
	i := w.newIntegration(t, w.env, "github")
	keep := w.newConnection(t, i, "keep", fullConnection)
	drop := w.newConnection(t, i, "drop", fullConnection)
	must(t, w.DeleteConnection(ctx, nil, &drop))
	must(t, w.DeleteEnvironment(ctx, nil, &doomed))
	l, _, err := w.AcquireLease(ctx, nil, "k", "released", "me", time.Second)
	must(t, err)
	_, err = w.ReleaseLease(ctx, nil, l)
	must(t, err)
	held, _, err := w.AcquireLease(ctx, nil, "k", "held", "me", -time.Hour)
	must(t, err)

	purge := func(before time.Time, limit, want int) {
		t.Helper()
		n, err := w.PurgeDeleted(ctx, nil, before, limit)
		must(t, err)
		if n != want {
			t.Fatalf("purged %d rows, want %d", n, want)
		}
	}
	purge(time.Now().Add(-time.Hour), 10, 0)
	later := time.Now().Add(time.Hour)
	purge(later, 1, 2)  // a connection and a lease; the other connection is in the way of the rest
	purge(later, 10, 3) // connection, integration, environment
	purge(later, 10, 0)
	got, err := w.Connection(ctx, nil, w.env.ID, "github", "keep")
	must(t, err)
	wantEqual(t, "kept", got, keep)
	keys, err := w.DataKeys(ctx, nil, doomed.ID)
	must(t, err)
	if len(keys) != 0 {
		t.Fatal("the data key outlived its environment")
	}
	if ok, err := w.CheckLease(ctx, nil, held); err != nil || !ok {
		t.Fatalf("a lease that was not released was purged: %t, %v", ok, err)
	}
}

// testUndecryptable damages stored values. What needs them fails and says so;
// what does not goes on.
func testUndecryptable(t *testing.T, w *world) {
	ctx := t.Context()
	i := w.newIntegration(t, w.env, "github")
	expiring := func(c *linkspan.Connection) {
		fullConnection(c)
		c.Refresh.Exhausted = false
	}
	a, b := w.newConnection(t, i, "a", expiring), w.newConnection(t, i, "b", expiring)
	// A value moved to another row does not open there.
	w.exec(t, "update connections set credentials = (select credentials from connections where id = $1) where id = $2", int64(a.ID), int64(b.ID))
	_, err := w.Connection(ctx, nil, w.env.ID, "github", "b")
	wantKind(t, err, linkspan.KindInternal)
	list, err := w.Connections(ctx, nil, linkspan.ConnectionFilter{EnvironmentID: w.env.ID, Limit: 10})
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("listed %d connections", len(list))
	}
	todo, err := w.ConnectionsToRefresh(ctx, nil, time.Now().Add(time.Hour), 0, 10)
	must(t, err)
	if !slices.ContainsFunc(todo, func(c linkspan.Connection) bool { return c.Name == "a" }) {
		t.Fatal("one damaged row keeps the others from being refreshed")
	}
	b.Credentials = linkspan.NewSecret("new") // authorising again repairs it
	must(t, w.SaveCredentials(ctx, nil, &b))
	_, err = w.Connection(ctx, nil, w.env.ID, "github", "b")
	must(t, err)
	w.exec(t, "update integrations set secrets = config from connections where connections.id = $1 and integrations.id = $2", int64(a.ID), int64(i.ID))
	_, err = w.Integration(ctx, nil, w.env.ID, "github")
	wantKind(t, err, linkspan.KindInternal)
}

func testUnstorableText(t *testing.T, w *world) {
	ctx := t.Context()
	for _, name := range []string{"nul \x00", "not UTF-8 \xff"} {
		e := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: name, PublicKey: linkspan.NewUUID()}
		wantKind(t, w.InsertEnvironment(ctx, nil, &e), linkspan.KindInvalid)
		_, err := w.Connection(ctx, nil, w.env.ID, "github", name)
		wantKind(t, err, linkspan.KindInvalid)
	}
}
